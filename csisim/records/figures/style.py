"""How figures look: journal column widths, serif type, and lines that survive greyscale and colour blindness.

Matplotlib is imported inside the functions, without pyplot: nothing here touches global state or needs a display.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from csisim.records.atomic import replacing
from csisim.records.figures.captions import heading, written
from csisim.records.figures.kinds import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Paul Tol's bright scheme, dark colours first; told apart by markers and dashes as well.
COLOURS = ("#4477AA", "#EE6677", "#228833", "#AA3377", "#CCBB44", "#66CCEE", "#555555", "#BBBBBB")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (7, 2)))

WIDTH_IN = {1: 3.5, 2: 7.0}
RC: dict[Any, Any] = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral"],
    "mathtext.fontset": "stix",
    "font.size": 8.0,
    "axes.labelsize": 8.5,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "grid.color": "#dddddd",
    "lines.linewidth": 1.1,
    "lines.markersize": 4.0,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "csisim",
}
CAPTION_PT, TITLE_PT = 6.5, 8.5


def draw(picture: Picture, schemes: Sequence[str], columns: int = 1) -> "Figure":
    """Draw a picture.

    Parameters
    ----------
    picture : Picture
    schemes : sequence of str
        All schemes of the scenario: a scheme looks the same in all of its figures.
    columns : {1, 2}
        One-column (3.5 in) or two-column (7 in) width; pictures with panels have two.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        columns = 2 if picture.panel is not None else columns  # panels do not fit side by side into one
        width = WIDTH_IN[columns]
        title = _wrapped(picture.title, TITLE_PT * 1.1, 0.93 * width)  # bold runs wider
        caption = _wrapped(picture.caption, CAPTION_PT, 0.95 * width)
        shown = {scheme: _wrapped(label, RC["legend.fontsize"], width - 0.7) for scheme, label in _labels(picture).items()}
        widest = max(typeset_in(line, RC["legend.fontsize"]) for label in shown.values() for line in label.split("\n"))
        legend_columns = max(1, min(len(shown), int((width - 0.1) / (widest + 0.55))))
        legend_rows = [list(shown.values())[i::legend_columns] for i in range(legend_columns)]
        lines = max(sum(label.count("\n") + 1 for label in column) for column in legend_rows)
        legend_in = 0.145 * lines + 0.1
        title_in = 0.17 * (title.count("\n") + 1) + 0.03
        caption_in = 0.108 * (caption.count("\n") + 1) + 0.06
        height = (2.3 if columns == 1 else 2.9) + legend_in + title_in + caption_in
        figure = Figure(figsize=(width, height), layout="constrained")
        engine: Any = figure.get_layout_engine()
        engine.set(rect=(0.0, caption_in / height, 1.0, 1.0 - (caption_in + title_in + legend_in) / height), w_pad=0.03, h_pad=0.03)
        parts = _panels(picture)
        panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
        for axes, (above, part) in zip(panels, parts, strict=True):
            _draw_schemes(axes, part, shown, list(schemes))
            _finish_axes(axes, part)
            axes.set_title(above, fontsize=RC["legend.fontsize"])
            axes.label_outer()
        figure.text(0.5, 1.0 - 0.04 / height, title, fontsize=TITLE_PT, fontweight="bold", ha="center", va="top")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="upper center", bbox_to_anchor=(0.5, 1.0 - title_in / height), ncols=legend_columns, handlelength=2.6,
            columnspacing=1.2, borderaxespad=0.2, labelspacing=0.25,
        )  # fmt: skip
        figure.text(0.5, 0.03 / height, caption, fontsize=CAPTION_PT, ha="center", va="bottom", linespacing=1.15)
    return figure


def save(figure: "Figure", path: Path) -> None:
    """Write a figure, its folder made if need be; the same numbers give the same bytes (no dates, no version of the software)."""
    import matplotlib

    metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None}, "svg": {"Date": None}}
    suffix = path.suffix.removeprefix(".")
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(RC), replacing(path) as temporary:
        figure.savefig(temporary, format=suffix, dpi=300, metadata=metadata.get(suffix))


def _panels(picture: Picture) -> list[tuple[str, Picture]]:
    """The panels of a picture with what stands above them."""
    if picture.panel is None:
        return [("", picture)]
    values = picture.table[picture.panel]
    return [(heading(picture.panel, v), replace(picture, table=picture.table[values == v])) for v in dict.fromkeys(values)]


def _labels(picture: Picture) -> dict[str, str]:
    """Drawn scheme -> label in the legend; schemes whose curves are the same share one."""
    shown: dict[str, str] = {}
    curves: dict[tuple[Any, ...], str] = {}
    for name, rows in picture.table.groupby("scheme", sort=False):
        curve = (*rows[picture.x], *rows[picture.y])
        first = curves.setdefault(curve, str(name))
        shown[first] = str(name) if first == name else f"{shown[first]}, {name}"
    return shown


def _draw_schemes(axes: "Axes", picture: Picture, shown: dict[str, str], schemes: list[str]) -> None:
    for scheme, label in shown.items():
        number = schemes.index(scheme) if scheme in schemes else list(shown).index(scheme)
        turn, place = divmod(number, len(COLOURS))  # colours come back with other markers and dashes
        colour, marker, dash = COLOURS[place], MARKERS[(place + turn) % len(MARKERS)], DASHES[number % len(DASHES)]
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": dash, "label": label}
        look |= {"markerfacecolor": "white" if number % 2 else colour, "markeredgewidth": 0.9}
        rows = picture.table[picture.table["scheme"] == scheme]
        x, y = _positions(picture, rows[picture.x].tolist()), rows[picture.y].to_numpy(float)
        low, high = rows["low"].to_numpy(float), rows["high"].to_numpy(float)
        every = max(1, round(len(x) / 8))
        if picture.form == "points" and len(x) and not x.any():  # no bits: a level
            axes.axhline(y[0], color=colour, linestyle=dash, label=label)
            axes.axhspan(np.nan_to_num(low[0], nan=y[0]), np.nan_to_num(high[0], nan=y[0]), color=colour, alpha=0.12, linewidth=0)
        elif picture.form == "steps":
            axes.step(np.r_[x[:1], x], np.r_[0.0, y], where="post", markevery=(1 + number % every, every), **look)
        elif picture.form == "points":
            axes.errorbar(x, y, yerr=np.nan_to_num([y - low, high - y]), capsize=2, elinewidth=0.8, **look)
        else:
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(x, y, markevery=(number % every, every), **look)


def _positions(picture: Picture, values: list[Any]) -> np.ndarray:
    """Where values stand on the x axis: numbers where they are, anything else side by side."""
    if _is_numeric(picture):
        return np.asarray(values, dtype=float)
    order = _words(picture.table[picture.x].tolist())
    return np.asarray([list(order).index(word) for word in map(written, values)], dtype=float)


def _words(values: list[Any]) -> dict[str, None]:
    """What stands side by side on an axis that is not one of numbers, each once."""
    return dict.fromkeys(map(written, values))


def _is_numeric(picture: Picture) -> bool:
    column = picture.table[picture.x]
    return bool(column.dtype.kind in "iuf" and not column.isna().any())


def _finish_axes(axes: "Axes", picture: Picture) -> None:
    from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

    axes.set(xlabel=picture.x_label, ylabel=picture.y_label)
    axes.set_axisbelow(True)
    scales = ((axes.xaxis, axes.set_xscale, picture.x, picture.log_x), (axes.yaxis, axes.set_yscale, picture.y, picture.log_y))
    for axis, set_scale, column, logarithmic in scales:
        if logarithmic:
            set_scale("log")
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_minor_formatter(NullFormatter())
        if column.endswith("_bits"):
            axis.set_major_formatter(EngFormatter(sep=""))
    values = picture.table[picture.x]
    if not _is_numeric(picture):
        order = _words(values.tolist())
        axes.set_xticks(range(len(order)), list(order))
        axes.set_xlim(-0.3, len(order) - 0.7)
    elif picture.form == "lines" and values.nunique() <= 9:
        axes.xaxis.set_major_locator(FixedLocator(sorted(values.unique())))
        axes.xaxis.set_major_formatter(ScalarFormatter())
    elif picture.form == "lines" and values.dtype.kind in "iu":
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    if picture.form == "lines" and _is_numeric(picture):
        axes.margins(x=0.02)
    if picture.form == "steps":
        axes.set_ylim(0.0, 1.02)
    for crossing in picture.crossings:
        axes.axvline(crossing, color="#333333", linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)


def _wrapped(text: str, size: float, width_in: float) -> str:
    """Break text into lines of at most ``width_in`` inches as they are typeset, never inside mathematics."""
    words: list[str] = []
    for piece in text.split(" "):
        if words and words[-1].count("$") % 2:
            words[-1] += f" {piece}"
        else:
            words.append(piece)
    space = typeset_in(" ", size)
    lines: list[list[str]] = [[]]
    room = width_in
    for word in words:
        needed = typeset_in(word, size)
        if lines[-1] and needed > room:
            lines.append([])
            room = width_in
        lines[-1].append(word)
        room -= needed + space
    return "\n".join(" ".join(line) for line in lines)


@cache
def typeset_in(text: str, size: float) -> float:
    """Width of a piece of text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(family=RC["font.serif"], size=size)
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, "$" in text)
    return float(width) / 72.0
