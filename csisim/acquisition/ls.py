"""Least-squares channel estimation, and the linear map that every linear estimator with known pilots is."""

from typing import ClassVar, Literal, NamedTuple

import numpy as np

from csisim.acquisition.base import Estimate
from csisim.errors import PilotError
from csisim.phy.linalg import adjoint
from csisim.registry import Component


class LinearMap(NamedTuple):
    """An estimator of the form C^ = Y A: with fixed pilots nothing else depends on the data.

    Attributes
    ----------
    matrix : (K|1, L, T) or (D, K, L, T) complex
        A.
    error_variance : (D|1, K|1) real
        Predicted error variance per entry.
    """

    matrix: np.ndarray
    error_variance: np.ndarray

    def apply(self, received: np.ndarray) -> np.ndarray:
        """Y A, (D, K, S, R, T), for received pilots (D, K, S, R, L)."""
        return received @ self.matrix[..., None, :, :].astype(received.dtype, copy=False)


def least_squares(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    r"""Least-squares estimate of a channel from known pilots.

    For :math:`Y = C X + Z` the estimate is :math:`\hat C = Y X^H (X X^H)^{-1}` (Kang 2022, eq. 15).

    Parameters
    ----------
    y : (..., R, L) complex
        Received pilots.
    x : (..., T, L) complex
        Sent pilots; L >= T and full row rank.

    Returns
    -------
    (..., R, T) complex

    Raises
    ------
    PilotError
        If the pilots cannot identify T directions.
    """
    return y @ least_squares_map(x)


def least_squares_map(x: np.ndarray) -> np.ndarray:
    """The pseudo-inverse X^H (X X^H)^(-1), (..., L, T), of pilots (..., T, L).

    Raises
    ------
    PilotError
        If L < T or the pilots are rank deficient.
    """
    num_rf, length = x.shape[-2:]
    if length < num_rf:
        raise PilotError(f"{length} pilot symbols cannot identify {num_rf} directions by least squares: pilots.length >= {num_rf}")
    u, s, vh = np.linalg.svd(x.astype(np.complex128, copy=False), full_matrices=False)
    if np.any(s[..., -1] <= 1e-10 * s[..., 0]):
        raise PilotError(f"the pilots are rank deficient: least squares needs {num_rf} linearly independent rows")
    return adjoint(vh) / s[..., None, :] @ adjoint(u)


def least_squares_mse(x: np.ndarray, noise_power: float) -> np.ndarray:
    r"""Error variance per entry, :math:`\sigma^2\,\mathrm{tr}\,(X X^H)^{-1} / T`, of least squares in white noise.

    With orthogonal rows of power P per RF chain that is sigma^2 / (L P): 3 dB less per doubling of L.

    Parameters
    ----------
    x : (..., T, L) complex
        Sent pilots.
    noise_power : float
        sigma^2.

    Returns
    -------
    (...) real
    """
    return noise_power * np.sum(np.abs(least_squares_map(x)) ** 2, axis=(-2, -1)) / x.shape[-2]


class LeastSquaresConfig(Component):
    """The channel that fits the received pilots best: unbiased, with error sigma^2 tr((X X^H)^-1) / T per entry."""

    kind: Literal["ls"] = "ls"


class LeastSquares:
    """Least squares (Kang 2022, eq. 15).

    The predicted error variance is :func:`least_squares_mse`: exact for any channel in white noise; interference from other
    users' pilots (``kang_eq4``) is not in it.
    """

    Config = LeastSquaresConfig
    uses_pilots: ClassVar[bool] = True
    needs_covariance: ClassVar[bool] = False

    def __init__(self, config: LeastSquaresConfig):
        self.config = config

    def init(self, pilots: np.ndarray, noise_power: float, covariance: np.ndarray | None = None) -> LinearMap:
        """The pseudo-inverse of the pilots (K|1, T, L).

        Raises
        ------
        PilotError
            If L < T or the pilots are rank deficient.
        """
        return LinearMap(least_squares_map(pilots), least_squares_mse(pilots, noise_power)[None])

    def update(self, received: np.ndarray, state: LinearMap) -> tuple[Estimate, LinearMap]:
        """The estimate from received pilots (D, K, S, R, L)."""
        return Estimate(state.apply(received), state.error_variance), state
