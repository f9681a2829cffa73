r"""CEDUN: recursive least squares with parameters in every step, and pilots that are trained with it (Kang 2022, eq. 17, corrected).

One layer per pilot symbol, in units in which a pilot symbol has norm one:

.. math::
    g^n &= T_g P^{n-1} x^n + q_g, & v^n &= T_v \frac{g^n}{\gamma + g^{nH} x^n} + q_v, \\
    P^n &= T_p \gamma^{-1} (P^{n-1} - v^n g^{nH}) + q_p, & W^n &= T_w (W^{n-1} + v^n e^{nH}) + q_w

with :math:`e^n = y^n - (W^{n-1})^H x^n` (undefined in the paper), :math:`W^0 = 0`, :math:`P^0 = I / \delta` and :math:`\hat H = (W^L)^H`.
P is kept Hermitian, as in :mod:`csisim.acquisition.rls`. Untrained it *is* RLS with the scenario's pilots.

The gains never look at the received signal, so the whole network is an affine map of it, :math:`\hat H = Y A + B`: that is what
training differentiates and what a simulation runs, and :func:`cedun_recursion` is the page to check them with.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device
from pydantic import Field

from csisim.acquisition.base import Estimate
from csisim.beamforming.digital.oracle import Array, identity
from csisim.errors import PilotError
from csisim.phy.linalg import adjoint
from csisim.weights import Circumstances, Learned, Need, Parameters, WeightsError, parameters_of


class CedunConfig(Learned):
    """Channel estimate by unfolded recursive least squares with trained pilots (Kang 2022, eq. 17)."""

    kind: Literal["cedun"] = "cedun"
    loading: float = Field(0.1, gt=0, description="initial loading delta, relative to the power of one pilot symbol")
    training: Literal["separate", "joint", "one_stage"] = Field(
        "separate", description="trained for the error of the estimate, or with hbdun for the rate"
    )

    def need(self, circumstances: Circumstances) -> Need:
        """One network for each number of RF chains and length of the pilots; six users' serves fewer."""
        return circumstances.need("estimator/cedun", self.architecture, "num_users", "num_rx_rf", "num_rf", "pilot_length", pilots=True)


class AffineMap(NamedTuple):
    """An estimator of the form C^ = Y A + B, with what its predicted error is made of.

    Attributes
    ----------
    matrix : (K, L, T) complex
    offset : (K, R, T) complex
    noise_error : (1, K) real
        sigma^2 ||A||_F^2 / T.
    bias : (1, K) real
        ||X A - I||_F^2 / T, the share of the channel's power that is missed.
    pilot_power : float
        Mean of ||x_l||^2.
    noise_power : float
    """

    matrix: np.ndarray
    offset: np.ndarray
    noise_error: np.ndarray
    bias: np.ndarray
    pilot_power: float
    noise_power: float


def initial(dims: Mapping[str, int], pilots: np.ndarray) -> Parameters:
    """Untrained parameters around pilots (T, L): T = I, q = 0, gamma = 1; every array but the pilots is (num_users, L, ...)."""
    users, num_rx, num_tx = (dims[name] for name in ("num_users", "num_rx_rf", "num_rf"))
    length = pilots.shape[-1]

    def eye() -> np.ndarray:
        return np.broadcast_to(np.eye(num_tx, dtype=np.complex64), (users, length, num_tx, num_tx)).copy()

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros((users, length, *shape), np.complex64)

    return {
        "pilots": (pilots / np.linalg.norm(pilots, axis=0)).astype(np.complex64),
        "T_g": eye(),
        "q_g": zeros(num_tx),
        "T_v": eye(),
        "q_v": zeros(num_tx),
        "T_p": eye(),
        "q_p": zeros(num_tx, num_tx),
        "T_w": eye(),
        "q_w": zeros(num_tx, num_rx),
        "gamma": np.ones((users, length), np.float32),
    }


def unit_pilots(parameters: Mapping[str, Array]) -> Array:
    """The trained pilots (T, L) with columns of norm one: the power constraint (7e) holds whatever training does."""
    xp = array_namespace(parameters["pilots"])
    pilots = parameters["pilots"]
    norm = xp.sqrt(xp.sum(xp.real(pilots) ** 2 + xp.imag(pilots) ** 2, axis=0, keepdims=True))
    return pilots / xp.astype(norm, pilots.dtype)


def affine_map(parameters: Mapping[str, Array], x: Array, amplitude: float, loading: float) -> tuple[Array, Array]:
    r"""A (K, L, T) and B (K, R, T) of :math:`\hat H = Y A + B` for pilots ``amplitude * x``, x (T, L) with columns of norm one."""
    xp = array_namespace(x)
    size, length = x.shape
    users, num_rx = parameters["q_w"].shape[0], parameters["q_w"].shape[-1]
    eye = identity(x, size)
    p = xp.broadcast_to(eye / loading, (users, size, size))
    seen = xp.zeros((users, size, 0), dtype=x.dtype, device=device(x))  # columns of A^H so far, times the amplitude
    offset = xp.zeros((users, size, num_rx), dtype=x.dtype, device=device(x))
    for n in range(length):
        layer = {name: parameters[name][:, n] for name in parameters if name != "pilots"}
        gamma = xp.astype(layer["gamma"], x.dtype)[:, None, None]
        x_n = x[:, n : n + 1]
        g = layer["T_g"] @ (p @ x_n) + layer["q_g"][..., None]
        v = layer["T_v"] @ (g / (gamma + adjoint(g) @ x_n)) + layer["q_v"][..., None]
        p = layer["T_p"] @ ((p - v @ adjoint(g)) / gamma) + layer["q_p"]
        p = (p + adjoint(p)) / 2
        kept = layer["T_w"] @ (eye - v @ adjoint(x_n))  # W^n = kept W^{n-1} + T_w v y^H + q_w
        seen = xp.concat([kept @ seen, layer["T_w"] @ v], axis=-1)
        offset = kept @ offset + layer["q_w"]
    return adjoint(seen) / amplitude, adjoint(offset) / amplitude


def cedun_recursion(parameters: Mapping[str, Array], y: Array, x: Array, amplitude: float, loading: float) -> Array:
    """Eq. (17) one pilot symbol at a time, (B, K, R, T) from received pilots y (B, K, R, L); the oracle of :func:`affine_map`."""
    xp = array_namespace(y)
    size, length = x.shape
    users, num_rx = y.shape[-3], y.shape[-2]
    p = xp.broadcast_to(identity(x, size) / loading, (users, size, size))
    w = xp.zeros((y.shape[0], users, size, num_rx), dtype=y.dtype, device=device(y))
    for n in range(length):
        gamma = xp.astype(parameters["gamma"][:, n], x.dtype)[:, None, None]
        x_n = x[:, n : n + 1]
        g = parameters["T_g"][:, n] @ (p @ x_n) + parameters["q_g"][:, n, :, None]  # (17a)
        v = parameters["T_v"][:, n] @ (g / (gamma + adjoint(g) @ x_n)) + parameters["q_v"][:, n, :, None]  # (17b)
        p = parameters["T_p"][:, n] @ ((p - v @ adjoint(g)) / gamma) + parameters["q_p"][:, n]  # (17c)
        p = (p + adjoint(p)) / 2
        e = y[..., n : n + 1] - adjoint(w) @ x_n
        w = parameters["T_w"][:, n] @ (w + v @ adjoint(e)) + parameters["q_w"][:, n]  # (17d)
    return adjoint(w) / amplitude


def truncated(parameters: Mapping[str, np.ndarray], num_users: int, length: int) -> Parameters:
    """The parameters of the first users and pilot symbols: fewer of either are served too (Kang 2022, Fig. 14)."""
    layers = {name: value[:num_users, :length] for name, value in parameters.items() if name != "pilots"}
    return layers | {"pilots": parameters["pilots"][:, :length]}


class Cedun:
    r"""Unfolded recursive least squares with pilots of its own (Kang 2022, eq. 17), run as one affine map of the received signal.

    The scenario's pilots say how long a block is and what a symbol may radiate; what is sent are the trained ones. Under
    ``kang_eq4`` all users send the same pilots, which add up.
    """

    Config = CedunConfig
    uses_pilots: ClassVar[bool] = True
    needs_covariance: ClassVar[bool] = False

    def __init__(self, config: CedunConfig) -> None:
        self.config = config

    def pilots(self, pilots: np.ndarray) -> np.ndarray:
        """What is sent in place of the scenario's pilots (K|1, T, L), (1, T, L), with their power.

        Raises
        ------
        PilotError
            If a block is longer than the one that was trained.
        """
        trained = truncated(self._trained(pilots), 1, pilots.shape[-1])
        return (amplitude(pilots) * unit_pilots(trained))[None].astype(pilots.dtype)

    def init(self, pilots: np.ndarray, noise_power: float, covariance: np.ndarray | None = None) -> AffineMap:
        """The affine map for pilots (1, T, L) from :meth:`pilots`.

        Raises
        ------
        PilotError
            If a block is longer than the one that was trained.
        WeightsError
            If there are no weights for these sizes.
        """
        size, (num_rf, length) = amplitude(pilots), pilots.shape[-2:]
        trained = {name: value.astype(np.result_type(value, np.float64)) for name, value in self._trained(pilots).items()}
        x = pilots[0] / size
        matrix, offset = affine_map(truncated(trained, len(trained["gamma"]), length), x, size, self.config.loading)
        noise_error = noise_power * np.sum(np.abs(matrix) ** 2, axis=(-2, -1)) / num_rf
        bias = np.sum(np.abs(size * x @ matrix - np.eye(num_rf)) ** 2, axis=(-2, -1)) / num_rf
        return AffineMap(matrix, offset, noise_error[None], bias[None], size**2, noise_power)

    def update(self, received: np.ndarray, state: AffineMap) -> tuple[Estimate, AffineMap]:
        """The estimate from received pilots (D, K, S, R, L)."""
        users = received.shape[1]
        if 1 < len(state.matrix) < users:
            raise WeightsError(f"estimator/cedun: these weights serve {len(state.matrix)} users, not {users}")
        matrix, offset = (a[:users, None].astype(received.dtype, copy=False) for a in (state.matrix, state.offset))
        power = np.maximum(np.mean(np.abs(received) ** 2, axis=(2, 3, 4)) - state.noise_power, 0) / state.pilot_power
        return Estimate(received @ matrix + offset, state.noise_error[:, :users] + power * state.bias[:, :users]), state

    def _trained(self, pilots: np.ndarray) -> Parameters:
        dims = {"num_rf": pilots.shape[-2], "num_users": 1}
        sent = pilots[0]  # the first user's: those of all would cancel out in some symbols

        def template(sizes: Mapping[str, int]) -> Parameters:
            length = sizes.get("pilot_length", sent.shape[-1])
            return initial({"num_rx_rf": 1} | dict(sizes), np.resize(sent, (len(sent), length)))

        trained = parameters_of(self.config, "estimator", dims, template)
        length = trained["gamma"].shape[-1]
        if pilots.shape[-1] > length:
            raise PilotError(f"{pilots.shape[-1]} pilot symbols, but these weights have a layer for {length} (pilots.length <= {length})")
        return trained


def amplitude(pilots: np.ndarray) -> float:
    """What the norms of a symbol of all users' pilots (K|1, T, L) add up to."""
    return float(np.linalg.norm(pilots, axis=-2).mean(-1).sum())
