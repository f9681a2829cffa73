"""Parametric feedback: the directions and gains of a channel's paths, the conventional report of hybrid millimetre-wave systems."""

from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from csisim.acquisition.base import Sounding
from csisim.acquisition.omp import angular_dictionary, pursue, unit_norm
from csisim.feedback.bits import bits_to_integers, bits_to_scale, integers_to_bits, pack, unpack
from csisim.feedback.codebooks.fields import width_of
from csisim.feedback.quantiser import gaussian_quantiser
from csisim.feedback.report import SCALE_BITS, Report, check_csi
from csisim.phy.linalg import adjoint
from csisim.registry import Component

NEW_NORM = 1e-3  # part of a path that must not lie in the span of those before


class PathsConfig(Component):
    """Paths on an angular grid, found by matching pursuit in the equivalent channel through beams that both ends know."""

    kind: Literal["paths"] = "paths"
    num_paths: int = Field(8, ge=1, le=256, description="paths reported; never more than the channel has coefficients")
    oversampling: int = Field(2, ge=1, le=8, description="grid directions per antenna and axis of the array")
    receive_oversampling: int | None = Field(
        None, ge=1, le=8, description="those of the users' arrays, where their grid is coarser; the same when left out"
    )
    bits: int = Field(3, ge=1, le=8, description="bits per real dimension of a gain")
    scale: Literal["report"] | list[PositiveFloat] = Field(
        "report",
        description="report: the gains' common scale factor, 16 bits; or the root mean square of a real dimension of each path's gain, in "
        "their order, as a design from the statistics of the channel gives both ends: no bits",
    )

    @model_validator(mode="after")
    def _fits(self) -> "PathsConfig":
        if self.receive_oversampling is not None and self.receive_oversampling > self.oversampling:
            raise ValueError(f"paths: receive_oversampling {self.receive_oversampling} is finer than oversampling {self.oversampling}")
        if self.scale != "report" and len(self.scale) != self.num_paths:
            raise ValueError(f"paths: scale has {len(self.scale)} numbers for {self.num_paths} paths")
        return self


class PathsState(NamedTuple):
    """What both ends know: shape (D, K, S, R, T) and precision, and the grids behind the beams.

    Attributes
    ----------
    shape : (D, K, S, R, T)
    dtype : complex dtype
    left : (D|1, K, R, Qr) complex
        Receive directions behind the combiners, of unit norm.
    right : (D|1, 1, Qt, T) complex
        Transmit directions through the beams, of unit norm.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    left: np.ndarray
    right: np.ndarray


class Paths:
    r"""Lloyd-Max quantised path parameters, as the conventional scheme of Kang 2022, Fig. 19, reports them.

    The users feed back what the base station needs for :math:`W^H H F`, which is its paths' directions and gains: :math:`F` and
    :math:`W` the base station has designed itself and told them. Directions are uniform on the grid (for which a uniform quantiser
    is the Lloyd-Max one); gains are quantised as Gaussian, with a 16-bit scale factor for all of them or with the known ones of the
    configuration. A user's bit string is the scale, if any, the directions of all paths, and their gains on every subcarrier. Gains are
    those of the paths made orthogonal in the order of their strength, which both ends can do, so that errors of neighbours do not add up.
    """

    Config = PathsConfig
    content: ClassVar[Literal["channel", "precoder"]] = "channel"
    needs_sounding: ClassVar[bool] = True

    def __init__(self, config: PathsConfig):
        self.config = config

    def init(self, shape: tuple[int, ...], dtype: np.dtype, sounding: Sounding | None = None) -> PathsState:
        """The grids as seen through these beams."""
        if sounding is None:
            raise ValueError("codec paths needs the beams that the channel is seen through")
        ends = ((sounding.rx_array, sounding.w), (sounding.tx_array, sounding.f))
        fineness = (self.config.receive_oversampling or self.config.oversampling, self.config.oversampling)
        rx, tx = (angular_dictionary(a, beams.shape[-2], fine, np.dtype(dtype)) for (a, beams), fine in zip(ends, fineness, strict=True))
        left, right = adjoint(sounding.w) @ rx, (adjoint(tx) @ sounding.f)[:, None]
        return PathsState(tuple(shape), np.dtype(dtype), unit_norm(left, -2), unit_norm(right, -1))

    def encode(self, csi: np.ndarray, state: PathsState) -> tuple[Report, PathsState]:
        """The report for ``csi`` (D, K, S, R, T).

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced.
        """
        check_csi(csi, state.shape)
        drops, users = csi.shape[:2]
        left, right = self._grids(state)
        found = pursue(csi, left, right, 0.0, self._count(state))
        missing = self._count(state) - found.found.shape[-1]
        receive, transmit = (np.pad(i, ((0, 0), (0, 0), (0, missing))) for i in (found.receive, found.transmit))
        basis = _basis(receive, transmit, left, right)
        gains = basis.conj() @ csi.reshape(drops, users, csi.shape[2], -1).swapaxes(-1, -2)  # (D, K, n, S)
        parts = np.stack([gains.real, gains.imag], axis=-1).reshape(drops, users, -1).astype(np.float64)
        fields = []
        if self.config.scale == "report":
            rms = np.sqrt(np.mean(parts**2, axis=-1, keepdims=True))
            scale = np.clip(rms, np.finfo(np.float16).smallest_normal, np.finfo(np.float16).max).astype(np.float16)
            fields.append(integers_to_bits(scale.view(np.uint16), SCALE_BITS))
        else:
            scale = self._known_scale(state)
        fields += [
            _spelled(receive, width_of(left.shape[-1])),
            _spelled(transmit, width_of(right.shape[-2])),
            integers_to_bits(gaussian_quantiser(self.config.bits).encode(parts / scale), self.config.bits),
        ]
        bits = np.concatenate(fields, axis=-1)
        return Report(pack(bits), bits.shape[-1]), state

    def decode(self, report: Report, state: PathsState) -> tuple[np.ndarray, PathsState]:
        """The CSI (D, K, S, R, T) that the bits describe."""
        left, right = self._grids(state)
        count, subcarriers = self._count(state), state.shape[2]
        widths = width_of(left.shape[-1]), width_of(right.shape[-2])
        reported = self.config.scale == "report"
        ends = np.cumsum([SCALE_BITS * reported, count * widths[0], count * widths[1], 2 * count * subcarriers * self.config.bits])
        told, receive, transmit, index = np.split(unpack(report.payload, int(ends[-1])), ends[:-1], axis=-1)
        i = _read(receive, widths[0], (*report.payload.shape[:2], count), left.shape[-1])
        j = _read(transmit, widths[1], (*report.payload.shape[:2], count), right.shape[-2])
        scale = bits_to_scale(told) if reported else self._known_scale(state)
        parts = gaussian_quantiser(self.config.bits).decode(bits_to_integers(index, self.config.bits)) * scale
        gains = np.ascontiguousarray(parts).view(np.complex128).reshape(*i.shape, subcarriers)
        value = gains.swapaxes(-1, -2) @ _basis(i, j, left, right)
        return value.reshape(state.shape).astype(state.dtype, copy=False), state

    def _count(self, state: PathsState) -> int:
        return min(self.config.num_paths, state.shape[3] * state.shape[4])

    def _known_scale(self, state: PathsState) -> np.ndarray:
        """That of every real dimension of the gains, (2 n S,)."""
        return np.repeat(np.array(self.config.scale[: self._count(state)], np.float64), 2 * state.shape[2])

    def _grids(self, state: PathsState) -> tuple[np.ndarray, np.ndarray]:
        users = state.shape[:2]
        left, right = (np.broadcast_to(grid, (*users, *grid.shape[2:])) for grid in (state.left, state.right))
        return left, right


def _spelled(index: np.ndarray, width: int) -> np.ndarray:
    """Indices (D, K, n) as bits; one direction alone, a single antenna's, takes none."""
    return integers_to_bits(index, width) if width else np.zeros((*index.shape[:-1], 0), np.uint8)


def _read(bits: np.ndarray, width: int, shape: tuple[int, ...], size: int) -> np.ndarray:
    """The indices (D, K, n) below ``size``."""
    return np.minimum(bits_to_integers(bits, width), size - 1).astype(np.intp) if width else np.zeros(shape, np.intp)


def _basis(receive: np.ndarray, transmit: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Orthonormal basis (D, K, n, R T) of the paths with indices (D, K, n), one after the other; zero for what is nothing new."""
    columns = np.take_along_axis(left, receive[..., None, :], axis=-1).swapaxes(-1, -2)  # (D, K, n, R)
    rows = np.take_along_axis(right, transmit[..., None], axis=-2)  # (D, K, n, T)
    atoms = (columns[..., None] * rows[..., None, :]).reshape(*receive.shape, -1).astype(np.complex128)
    basis = np.zeros_like(atoms)
    for n in range(receive.shape[-1]):
        atom = atoms[..., n, :, None]
        for _ in range(2):  # twice is enough to stay orthogonal
            atom = atom - basis.swapaxes(-1, -2) @ (basis.conj() @ atom)
        norm = np.linalg.norm(atom, axis=-2)
        basis[..., n, :] = np.where(norm > NEW_NORM, atom[..., 0] / np.maximum(norm, NEW_NORM), 0)
    return basis
