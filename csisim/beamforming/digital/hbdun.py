r"""HBDUN, the digital half: a few SCA iterations with parameters in every step (Kang 2022, eq. 31, corrected).

Untrained it is :func:`csisim.beamforming.digital.oracle.sca`, cut off after ``layers`` iterations. The
equations run in orthonormal beam coordinates, where noise is white and power is the squared norm. In layer i

.. math::
    W_k &= T_{w,k} (\textstyle\sum_v H_k F_v F_v^H H_k^H + \sigma^2 I)^{-1} H_k F_k + Q_{w,k} \\
    \lambda_k &= T_{\lambda,k} (\mu_k e^{s_k}) + q_{\lambda,k} \\
    F_k &= T_{f,k} C_k^{-1} H_k^H W_k \Lambda_k + Q_{f,k}, \quad C_k = \textstyle\sum_v H_v^H W_v \Lambda_v W_v^H H_v + v_k \tau I \\
    s_k &= T_{t,k} (s_k + \mu_k (1 - \epsilon_k e^{s_k})) + q_{t,k}

with :math:`s = t \ln \alpha` (the base is irrelevant), :math:`\lambda` from the previous layer's s (the printed order reads it before it
is made), :math:`\epsilon` from this layer's W and F, and F rescaled to the power constraint. The loading :math:`v_k` is learned relative
to the closed :math:`\tau` of SCA, so that one set of parameters serves other powers and noises. A last W follows the last F. The
recursion of s gains at most 1 a layer, too slow for streams of high SINR: ``dual: mmse`` puts its fixed point
:math:`\lambda_k = T_{\lambda,k} (\mu_k / \epsilon_k) + q_{\lambda,k}` in its place, :math:`\epsilon` from this layer's W. Beyond the
paper, every layer and user has a learned factor on :math:`\sigma^2`: the error of an estimate acts like noise.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from array_api_compat import array_namespace, device
from pydantic import Field

from csisim.beamforming.digital.linear import fold, unfold
from csisim.beamforming.digital.oracle import Array, constant, identity, inner, mmse_combiner, normalise, squared, stream_mse
from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint
from csisim.weights import Circumstances, Learned, Need, Parameters, parameters_of

#: Sizes that weights are known by.
SIZES = ("num_users", "num_rx_rf", "num_rf", "num_streams")
_NOBODY = 1e-20  #: loading where the combiners hear nobody: there is nothing to invert, and nothing to divide by

Inverse = Literal["exact", "residual", "iaidnn", "diagonal"]
Dual = Literal["mmse", "recursion"]


class HbdunConfig(Learned):
    """Sum-rate precoder of a few unfolded SCA iterations with trained parameters (Kang 2022, eq. 31)."""

    kind: Literal["hbdun"] = "hbdun"
    layers: int = Field(5, ge=1, description="unfolded iterations L_h")
    inverse: Inverse = Field(
        "exact",
        description="inverse of C: exact; residual: two preconditioned steps; iaidnn: C+ X + C Y + Z; diagonal: the paper's C+ B + D-",
    )
    dual: Dual = Field("mmse", description="weights: 1 / MSE, where the recursion (31d) converges to, or the recursion itself (the paper)")
    training: Literal["separate", "joint", "one_stage"] = Field(
        "separate", description="trained with perfect CSI, or with cedun's estimates"
    )

    def need(self, circumstances: Circumstances) -> Need:
        """One network for each number of RF chains; six users' serves fewer."""
        return circumstances.need("digital/hbdun", self.architecture, *SIZES, pilots=self.training != "separate")


def initial(config: HbdunConfig, dims: Mapping[str, int]) -> Parameters:
    """Untrained parameters, every array (layers or 1, num_users, ...): T = I, Q = q = 0, mu = v = 1."""
    users, num_rx, num_tx, streams = (dims[name] for name in SIZES)
    layers = config.layers

    def eye(count: int, size: int, dtype: type) -> np.ndarray:
        return np.broadcast_to(np.eye(size, dtype=dtype), (count, users, size, size)).copy()

    def zeros(count: int, *shape: int, dtype: type = np.complex64) -> np.ndarray:
        return np.zeros((count, users, *shape), dtype)

    parameters = {
        "T_w": eye(layers + 1, num_rx, np.complex64),
        "Q_w": zeros(layers + 1, num_rx, streams),
        "T_lambda": eye(layers, streams, np.float32),
        "q_lambda": zeros(layers, streams, dtype=np.float32),
        "T_f": eye(layers, num_tx, np.complex64),
        "Q_f": zeros(layers, num_tx, streams),
        "mu": zeros(layers, dtype=np.float32) + 1,
        "log_v": zeros(layers, dtype=np.float32),
        "log_noise": zeros(layers + 1, dtype=np.float32),
    }
    if config.dual == "recursion":
        parameters["T_t"] = eye(layers, streams, np.float32)
        parameters["q_t"] = zeros(layers, streams, dtype=np.float32)
        parameters["t0"] = zeros(1, streams, dtype=np.float32)
    if config.inverse in ("residual", "diagonal"):
        parameters["B"] = eye(layers, num_tx, np.complex64)
    if config.inverse == "diagonal":
        parameters["D"] = zeros(layers, num_tx, num_tx)
    if config.inverse == "iaidnn":
        parameters |= {"X": eye(layers, num_tx, np.complex64), "Y": zeros(layers, num_tx, num_tx), "Z": zeros(layers, num_tx, num_tx)}
    return parameters


def forward(
    parameters: Mapping[str, Array], channel: Array, start: Array, noise_power: float, power: PowerBudget, inverse: Inverse = "exact"
) -> tuple[Array, Array]:
    """Precoder (..., K, T, n) and combiners (..., K, R, n) for channels (..., K, R, T) and a start that meets the power constraint.

    Parameters are those of exactly K users (:func:`first_users`).
    """
    xp = array_namespace(channel)
    precoder = start
    dual = 0.0 * xp.real(xp.sum(start, axis=-2)) + parameters["t0"][0, ...] if "t0" in parameters else None
    for i in range(parameters["mu"].shape[0]):
        p = {name: value[i, ...] for name, value in parameters.items() if name != "t0"}
        noise = noise_power * xp.exp(p["log_noise"])
        combiner = p["T_w"] @ mmse_combiner(channel, precoder, noise[..., None, None]) + p["Q_w"]
        mu = p["mu"][..., None]
        if dual is None:
            growth = 1.0 / xp.clip(stream_mse(channel, precoder, combiner, noise[..., None]), min=1e-6)
        else:
            growth = xp.exp(dual)
        weight = xp.clip(_times(p["T_lambda"], mu * growth) + p["q_lambda"], min=1e-6)
        weighted = combiner * xp.astype(weight, channel.dtype)[..., None, :]
        target = adjoint(channel) @ weighted
        curvature = xp.sum(target @ adjoint(adjoint(channel) @ combiner), axis=-3, keepdims=True)
        leak = xp.clip(inner(combiner, weighted), min=_NOBODY)
        loading = noise_power / power.total * leak * xp.exp(p["log_v"])[..., None, None]
        system = curvature + xp.astype(loading, channel.dtype) * identity(channel, channel.shape[-1])
        precoder = normalise(p["T_f"] @ _solve(system, target, precoder, p, inverse) + p["Q_f"], power)
        if dual is not None:
            errors = stream_mse(channel, precoder, combiner, noise[..., None])
            dual = xp.clip(dual_update(dual, errors, mu, p["T_t"], p["q_t"]), min=-10.0, max=12.0)
    noise = noise_power * xp.exp(parameters["log_noise"][-1, ...])
    return precoder, parameters["T_w"][-1, ...] @ mmse_combiner(channel, precoder, noise[..., None, None]) + parameters["Q_w"][-1, ...]


def dual_update(dual: Array, errors: Array, mu: Array, transform: Array, offset: Array) -> Array:
    r""":math:`s \leftarrow T_t (s + \mu (1 - \epsilon e^s)) + q_t` (31d) for :math:`s = t \ln \alpha` and errors (..., K, n).

    With T = 1, q = 0 and mu = 1 it is step 8 of Kang 2022, Algorithm 2. Eq. (40) keeps :math:`\mu` out of the bracket: its offset is
    :math:`q_t + T_t \mu` here.
    """
    xp = array_namespace(dual)
    return _times(transform, dual + mu * (1.0 - errors * xp.exp(dual))) + offset


def singular_start(channel: Array, num_streams: int, power: PowerBudget) -> Array:
    """The strongest right singular vectors of every user's own channel, rescaled, as a constant of the gradient.

    The receive side of each is turned until its first entry is real, so that every library finds the same vectors. Directions
    60 dB below the strongest are left empty.
    """
    channel = constant(channel)
    xp = array_namespace(channel)
    powers, vectors = xp.linalg.eigh(channel @ adjoint(channel))
    left = xp.flip(vectors, axis=-1)[..., :num_streams]
    strength = xp.clip(xp.flip(powers, axis=-1)[..., :num_streams], min=0.0)
    kept = strength > 1e-6 * strength[..., :1]
    scale = xp.astype(kept, strength.dtype) / xp.sqrt(xp.where(kept, strength, 1.0))
    first = left[..., :1, :]
    size = xp.sqrt(squared(first))
    turn = xp.conj(first) / xp.astype(xp.where(size > 0.0, size, 1.0), channel.dtype)
    right = adjoint(channel) @ (left * turn * xp.astype(scale, channel.dtype)[..., None, :])
    if right.shape[-1] < num_streams:  # fewer receive chains than streams
        missing = xp.zeros((*right.shape[:-1], num_streams - right.shape[-1]), dtype=right.dtype, device=device(right))
        right = xp.concat([right, missing], axis=-1)
    return normalise(right, power)


def first_users(parameters: Mapping[str, Array], num_users: int) -> dict[str, Array]:
    """The parameters of the first users: a network of six serves fewer (Kang 2022, Fig. 14)."""
    return {name: value[:, :num_users] for name, value in parameters.items()}


class Hbdun:
    """Unfolded SCA with trained parameters (Kang 2022, eq. 31), combiners included."""

    Config = HbdunConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config: HbdunConfig) -> None:
        self.config = config
        self._ready: tuple[tuple[object, ...], Parameters] | None = None

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, np.ndarray]:
        """Precoder (D, K, S, T, n) and combiners (D, K, S, R, n) for a channel (D, K, S, R, T).

        Raises
        ------
        WeightsError
            If there are no weights for these sizes.
        """
        flat = fold(channel)
        parameters = self._parameters(flat.shape, num_streams, flat.dtype)
        precoder, combiner = forward(parameters, flat, singular_start(flat, num_streams, power), noise_power, power, self.config.inverse)
        return tuple(unfold(a.astype(channel.dtype, copy=False), channel.shape[2]) for a in (precoder, combiner))  # type: ignore[return-value]

    def _parameters(self, shape: tuple[int, ...], num_streams: int, dtype: np.dtype) -> Parameters:
        _, users, num_rx, num_tx = shape
        key = (users, num_rx, num_tx, num_streams, dtype)
        if self._ready is None or self._ready[0] != key:
            dims = dict(zip(SIZES, (users, num_rx, num_tx, num_streams), strict=True))
            trained = parameters_of(self.config, "digital", dims, lambda sizes: initial(self.config, sizes))
            wide = np.finfo(dtype).dtype  # the real type of the channel's precision
            fitted = {name: value.astype(np.result_type(value, wide)) for name, value in first_users(trained, users).items()}
            self._ready = (key, fitted)
        return self._ready[1]


def _solve(system: Array, target: Array, previous: Array, p: Mapping[str, Array], inverse: Inverse) -> Array:
    """System^-1 target (..., K, T, n), or what stands for it."""
    xp = array_namespace(system)
    if inverse == "exact":
        return xp.linalg.solve(system, target)
    diagonal = xp.real(xp.sum(system * identity(system, system.shape[-1]), axis=-1))
    if inverse == "residual":
        return _richardson(system, target, previous, p["B"])
    plus = xp.astype(1.0 / diagonal, system.dtype)[..., None]
    if inverse == "diagonal":
        offset = p["D"] - 1j * identity(system, system.shape[-1]) * xp.imag(p["D"])
        return (plus * p["B"] + offset) @ target
    return (plus * p["X"] + system @ p["Y"] + p["Z"]) @ target


def _richardson(system: Array, target: Array, previous: Array, mixing: Array) -> Array:
    """Two steps x <- x + B P (target - C x) from the best multiple of the previous precoder; P, the reciprocal sums of the rows'
    moduli, makes every step of the untrained iteration a contraction.
    """
    xp = array_namespace(system)
    along = xp.sum(xp.real(xp.conj(previous) * target), axis=(-2, -1), keepdims=True)
    length = xp.sum(xp.real(xp.conj(previous) * (system @ previous)), axis=(-2, -1), keepdims=True)
    x = previous * xp.astype(along / xp.where(length > 0.0, length, 1.0), previous.dtype)
    rows = xp.sum(xp.sqrt(squared(system) + 1e-30), axis=-1)[..., None]
    for _ in range(2):
        x = x + mixing @ ((target - system @ x) / xp.astype(rows, system.dtype))
    return x


def _times(matrix: Array, vector: Array) -> Array:
    return (matrix @ vector[..., None])[..., 0]
