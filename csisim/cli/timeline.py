"""``csisim timeline``: what a superframe looks like, slot by slot, and what it costs each scheme in bits."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from csisim.scenario.schema import Scenario
    from csisim.scheme import SchemeConfig

#: Letters of the text drawing and their meaning.
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
COLOURS = {
    "e": "#66CCEE",
    "F": "#EE6677",
    "B": "#AA3377",
    "^": "#222222",
    ">": "#CCBB44",
    "x": "#997700",
    "=": "#228833",
    "~": "#A9D5AE",
    ".": "#EEEEEE",
}
SUFFIXES = (".png", ".pdf", ".svg")
ROOM = 96  # slots that fit on a line of text


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
        Bits booked in each frame, per user.
    sum_text : str
        How the superframe's bits add up, and the equation they are.
    pilot_share : float
        Share of the superframe's channel uses taken by pilots.
    """

    name: str
    before: int
    rows: dict[str, str]
    frame_bits: "np.ndarray"
    sum_text: str
    pilot_share: float


@click.command()
@click.argument("scenario", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Draw it to FILE (.png, .pdf, .svg) instead."
)
def timeline(scenario: Path, output: Path | None) -> None:
    """Show a superframe of SCENARIO slot by slot, and its signaling bits (Kang 2022, eq. 47-51)."""
    from csisim.scenario.load import load_scenario

    resolved = load_scenario(scenario).scenario
    if output is None:
        click.echo(text(resolved))
        return
    if output.suffix not in SUFFIXES:
        raise click.UsageError(f"-o {output}: the name must end in one of {', '.join(SUFFIXES)}")
    from csisim.records.figures.style import save

    save(figure(resolved), output)
    click.echo(output)


def lanes(scenario: "Scenario", scheme: "SchemeConfig") -> Lanes:
    """What one scheme does in every slot of a superframe, and what is booked for it."""
    from csisim.engine.ledger import pilot_share, q_equivalent, q_full, slot_costs

    clock, system, ledger = scenario.clock, scenario.system, scenario.ledger
    costs = slot_costs(scheme, system, scenario.pilots, ledger, clock.frames, clock.slots_per_frame)
    full, equivalent = (q(system, scenario.pilot_length, ledger.bits_per_element) for q in (q_full, q_equivalent))
    sensed = scheme.full_csi_slots(clock.frames, clock.slots_per_frame)
    silent = scheme.silent_slots(clock.frames, clock.slots_per_frame)
    no_equivalent = silent | (scheme.timescale == "single")
    csi = "".join("F" if f and only else "B" if f else " " if only else "e" for f, only in zip(sensed, no_equivalent, strict=True))
    delay = scenario.feedback.delay_slots if scenario.duplex == "fdd" else 0
    rows = {"CSI": csi, "analog": "".join("^" if new else " " for new in _analog_updates(scheme, clock.slots, clock.slots_per_frame))}
    known_from = int(silent.sum()) + delay  # silent slots come first; then the first report has to arrive
    if scenario.duplex == "fdd":
        rows["report"] = "".join(" " if quiet else ">" if slot < known_from else "x" for slot, quiet in enumerate(silent))
    designed_from = _designed_from(scheme, clock.slots_per_frame) + delay
    rows["payload"] = "".join("." if slot < known_from else "~" if slot < designed_from else "=" for slot in range(clock.slots))
    total = int(costs.pilot_bits.sum())
    by_paper = scheme.timescale == "online" and ledger.paper_ledger
    fulls = clock.frames if by_paper else int(sensed.sum()) + scheme.samples_before
    terms = [(fulls, full), ((total - fulls * full) // equivalent, equivalent)]
    sum_text = (
        " + ".join(f"{count}·{bits}" for count, bits in terms if count) + f" = {total} ({_equation(scheme, int(silent.sum()), by_paper)})"
    )
    share = float(pilot_share(costs, clock.symbols_per_slot).mean())
    frame_bits = costs.pilot_bits.reshape(clock.frames, clock.slots_per_frame).sum(axis=1)
    return Lanes(scheme.name, scheme.samples_before, rows, frame_bits, sum_text, share)


def text(scenario: "Scenario") -> str:
    """The timeline as text."""
    clock = scenario.clock
    schemes = [lanes(scenario, scheme) for scheme in scenario.schemes]
    spans = shown(clock.frames, clock.slots_per_frame, ROOM)
    taken = {scheme.name: f"{scheme.before} F " if scheme.before else "" for scheme in schemes}
    margin = max(map(len, taken.values()))
    lines = [f"{scenario.name}: {_superframe(scenario)}", _costs(scenario), ""]
    lines.append(f"  {'slot':<8}{'':>{margin}} " + _join(spans, [str(span.start).ljust(len(span)) for span in spans]))
    for scheme in schemes:
        lines.append(scheme.name)
        for name, row in scheme.rows.items():
            before = taken[scheme.name] if name == "CSI" else ""
            lines.append(f"  {name:<8}{before:>{margin}}|" + _join(spans, [row[span.start : span.stop] for span in spans]))
    used = {letter for scheme in schemes for row in scheme.rows.values() for letter in row}
    lines.append("")
    for item in (f"{letter} {meaning}" for letter, meaning in LEGEND.items() if letter in used):
        if lines[-1] and len(lines[-1]) + len(item) < ROOM:
            lines[-1] += f"   {item}"
        else:
            lines.append(item)
    if any(scheme.before for scheme in schemes):
        lines.append("n F before the first slot: full-CSI samples taken outside the superframe, booked on its first slot")
    if scenario.duplex == "fdd":
        lines.append("Reports add their own bits, which depend on the codec and are counted when they are sent.")
    return "\n".join([*lines, "", *_bits_table(schemes)])


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


def _analog_updates(scheme: "SchemeConfig", slots: int, slots_per_frame: int) -> "np.ndarray":
    """Slots from which new analog beams serve the pilots, (slots,) bool."""
    import numpy as np

    slot = np.arange(slots)
    if scheme.cadence == "fixed":
        return slot == 0
    if scheme.timescale == "single":
        return slot >= 0
    if scheme.timescale == "online":
        return slot % slots_per_frame == 0
    return (slot == 0) | (slot == _designed_from(scheme, slots_per_frame))


def _designed_from(scheme: "SchemeConfig", slots_per_frame: int) -> int:
    """First slot of a superframe that is served by analog beams designed for its statistics."""
    if scheme.cadence == "fixed" or scheme.timescale == "single" or scheme.samples_before:
        return 0
    return slots_per_frame if scheme.timescale == "online" else scheme.num_samples


def _equation(scheme: "SchemeConfig", silent_slots: int, by_paper: bool) -> str:
    """Which equation of Kang 2022 the superframe's bits are, and how they differ from it."""
    if scheme.timescale == "single":
        return "eq. 49"
    if scheme.timescale == "offline":
        return f"eq. 50 without Q_eq in {silent_slots} silent slots" if silent_slots else "eq. 50"
    many = scheme.samples_per_frame > 1 and not by_paper
    return f"eq. 51 with {scheme.samples_per_frame} Q_f per frame" if many else "eq. 51"


def _superframe(scenario: "Scenario") -> str:
    clock = scenario.clock
    return (
        f"a superframe is {clock.frames} frames of {clock.slots_per_frame} slots, a slot {1e3 * clock.slot_s:g} ms "
        f"and {clock.symbols_per_slot} symbols; {scenario.duplex.upper()}"
    )


def _costs(scenario: "Scenario") -> str:
    from csisim.engine.ledger import q_equivalent, q_full

    length, q = scenario.pilot_length, scenario.ledger.bits_per_element
    full, equivalent = q_full(scenario.system, length, q), q_equivalent(scenario.system, length, q)
    return f"per user: Q_f = {full} bits (eq. 47), Q_eq = {equivalent} bits (eq. 48), with L = {length} and q = {q}"


def _join(spans: Sequence[range], pieces: Sequence[str]) -> str:
    """The pieces of a line: ``|`` between neighbours, a gap where slots are left out."""
    gaps = ["|" if span.start == last.stop else "| … |" for last, span in pairwise(spans)]
    return "".join(piece + gap for piece, gap in zip(pieces, [*gaps, "|"], strict=True))


def _bits_table(schemes: Sequence[Lanes]) -> list[str]:
    wide = max(len("signaling bits"), *(len(scheme.name) for scheme in schemes)) + 2
    lines = [f"{'signaling bits':<{wide}}{'1st frame':>10}{'next':>10}{'pilots':>9}   superframe"]
    for scheme in schemes:
        following = str(scheme.frame_bits[1]) if len(scheme.frame_bits) > 1 else ""
        share = f"{100 * scheme.pilot_share:.1f} %"
        lines.append(f"{scheme.name:<{wide}}{scheme.frame_bits[0]:>10}{following:>10}{share:>9}   {scheme.sum_text}")
    return lines


def figure(scenario: "Scenario") -> "Figure":
    """The timeline as a two-column figure."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from csisim.records.figures.style import CAPTION_PT, RC, TITLE_PT

    clock = scenario.clock
    schemes = [lanes(scenario, scheme) for scheme in scenario.schemes]
    spans = shown(clock.frames, clock.slots_per_frame, 52)
    tall = sum(len(scheme.rows) + 1.4 for scheme in schemes)
    used = {letter for scheme in schemes for row in scheme.rows.values() for letter in row} & set(LEGEND)
    above, below = 0.40, 0.45 + 0.14 * -(-len(used) // 4)
    height = 0.155 * tall + above + below
    with matplotlib.rc_context(RC):
        drawing = Figure(figsize=(7.0, height))
        axes = drawing.add_axes((0.085, below / height, 0.905, 1.0 - (above + below) / height))
        starts, width = _starts(spans)
        left = -3.0 if any(scheme.before for scheme in schemes) else -0.3
        top = 0.0
        for scheme in schemes:
            _draw_scheme(axes, scheme, spans, starts, left, top)
            top += len(scheme.rows) + 1.4
        axes.set(xlim=(left, width + 0.2), ylim=(tall, 0.0))
        axes.set_xticks([start + 0.5 for start in starts], [str(span.start) for span in spans])
        axes.set_yticks([])
        axes.set_xlabel("Slot", labelpad=1)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, pad=1)
        drawing.text(0.5, 1.0 - 0.05 / height, scenario.name, fontsize=TITLE_PT, fontweight="bold", ha="center", va="top")
        caption = _typeset(f"{_superframe(scenario)}; {_costs(scenario)}")
        drawing.text(0.5, 1.0 - 0.22 / height, caption, fontsize=CAPTION_PT, ha="center", va="top")
        handles = [Patch(color=COLOURS[letter], label=_typeset(meaning)) for letter, meaning in LEGEND.items() if letter in used]
        drawing.legend(handles=handles, loc="lower center", ncols=min(len(handles), 4), fontsize=6.5, handlelength=1.2, columnspacing=1.0)
    return drawing


def _draw_scheme(axes: "Axes", scheme: Lanes, spans: Sequence[range], starts: Sequence[float], left: float, top: float) -> None:
    """One scheme's name, bits and rows."""
    bits = f"{scheme.frame_bits[0]} bits in the first frame"
    bits += f", {scheme.frame_bits[1]} in the next" if len(scheme.frame_bits) > 1 else ""
    axes.text(left, top + 0.85, _typeset(f"{scheme.name}:  {bits};  superframe {scheme.sum_text}"), fontsize=7, va="center")
    for i, (name, row) in enumerate(scheme.rows.items()):
        _draw_row(axes, row, spans, starts, top + i + 1.4)
        axes.text(left - 0.4, top + i + 1.82, name, fontsize=6.5, ha="right", va="center")
    if scheme.before:
        axes.text(-0.4, top + 1.82, f"{scheme.before} × $Q_f$", fontsize=6.5, color=COLOURS["F"], ha="right", va="center")
    for (last, span), start in zip(pairwise(spans), starts[1:], strict=True):
        if span.start != last.stop:
            axes.text(start - 0.9, top + 1.82, "…", ha="center", va="center", fontsize=9)


def _starts(spans: Sequence[range]) -> tuple[list[float], float]:
    """Where each run of slots begins on the drawing, and where the last one ends."""
    starts, at, last = [], 0.0, None
    for span in spans:
        at += 0.0 if last is None else 0.4 if span.start == last.stop else 1.8
        starts.append(at)
        at, last = at + len(span), span
    return starts, at


def _draw_row(axes: "Axes", row: str, spans: Sequence[range], starts: Sequence[float], top: float) -> None:
    for span, start in zip(spans, starts, strict=True):
        for i, slot in enumerate(span):
            letter = row[slot]
            if letter != " ":
                axes.broken_barh([(start + i + 0.04, 0.92)], (top, 0.84), facecolors=COLOURS[letter], linewidth=0)
            if letter in "FB^":  # in print without colour, the rare ones still stand out
                sign = "↑" if letter == "^" else letter
                axes.text(start + i + 0.5, top + 0.45, sign, fontsize=5, color="white", ha="center", va="center")


def _typeset(words: str) -> str:
    return words.replace("Q_f", "$Q_f$").replace("Q_eq", "$Q_{eq}$")
