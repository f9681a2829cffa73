"""Type II codebook of Release 15, ranks 1 and 2 (TS 38.214, 5.2.2.2.3): L beams with amplitudes, and phases in every subband."""

from dataclasses import dataclass
from math import comb
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from csisim.errors import CsisimError
from csisim.feedback.codebooks.codec import CodebookCodec, CodebookConfig
from csisim.feedback.codebooks.fields import Reader, Writer, combination_index, combination_members, width_of
from csisim.feedback.codebooks.panel import BeamSet, Panel, candidate_beams, most_similar

#: wideband amplitudes, Table 5.2.2.2.3-2
WIDEBAND = np.append(0.0, 2.0 ** (-(7 - np.arange(1, 8)) / 2))
#: subband amplitudes, Table 5.2.2.2.3-3
SUBBAND = np.array([np.sqrt(0.5), 1.0])
#: how many coefficients have full resolution, K(2), by number of beams (Table 5.2.2.2.3-4)
STRONG = {2: 4, 3: 4, 4: 6}
LEVEL_FITS = 3


class Type2Pmi(NamedTuple):
    """Indices of a batch of reports; what is not reported has the value that the standard fixes."""

    beams: BeamSet  # i1,1 and i1,2
    i13: np.ndarray  # (B, rank) strongest coefficient
    k1: np.ndarray  # (B, rank, 2L) wideband amplitudes, i1,4
    k2: np.ndarray  # (B, rank, N3, 2L) subband amplitudes, i2,2
    c: np.ndarray  # (B, rank, N3, 2L) phases, i2,1


@dataclass(frozen=True)
class Type2Codebook:
    """A linear combination of L orthogonal beams per polarisation, with the phases of every subband."""

    panel: Panel
    rank: int
    subbands: int
    num_beams: int
    phases: int
    subband_amplitude: bool

    def __post_init__(self) -> None:
        if self.num_beams > self.panel.half:
            raise CsisimError(f"type2: a group has n1 n2 = {self.panel.half} beams, not {self.num_beams} (num_beams)")

    @property
    def num_bits(self) -> int:
        """Length of the longest report: no amplitude is zero."""
        coefficients, strong = 2 * self.num_beams, STRONG[self.num_beams]
        strong = min(coefficients, strong) if self.subband_amplitude else coefficients
        fine, coarse = strong - 1, coefficients - strong
        per_subband = fine * (width_of(self.phases) + self.subband_amplitude) + 2 * coarse
        per_layer = width_of(coefficients) + 3 * (coefficients - 1) + self.subbands * per_subband
        return sum(self._beam_widths) + self.rank * per_layer

    @property
    def _beam_widths(self) -> tuple[int, int]:
        panel = self.panel
        return width_of(panel.o1 * panel.o2), width_of(comb(panel.half, self.num_beams))

    def resolution(self, i13: np.ndarray, k1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which coefficients have fine and which have coarse indices in every subband, (B, rank, 2L) bool each.

        The strongest coefficient and those of amplitude zero have none. Ties go to the lower index.
        """
        coefficients = np.arange(k1.shape[-1])
        strongest = coefficients == i13[..., None]
        reported = (k1 > 0) & ~strongest
        if not self.subband_amplitude:
            return reported, np.zeros_like(reported)
        key = np.where(strongest, 8, k1) * len(coefficients) - coefficients
        place = np.argsort(np.argsort(-key, axis=-1), axis=-1)
        fine = reported & (place < STRONG[self.num_beams])
        return fine, reported & ~fine

    def select(self, directions: np.ndarray) -> Type2Pmi:
        """Indices for directions (B, N3, P, rank): the beams that catch most, with their amplitudes and phases."""
        pmi = self._quantise(*candidate_beams(self.panel, directions, self.num_beams))
        return most_similar(pmi, self.precoder(pmi), directions)

    def _quantise(self, beams: BeamSet, coefficients: np.ndarray) -> Type2Pmi:
        """Amplitudes and phases of coefficients (B, rank, N3, 2L)."""
        coefficients = np.moveaxis(coefficients, 2, -1)  # (B, rank, 2L, N3)
        power = np.mean(np.abs(coefficients) ** 2, axis=-1)
        i13 = np.argmax(power, axis=-1)
        at = i13[..., None]
        k1 = nearest(WIDEBAND, np.sqrt(power / np.take_along_axis(power, at, axis=-1)))
        np.put_along_axis(k1, at, 7, axis=-1)
        fine, coarse = self.resolution(i13, k1)
        reference = np.take_along_axis(coefficients, at[..., None], axis=-2)
        turned = (coefficients * reference.conj()).swapaxes(-1, -2)  # (B, rank, N3, 2L), the strongest one real
        steps = np.where(coarse, 4, self.phases)[..., None, :]
        c = np.rint(np.angle(turned) / (2 * np.pi) * steps).astype(np.int64) % steps
        c = np.where((fine | coarse)[..., None, :], c, 0)
        if not self.subband_amplitude:
            return Type2Pmi(beams, i13, k1, np.ones_like(c), c)
        in_phase = (turned * np.exp(-2j * np.pi * c / steps)).real
        return Type2Pmi(beams, i13, k1, subband_amplitudes(in_phase, WIDEBAND[k1][..., None, :], fine[..., None, :]), c)

    def precoder(self, pmi: Type2Pmi) -> np.ndarray:
        """Precoders W (B, N3, P, rank) of Table 5.2.2.2.3-5, of unit norm."""
        _, coarse = self.resolution(pmi.i13, pmi.k1)
        steps = np.where(coarse, 4, self.phases)[..., None, :]
        amplitude = WIDEBAND[pmi.k1][..., None, :] * SUBBAND[pmi.k2]
        return normalised(pmi.beams.combine(self.panel, amplitude * np.exp(2j * np.pi * pmi.c / steps)))

    def write(self, pmi: Type2Pmi) -> Writer:
        """The bit strings: i1,1, i1,2, then i1,3 and i1,4 of the layers, then i2,1 and i2,2."""
        panel, batch = self.panel, len(pmi.k1)
        writer = Writer(batch, self.num_bits)
        group, combination = self._beam_widths
        writer.write((pmi.beams.q1 * panel.o2 + pmi.beams.q2)[:, None], group)
        writer.write(combination_index(pmi.beams.members, panel.half)[:, None], combination)
        writer.write(pmi.i13, width_of(2 * self.num_beams))
        others = np.arange(2 * self.num_beams) != pmi.i13[..., None]
        writer.write(pmi.k1.reshape(batch, -1), 3 * others.reshape(batch, -1))
        phases, amplitudes = self._subband_widths(pmi.i13, pmi.k1)
        writer.write(pmi.c.reshape(batch, -1), phases)
        writer.write(pmi.k2.reshape(batch, -1), amplitudes)
        return writer

    def read(self, bits: np.ndarray) -> Type2Pmi:
        """The indices in bit strings (B, num_bits)."""
        panel, reader, coefficients = self.panel, Reader(bits), 2 * self.num_beams
        group, combination = self._beam_widths
        q = reader.read(group, 1)[:, 0]
        members = combination_members(reader.read(combination, 1)[:, 0], panel.half, self.num_beams)
        i13 = np.minimum(reader.read(width_of(coefficients), self.rank), coefficients - 1)
        strongest = np.arange(coefficients) == i13[..., None]
        k1 = reader.read(3 * ~strongest.reshape(len(bits), -1), self.rank * coefficients).reshape(strongest.shape)
        k1 = np.where(strongest, 7, k1)
        shape = (len(bits), self.rank, self.subbands, coefficients)
        phases, amplitudes = self._subband_widths(i13, k1)
        c = reader.read(phases, phases.shape[1]).reshape(shape)
        k2 = np.where(amplitudes > 0, reader.read(amplitudes, amplitudes.shape[1]), 1).reshape(shape)
        return Type2Pmi(BeamSet(*np.divmod(q, panel.o2), members), i13, k1, k2, c)

    def _subband_widths(self, i13: np.ndarray, k1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bits of every phase and of every subband amplitude, (B, rank N3 2L) each."""
        fine, coarse = self.resolution(i13, k1)
        phases = width_of(self.phases) * fine + 2 * coarse
        amplitudes = fine.astype(np.int64) * self.subband_amplitude
        return tuple(np.repeat(w[:, :, None], self.subbands, axis=2).reshape(len(k1), -1) for w in (phases, amplitudes))  # type: ignore[return-value]


def subband_amplitudes(wanted: np.ndarray, wideband: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Indices k2 whose amplitudes are as near as possible in direction to ``wanted`` (..., 2L); 1 where not ``fine``.

    Only the direction matters, so level and indices are fitted in turns.
    """
    k2 = np.ones(np.broadcast_shapes(wanted.shape, fine.shape), np.int64)
    for _ in range(LEVEL_FITS):
        amplitude = wideband * SUBBAND[k2]
        level = np.sum(wanted * amplitude, axis=-1, keepdims=True) / np.sum(amplitude**2, axis=-1, keepdims=True)
        k2 = np.where(fine, nearest(SUBBAND, wanted / nonzero(level * wideband)), 1)
    return k2


def nearest(levels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Indices of the nearest of ascending ``levels``."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)


def nonzero(values: np.ndarray) -> np.ndarray:
    """Zeros replaced by ones, to divide by."""
    return np.where(values == 0, 1.0, values)


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Layers (B, rank, N3, P) as precoders (B, N3, P, rank) of unit norm, every layer with the same power."""
    vectors = vectors / nonzero(np.linalg.norm(vectors, axis=-1, keepdims=True))
    return np.moveaxis(vectors, 1, -1) / np.sqrt(vectors.shape[1])


class Type2Config(CodebookConfig):
    """Type II codebook (Release 15): beams combined with an amplitude each and a phase per subband."""

    kind: Literal["type2"] = "type2"
    num_beams: Literal[2, 3, 4] = Field(4, description="beams L per polarisation")
    phases: Literal[4, 8] = Field(8, description="phase alphabet, N_PSK")
    subband_amplitude: bool = Field(True, description="a bit of amplitude per subband for the strongest coefficients")


class Type2(CodebookCodec):
    """Reports of :class:`Type2Codebook`."""

    Config = Type2Config

    def codebook(self, panel: Panel, subbands: int) -> Type2Codebook:
        config = self.config
        return Type2Codebook(panel, config.rank, subbands, config.num_beams, config.phases, config.subband_amplitude)
