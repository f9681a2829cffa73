"""Recursive least squares (Kang 2022, Algorithm 1), as the recursion and as the linear map that it is."""

from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from csisim.acquisition.base import Estimate
from csisim.acquisition.ls import LinearMap
from csisim.errors import PilotError
from csisim.phy.linalg import adjoint
from csisim.registry import Component


def initial_loading(x: np.ndarray, loading: float) -> np.ndarray:
    """delta (...,): ``loading`` times the mean power ||x_l||^2 of one pilot symbol of pilots (..., T, L)."""
    return loading * np.mean(np.sum(np.abs(x) ** 2, axis=-2), axis=-1)


def rls_recursion(y: np.ndarray, x: np.ndarray, forgetting: float = 1.0, loading: float = 0.01, symmetrise: bool = True) -> np.ndarray:
    r"""Algorithm 1 of Kang 2022, one pilot symbol at a time, in the precision of its inputs.

    The oracle of :func:`rls_map`. Step 4 uses :math:`x^n` (the printed :math:`x^{n-1}` is not defined at n = 1).

    Parameters
    ----------
    y : (..., R, L) complex
        Received pilots.
    x : (..., T, L) complex
        Sent pilots.
    forgetting : float
        beta, 0 < beta <= 1.
    loading : float
        delta relative to the power of one pilot symbol.
    symmetrise : bool
        Restore the Hermitian symmetry of P after every step. The printed update loses it with DFT pilots, where all columns
        excite P alike, and diverges (error of order 1 at L = 80 in single precision).

    Returns
    -------
    (..., R, T) complex
        The estimate, (W^L)^H.
    """
    num_rf, length = x.shape[-2:]
    delta = initial_loading(x, loading)[..., None, None]
    p = (np.eye(num_rf) / delta).astype(x.dtype)
    w = np.zeros((*np.broadcast_shapes(y.shape[:-2], x.shape[:-2]), num_rf, y.shape[-2]), y.dtype)
    for n in range(length):
        x_n, y_n = x[..., n : n + 1], y[..., n : n + 1]
        g = p @ x_n
        v = g / (forgetting + adjoint(g) @ x_n)
        p = (p - v @ adjoint(g)) / forgetting
        if symmetrise:
            p = (p + adjoint(p)) / 2
        residual = y_n - adjoint(w) @ x_n
        w = w + v @ adjoint(residual)
    return adjoint(w)


def rls_map(x: np.ndarray, forgetting: float = 1.0, loading: float = 0.01) -> np.ndarray:
    r"""What the recursion converges to after L symbols, as a linear map A with :math:`\hat C = Y A`.

    .. math::  A = B X^H (X B X^H + \beta^L \delta I)^{-1}, \qquad B = \mathrm{diag}(\beta^{L-1}, \dots, \beta, 1)

    This is an identity, not an approximation: the gains of RLS never depend on the received signal.

    Parameters
    ----------
    x : (..., T, L) complex
        Sent pilots; any length (below T the loading decides the unseen directions).
    forgetting, loading : float
        As in :func:`rls_recursion`.

    Returns
    -------
    (..., L, T) complex128

    Raises
    ------
    PilotError
        If the forgetting factor forgets the older pilots so fast that the newer ones alone do not identify the channel.
    """
    length = x.shape[-1]
    root = forgetting ** ((length - 1 - np.arange(length)) / 2)  # B^(1/2)
    floor = forgetting**length * initial_loading(x, loading)[..., None]
    # through the singular values of X B^(1/2): squaring them first would lose half the digits when old pilots fade
    u, s, vh = np.linalg.svd(x.astype(np.complex128, copy=False) * root, full_matrices=False)
    strength = s**2 + floor
    if np.any(strength <= 1e-24 * s[..., :1] ** 2):
        raise PilotError(f"forgetting {forgetting} fades {length} pilot symbols below rounding: choose a forgetting factor nearer to 1")
    return root[:, None] * (adjoint(vh) * (s / strength)[..., None, :]) @ adjoint(u)


class RlsState(NamedTuple):
    """The linear map and what its predicted error is made of.

    Attributes
    ----------
    linear_map : LinearMap
        A with the noise part of the error variance, sigma^2 ||A||_F^2 / T, (1, K|1).
    bias : (1, K|1) real
        ||X A - I||_F^2 / T: the share of the channel's power that the initial loading leaves out.
    pilot_power : (1, K|1) real
        Mean of ||x_l||^2 over the block.
    noise_power : float
        sigma^2.
    """

    linear_map: LinearMap
    bias: np.ndarray
    pilot_power: np.ndarray
    noise_power: float


class RlsConfig(Component):
    """Least squares over the pilot symbols, older ones fading away (Kang 2022, Algorithm 1)."""

    kind: Literal["rls"] = "rls"
    forgetting: float = Field(1.0, gt=0, le=1, description="forgetting factor beta")
    loading: float = Field(0.01, gt=0, description="initial loading delta, relative to the power of one pilot symbol")


class Rls:
    r"""Recursive least squares (Kang 2022, Algorithm 1, symmetrised), run as its closed form :func:`rls_map`.

    The predicted error variance is :math:`\sigma^2 \|A\|_F^2 / T + p \|X A - I\|_F^2 / T`: noise, and the bias of the initial
    loading for a channel with uncorrelated columns of power p per entry, where p is read off the received power. Interference
    from other users' pilots (``kang_eq4``) is not in it.
    """

    Config = RlsConfig
    uses_pilots: ClassVar[bool] = True
    needs_covariance: ClassVar[bool] = False

    def __init__(self, config: RlsConfig):
        self.config = config

    def init(self, pilots: np.ndarray, noise_power: float, covariance: np.ndarray | None = None) -> RlsState:
        """The linear map for pilots (K|1, T, L).

        Raises
        ------
        PilotError
            If the forgetting factor is too small for these pilots.
        """
        num_rf = pilots.shape[-2]
        matrix = rls_map(pilots, self.config.forgetting, self.config.loading)
        noise_error = noise_power * np.sum(np.abs(matrix) ** 2, axis=(-2, -1)) / num_rf
        bias = np.sum(np.abs(pilots @ matrix - np.eye(num_rf)) ** 2, axis=(-2, -1)) / num_rf
        return RlsState(LinearMap(matrix, noise_error[None]), bias[None], initial_loading(pilots, 1.0)[None], noise_power)

    def update(self, received: np.ndarray, state: RlsState) -> tuple[Estimate, RlsState]:
        """The estimate from received pilots (D, K, S, R, L)."""
        received_power = np.mean(np.abs(received) ** 2, axis=(2, 3, 4))
        channel_power = np.maximum(received_power - state.noise_power, 0) / state.pilot_power
        error_variance = state.linear_map.error_variance + channel_power * state.bias
        return Estimate(state.linear_map.apply(received), error_variance), state
