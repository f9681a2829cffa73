"""What a superframe looks like, slot by slot, and what it costs each scheme in bits: what ``csisim timeline`` shows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from csisim.engine.ledger import pilot_share, prices, slot_costs
from csisim.random import complex_normal
from csisim.registry import build
from csisim.scenario.feedback_rules import opened

if TYPE_CHECKING:
    from csisim.scenario.schema import Scenario
    from csisim.scheme import SchemeConfig

#: Letters of a timeline and their meaning.
LEGEND = {
    "e": "equivalent CSI (Q_eq)",
    "F": "full CSI (Q_f)",
    "B": "both",
    "^": "new analog beams",
    ">": "report sent",
    "x": "report sent, and one arrives",
    "=": "payload through designed beams",
    "~": "payload through the initial beams",
    ".": "no payload",
}


@dataclass(frozen=True, eq=False)
class Lanes:
    """One scheme's superframe.

    Attributes
    ----------
    name : str
    before : int
        Full-CSI samples taken before the first slot.
    rows : dict
        Row name -> one letter of :data:`LEGEND` (or a space) per slot.
    frame_bits : (frames,) int
        Bits booked in each frame, per user: for pilots and, in FDD, for reports.
    sum_text : str
        How the superframe's bits add up, and the equation they are.
    pilot_share : float
        Share of the superframe's channel uses taken by pilots.
    """

    name: str
    before: int
    rows: dict[str, str]
    frame_bits: np.ndarray
    sum_text: str
    pilot_share: float


def lanes(scenario: "Scenario", scheme: "SchemeConfig") -> Lanes:
    """What one scheme does in every slot of a superframe, and what is booked for it."""
    clock, system, ledger = scenario.clock, scenario.system, scenario.ledger
    kind = scenario.full_csi.kind
    booked = slot_costs(scheme, system, scenario.pilots, ledger, clock.frames, clock.slots_per_frame, kind)
    full, equivalent = prices(system, scenario.pilot_length, ledger.bits_per_element, kind)
    sensed = scheme.full_csi_slots(clock.frames, clock.slots_per_frame)
    silent = scheme.silent_slots(clock.frames, clock.slots_per_frame)
    no_equivalent = silent | (scheme.timescale == "single")
    csi = "".join("F" if f and only else "B" if f else " " if only else "e" for f, only in zip(sensed, no_equivalent, strict=True))
    reported = scenario.duplex == "fdd" and not scheme.reciprocity
    delay = scenario.feedback.delay_slots if reported else 0
    rows = {"CSI": csi, "analog": "".join("^" if new else " " for new in _analog_updates(scheme, clock.slots, clock.slots_per_frame))}
    known_from = int(silent.sum()) + delay  # silent slots come first; then the first report has to arrive
    if reported:
        rows["report"] = "".join(" " if quiet else ">" if slot < known_from else "x" for slot, quiet in enumerate(silent))
    designed_from = _designed_from(scheme, clock.slots_per_frame) + delay
    rows["payload"] = "".join("." if slot < known_from else "~" if slot < designed_from else "=" for slot in range(clock.slots))
    total = int(booked.pilot_bits.sum())
    by_paper = scheme.timescale == "online" and ledger.paper_ledger
    fulls = -(-clock.frames // scheme.update_every) if by_paper else int(sensed.sum()) + scheme.samples_before
    terms = [(fulls, full), ((total - fulls * full) // equivalent, equivalent)]
    sum_text = " + ".join(f"{count}*{bits}" for count, bits in terms if count) + f" = {total} ({_equation(scheme, silent, by_paper)})"
    report = report_bits(scenario, scheme)
    if report is None:
        sum_text += ", reports as long as the channel's rank asks"
    elif report:
        reports = int((~silent).sum())
        sum_text += f" + {reports}*{report} = {total + reports * report} with reports"
        if scenario.feedback.budget_bits is not None:
            sum_text += f" without the budget of {scenario.feedback.budget_bits}"
    share = float(pilot_share(booked, clock.symbols_per_slot).mean())
    slot_bits = booked.pilot_bits + ~silent * (report or 0)
    frame_bits = slot_bits.reshape(clock.frames, clock.slots_per_frame).sum(axis=1)
    return Lanes(scheme.name, scheme.samples_before, rows, frame_bits, sum_text, share)


def report_bits(scenario: "Scenario", scheme: "SchemeConfig") -> int | None:
    """Bits of one user's report, one of which every slot that is not silent sends in FDD: of random CSI, the longest possible.

    None for the fully digital bound behind a codec that books bits: it reports in the channel's signal space, whose size only
    the channel knows.
    """
    if scenario.duplex == "tdd" or scheme.reciprocity or scheme.codec.kind == "ideal":
        return 0
    if scheme.analog.kind == "none":
        return None
    codec = build("codec", scheme.codec)
    shape, state = opened(scenario, scheme, codec)
    report, _ = codec.encode(complex_normal(np.random.default_rng(0), shape, scenario.dims(1).complex_dtype), state)
    return int(report.num_bits)


def shown(frames: int, slots_per_frame: int, room: int) -> list[range]:
    """The slots that are drawn, as runs: the first frames and the last, long frames by their first and last slots."""
    most = 40
    per_frame = slots_per_frame if slots_per_frame <= most else most
    count = max(1, room // (per_frame + 3))
    chosen = list(range(frames)) if frames <= count else [*range(max(count - 1, 1)), frames - 1][: max(count, 2)]
    runs = []
    for frame in chosen:
        start, stop = frame * slots_per_frame, (frame + 1) * slots_per_frame
        runs += [range(start, stop)] if slots_per_frame <= most else [range(start, start + most - 12), range(stop - 12, stop)]
    return runs


def superframe(scenario: "Scenario") -> str:
    """The clock in words."""
    clock = scenario.clock
    return (
        f"a superframe is {clock.frames} frames of {clock.slots_per_frame} slots, a slot {1e3 * clock.slot_s:g} ms "
        f"and {clock.symbols_per_slot} symbols; {scenario.duplex.upper()}"
    )


def costs(scenario: "Scenario") -> str:
    """What one acquisition of full and of equivalent CSI costs, in words."""
    length, q = scenario.pilot_length, scenario.ledger.bits_per_element
    kind = scenario.full_csi.kind
    full, equivalent = prices(scenario.system, length, q, kind)
    of_what = "eq. 47, every block of a beam sweep" if kind == "beam_sweep" else "eq. 47"
    return f"per user: Q_f = {full} bits ({of_what}), Q_eq = {equivalent} bits (eq. 48), with L = {length} and q = {q}"


def _analog_updates(scheme: "SchemeConfig", slots: int, slots_per_frame: int) -> np.ndarray:
    """Slots from which new analog beams serve the pilots, (slots,) bool."""
    slot = np.arange(slots)
    if scheme.cadence == "fixed":
        return slot == 0
    if scheme.timescale == "single":
        return slot >= 0
    if scheme.timescale == "online":
        return (slot == 0) | (slot % (slots_per_frame * scheme.update_every) == slots_per_frame % (slots_per_frame * scheme.update_every))
    return (slot == 0) | (slot == _designed_from(scheme, slots_per_frame))


def _designed_from(scheme: "SchemeConfig", slots_per_frame: int) -> int:
    """First slot of a superframe that is served by analog beams designed for its statistics."""
    if scheme.cadence == "fixed" or scheme.timescale == "single" or scheme.samples_before:
        return 0
    return slots_per_frame if scheme.timescale == "online" else scheme.num_samples


def _equation(scheme: "SchemeConfig", silent: np.ndarray, by_paper: bool) -> str:
    """Which equation of Kang 2022 the superframe's bits are, and how they differ from it."""
    if scheme.timescale == "single":
        return "eq. 49"
    if scheme.timescale == "offline":
        return f"eq. 50 without Q_eq in {silent.sum()} silent slots" if silent.any() else "eq. 50"
    samples = 1 if by_paper else scheme.samples_per_frame
    frames = "frame" if scheme.update_every == 1 else f"{scheme.update_every} frames"
    return "eq. 51" if (samples, scheme.update_every) == (1, 1) else f"eq. 51 with {samples} Q_f per {frames}"
