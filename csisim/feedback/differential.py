"""Temporal prediction: users report what changed since the last report that the base station acknowledged."""

from functools import lru_cache
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from csisim.feedback.bits import bits_to_integers, integers_to_bits, pack, unpack
from csisim.feedback.report import Codec, Report, check_csi
from csisim.registry import Component, InnerCodecField, build
from csisim.weights import check_within

MODULUS_BITS, PHASE_BITS, CHECK_BITS = 4, 4, 16
#: x^16 + x^12 + x^5 + 1, of which a TS 38.212 payload has the like
POLYNOMIAL = 0x1021


class DifferentialConfig(Component):
    """First-order prediction at both ends, and another codec for what it leaves.

    The prediction is a complex coefficient times the newest acknowledged report. Coefficient and age of that report travel with every
    report, so both ends predict alike through fading of any speed, and a user who fares better without prediction does without.
    """

    kind: Literal["differential"] = "differential"
    inner: InnerCodecField = Field(description="codec of the prediction's error; it reports channels and remembers nothing")
    window: int = Field(16, ge=2, le=256, description="a user builds on none of its reports but the last window - 1 that it sent")

    @field_validator("inner")
    @classmethod
    def _simple(cls, inner: Component) -> Component:
        check_within("differential", inner)
        built = build("codec", inner)
        if built.content != "channel" or hasattr(built, "acknowledge") or getattr(built, "needs_sounding", False):
            raise ValueError(
                f"differential: {inner.kind} reports no channels, or remembers some itself (inner: lloyd_max, pca, csinet_res, ...)"
            )
        if inner.kind == "ideal":
            raise ValueError("differential: an ideal report leaves nothing to predict (inner: lloyd_max, pca, csinet_res, ...)")
        return inner


class DifferentialState(NamedTuple):
    """What one end remembers.

    Attributes
    ----------
    shape : (D, K, S, R, T)
    dtype : complex dtype of the CSI
    inner : Any
        State of the inner codec.
    number : (D, K) int
        Of everybody's next report. Users count the reports that they send: slots that a budget makes them pass age nothing.
    history : tuple of ((D, K) int, (D, K, S, R, T) complex, (D, K) bool)
        Reports as the base station has them, their numbers and whose part it has: at the base station ``window`` places, a report's
        place being its number modulo that; at the users those of which the answer is still out, oldest first.
    reference : (D, K, S, R, T) complex
        Users only: the newest acknowledged report.
    reference_number : (D, K) int
        Users only: its number, -1 for none yet.
    intact : (D, K) bool
        Base station only: whose part of the last report was usable.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    inner: Any
    number: np.ndarray
    history: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    reference: np.ndarray
    reference_number: np.ndarray
    intact: np.ndarray


class Differential:
    r"""Differential reports in step under loss.

    A user's bit string is a checksum (CRC-16), how many of its reports ago the one was that it builds on (0 for none), the coefficient
    :math:`a = \langle \hat x, x \rangle / \lVert \hat x \rVert^2` (4 bits of modulus, 4 of phase) and the inner codec's report of
    :math:`x - a \hat x`.

    Users build only on reports that the base station acknowledged, as HARQ acknowledgements are on the air anyway (they are taken as
    free of errors and arrive before the next slot). So a lost report costs nothing but itself, and whatever report arrives intact can
    be decoded: nobody is ever out of step for longer than that. Periodic refreshes instead would leave the base station with wrong CSI
    until the next one. Wrong bits are found by the checksum and count as a loss; one in 65536 is not found, and the error fades with
    the powers of the coefficient or ends with the next report without prediction.
    """

    Config = DifferentialConfig
    content: ClassVar[Literal["channel", "precoder"]] = "channel"

    def __init__(self, config: DifferentialConfig):
        self.config = config
        self.inner: Codec = build("codec", config.inner)
        if hasattr(self.inner, "allow"):
            self.allow = self._allow

    @property
    def header_bits(self) -> int:
        """Bits that a report has beside the inner one."""
        return CHECK_BITS + self._age_bits + MODULUS_BITS + PHASE_BITS

    @property
    def _age_bits(self) -> int:
        return (self.config.window - 1).bit_length()

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> DifferentialState:
        """Nothing reported yet."""
        nothing, nowhere = np.zeros(shape, dtype), np.zeros(shape[:2], bool)
        inner, number = self.inner.init(shape, dtype), np.zeros(shape[:2], int)
        return DifferentialState(tuple(shape), np.dtype(dtype), inner, number, (), nothing, number - 1, nowhere)

    def encode(self, csi: np.ndarray, state: DifferentialState) -> tuple[Report, DifferentialState]:
        """The report for ``csi`` (D, K, S, R, T).

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced.
        """
        check_csi(csi, state.shape)
        age = np.where(state.reference_number >= 0, state.number - state.reference_number, 0)
        age = np.where(age < self.config.window, age, 0)
        modulus, phase = _coefficient(csi, state.reference)
        predicted = _times(modulus, phase, state.reference)
        useful = (age > 0) & (modulus > 0) & (_energy(csi - predicted) < _energy(csi))
        age, modulus, phase = (np.where(useful, field, 0) for field in (age, modulus, phase))
        predicted = _times(modulus, phase, state.reference)
        report, inner = self.inner.encode(csi - predicted, state.inner)
        change, _ = self.inner.decode(report, inner)
        fields = [integers_to_bits(age[..., None], self._age_bits), integers_to_bits(modulus[..., None], MODULUS_BITS)]
        fields += [integers_to_bits(phase[..., None], PHASE_BITS), unpack(report.payload, report.size)]
        content = np.concatenate(fields, axis=-1)
        payload = pack(np.concatenate([checksum(content), content], axis=-1))
        lengths = None if report.lengths is None else report.lengths + self.header_bits
        booked = report.num_bits + self.header_bits
        pending = (*state.history, (state.number, predicted + change, np.ones(csi.shape[:2], bool)))
        sent = Report(payload, booked, lengths=lengths, number=state.number)
        return sent, state._replace(inner=inner, number=state.number + 1, history=pending)

    def decode(self, report: Report, state: DifferentialState) -> tuple[np.ndarray, DifferentialState]:
        """The CSI (D, K, S, R, T) that the bits and the reports before them describe; zero for whose part is not intact."""
        start, widths = CHECK_BITS, (self._age_bits, MODULUS_BITS, PHASE_BITS)
        bits = unpack(report.payload, report.size)
        fields = []
        for width in widths:
            fields.append(bits_to_integers(bits[..., start : start + width], width)[..., 0].astype(np.int64))
            start += width
        age, modulus, phase = fields
        intact = (checksum(bits[..., CHECK_BITS:]) == bits[..., :CHECK_BITS]).all(axis=-1)
        reference, there = self._referenced(report.number - age, age, state)
        intact &= there if report.arrived is None else there & report.arrived
        change, inner = self.inner.decode(Report(pack(bits[..., start:]), report.num_bits - self.header_bits), state.inner)
        value = _times(modulus, phase, reference) + change
        value = np.where(intact[..., None, None, None], value, 0).astype(state.dtype, copy=False)
        return value, state._replace(inner=inner, history=self._filed(report.number, value, intact, state.history), intact=intact)

    def sent(self, senders: np.ndarray, state: DifferentialState) -> DifferentialState:
        """The users' state where only ``senders`` (D, K) sent the last report; the others will use its number again."""
        pending = state.history if senders.any() else state.history[:-1]
        return state._replace(number=state.number - ~senders, history=pending)

    def intact(self, state: DifferentialState) -> np.ndarray:
        """Whose part of the last report was usable, (D, K) bool."""
        return state.intact

    def acknowledge(self, report: Report, intact: np.ndarray, state: DifferentialState) -> DifferentialState:
        """The users' state when the answer to ``report`` is in; reports of which no answer will come any more are forgotten."""
        pending = tuple(entry for entry in state.history if (entry[0] > report.number).any())
        answered = [value for number, value, _ in state.history if (number == report.number).all()]
        if not answered:
            return state._replace(history=pending)
        newer = intact & (report.number > state.reference_number)
        reference = np.where(newer[..., None, None, None], answered[0], state.reference)
        return state._replace(history=pending, reference=reference, reference_number=np.where(newer, report.number, state.reference_number))

    def _allow(self, bits: np.ndarray, state: DifferentialState) -> DifferentialState:
        return state._replace(inner=self.inner.allow(bits - self.header_bits, state.inner))  # type: ignore[attr-defined]

    def _filed(
        self, number: np.ndarray, value: np.ndarray, intact: np.ndarray, history: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    ) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
        """The base station's history with one report more, everybody's in the place of the one that is too old now."""
        nothing = np.full(intact.shape, -1), np.zeros_like(value), np.zeros_like(intact)
        places = list(history) + [nothing] * (int(number.max()) + 1 - len(history) if len(history) < self.config.window else 0)
        del places[self.config.window :]
        for place in np.unique(number % self.config.window):
            here = number % self.config.window == place
            known, old, whole = places[place]
            spread = here[..., None, None, None]
            places[place] = np.where(here, number, known), np.where(spread, value, old), np.where(here, intact, whole)
        return tuple(places)

    def _referenced(self, number: np.ndarray, age: np.ndarray, state: DifferentialState) -> tuple[np.ndarray, np.ndarray]:
        """Every user's reference (D, K, S, R, T), and whether the base station has it (or none is needed), (D, K)."""
        reference, there = np.zeros(state.shape, state.dtype), age == 0
        for known, value, intact in state.history:
            here = (number == known) & (age > 0) & intact
            reference[here] = value[here]
            there = there | here
        return reference, there


def checksum(bits: np.ndarray) -> np.ndarray:
    """Inverted CRC-16 (..., 16) of bit strings (..., n) read backwards.

    Backwards, for the zeros that fill up a shorter string behind its end count for nothing then: a user's bits do not depend on how
    long the others' strings are. Inverted, for a string of nothing but zeros is not to pass.
    """
    return 1 - (bits.astype(np.float32) @ _remainders(bits.shape[-1]) % 2).astype(np.uint8)


@lru_cache(maxsize=32)
def _remainders(count: int) -> np.ndarray:
    """Remainders of x^(16 + i) by the generator, (count, 16); the ones of n strings add up exactly in single precision."""
    remainder, rows = POLYNOMIAL, np.zeros((count, CHECK_BITS), np.float32)
    for row in rows:
        row[:] = [(remainder >> (CHECK_BITS - 1 - j)) & 1 for j in range(CHECK_BITS)]
        remainder = ((remainder << 1) ^ (POLYNOMIAL if remainder >> (CHECK_BITS - 1) else 0)) & 0xFFFF
    return rows


def _energy(values: np.ndarray) -> np.ndarray:
    return np.sum(values.real**2 + values.imag**2, axis=(2, 3, 4))


def _coefficient(csi: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices (D, K) of modulus and phase of the coefficient that predicts best."""
    energy = _energy(reference)
    best = np.sum(reference.conj() * csi, axis=(2, 3, 4)) / np.where(energy > 0, energy, 1)
    top, turns = 2**MODULUS_BITS - 1, 2**PHASE_BITS
    modulus = np.rint(np.minimum(np.abs(best), 1) * top).astype(np.int64)
    return modulus, np.rint(np.angle(best) / (2 * np.pi) * turns).astype(np.int64) % turns


def _times(modulus: np.ndarray, phase: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The prediction from indices (D, K) and the reference."""
    coefficient = modulus / (2**MODULUS_BITS - 1) * np.exp(2j * np.pi * phase / 2**PHASE_BITS)
    return coefficient[..., None, None, None].astype(reference.dtype) * reference


__all__ = ["Differential", "DifferentialConfig", "DifferentialState", "checksum"]
