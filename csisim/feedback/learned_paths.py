r"""Trained path feedback: matching pursuit with learned directions, unfolded and trained through its quantiser (Kang 2022, Sec. VI-B).

A report describes a user's equivalent channel as a few paths :math:`\hat G = \sum_n g_{n c_n} B_n`, found one after the other in what
those before leave. :math:`B_n` is the path :math:`u_{i_n} v_{j_n}^T` made orthogonal to those before it, which both ends can do. Trained
are the receive directions u of every user, the transmit directions v that all users share, and a table of complex gains g for each place
in the order; the bits say i, j and the gain nearest to the path's. With directions on a grid and gains by Lloyd and Max this is the
conventional report (:mod:`csisim.feedback.path_parameters`) of as many bits. The paper holds that the conventional algorithm cannot be
unfolded because its choices have no gradient: here indices stay constants of the gradient, what they choose is learned, and the estimator
hears of the rate through the part of its estimate along the chosen paths (straight through).

Everything but the bit string runs on any array library: training differentiates :func:`pursue`, users run it, and the base station
runs :func:`described`.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from array_api_compat import array_namespace
from pydantic import Field

from csisim.beamforming.digital.oracle import Array, constant, squared
from csisim.feedback.bits import bits_to_integers, integers_to_bits, pack, unpack
from csisim.feedback.link_trained import LinkTrained, LinkTrainedState, state_of
from csisim.feedback.report import Report, check_csi
from csisim.phy.linalg import adjoint
from csisim.random import complex_normal, stream
from csisim.weights import Circumstances, Need, Parameters

#: Sizes that weights are known by.
SIZES = ("num_users", "num_rx_rf", "num_rf")
LIKENESSES = 2**18  # of channels with pairs of directions, looked at together: they stay in the cache
_NEW_ENERGY = 1e-6  # part of a path that must not lie in the span of those before


class LearnedPathsConfig(LinkTrained):
    """Paths of trained directions and gains, found by matching pursuit in the equivalent channel; no scale factor."""

    kind: Literal["learned_paths"] = "learned_paths"
    num_paths: int = Field(3, ge=1, le=64, description="paths reported")
    receive_bits: int = Field(5, ge=0, le=8, description="bits of a receive direction")
    transmit_bits: int = Field(8, ge=0, le=12, description="bits of a transmit direction")
    gain_bits: int = Field(3, ge=1, le=8, description="bits of a path's complex gain")

    @property
    def path_bits(self) -> int:
        """Bits of a path."""
        return self.receive_bits + self.transmit_bits + self.gain_bits

    def need(self, circumstances: Circumstances) -> Need:
        """Weights for these RF chains; every user has receive directions of its own, so those of more users serve the first ones."""
        return circumstances.need("codec/learned_paths", self.architecture, *SIZES)

    def through(self, parameters: Mapping[str, Array], csi: Array) -> Array:
        """What the base station decodes of CSI (..., K, R, T), differentiable."""
        serving = {**parameters, "receive": parameters["receive"][: csi.shape[-3]]}
        return pursue(serving, csi)[1]


def initial(config: LearnedPathsConfig, dims: Mapping[str, int]) -> Parameters:
    """Untrained parameters: random directions ``receive`` (K, Q, R) and ``transmit`` (P, T), falling random ``gain`` (n, C).

    ``transmit`` holds rows of the channel: the conjugates of what its beams would be.
    """
    users, num_rx, num_tx = (dims[name] for name in SIZES)
    rng = stream(0, 0, "learned_paths.initial")
    falling = np.arange(1, config.num_paths + 1)[:, None] ** -0.5
    return {
        "receive": complex_normal(rng, (users, 2**config.receive_bits, num_rx)).astype(np.complex64),
        "transmit": complex_normal(rng, (2**config.transmit_bits, num_tx)).astype(np.complex64),
        "gain": (falling * complex_normal(rng, (config.num_paths, 2**config.gain_bits))).astype(np.complex64),
    }


def pursue(parameters: Mapping[str, Array], csi: Array) -> tuple[Array, Array]:
    """The indices (..., K, n) that describe channels (..., K, R, T), and what they say, differentiable.

    Its gradient is exact for the parameters, as long as indices stay; for ``csi`` it is that of its part along the chosen paths.
    """
    xp = array_namespace(csi)
    table = constant(parameters["gain"])
    pair, gain, basis = strongest(parameters, csi, table.shape[0])
    cell = xp.argmin(squared(gain[..., None] - table), axis=-1)
    index = pair * table.shape[1] + cell
    passed = xp.sum(xp.sum(xp.conj(basis) * csi[..., None, :, :], axis=(-2, -1), keepdims=True) * basis, axis=-3)
    return index, described(parameters, index) + (passed - constant(passed))


def strongest(parameters: Mapping[str, Array], csi: Array, count: int) -> tuple[Array, Array, Array]:
    """The paths of channels (..., K, R, T) by orthogonal matching pursuit, outside the gradient.

    Returns
    -------
    pair : (..., K, n) int
        Their directions: that of the receiver times the number of those of the transmitter, and that of the transmitter.
    gain : (..., K, n) complex
        What the channel has of each.
    basis : (..., K, n, R, T) complex
        The paths made orthogonal.
    """
    xp = array_namespace(csi)
    receive, transmit = (_unit(constant(parameters[name])) for name in ("receive", "transmit"))
    rest, pairs, gains = constant(csi), [], []
    basis: list[Array] = []
    for _ in range(count):
        pairs.append(_likeliest(receive, transmit, rest))
        basis.append(_new(_path(receive, transmit, pairs[-1]), basis))
        gain = _along(basis[-1], rest)
        rest = rest - gain * basis[-1]
        gains.append(gain[..., 0, 0])
    return xp.stack(pairs, axis=-1), xp.stack(gains, axis=-1), xp.stack(basis, axis=-3)


def described(parameters: Mapping[str, Array], index: Array) -> Array:
    """The channels (..., K, R, T) that indices (..., K, n) describe."""
    receive, transmit, table = _unit(parameters["receive"]), _unit(parameters["transmit"]), parameters["gain"]
    basis: list[Array] = []
    for n in range(table.shape[0]):
        basis.append(_new(_path(receive, transmit, index[..., n] // table.shape[1]), basis))
    gains = (gain[index[..., n] % table.shape[1]][..., None, None] for n, gain in enumerate(table))
    return sum(gain * path for gain, path in zip(gains, basis, strict=True))


class LearnedPaths:
    """The codec: ``num_paths`` indices per user and subcarrier, each ``receive_bits + transmit_bits + gain_bits`` wide."""

    Config = LearnedPathsConfig
    content: ClassVar[Literal["channel", "precoder"]] = "channel"

    def __init__(self, config: LearnedPathsConfig) -> None:
        self.config = config

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> LinkTrainedState:
        """What both ends know.

        Raises
        ------
        WeightsError
            If there are no weights for these sizes.
        """
        dims = dict(zip(SIZES, (shape[1], *shape[3:]), strict=True))
        state = state_of(self.config, shape, dtype, dims, lambda sizes: initial(self.config, sizes))
        return state._replace(parameters=state.parameters | {"receive": state.parameters["receive"][: shape[1]]})

    def encode(self, csi: np.ndarray, state: LinkTrainedState) -> tuple[Report, LinkTrainedState]:
        """The report for ``csi`` (D, K, S, R, T).

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced.
        """
        check_csi(csi, state.shape)
        by_user = pursue(state.parameters, csi.swapaxes(1, 2))[0].swapaxes(1, 2)
        bits = integers_to_bits(by_user.reshape(*csi.shape[:2], -1), self.config.path_bits)
        return Report(pack(bits), bits.shape[-1]), state

    def decode(self, report: Report, state: LinkTrainedState) -> tuple[np.ndarray, LinkTrainedState]:
        """The CSI (D, K, S, R, T) that the bits describe."""
        drops, users = report.payload.shape[:2]
        paths = state.shape[2] * self.config.num_paths
        index = bits_to_integers(unpack(report.payload, paths * self.config.path_bits), self.config.path_bits).astype(np.int64)
        by_user = index.reshape(drops, users, state.shape[2], -1).swapaxes(1, 2)
        csi = described(state.parameters, by_user).swapaxes(1, 2)
        return csi.astype(state.dtype, copy=False), state


def _unit(directions: Array) -> Array:
    """Directions (..., n) of norm one, whatever training did to their length."""
    xp = array_namespace(directions)
    return directions / xp.astype(xp.sqrt(xp.sum(squared(directions), axis=-1, keepdims=True)), directions.dtype)


def _likeliest(receive: Array, transmit: Array, csi: Array) -> Array:
    """The pair of directions (..., K) that is most alike to channels (..., K, R, T): no more than a piece of them at a time."""
    xp = array_namespace(csi)
    channels = xp.reshape(csi, (-1, *csi.shape[-3:]))
    size = max(1, LIKENESSES // (receive.shape[0] * receive.shape[1] * transmit.shape[0]))
    found = []
    for first in range(0, channels.shape[0], size):
        likeness = squared(xp.conj(receive) @ channels[first : first + size] @ adjoint(transmit))
        found.append(xp.argmax(xp.reshape(likeness, (*likeness.shape[:-2], -1)), axis=-1))
    return xp.reshape(xp.concat(found), csi.shape[:-2])


def _path(receive: Array, transmit: Array, index: Array) -> Array:
    """Rank-one channels (..., K, R, T) of norm one with numbers (..., K)."""
    users = array_namespace(receive).arange(receive.shape[0])
    i, j = index // transmit.shape[0], index % transmit.shape[0]
    return receive[users, i][..., :, None] * transmit[j][..., None, :]


def _along(path: Array, csi: Array) -> Array:
    """Inner products (..., K, 1, 1) of paths and channels."""
    xp = array_namespace(csi)
    return xp.sum(xp.conj(path) * csi, axis=(-2, -1), keepdims=True)


def _new(path: Array, basis: list[Array]) -> Array:
    """What a path has beside an orthonormal ``basis``, of norm one; zero if that is nothing."""
    xp = array_namespace(path)
    for _ in range(2):  # twice is enough to stay orthogonal in single precision
        for known in basis:
            path = path - _along(known, path) * known
    energy = xp.sum(squared(path), axis=(-2, -1), keepdims=True)
    there = energy > _NEW_ENERGY
    norm = xp.sqrt(xp.where(there, energy, xp.ones_like(energy)))
    return path * xp.astype(xp.where(there, 1.0 / norm, xp.zeros_like(norm)), path.dtype)
