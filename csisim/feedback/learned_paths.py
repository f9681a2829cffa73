r"""Trained path feedback: matching pursuit with learned directions, unfolded and trained through its quantiser (Kang 2022, Sec. VI-B).

A report describes a user's equivalent channel as a few paths :math:`\hat G = \sum_n m_n e^{j \varphi_n} u_{i_n} v_{j_n}^T`, found one
after the other in what those before leave. Trained are the receive directions u of every user, the transmit directions v that all
users share, and a magnitude m for each place in the order; the bits say i, j and the phase. The paper holds that the conventional
algorithm cannot be unfolded because its choices have no gradient: here indices stay constants of the gradient, what they choose is
learned, and the estimator hears of the rate through the part of its estimate along the chosen paths (straight through).

Everything but the bit string runs on any array library: training differentiates :func:`pursue`, users run it, and the base station
runs :func:`described`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from array_api_compat import array_namespace
from pydantic import Field

from csisim.beamforming.digital.oracle import Array, constant, squared
from csisim.feedback.bits import bits_to_integers, integers_to_bits, pack, unpack
from csisim.feedback.report import Report, check_csi
from csisim.phy.linalg import adjoint
from csisim.random import complex_normal, stream
from csisim.weights import Circumstances, Learned, Need, Parameters, parameters_of

#: Sizes that weights are known by.
SIZES = ("num_users", "num_rx_rf", "num_rf")
LIKENESSES = 2**22  # of channels with pairs of directions, in memory at a time: 84 MB in single precision


class LearnedPathsConfig(Learned):
    """Paths of trained directions and magnitudes, found by matching pursuit in the equivalent channel; no scale factor."""

    kind: Literal["learned_paths"] = "learned_paths"
    num_paths: int = Field(3, ge=1, le=64, description="paths reported")
    receive_bits: int = Field(5, ge=0, le=8, description="bits of a receive direction")
    transmit_bits: int = Field(8, ge=0, le=12, description="bits of a transmit direction")
    phase_bits: int = Field(3, ge=1, le=8, description="bits of a path's phase")
    training: Literal["separate", "joint"] = Field(
        "separate", description="trained for its own error, or with the link's networks for the rate"
    )

    @property
    def path_bits(self) -> int:
        """Bits of a path."""
        return self.receive_bits + self.transmit_bits + self.phase_bits

    def need(self, circumstances: Circumstances) -> Need:
        """Weights for these RF chains; every user has receive directions of its own, so those of more users serve the first ones."""
        return circumstances.need("codec/learned_paths", self.architecture, *SIZES)

    def through(self, parameters: Mapping[str, Array], csi: Array) -> Array:
        """What the base station decodes of CSI (..., K, R, T), differentiable."""
        serving = {**parameters, "receive": parameters["receive"][: csi.shape[-3]]}
        return pursue(serving, csi, self.phase_bits)[1]


def initial(config: LearnedPathsConfig, dims: Mapping[str, int]) -> Parameters:
    """Untrained parameters: random directions ``receive`` (K, Q, R) and ``transmit`` (P, T), falling ``magnitude`` (n,).

    ``transmit`` holds rows of the channel: the conjugates of what its beams would be.
    """
    users, num_rx, num_tx = (dims[name] for name in SIZES)
    rng = stream(0, 0, "learned_paths.initial")
    return {
        "receive": complex_normal(rng, (users, 2**config.receive_bits, num_rx)).astype(np.complex64),
        "transmit": complex_normal(rng, (2**config.transmit_bits, num_tx)).astype(np.complex64),
        "magnitude": (np.arange(1, config.num_paths + 1) ** -0.5).astype(np.float32),
    }


def pursue(parameters: Mapping[str, Array], csi: Array, phase_bits: int) -> tuple[Array, Array]:
    """The indices (..., K, n) that describe channels (..., K, R, T), and what they say, differentiable.

    Its gradient is exact for the parameters, as long as indices stay; for ``csi`` it is that of its part along the chosen paths.
    """
    xp = array_namespace(csi)
    receive, transmit = (_unit(constant(parameters[name])) for name in ("receive", "transmit"))
    cells, found, rest, missed = 2**phase_bits, [], constant(csi), csi
    for magnitude in constant(parameters["magnitude"]):
        scores = squared(xp.conj(receive) @ rest @ adjoint(transmit))
        best = xp.argmax(xp.reshape(scores, (*scores.shape[:-2], -1)), axis=-1)
        path = _path(receive, transmit, best)
        gain = _along(path, rest)
        turn = xp.round(xp.atan2(xp.imag(gain), xp.real(gain)) * (cells / (2 * np.pi)))
        phase = xp.astype(turn, xp.int64) % cells
        rest = rest - _gain(magnitude, phase, cells) * path
        missed = missed - _along(path, missed) * path
        found.append((best * cells)[..., None] + phase[..., 0])
    index = xp.concat(found, axis=-1)
    passed = csi - missed
    return index, described(parameters, index, phase_bits) + (passed - constant(passed))


def described(parameters: Mapping[str, Array], index: Array, phase_bits: int) -> Array:
    """The channels (..., K, R, T) that indices (..., K, n) describe."""
    receive, transmit = _unit(parameters["receive"]), _unit(parameters["transmit"])
    cells = 2**phase_bits
    gains = (_gain(magnitude, index[..., n, None, None] % cells, cells) for n, magnitude in enumerate(parameters["magnitude"]))
    return sum(gain * _path(receive, transmit, index[..., n] // cells) for n, gain in enumerate(gains))


class LearnedPathsState(NamedTuple):
    """Shape (D, K, S, R, T) of the CSI and the parameters, of its precision; the codec has no memory."""

    shape: tuple[int, ...]
    dtype: np.dtype
    parameters: Parameters


class LearnedPaths:
    """The codec: ``num_paths`` indices per user and subcarrier, each ``receive_bits + transmit_bits + phase_bits`` wide."""

    Config = LearnedPathsConfig
    content: ClassVar[Literal["channel", "precoder"]] = "channel"

    def __init__(self, config: LearnedPathsConfig) -> None:
        self.config = config

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> LearnedPathsState:
        """What both ends know.

        Raises
        ------
        WeightsError
            If there are no weights for these sizes.
        """
        dims = dict(zip(SIZES, (shape[1], *shape[3:]), strict=True))
        trained = parameters_of(self.config, "codec", dims, lambda sizes: initial(self.config, sizes))
        trained["receive"] = trained["receive"][: shape[1]]
        wide = np.finfo(dtype).dtype
        fitted = {name: value.astype(np.result_type(value, wide)) for name, value in trained.items()}
        return LearnedPathsState(tuple(shape), np.dtype(dtype), fitted)

    def encode(self, csi: np.ndarray, state: LearnedPathsState) -> tuple[Report, LearnedPathsState]:
        """The report for ``csi`` (D, K, S, R, T).

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced.
        """
        check_csi(csi, state.shape)
        channels = csi.swapaxes(1, 2).reshape(-1, csi.shape[1], *csi.shape[3:])
        likenesses = len(channels) * csi.shape[1] * 2 ** (self.config.receive_bits + self.config.transmit_bits)
        pieces = np.array_split(channels, min(likenesses // LIKENESSES + 1, max(len(channels), 1)))
        index = np.concatenate([pursue(state.parameters, piece, self.config.phase_bits)[0] for piece in pieces])
        by_user = index.reshape(csi.shape[0], csi.shape[2], csi.shape[1], -1).swapaxes(1, 2)
        bits = integers_to_bits(by_user.reshape(*csi.shape[:2], -1), self.config.path_bits)
        return Report(pack(bits), bits.shape[-1]), state

    def decode(self, report: Report, state: LearnedPathsState) -> tuple[np.ndarray, LearnedPathsState]:
        """The CSI (D, K, S, R, T) that the bits describe."""
        drops, users = report.payload.shape[:2]
        paths = state.shape[2] * self.config.num_paths
        index = bits_to_integers(unpack(report.payload, paths * self.config.path_bits), self.config.path_bits).astype(np.int64)
        by_user = index.reshape(drops, users, state.shape[2], -1).swapaxes(1, 2)
        csi = described(state.parameters, by_user, self.config.phase_bits).swapaxes(1, 2)
        return csi.astype(state.dtype, copy=False), state


def _unit(directions: Array) -> Array:
    """Directions (..., n) of norm one, whatever training did to their length."""
    xp = array_namespace(directions)
    return directions / xp.astype(xp.sqrt(xp.sum(squared(directions), axis=-1, keepdims=True)), directions.dtype)


def _path(receive: Array, transmit: Array, index: Array) -> Array:
    """Rank-one channels (..., K, R, T) of norm one with numbers (..., K)."""
    users = array_namespace(receive).arange(receive.shape[0])
    i, j = index // transmit.shape[0], index % transmit.shape[0]
    return receive[users, i][..., :, None] * transmit[j][..., None, :]


def _along(path: Array, csi: Array) -> Array:
    """Inner products (..., K, 1, 1) of paths and channels."""
    xp = array_namespace(csi)
    return xp.sum(xp.conj(path) * csi, axis=(-2, -1), keepdims=True)


def _gain(magnitude: Array, phase: Array, cells: int) -> Any:
    xp = array_namespace(phase)
    return magnitude * xp.exp(xp.astype(phase, magnitude.dtype) * (2j * np.pi / cells))
