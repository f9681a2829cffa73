"""Quantisers of a code: real numbers into a bit string of known length, and back from the bits alone.

What a trained quantiser knows (levels, codebook, limit) follows from ``calibration``, codes of training images that travel with
the codec's weights: any quantiser can be asked for later, and both ends derive the same tables.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from statistics import NormalDist
from typing import Annotated, ClassVar, Literal, Protocol

import numpy as np
from pydantic import Field

from csisim.errors import CsisimError
from csisim.feedback.bits import bits_to_integers, integers_to_bits
from csisim.feedback.quantiser import gaussian_quantiser, train_quantiser
from csisim.registry import BareKind, Component

MOST_BITS = 8  # of one number, in tables
LARGEST = 1e6  # number of a code; images have unit power


class CodeQuantiser(Protocol):
    """Indices of fixed width for codes (n, M), and codes for indices."""

    squashes: ClassVar[bool]  #: codes pass a sigmoid first, in training and at both ends

    @property
    def widths(self) -> int | np.ndarray:
        """Bits of an index, the same for all or one number per element."""

    def index(self, codes: np.ndarray) -> np.ndarray:
        """Unsigned integers (n, symbols) of codes (n, M)."""

    def value(self, index: np.ndarray) -> np.ndarray:
        """Codes (n, M) of indices (n, symbols), float32."""


class Float32(Component):
    """Every number as an IEEE single-precision float: what papers call "without quantisation", with its bits booked."""

    kind: Literal["float32"] = "float32"
    squashes: ClassVar[bool] = False
    widths: ClassVar[int] = 32

    def prepare(self, calibration: np.ndarray | None) -> CodeQuantiser:
        """Nothing to learn."""
        return self

    def num_bits(self, code_length: int) -> int:
        """Bits of one code."""
        return 32 * code_length

    def index(self, codes: np.ndarray) -> np.ndarray:
        """The floats' bit patterns."""
        return np.ascontiguousarray(codes, np.float32).view(np.uint32)

    def value(self, index: np.ndarray) -> np.ndarray:
        """The floats; damaged ones that no code has are cut to what computes."""
        return np.clip(np.nan_to_num(index.astype(np.uint32).view(np.float32)), -LARGEST, LARGEST)


class Uniform(Component):
    r"""``bits`` per number of a sigmoid code: :math:`x_b = \lfloor x 2^B \rfloor`, received as the cell's middle (Lu 2021, eq. 12)."""

    kind: Literal["uniform"] = "uniform"
    bits: int = Field(4, ge=1, le=16, description="bits per number of the code")
    squashes: ClassVar[bool] = True

    @property
    def widths(self) -> int:
        """Bits of an index."""
        return self.bits

    def prepare(self, calibration: np.ndarray | None) -> CodeQuantiser:
        """Nothing to learn: the network is trained with the sigmoid."""
        return self

    def num_bits(self, code_length: int) -> int:
        """Bits of one code (Lu 2021, eq. 13)."""
        return self.bits * code_length

    def index(self, codes: np.ndarray) -> np.ndarray:
        """Cells of codes in [0, 1]; a float sigmoid can be exactly 1."""
        cell = np.floor(np.asarray(codes, np.float64) * 2**self.bits)
        return np.clip(cell, 0, 2**self.bits - 1).astype(np.uint32)

    def value(self, index: np.ndarray) -> np.ndarray:
        """The cells' middles."""
        return ((index + 0.5) / 2**self.bits).astype(np.float32)


class MuLaw(Component):
    r"""Uniform cells of :math:`\mathrm{sgn}(v) \ln(1 + \mu |v|) / \ln(1 + \mu)`, v relative to the largest calibration code (Guo 2020)."""

    kind: Literal["mu_law"] = "mu_law"
    bits: int = Field(5, ge=1, le=16, description="bits per number of the code")
    mu: float = Field(50.0, gt=0, description="how much finer small numbers are resolved")
    squashes: ClassVar[bool] = False

    def prepare(self, calibration: np.ndarray | None) -> CodeQuantiser:
        """The quantiser whose range the calibration codes span."""
        return _MuLaw(self.bits, self.mu, float(np.abs(_needed(calibration, self.kind)).max()))

    def num_bits(self, code_length: int) -> int:
        """Bits of one code."""
        return self.bits * code_length


class LloydMaxCode(Component):
    """Least mean squared error for the distribution of the calibration codes (Ma 2024, Table IV; one table or one per element)."""

    kind: Literal["lloyd_max"] = "lloyd_max"
    bits: int = Field(4, ge=1, le=8, description="bits per number of the code")
    per_element: bool = Field(False, description="a table of levels for every element of the code instead of one for all")
    squashes: ClassVar[bool] = False

    def prepare(self, calibration: np.ndarray | None) -> CodeQuantiser:
        """Levels by Lloyd's iteration on the calibration codes."""
        codes = _needed(calibration, self.kind)
        groups = codes.T if self.per_element else codes.reshape(1, -1)
        return _Levels(self.bits, np.stack([train_quantiser(group, self.bits, 1e-4).levels for group in groups]))

    def num_bits(self, code_length: int) -> int:
        """Bits of one code."""
        return self.bits * code_length


class Allocated(Component):
    """Lloyd-Max tables of different size: strong elements of the code get more bits than weak ones, ``bits`` on average.

    Bits go one by one to the element whose expected error they reduce most, judged by its variance and the distortion of a
    Gaussian; an element without bits is received as its mean.
    """

    kind: Literal["allocated"] = "allocated"
    bits: int = Field(4, ge=1, le=MOST_BITS, description="bits per number of the code, on average")
    squashes: ClassVar[bool] = False

    def prepare(self, calibration: np.ndarray | None) -> CodeQuantiser:
        """Bits by variance, then levels by Lloyd's iteration on the calibration codes."""
        codes = _needed(calibration, self.kind)
        widths = allocate(codes.var(axis=0), self.bits * codes.shape[1])
        levels = [train_quantiser(c, int(w), 1e-4).levels if w else c.mean(keepdims=True) for c, w in zip(codes.T, widths, strict=True)]
        return _Allocated(widths, levels)

    def num_bits(self, code_length: int) -> int:
        """Bits of one code."""
        return self.bits * code_length


class Vector(Component):
    """Runs of ``dim`` neighbouring numbers, each replaced by the nearest of 2^bits trained vectors."""

    kind: Literal["vector"] = "vector"
    bits: int = Field(8, ge=1, le=12, description="bits per run of numbers")
    dim: int = Field(2, ge=2, le=16, description="numbers per run; must divide the code's length")
    squashes: ClassVar[bool] = False

    def prepare(self, calibration: np.ndarray | None) -> CodeQuantiser:
        """A codebook by Lloyd's iteration in ``dim`` dimensions, from vectors drawn with a fixed seed."""
        codes = _needed(calibration, self.kind)
        if codes.shape[-1] % self.dim:
            raise CsisimError(f"quantiser vector: dim {self.dim} does not divide the {codes.shape[-1]} numbers of the code")
        return _Codebook(self.bits, train_codebook(codes.reshape(-1, self.dim), 2**self.bits))

    def num_bits(self, code_length: int) -> int:
        """Bits of one code."""
        return self.bits * (code_length // self.dim)


CodeQuantiserConfig = Annotated[Float32 | Uniform | MuLaw | LloydMaxCode | Allocated | Vector, Field(discriminator="kind"), BareKind]
#: For codecs without a network to be trained with a sigmoid.
LinearCodeQuantiserConfig = Annotated[Float32 | MuLaw | LloydMaxCode | Allocated | Vector, Field(discriminator="kind"), BareKind]


@dataclass(frozen=True, eq=False)
class _MuLaw:
    widths: int
    mu: float
    limit: float
    squashes: ClassVar[bool] = False

    def index(self, codes: np.ndarray) -> np.ndarray:
        relative = np.asarray(codes, np.float64) / self.limit
        companded = np.sign(relative) * np.log1p(self.mu * np.abs(relative)) / np.log1p(self.mu)
        cell = np.floor((companded + 1) / 2 * 2**self.widths)
        return np.clip(cell, 0, 2**self.widths - 1).astype(np.uint32)

    def value(self, index: np.ndarray) -> np.ndarray:
        companded = 2 * (index + 0.5) / 2**self.widths - 1
        return (self.limit * np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(self.mu)) / self.mu).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Levels:
    widths: int
    levels: np.ndarray  # (1 or M, 2^bits) ascending
    squashes: ClassVar[bool] = False

    def index(self, codes: np.ndarray) -> np.ndarray:
        thresholds = (self.levels[:, 1:] + self.levels[:, :-1]) / 2
        if len(thresholds) == 1:
            return np.searchsorted(thresholds[0], codes).astype(np.uint32)
        return np.stack([np.searchsorted(t, c) for t, c in zip(thresholds, codes.T, strict=True)], axis=-1).astype(np.uint32)

    def value(self, index: np.ndarray) -> np.ndarray:
        if len(self.levels) == 1:
            return self.levels[0][index].astype(np.float32)
        return np.take_along_axis(self.levels.T, index.astype(np.int64), axis=0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Allocated:
    widths: np.ndarray  # (M,)
    levels: list[np.ndarray]  # of every element, ascending, 2^width
    squashes: ClassVar[bool] = False

    def index(self, codes: np.ndarray) -> np.ndarray:
        cells = [np.searchsorted((t[1:] + t[:-1]) / 2, c) for t, c in zip(self.levels, codes.T, strict=True)]
        return np.stack(cells, axis=-1).astype(np.uint32)

    def value(self, index: np.ndarray) -> np.ndarray:
        return np.stack([t[i] for t, i in zip(self.levels, index.T, strict=True)], axis=-1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Codebook:
    widths: int
    vectors: np.ndarray  # (2^bits, dim)
    squashes: ClassVar[bool] = False

    @cached_property
    def _half_energy(self) -> np.ndarray:
        return (self.vectors**2).sum(axis=-1) / 2

    def index(self, codes: np.ndarray) -> np.ndarray:
        runs = np.asarray(codes, np.float64).reshape(-1, self.vectors.shape[-1])
        return nearest(runs, self.vectors, self._half_energy).reshape(len(codes), -1).astype(np.uint32)

    def value(self, index: np.ndarray) -> np.ndarray:
        return self.vectors[index].reshape(len(index), -1).astype(np.float32)


def to_bits(quantiser: CodeQuantiser, codes: np.ndarray) -> np.ndarray:
    """Bit strings (n, bits) of codes (n, M)."""
    index, widths = quantiser.index(codes), quantiser.widths
    if isinstance(widths, int):
        return integers_to_bits(index, widths)
    spelled = [integers_to_bits(index[:, i : i + 1], int(width)) for i, width in enumerate(widths) if width]
    return np.concatenate(spelled, axis=1)


def from_bits(quantiser: CodeQuantiser, bits: np.ndarray) -> np.ndarray:
    """Codes (n, M) of bit strings (n, bits)."""
    widths = quantiser.widths
    if isinstance(widths, int):
        return quantiser.value(bits_to_integers(bits, widths))
    index = np.zeros((len(bits), len(widths)), np.uint32)
    for i, (width, end) in enumerate(zip(widths, np.cumsum(widths), strict=True)):
        if width:
            index[:, i] = bits_to_integers(bits[:, end - width : end], int(width))[:, 0]
    return quantiser.value(index)


def allocate(variances: np.ndarray, total: int) -> np.ndarray:
    """Bits per element, (M,) int, at most :data:`MOST_BITS` each and ``total`` in all, greedily by what each bit gains."""
    distortion = np.array([1.0] + [gaussian_distortion(bits) for bits in range(1, MOST_BITS + 1)])
    gains = variances[:, None] * -np.diff(distortion)  # falling along each row: a greedy choice is the largest gains of all
    order = np.argsort(-gains, axis=None, kind="stable")[:total]
    return np.bincount(order // MOST_BITS, minlength=len(variances))


@cache
def gaussian_distortion(bits: int) -> float:
    """Mean squared error of the Lloyd-Max quantiser of a unit Gaussian: one minus the power of its output."""
    quantiser = gaussian_quantiser(bits)
    edges = [NormalDist().cdf(float(edge)) for edge in quantiser.thresholds]
    return 1 - float(np.diff([0.0, *edges, 1.0]) @ quantiser.levels**2)


def nearest(points: np.ndarray, vectors: np.ndarray, half_energy: np.ndarray) -> np.ndarray:
    """Index of the nearest vector to every point (n, dim), in pieces that fit a cache."""
    pieces = [np.argmin(half_energy - piece @ vectors.T, axis=-1) for piece in np.array_split(points, len(points) // 4096 + 1)]
    return np.concatenate(pieces)


def train_codebook(points: np.ndarray, count: int, iterations: int = 30) -> np.ndarray:
    """``count`` vectors (count, dim) for points (n, dim) by Lloyd's iteration; empty cells move to the worst served points."""
    points = np.asarray(points, np.float64)
    rng = np.random.default_rng(0)  # both ends draw the same
    vectors = points[rng.choice(len(points), count, replace=len(points) < count)]
    for _ in range(iterations):
        cell = nearest(points, vectors, (vectors**2).sum(axis=-1) / 2)
        sizes = np.bincount(cell, minlength=count)
        sums = np.stack([np.bincount(cell, weights=column, minlength=count) for column in points.T], axis=-1)
        errors = ((points - vectors[cell]) ** 2).sum(axis=-1)
        vectors = sums / np.maximum(sizes, 1)[:, None]
        empty = np.flatnonzero(sizes == 0)
        if len(empty):
            vectors[empty] = points[np.argsort(errors)[::-1][np.arange(len(empty)) % len(points)]]
    return vectors


def _needed(calibration: np.ndarray | None, kind: str) -> np.ndarray:
    if calibration is None or not len(calibration):
        raise CsisimError(f"quantiser {kind}: these weights hold no calibration codes to train it on (float32 and uniform need none)")
    return np.asarray(calibration, np.float64)
