"""The drawing of a superframe: ``csisim timeline -o FILE``."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from csisim.records.figures.style import CAPTION_PT, RC, TITLE_PT, typeset_in
from csisim.records.timeline import LEGEND, Lanes, costs, lanes, shown, superframe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from csisim.scenario.schema import Scenario

AXES_IN = 0.905 * 7.0  # width of the lanes
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


def figure(scenario: "Scenario") -> "Figure":
    """The timeline as a two-column figure."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    clock = scenario.clock
    schemes = [lanes(scenario, scheme) for scheme in scenario.schemes]
    spans = shown(clock.frames, clock.slots_per_frame, 52)
    tall = sum(len(scheme.rows) + 1.4 for scheme in schemes)
    used = {letter for scheme in schemes for row in scheme.rows.values() for letter in row} & set(LEGEND)
    above, below = 0.40, 0.45 + 0.14 * -(-len(used) // 4)
    height = 0.155 * tall + above + below
    with matplotlib.rc_context(RC):
        drawing = Figure(figsize=(7.0, height))
        axes = drawing.add_axes((0.085, below / height, AXES_IN / 7.0, 1.0 - (above + below) / height))
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
        caption = _typeset(f"{superframe(scenario)}; {costs(scenario)}")
        drawing.text(0.5, 1.0 - 0.22 / height, caption, fontsize=CAPTION_PT, ha="center", va="top")
        handles = [Patch(color=COLOURS[letter], label=_typeset(meaning)) for letter, meaning in LEGEND.items() if letter in used]
        drawing.legend(handles=handles, loc="lower center", ncols=min(len(handles), 4), fontsize=6.5, handlelength=1.2, columnspacing=1.0)
    return drawing


def _draw_scheme(axes: "Axes", scheme: Lanes, spans: Sequence[range], starts: Sequence[float], left: float, top: float) -> None:
    """One scheme's name, bits and rows."""
    bits = f"{scheme.frame_bits[0]} bits in the first frame"
    bits += f", {scheme.frame_bits[1]} in the next" if len(scheme.frame_bits) > 1 else ""
    heading = _typeset(f"{scheme.name}:  {bits};  superframe {scheme.sum_text}")
    fitting = min(1.0, AXES_IN / typeset_in(heading, 7.0))
    axes.text(left, top + 0.85, heading, fontsize=7.0 * fitting, va="center")
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
    return words.replace("Q_f", "$Q_f$").replace("Q_eq", "$Q_{eq}$").replace("*", "·")
