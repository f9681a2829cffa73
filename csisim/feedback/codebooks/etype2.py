"""Enhanced Type II codebook of Release 16, ranks 1 and 2 (TS 38.214, 5.2.2.2.5): coefficients compressed over frequency."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, comb
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from csisim.errors import CsisimError
from csisim.feedback.codebooks.codec import CodebookCodec, CodebookConfig
from csisim.feedback.codebooks.fields import Reader, Writer, combination_index, combination_members, width_of, widths_of
from csisim.feedback.codebooks.panel import BeamSet, Panel, candidate_beams, most_similar
from csisim.feedback.codebooks.type2 import nearest, nonzero, normalised

#: paramCombination-r16: L, p_v of ranks 1 and 2, beta (Table 5.2.2.2.5-1)
COMBINATIONS = {
    1: (2, Fraction(1, 4), Fraction(1, 4)), 2: (2, Fraction(1, 4), Fraction(1, 2)),
    3: (4, Fraction(1, 4), Fraction(1, 4)), 4: (4, Fraction(1, 4), Fraction(1, 2)),
    5: (4, Fraction(1, 4), Fraction(3, 4)), 6: (4, Fraction(1, 2), Fraction(1, 2)),
    7: (6, Fraction(1, 4), Fraction(1, 2)), 8: (6, Fraction(1, 4), Fraction(3, 4)),
}  # fmt: skip
#: reference amplitudes of a polarisation, Table 5.2.2.2.5-2; index 0 is reserved
REFERENCE = 2.0 ** (-(15 - np.arange(16)) / 4)
#: differential amplitudes, Table 5.2.2.2.5-3
DIFFERENTIAL = 2.0 ** (-(7 - np.arange(8)) / 2)
PHASES = 16
#: up to this N3 the taps are chosen freely, beyond it from a window of 2 M_v
FREE_TAPS = 19


class EType2Pmi(NamedTuple):
    """Indices of a batch of reports; what is not reported has the value that the standard fixes."""

    beams: BeamSet  # i1,1 and i1,2
    window: np.ndarray  # (B,) i1,5; 0 where the taps are free
    taps: np.ndarray  # (B, rank, M_v) n3 ascending from 0, behind i1,6
    bitmap: np.ndarray  # (B, rank, M_v, 2L) bool, i1,7
    strongest: np.ndarray  # (B, rank) index i* of the strongest coefficient, at tap 0; behind i1,8
    k1: np.ndarray  # (B, rank, 2) reference amplitudes, i2,3
    k2: np.ndarray  # (B, rank, M_v, 2L) differential amplitudes, i2,4
    c: np.ndarray  # (B, rank, M_v, 2L) phases, i2,5


@dataclass(frozen=True)
class EType2Codebook:
    """L beams per polarisation whose coefficients over frequency are sums of M_v taps, of which K_NZ coefficients are reported."""

    panel: Panel
    rank: int
    subbands: int
    combination: int
    per_subband: int = 1

    def __post_init__(self) -> None:
        ports = self.panel.ports
        if ports == 4 and self.combination > 2:
            raise CsisimError(f"etype2: 4 ports have combinations 1 and 2, not {self.combination}")
        if self.combination > 6 and (ports < 32 or self.per_subband == 2):
            raise CsisimError(f"etype2: combination {self.combination} needs 32 ports, here are {ports}, and per_subband: 1")

    @property
    def num_beams(self) -> int:
        """L."""
        return COMBINATIONS[self.combination][0]

    @property
    def num_taps(self) -> int:
        """M_v, the same at ranks 1 and 2."""
        return ceil(COMBINATIONS[self.combination][1] * self.subbands / self.per_subband)

    @property
    def most(self) -> int:
        """K_0, the most coefficients a layer reports."""
        return ceil(COMBINATIONS[self.combination][2] * 2 * self.num_beams * self.num_taps)

    @property
    def windowed(self) -> bool:
        """Whether the taps come from a window of 2 M_v."""
        return self.subbands > FREE_TAPS

    @property
    def num_bits(self) -> int:
        """Length of the longest report: every layer reports K_0 coefficients."""
        shape = self.rank * self.num_taps * 2 * self.num_beams
        reported = self.rank * self.most
        star = width_of(self.most) if self.rank == 1 else self.rank * width_of(2 * self.num_beams)
        group, combination, window, taps = self._widths
        return group + combination + window + self.rank * taps + shape + star + 4 * self.rank + 7 * (reported - self.rank)

    @property
    def _widths(self) -> tuple[int, int, int, int]:
        panel, taps = self.panel, self.num_taps
        window = width_of(2 * taps) if self.windowed else 0
        choices = comb(self._tap_range, taps - 1)
        return width_of(panel.o1 * panel.o2), width_of(comb(panel.half, self.num_beams)), window, width_of(choices)

    @property
    def _tap_range(self) -> int:
        """How many taps besides tap 0 there are to choose from."""
        return 2 * self.num_taps - 1 if self.windowed else self.subbands - 1

    # -- what the user chooses ---------------------------------------------------------------------------------------

    def select(self, directions: np.ndarray) -> EType2Pmi:
        """Indices for directions (B, N3, P, rank): the beams and taps that catch most, with their amplitudes and phases."""
        pmi = self._compress(*candidate_beams(self.panel, directions, self.num_beams))
        return most_similar(pmi, self.precoder(pmi), directions)

    def _compress(self, beams: BeamSet, coefficients: np.ndarray) -> EType2Pmi:
        """Taps for coefficients (B, rank, N3, 2L), and their quantisation.

        Every subband's direction has a phase of its own that nobody needs; it is chosen to make the strongest beam's coefficient real.
        """
        coefficients = coefficients.swapaxes(-1, -2)  # (B, rank, 2L, N3)
        reference = np.argmax(np.sum(np.abs(coefficients) ** 2, axis=-1), axis=-1)[..., None, None]
        coefficients = coefficients * unit(np.take_along_axis(coefficients, reference, axis=-2)).conj()
        spectrum, strongest = strongest_first(coefficients)
        window, taps = self._taps(spectrum)
        chosen = np.take_along_axis(spectrum, taps[:, :, None], axis=-1).swapaxes(-1, -2)  # (B, rank, M_v, 2L)
        return self._quantise(beams, window, taps, chosen, strongest)

    def _taps(self, spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The window (B,) and the taps (B, rank, M_v) of most energy, tap 0 always among them."""
        energy = np.sum(np.abs(spectrum) ** 2, axis=-2)  # (B, rank, N3)
        energy[..., 0] = 1 + energy.sum(axis=-1)
        count = self.num_taps
        if not self.windowed:
            return np.zeros(len(energy), np.int64), np.sort(strongest_of(energy, count), axis=-1)
        start = -np.arange(2 * count)
        inside = (start[:, None] + np.arange(2 * count)) % self.subbands  # (windows, 2 M_v)
        caught = np.sort(energy[..., inside], axis=-1)[..., -count:].sum(axis=(1, -1))  # (B, windows): the layers share one
        best = np.argmax(caught, axis=1)
        within = np.broadcast_to(inside[best][:, None], (*energy.shape[:2], 2 * count))
        order = strongest_of(np.take_along_axis(energy, within, axis=-1), count)
        return start[best] % (2 * count), np.sort(np.take_along_axis(within, order, axis=-1), axis=-1)

    def _quantise(self, beams: BeamSet, window: np.ndarray, taps: np.ndarray, chosen: np.ndarray, strongest: np.ndarray) -> EType2Pmi:
        """Bitmap, amplitudes and phases of the coefficients ``chosen`` (B, rank, M_v, 2L), tap 0 first."""
        at = strongest[..., None, None]
        relative = chosen / np.take_along_axis(chosen[:, :, :1], at, axis=-1)
        size = np.abs(relative)
        halves = size.reshape(*size.shape[:-1], 2, self.num_beams).max(axis=(2, -1))  # (B, rank, 2)
        k1 = np.maximum(nearest(REFERENCE, halves), 1)
        np.put_along_axis(k1, strongest[..., None] // self.num_beams, 15, axis=-1)
        scaled = size / np.repeat(REFERENCE[k1], self.num_beams, axis=-1)[:, :, None]
        is_strongest = np.zeros(size.shape, bool)
        np.put_along_axis(is_strongest[:, :, 0], strongest[..., None], True, axis=-1)
        flat = np.where(is_strongest, np.inf, size).reshape(*size.shape[:2], -1)
        kept = np.zeros(flat.shape, bool)
        np.put_along_axis(kept, strongest_of(flat, self.most), True, axis=-1)
        # half the smallest level is nearer to nothing than to it
        bitmap = is_strongest | (kept.reshape(size.shape) & (scaled > DIFFERENTIAL[0] / 2))
        k2 = np.where(bitmap, nearest(DIFFERENTIAL, scaled), 0)
        c = np.rint(np.angle(relative) / (2 * np.pi) * PHASES).astype(np.int64) % PHASES
        k2, c = np.where(is_strongest, 7, k2), np.where(bitmap & ~is_strongest, c, 0)
        return EType2Pmi(beams, window, taps, bitmap, strongest, k1, k2, c)

    # -- what the base station makes of it ---------------------------------------------------------------------------

    def precoder(self, pmi: EType2Pmi) -> np.ndarray:
        """Precoders W (B, N3, P, rank) of Table 5.2.2.2.5-5, of unit norm."""
        amplitude = np.repeat(REFERENCE[pmi.k1], self.num_beams, axis=-1)[:, :, None] * DIFFERENTIAL[pmi.k2] * pmi.bitmap
        coefficients = amplitude * np.exp(2j * np.pi * pmi.c / PHASES)
        waves = np.exp(2j * np.pi * np.arange(self.subbands)[:, None] * pmi.taps[:, :, None] / self.subbands)  # (B, rank, N3, M_v)
        return normalised(pmi.beams.combine(self.panel, waves @ coefficients))

    # -- bits --------------------------------------------------------------------------------------------------------

    def write(self, pmi: EType2Pmi) -> Writer:
        """The bit strings: i1,1, i1,2, i1,5 to i1,8, i2,3 to i2,5."""
        panel, batch = self.panel, len(pmi.taps)
        writer = Writer(batch, self.num_bits)
        group, combination, window, taps = self._widths
        writer.write((pmi.beams.q1 * panel.o2 + pmi.beams.q2)[:, None], group)
        writer.write(combination_index(pmi.beams.members, panel.half)[:, None], combination)
        writer.write(pmi.window[:, None], window)
        others = self._to_window(pmi.taps[..., 1:], pmi.window).reshape(batch * self.rank, -1) - 1
        writer.write(combination_index(others, self._tap_range).reshape(batch, -1), taps)
        writer.write(pmi.bitmap.reshape(batch, -1).astype(np.int64), 1)
        star = pmi.strongest
        if self.rank == 1:
            star = np.take_along_axis(np.cumsum(pmi.bitmap[:, :, 0], axis=-1), star[..., None], axis=-1)[..., 0] - 1
        writer.write(star, self._star_width(pmi.bitmap))
        writer.write(pmi.k1.reshape(batch, -1), 4 * (np.arange(2) != pmi.strongest[..., None] // self.num_beams).reshape(batch, -1))
        reported = self._reported(pmi.bitmap, pmi.strongest).reshape(batch, -1)
        writer.write(pmi.k2.reshape(batch, -1), 3 * reported)
        writer.write(pmi.c.reshape(batch, -1), 4 * reported)
        return writer

    def read(self, bits: np.ndarray) -> EType2Pmi:
        """The indices in bit strings (B, num_bits)."""
        panel, reader, batch, coefficients = self.panel, Reader(bits), len(bits), 2 * self.num_beams
        group, combination, window_width, taps_width = self._widths
        q = reader.read(group, 1)[:, 0]
        members = combination_members(reader.read(combination, 1)[:, 0], panel.half, self.num_beams)
        window = np.minimum(reader.read(window_width, 1)[:, 0], 2 * self.num_taps - 1)
        index = reader.read(taps_width, self.rank).reshape(-1)
        others = combination_members(index, self._tap_range, self.num_taps - 1).reshape(batch, self.rank, -1) + 1
        taps = np.concatenate([np.zeros((batch, self.rank, 1), np.int64), self._from_window(others, window)], axis=-1)
        shape = (batch, self.rank, self.num_taps, coefficients)
        bitmap = reader.read(1, int(np.prod(shape[1:]))).reshape(shape) > 0
        strongest = reader.read(self._star_width(bitmap), self.rank)
        if self.rank == 1:
            strongest = np.argmax(np.cumsum(bitmap[:, :, 0], axis=-1) > strongest[..., None], axis=-1)
        strongest = np.minimum(strongest, coefficients - 1)
        np.put_along_axis(bitmap[:, :, 0], strongest[..., None], True, axis=-1)  # nothing new, unless bits were damaged
        is_weak = np.arange(2) != strongest[..., None] // self.num_beams
        k1 = np.where(is_weak, reader.read(4 * is_weak.reshape(batch, -1), 2 * self.rank).reshape(is_weak.shape), 15)
        reported = self._reported(bitmap, strongest).reshape(batch, -1)
        k2 = reader.read(3 * reported, reported.shape[1]).reshape(shape)
        c = reader.read(4 * reported, reported.shape[1]).reshape(shape)
        k2[:, :, 0][np.arange(coefficients) == strongest[..., None]] = 7
        return EType2Pmi(BeamSet(*np.divmod(q, panel.o2), members), window, taps, bitmap, strongest, k1, k2, c)

    def _star_width(self, bitmap: np.ndarray) -> np.ndarray | int:
        """Bits of i1,8: at rank 1 it counts reported coefficients, else all 2L."""
        return widths_of(bitmap.sum(axis=(2, 3))) if self.rank == 1 else width_of(2 * self.num_beams)

    def _reported(self, bitmap: np.ndarray, strongest: np.ndarray) -> np.ndarray:
        """Coefficients with an amplitude and a phase in the report: all of the bitmap but the strongest."""
        reported = bitmap.copy()
        np.put_along_axis(reported[:, :, 0], strongest[..., None], False, axis=-1)
        return reported.astype(np.int64)

    def _to_window(self, taps: np.ndarray, window: np.ndarray) -> np.ndarray:
        """Taps (B, rank, n) other than 0 counted within the window; themselves where the taps are free."""
        if not self.windowed:
            return taps
        return np.where(taps > self._last(window), taps - (self.subbands - 2 * self.num_taps), taps)

    def _from_window(self, taps: np.ndarray, window: np.ndarray) -> np.ndarray:
        if not self.windowed:
            return taps
        return np.where(taps > self._last(window), taps + (self.subbands - 2 * self.num_taps), taps)

    def _last(self, window: np.ndarray) -> np.ndarray:
        """Largest tap of the window's part that begins at 0, M_initial + 2 M_v - 1, (B, 1, 1)."""
        start = np.where(window > 0, window - 2 * self.num_taps, 0)
        return (start + 2 * self.num_taps - 1)[:, None, None]


def strongest_of(energy: np.ndarray, count: int) -> np.ndarray:
    """Indices of the ``count`` largest along the last axis, largest first."""
    return np.argsort(-energy, axis=-1, kind="stable")[..., :count]


def unit(values: np.ndarray) -> np.ndarray:
    """Phasors of complex numbers, 1 for zero."""
    size = np.abs(values)
    return np.where(size > 0, values / nonzero(size), 1.0)


def strongest_first(coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectra over frequency (B, rank, 2L, N3) rolled so that the strongest coefficient is at tap 0, and its index (B, rank)."""
    spectrum = np.fft.fft(coefficients, axis=-1)
    subbands = spectrum.shape[-1]
    strongest, tap = np.divmod(np.argmax(np.abs(spectrum).reshape(*spectrum.shape[:2], -1), axis=-1), subbands)
    shift = (np.arange(subbands) + tap[..., None]) % subbands
    return np.take_along_axis(spectrum, shift[:, :, None], axis=-1), strongest


class EType2Config(CodebookConfig):
    """Enhanced Type II codebook (Release 16): beams combined with coefficients that are compressed over frequency."""

    kind: Literal["etype2"] = "etype2"
    combination: int = Field(4, ge=1, le=8, description="paramCombination-r16: beams, taps and how many coefficients are reported")
    per_subband: Literal[1, 2] = Field(1, description="precoders per CQI subband, R")


class EType2(CodebookCodec):
    """Reports of :class:`EType2Codebook`."""

    Config = EType2Config

    def codebook(self, panel: Panel, subbands: int) -> EType2Codebook:
        return EType2Codebook(panel, self.config.rank, subbands, self.config.combination, self.config.per_subband)
