"""Rate adaptation: every report by the finest of several codecs that the bit budget still allows."""

from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from csisim.feedback.bits import bits_to_integers, integers_to_bits, pack, unpack
from csisim.feedback.codebooks.fields import width_of
from csisim.feedback.report import Codec, Report
from csisim.registry import Component, InnerCodecField, build
from csisim.weights import check_within


class AdaptiveConfig(Component):
    """A ladder of codecs; every report says in its first bits which of them wrote it.

    With ``feedback.budget_bits`` a report takes the longest rung that is no longer than what is left of the budget for each report to
    come; where not even the shortest is, users let slots pass. Without a budget all reports take the longest rung.
    """

    kind: Literal["adaptive"] = "adaptive"
    ladder: list[InnerCodecField] = Field(min_length=2, max_length=16, description="codecs of the same content, in any order")

    @field_validator("ladder")
    @classmethod
    def _alike(cls, ladder: list[Component]) -> list[Component]:
        for rung in ladder:
            check_within("adaptive", rung)
        rungs = [build("codec", rung) for rung in ladder]
        if len({rung.content for rung in rungs}) > 1:
            raise ValueError("adaptive: rungs that report channels and rungs that report precoders do not mix")
        if len({getattr(rung, "rank", None) for rung in ladder}) > 1:
            raise ValueError("adaptive: rungs of different rank do not mix")
        if any(rung.kind == "ideal" for rung in ladder):
            raise ValueError("adaptive: an ideal report has no length to choose by")
        if any(hasattr(rung, name) for rung in rungs for name in ("acknowledge", "allow", "needs_sounding")):
            raise ValueError("adaptive: a rung may not adapt, remember or look at beams by itself (differential around adaptive does both)")
        return ladder


class AdaptiveState(NamedTuple):
    """States of the rungs, lengths of their longest reports, and the bits (D, K) that the next report may take (None: any)."""

    rungs: tuple[Any, ...]
    lengths: np.ndarray
    allowance: np.ndarray | None


class Adaptive:
    """One of several codecs, chosen by every user for every report."""

    Config = AdaptiveConfig

    def __init__(self, config: AdaptiveConfig):
        self.config = config
        self.rungs: list[Codec] = [build("codec", rung) for rung in config.ladder]
        self.content: Literal["channel", "precoder"] = self.rungs[0].content

    @property
    def header_bits(self) -> int:
        """Bits that name the rung."""
        return width_of(len(self.rungs))

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> AdaptiveState:
        """States of all rungs, and how long their reports get."""
        states = tuple(rung.init(shape, dtype) for rung in self.rungs)
        example = np.ones(shape, dtype)
        lengths = [rung.encode(example, state)[0].num_bits for rung, state in zip(self.rungs, states, strict=True)]
        return AdaptiveState(states, np.array(lengths) + self.header_bits, None)

    def allow(self, bits: np.ndarray, state: AdaptiveState) -> AdaptiveState:
        """The next report is to take at most about ``bits`` (D, K), if a rung is that short."""
        return state._replace(allowance=bits)

    def encode(self, csi: np.ndarray, state: AdaptiveState) -> tuple[Report, AdaptiveState]:
        """The report for ``csi`` (D, K, S, R, T)."""
        users = csi.shape[:2]
        if state.allowance is None:
            chosen = np.full(users, state.lengths.argmax())
        else:
            affordable = state.lengths <= state.allowance[..., None]
            longest = np.where(affordable, state.lengths, -1).argmax(axis=-1)
            chosen = np.where(affordable.any(axis=-1), longest, state.lengths.argmin())
        bits = np.zeros((*users, 0), np.uint8)
        lengths = np.zeros(users, np.int64)
        for index in np.unique(chosen):
            report, _ = self.rungs[index].encode(csi, state.rungs[index])
            here = chosen == index
            spelled = unpack(report.payload, report.size)
            grown = max(bits.shape[-1], spelled.shape[-1])
            bits, spelled = (np.pad(part, ((0, 0), (0, 0), (0, grown - part.shape[-1]))) for part in (bits, spelled))
            bits = np.where(here[..., None], spelled, bits)
            lengths = np.where(here, report.booked + self.header_bits, lengths)
        payload = pack(np.concatenate([integers_to_bits(chosen[..., None], self.header_bits), bits], axis=-1))
        return Report(payload, int(lengths.max()), self.content, lengths), state

    def decode(self, report: Report, state: AdaptiveState) -> tuple[np.ndarray, AdaptiveState]:
        """The CSI or the precoder that the bits describe; a rung that does not exist is taken for the last."""
        header = self.header_bits
        bits = np.unpackbits(report.payload, axis=-1)
        chosen = np.minimum(bits_to_integers(bits[..., :header], header)[..., 0], len(self.rungs) - 1)
        value: np.ndarray | None = None
        for index in np.unique(chosen):
            inner = Report(pack(bits[..., header:]), int(state.lengths[index]) - header, self.content)
            decoded, _ = self.rungs[index].decode(inner, state.rungs[index])
            here = (chosen == index)[..., None, None, None]
            value = decoded if value is None else np.where(here, decoded, value)
        assert value is not None
        return value, state
