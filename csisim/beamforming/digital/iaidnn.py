r"""IAIDNN: weighted MMSE unfolded into a network (Hu 2021), on any array-API library.

Every layer is an iteration of WMMSE in which something cheaper or better than an inverse stands before the old equation,

.. math::

    U_k &= \mathcal{I}(A_k; \theta^u_k)\, H_k V_k + O^u_k, \qquad
    A_k = \tfrac{\sigma^2}{P_T} \sum_m \mathrm{tr}(V_m V_m^H) I + \sum_m H_k V_m V_m^H H_k^H \\
    W_k &= \mathcal{I}(E_k; \theta^w_k), \qquad E_k = I - U_k^H H_k V_k \\
    V_k &= \mathcal{I}(B; \theta^v_k)\, \omega_k H_k^H U_k W_k + O^v_k, \qquad
    B = \sum_m \omega_m \bigl( \tfrac{\sigma^2}{P_T} \mathrm{tr}(U_m W_m U_m^H) I + H_m^H U_m W_m U_m^H H_m \bigr)

(eq. 15, 16), with :math:`\mathcal{I}(M) = M^+ X + M Y + Z` (``plain``) or :math:`M^{-1} X + P M Y + Z` (``improved``,
Section VI-E); the last layer has the true inverse of B (eq. 17). With X = I and everything else zero the improved network
*is* WMMSE, stopped after as many iterations as it has layers.

A tied network has scalars in place of the matrices, and Z in the precoder's stage counts in units of the mean eigenvalue of
:math:`B^{-1}` where the users are: that is what makes it serve other sizes and other SNRs than those it was trained for.

What departs from the paper, because it is what works: precoders are scaled to the power K R / (2 T) between layers instead of
P_T, so that H V is near the identity; reciprocals are safe; Y is left out unless asked for (the authors' code freezes it at 0).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from array_api_compat import array_namespace
from pydantic import Field

from csisim.beamforming.digital.iaidnn_evaluate import Structure, evaluate
from csisim.beamforming.digital.iaidnn_kernel import RECIPROCAL_EPS
from csisim.beamforming.digital.iaidnn_tied import tied
from csisim.beamforming.digital.linear import Start, fold, start_precoder, unfold
from csisim.beamforming.digital.oracle import Array, all_streams, identity, inverse, squared
from csisim.beamforming.digital.wmmse import separate, user_weights
from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint
from csisim.phy.power import normalise
from csisim.weights import UNTRAINED, Circumstances, Learned, Need, WeightsError, parameters_of

Parameters = dict[str, Any]

SIZES = ("num_users", "num_rx_rf", "num_rf", "num_streams")


class IaidnnConfig(Learned):
    """Weighted MMSE unfolded into a network of few layers (Hu 2021)."""

    kind: Literal["iaidnn"] = "iaidnn"
    structure: Structure = Field("improved", description="plain: reciprocals of diagonals (Hu 2021, eq. 15); improved: inverses")
    tied: bool = Field(True, description="one scalar per layer and place instead of matrices per user: serves any size")
    layers: int = Field(7, ge=1, description="layers L, each an iteration of WMMSE")
    taylor: bool = Field(False, description="the branch P M Y too; without it Y = 0")
    user_weights: list[float] | None = Field(None, description="priority of each user in the sum rate; null: all alike")

    @property
    def architecture(self) -> dict[str, Any]:
        """The settings that weights must agree with."""
        return self.model_dump(include={"structure", "tied", "layers", "taylor"})

    def need(self, circumstances: Circumstances) -> Need:
        """A tied network serves any size on any channel, the others the size and channel that they were trained on."""
        if self.tied:
            return Need("digital/iaidnn", self.architecture, {}, None, circumstances.snr_db)
        return circumstances.need("digital/iaidnn", self.architecture, *SIZES)


class Iaidnn:
    """Weighted MMSE unfolded into a network (Hu 2021), for a total power constraint.

    A constraint per user is met by scaling every user's precoder, of which the network knows nothing.
    """

    Config = IaidnnConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config: IaidnnConfig) -> None:
        self.config = config
        self._parameters: dict[tuple[int, ...], Parameters] = {}

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T); combiners are the MMSE ones."""
        h = fold(channel)
        _, users, num_rx_rf, num_rf = h.shape
        parameters = self.parameters(users, num_rx_rf, num_rf, num_streams)
        priorities = None if self.config.user_weights is None else user_weights(self.config.user_weights, users)
        precoder = iaidnn(h, noise_power, num_streams, power, parameters, self.config.structure, priorities)
        return unfold(precoder, channel.shape[2]), None

    def parameters(self, num_users: int, num_rx_rf: int, num_rf: int, num_streams: int) -> Parameters:
        """The weights for this size, read once.

        Raises
        ------
        WeightsError
            If there are none that fit.
        """
        size = (num_users, num_rx_rf, num_rf, num_streams)
        if size not in self._parameters:
            dims = dict(zip(SIZES, size, strict=True))
            if self.config.tied:
                dims = {}
            elif self.config.weights is not None and self.config.weights != UNTRAINED:
                del dims["num_rf"]  # a file that is named on purpose may be for more chains: zeros fill up
            self._parameters[size] = parameters_of(self.config, "digital", dims, self._template)
        return self._parameters[size]

    def _template(self, dims: Mapping[str, int]) -> Parameters:
        return initial(self.config, dims)


def iaidnn(
    channel: np.ndarray,
    noise_power: float,
    num_streams: int,
    power: PowerBudget,
    parameters: Parameters,
    structure: Structure,
    user_weights: np.ndarray | None = None,
) -> np.ndarray:
    """Precoder (B, K, T, n) of a batch of channels (B, K, R, T), in the channel's type.

    Every problem is scaled so that its entries have mean square 2, noise and all. The network may be larger than the problem:
    users and chains that are not there are zeros (Hu 2021, Section V-C), and zero forcing, from which it starts, sees only
    those that are.
    """
    reached = np.any(channel != 0, axis=(1, 2, 3))
    if not reached.all():  # there is nothing to scale to, and nothing to send
        precoder = np.zeros((*channel.shape[:2], channel.shape[3], num_streams), channel.dtype)
        if reached.any():
            precoder[reached] = iaidnn(channel[reached], noise_power, num_streams, power, parameters, structure, user_weights)
        return precoder
    wide = channel.astype(np.complex128)
    h, ratio = scaled(wide, noise_power / power.total)
    first = zf_start(h, num_streams, power)
    priorities = np.ones(h.shape[1]) if user_weights is None else user_weights
    if parameters["u_x"].ndim > 1:
        precoder = _per_user(parameters, h, first, ratio, structure, priorities)
    elif structure == "improved" and "u_y" not in parameters:
        precoder = tied(parameters, h, first, ratio, priorities)
    else:
        precoder = evaluate(parameters, h, first, ratio, structure, user_weights=priorities)[1]
    precoder = normalise(precoder, PowerBudget("total", power.total))
    return normalise(separate(wide, precoder, noise_power), power).astype(channel.dtype)


def _per_user(
    parameters: Parameters, channel: np.ndarray, start: np.ndarray, ratio: np.ndarray, structure: Structure, priorities: np.ndarray
) -> np.ndarray:
    """Fill a problem that is smaller than the network with zeros."""
    _, users, _, num_tx = channel.shape
    most = parameters["u_x"].shape[1]
    chains = parameters["v_x"].shape[2] if len(parameters["v_x"]) else num_tx
    if most < users or chains < num_tx:
        raise WeightsError(f"iaidnn: trained for {most} users and {chains} chains, too small for {users} and {num_tx}")
    more, wider = (0, most - users), (0, chains - num_tx)
    h, first = np.pad(channel, ((0, 0), more, (0, 0), wider)), np.pad(start, ((0, 0), more, wider, (0, 0)))
    omega = np.pad(priorities, more, constant_values=1.0)
    precoder: np.ndarray = evaluate(parameters, h, first, ratio, structure, user_weights=omega)[1][:, :users, :num_tx]
    return precoder


def scaled(channel: np.ndarray, ratio: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Channels (B, K, R, T) of mean square 2 per entry, each by itself, and noise over transmit power (B,) on the same scale."""
    square = np.mean(channel.real**2 + channel.imag**2, axis=(1, 2, 3))
    factor = 2.0 / np.where(square > 0.0, square, 1.0)
    return channel * np.sqrt(factor)[:, None, None, None], ratio * factor


def zf_start(channel: np.ndarray, num_streams: int, power: PowerBudget) -> np.ndarray:
    """Zero forcing, or the matched filter where there are more streams than transmit chains."""
    start: Start = "zf" if channel.shape[1] * num_streams <= channel.shape[-1] else "mrt"
    return start_precoder(channel, num_streams, PowerBudget("total", power.total), start)


def parameter_dimension(num_tx: int, num_rx: int, num_streams: int, num_users: int, layers: int) -> int:
    """Complex parameters of the plain network, L K (3 R^2 + 3 n^2 + n R) + (L - 1) K (3 T^2 + n T) (Hu 2021, Section V-B)."""
    small = 3 * num_rx**2 + 3 * num_streams**2 + num_streams * num_rx
    return layers * num_users * small + (layers - 1) * num_users * (3 * num_tx**2 + num_streams * num_tx)


def initial(config: IaidnnConfig, dims: Mapping[str, int], rng: np.random.Generator | None = None) -> Parameters:
    """Untrained parameters: truncated WMMSE, or, with ``rng``, the random ones that plain networks are better trained from.

    Those are the authors' 0.1 (U(-1, 1) + j U(-1, 1)), but O^u and Z^w have the identity added: U = W = I in eq. 17 is
    regularised zero forcing, and a network that starts there is trained in a tenth of the steps, whatever the seed.

    Parameters
    ----------
    config : IaidnnConfig
    dims : mapping
        ``num_users``, ``num_rx_rf``, ``num_rf`` and ``num_streams``; a tied network needs none of them.
    rng : generator, optional

    Returns
    -------
    dict
        ``u_x`` (L, K, R, R), ``w_x`` (L, K, n, n), ``v_x`` (L - 1, K, T, T), and likewise y, z and p; offsets ``u_o``
        (L, K, R, n) and ``v_o`` (L - 1, K, T, n), complex128. A tied network has scalars (L,) and (L - 1,), and no
        offsets.
    """
    users, num_rx, num_tx, n = (dims.get(name, 1) for name in SIZES)
    names = ("x", "y", "z") if config.taylor else ("x", "z")
    parameters: Parameters = {}
    for stage, size, layers in (("u", num_rx, config.layers), ("w", n, config.layers), ("v", num_tx, config.layers - 1)):
        for name in names:
            if config.tied:
                parameters[f"{stage}_{name}"] = np.full(layers, name == "x", np.complex128)
            else:
                parameters[f"{stage}_{name}"] = np.zeros((layers, users, size, size), np.complex128) + (name == "x") * np.eye(size)
        if config.tied:
            continue
        if config.taylor and config.structure == "improved":
            parameters[f"{stage}_p"] = np.zeros((layers, users, size, size), np.complex128) + np.eye(size)
        if stage != "w":
            parameters[f"{stage}_o"] = np.zeros((layers, users, size, n), np.complex128)
    if rng is not None:  # as the authors' code draws them
        for name in sorted(parameters):
            if name[-1] in "xzo":
                draws = rng.uniform(-0.1, 0.1, (2, *parameters[name].shape))
                parameters[name] = draws[0] + 1j * draws[1]
                if name in ("u_o", "w_z"):
                    parameters[name] = parameters[name] + (1.0 if config.tied else np.eye(*parameters[name].shape[-2:]))
    return parameters


def forward(
    parameters: Parameters, channel: Array, start: Array, ratio: Array, structure: Structure, user_weights: Array | None = None
) -> Array:
    r"""Precoders (..., K, T, n) of squared norm K R / (2 T).

    Parameters
    ----------
    parameters : dict
        As of :func:`initial`, of the channel's array library.
    channel : (..., K, R, T) complex
        Entries of mean square 2, as those that the network was trained on.
    start : (..., K, T, n) complex
        First precoders, of any norm.
    ratio : (...) real
        Noise over transmit power, :math:`\sigma^2 / P_T`, for this scale of the channel.
    user_weights : (K,) real, optional
    """
    xp = array_namespace(channel)
    *_, users, num_rx, num_tx = channel.shape
    power = users * num_rx / (2.0 * num_tx)
    noise = xp.astype(ratio, channel.dtype)[..., None, None, None]
    omega = 1.0 if user_weights is None else xp.astype(user_weights, channel.dtype)[:, None, None]
    layers, tied = parameters["u_x"].shape[0], parameters["u_x"].ndim == 1
    precoder = _scale(start, power)
    for layer in range(layers):
        received, own = channel @ all_streams(precoder), channel @ precoder
        a = received @ adjoint(received) + power * noise * identity(channel, num_rx)
        u = _approximate(parameters, "u", layer, a, own, structure)
        e = identity(channel, own.shape[-1]) - adjoint(u) @ own
        w = _approximate(parameters, "w", layer, e, identity(channel, own.shape[-1]), structure)
        target = omega * (adjoint(channel) @ (u @ w))
        trace = xp.sum(omega * (u @ w) * xp.conj(u), axis=(-3, -2, -1), keepdims=True)
        b = xp.sum(target @ adjoint(adjoint(channel) @ u), axis=-3, keepdims=True)
        mean = xp.linalg.trace(b)[..., None, None] / (users * own.shape[-1]) + noise * trace if tied else 1.0
        b = b + noise * trace * identity(channel, num_tx)
        if layer == layers - 1:
            precoder = xp.linalg.solve(b, target)
        else:
            precoder = _approximate(parameters, "v", layer, b, target, structure, mean)
        precoder = _scale(precoder, power)
    return precoder


def weighted_rate(channel: Array, precoder: Array, ratio: Array, user_weights: Array | None = None) -> Array:
    """Weighted sum rate (...) in nats of precoders of any norm (Hu 2021, eq. 12)."""
    xp = array_namespace(channel)
    received, own = channel @ all_streams(precoder), channel @ precoder
    noise = ratio * xp.sum(squared(precoder), axis=(-3, -2, -1))
    everything = received @ adjoint(received) + xp.astype(noise, channel.dtype)[..., None, None, None] * identity(
        channel, channel.shape[-2]
    )
    rates = xp.linalg.slogdet(everything)[1] - xp.linalg.slogdet(everything - own @ adjoint(own))[1]
    return xp.sum(rates if user_weights is None else user_weights * rates, axis=-1)


def _approximate(
    parameters: Parameters, stage: str, layer: int, m: Array, x: Array, structure: Structure, mean: Array | float = 1.0
) -> Array:
    """(M^-1 X + P M Y + Z / mean) x + O, or with the reciprocals of M's diagonal."""

    def times(name: str, operand: Array) -> Array:
        theta = parameters[f"{stage}_{name}"][layer]
        return theta * operand if theta.ndim == 0 else theta @ operand

    result = (inverse(m) if structure == "improved" else _reciprocal(m)) @ times("x", x) + times("z", x) / mean
    if f"{stage}_y" in parameters:
        slope = m @ times("y", x)
        result = result + (times("p", slope) if f"{stage}_p" in parameters else slope)
    return result + parameters[f"{stage}_o"][layer] if f"{stage}_o" in parameters else result


def _reciprocal(m: Array) -> Array:
    """M^+: safe reciprocals of the diagonal, zero elsewhere."""
    xp = array_namespace(m)
    diagonal = xp.linalg.diagonal(m)
    reciprocal = xp.conj(diagonal) / xp.astype(squared(diagonal) + RECIPROCAL_EPS**2, m.dtype)
    return reciprocal[..., None] * identity(m, m.shape[-1])


def _scale(precoder: Array, power: float) -> Array:
    xp = array_namespace(precoder)
    norm = xp.sum(squared(precoder), axis=(-3, -2, -1), keepdims=True)
    return precoder * xp.astype(xp.sqrt(power / norm), precoder.dtype)
