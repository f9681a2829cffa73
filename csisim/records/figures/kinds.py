"""The kinds of figures: what each one shows, as a table of the numbers drawn and the words around them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from csisim.errors import CsisimError
from csisim.records.figures.captions import axis_label, band, conditions, metric_label, spell
from csisim.records.figures.data import DROP, Results, is_at, paired_ratio
from csisim.records.schema import BITS, METRICS
from csisim.records.summary import Moments

if TYPE_CHECKING:
    import pandas as pd

    from csisim.scenario.schema import Plot
    from csisim.scheme import SchemeConfig


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure before it is drawn.

    Attributes
    ----------
    name : str
        File name without suffix.
    table : DataFrame
        The numbers drawn: ``scheme``, the column ``x``, the column ``y``, ``low`` and ``high`` (the 95 % confidence
        interval of ``y``), ``n`` drops.
    form : {"lines", "steps", "points"}
        How the rows of one scheme are joined.
    crossings : tuple of float
        Values of x from which another scheme is best.
    panel : str, optional
        Column whose values have panels of their own, side by side.
    """

    name: str
    table: "pd.DataFrame"
    x: str
    y: str
    x_label: str
    y_label: str
    title: str
    caption: str
    form: Literal["lines", "steps", "points"] = "lines"
    log_x: bool = False
    log_y: bool = False
    crossings: tuple[float, ...] = field(default=())
    panel: str | None = None


def versus(results: Results, plot: "Plot") -> Picture:
    """A metric along a swept axis."""
    x, y = _axis(results, plot), metric(plot)
    table = _along(results, plot, x, y)
    title = plot.title or f"{spell(y)} versus {spell(x, lower=True)}"
    air_time = f" {_air_time(results, plot, ())}" if y == "net_rate_bps_hz" else ""
    caption = f"{conditions(results, x, evaluated=True)}{air_time}{band(table)}"
    return Picture(f"versus-{x}-{y}", table, x, y, axis_label(x), metric_label(y), title, caption)


def nmse(results: Results, plot: "Plot") -> Picture:
    """An NMSE in dB along a swept axis: dB of the mean of ratios."""
    x, y = _axis(results, plot), metric(plot)
    table = _along(results, plot, x, y)
    table = table[table[y] > 0].reset_index(drop=True)  # perfect CSI has no error to show in dB
    if table.empty:
        raise CsisimError(f"{results.folder}: {y} is zero or null everywhere; an NMSE in dB needs a scheme that estimates")
    floor = 1e-3 * table[y]  # an interval of a few drops may reach below zero, which has no dB
    for column in (y, "low", "high"):
        table[column] = 10.0 * np.log10(table[column].clip(lower=floor))
    table = table.rename(columns={y: f"{y}_db"})
    title = plot.title or f"{spell(y)} versus {spell(x, lower=True)}"
    caption = f"{conditions(results, x, evaluated=True)} dB of the mean over drops of the ratios.{band(table)}"
    return Picture(f"nmse-{x}-{y}", table, x, f"{y}_db", axis_label(x), f"{spell(y)} (dB)", title, caption)


def frames(results: Results, plot: "Plot") -> Picture:
    """A metric frame by frame at the base point: how the online scheme climbs."""
    y, reference = metric(plot), plot.relative_to
    names = [scheme.name for scheme in results.schemes(plot.schemes)]
    means = {name: _frame_means(results, name, y) for name in names}
    rows: list[dict[str, Any]] = []
    if reference is None:
        for name in names:
            rows += [_row(name, "frame", t + 1, y, Moments.of(values)) for t, values in enumerate(means[name].to_numpy(float).T)]
        label, value, paired = metric_label(y), y, ""
    else:
        base = means.get(reference)
        base = _frame_means(results, results.schemes([reference])[0].name, y) if base is None else base
        value, label = f"{y}_percent", f"{spell(y)} (% of {reference})"
        for name in (name for name in names if name != reference):
            both = means[name].index.intersection(base.index)
            pairs = zip(means[name].loc[both].to_numpy(float).T, base.loc[both].to_numpy(float).T, strict=True)
            for t, (values, references) in enumerate(pairs):
                ratio, half = (100.0 * part for part in paired_ratio(values, references))
                rows.append(_interval(name, "frame", t + 1, value, ratio, half, len(values)))
        paired = f" Ratio of means over drops, paired with {reference} drop by drop."
    table = _table([row for row in rows if not np.isnan(row[value])], f"{results.folder}: {y} is null in every frame")
    clock = results.scenario.clock
    title = plot.title or f"{spell(y)} frame by frame" + (f", relative to {reference}" if reference else "")
    caption = f"{conditions(results)} Mean over the {clock.slots_per_frame} slots of each frame.{paired}{band(table)}"
    name = f"frames-{value}" + (f"-of-{reference}" if reference else "")
    x_label = "Frame" if clock.superframes == 1 else f"Frame (new channel statistics every {clock.frames})"
    return Picture(name, table, "frame", value, x_label, label, title, caption)


def net_rate(results: Results, plot: "Plot") -> Picture:
    """Mean net rate of a superframe, had it ended after T_f frames; marks where another scheme becomes the best."""
    metric(plot)
    schemes = results.schemes(plot.schemes)
    charged = [scheme for scheme in schemes if plot.charge_sampling and scheme.samples_before]
    rows: list[dict[str, Any]] = []
    for scheme in schemes:
        silent = scheme.samples_before if scheme in charged else 0
        cumulative = _cumulative_net_rate(results, scheme.name, silent)
        rows += [_row(scheme.name, "num_frames", t + 1, "net_rate_bps_hz", Moments.of(v)) for t, v in enumerate(cumulative.T)]
    table = _table(rows)
    contenders = [scheme.name for scheme in schemes if scheme.analog.kind != "none"]
    best = _winners(table, contenders)
    table["best"] = table["scheme"] == table["num_frames"].map(best)
    spans = _spans(best)
    verdict = "; ".join(f"{name} at $T_f$ = {first}" + (f"–{last}" if last > first else "") for name, first, last in spans)
    among = "" if len(contenders) == len(schemes) else " (the fully digital bound aside)"
    caption = (
        f"{conditions(results)} {_air_time(results, plot, charged)} Highest mean{among}: {verdict}; dashed where it changes.{band(table)}"
    )
    title = plot.title or "Mean net sum rate of a superframe versus its length"
    x_label = "Frames per superframe $T_f$"
    crossings = tuple(first - 0.5 for _, first, _ in spans[1:])
    name = "net_rate-num_frames" + ("-sampling_charged" if charged else "")
    return Picture(
        name, table, "num_frames", "net_rate_bps_hz", x_label, metric_label("net_rate_bps_hz"), title, caption, crossings=crossings
    )


def signaling(results: Results, plot: "Plot") -> Picture:
    """Signaling bits of a superframe of T_f frames (Kang 2022, Fig. 9), from the ledger of the base point."""
    metric(plot)
    rows: list[dict[str, Any]] = []
    for scheme in results.schemes(plot.schemes):
        slots = results.slots(scheme.name, ["signaling_bits"])
        ends = slots.groupby([*DROP, "superframe", "frame"])["signaling_bits"].max()  # a running sum: its end is the total
        bits = ends.groupby([*DROP, "frame"]).mean().unstack("frame").to_numpy(float)
        rows += [_row(scheme.name, "num_frames", t + 1, "signaling_bits", Moments.of(v)) for t, v in enumerate(bits.T)]
    q = results.scenario.ledger.bits_per_element
    samples = ", ".join(f"{s.name} {s.num_samples}" for s in results.schemes(plot.schemes) if s.samples_before)
    caption = (
        f"{conditions(results)} Pilots booked as Kang 2022, eq. (47)–(48) with q = {q} bit per complex element, and reported bits."
        + (f" Full-CSI samples per superframe: {samples}." if samples else "")
    )
    title = plot.title or "Signaling of a superframe versus its length"
    return Picture(
        "signaling-num_frames",
        _table(rows),
        "num_frames",
        "signaling_bits",
        "Frames per superframe $T_f$",
        metric_label("signaling_bits"),
        title,
        caption,
        log_y=True,
    )


def rate_vs_bits(results: Results, plot: "Plot") -> Picture:
    """A rate against the bits of a report in FDD; in TDD against the signaling bits of a superframe, a point or curve per scheme."""
    if results.scenario.duplex == "fdd":
        from csisim.records.figures.feedback import rate_vs_report_bits

        return rate_vs_report_bits(results, plot)
    y = metric(plot)
    x = plot.x
    points = results.points(x)
    rows: list[dict[str, Any]] = []
    for scheme in results.schemes(plot.schemes):
        for value in results.values(x) if x is not None else [None]:
            for point in _at(points, scheme.name, x, value):
                row = _row(scheme.name, "signaling_bits", point["signaling_bits"], y, _moments(point, y))
                rows.append(row | ({x: value} if x is not None else {}))
    along = f"Each curve runs through {spell(x, lower=True)} = {', '.join(map(str, results.values(x)))}. " if x is not None else ""
    title = plot.title or f"{spell(y)} versus signaling bits"
    table = _table(rows)
    along += f"Bits of one superframe of {results.scenario.clock.frames} frames."
    caption = f"{conditions(results, x, evaluated=True)} {along}{band(table)}"
    name = f"rate_vs_bits-{y}" + (f"-{x}" if x is not None else "")
    x_label = f"{metric_label('signaling_bits')} and superframe"
    wide = bool(table["signaling_bits"].max() > 5.0 * table["signaling_bits"].min() > 0.0)
    return Picture(name, table, "signaling_bits", y, x_label, metric_label(y), title, caption, form="points", log_x=wide)


def cdf(results: Results, plot: "Plot") -> Picture:
    """Distribution over drops of a metric (``rate_user``: over drops and users) at the base point."""
    import pandas as pd

    y = metric(plot)
    first = _first_evaluated_frame(results)
    parts = []
    for scheme in results.schemes(plot.schemes):
        rows = results.slots(scheme.name, [y])
        rows = rows[rows["frame"] >= first]
        if y == "rate_user":
            users = pd.DataFrame(rows[y].tolist(), index=rows.index).groupby([rows[key] for key in DROP]).mean()
            values = np.sort(users.to_numpy(float).ravel())
        else:
            values = np.sort(rows.groupby(DROP)[y].mean().dropna().to_numpy(float))
        share = np.arange(1, len(values) + 1) / max(len(values), 1)
        parts.append(pd.DataFrame({"scheme": scheme.name, y: values, "cdf": share, "low": np.nan, "high": np.nan, "n": len(values)}))
    over = "drops and users" if y == "rate_user" else "drops"
    title = plot.title or f"Distribution of {spell(y, lower=True)} over {over}"
    caption = f"{conditions(results, evaluated=True)} One value per {'drop and user' if y == 'rate_user' else 'drop'}: its mean over slots."
    label = f"Cumulative share of {over}"
    return Picture(f"cdf-{y}", pd.concat(parts, ignore_index=True), y, "cdf", metric_label(y), label, title, caption, form="steps")


KINDS: dict[str, Callable[[Results, "Plot"], Picture]] = {
    "versus": versus,
    "frames": frames,
    "nmse": nmse,
    "signaling": signaling,
    "rate_vs_bits": rate_vs_bits,
    "cdf": cdf,
    "net_rate": net_rate,
}

#: Metrics that a kind can show, its own first.
SHOWN: dict[str, tuple[str, ...]] = {
    "versus": (*METRICS, *BITS),
    "frames": (*METRICS, *BITS),
    "nmse": ("nmse_estimate", "nmse_csi", "nmse_full"),
    "signaling": ("signaling_bits",),
    "rate_vs_bits": ("sum_rate_bps_hz", "net_rate_bps_hz", "sgcs"),
    "cdf": (*METRICS, "rate_user"),
    "net_rate": ("net_rate_bps_hz",),
}


def metric(plot: "Plot") -> str:
    """The metric a plot shows.

    Raises
    ------
    CsisimError
        If its kind cannot show the metric it asks for.
    """
    shown = SHOWN[plot.kind]
    if plot.y is not None and plot.y not in shown:
        raise CsisimError(f"a {plot.kind} plot cannot show {plot.y}; it can show {', '.join(shown)}")
    return plot.y or shown[0]


def _axis(results: Results, plot: "Plot") -> str:
    """The plot's axis; the only one of the sweep where it names none."""
    if plot.x is None and len(results.axes) == 1:
        return next(iter(results.axes))
    if plot.x is None:
        raise CsisimError(f"a {plot.kind} plot needs x, one of the swept axes: {', '.join(results.axes) or 'none is swept'}")
    results.values(plot.x)
    return plot.x


def _at(points: "pd.DataFrame", scheme: str, axis: str | None, value: Any) -> list[dict[Any, Any]]:
    points = points[points["scheme"] == scheme]
    return (points if axis is None else points[is_at(points, axis, value)]).to_dict("records")


def _along(results: Results, plot: "Plot", x: str, y: str) -> "pd.DataFrame":
    points = results.points(x)
    rows = []
    for scheme in results.schemes(plot.schemes):
        for value in results.values(x):
            for point in _at(points, scheme.name, x, value):
                rows.append(_row(scheme.name, x, value, y, _moments(point, y)))
    return _table([row for row in rows if not np.isnan(row[y])], f"{results.folder}: {y} is null in every cell along {x}")


def _moments(point: dict[Any, Any], column: str) -> Moments:
    """Moments of a metric of one cell; bits are booked, not estimated, and have a mean only."""
    return Moments.from_columns(point, column) if f"{column}_mean" in point else Moments(1, float(point[column]), 0.0)


def _row(scheme: str, x: str, at: Any, y: str, moments: Moments) -> dict[str, Any]:
    mean = moments.mean if moments.n else float("nan")
    return _interval(scheme, x, at, y, mean, moments.ci95, moments.n)


def _interval(scheme: str, x: str, at: Any, y: str, value: float, half: float, n: int) -> dict[str, Any]:
    return {"scheme": scheme, x: at, y: value, "low": value - half, "high": value + half, "n": n}


def _table(rows: Iterable[dict[str, Any]], otherwise: str = "nothing to draw") -> "pd.DataFrame":
    import pandas as pd

    rows = list(rows)
    if not rows:
        raise CsisimError(otherwise)
    return pd.DataFrame(rows)


def _frame_means(results: Results, scheme: str, column: str) -> "pd.DataFrame":
    """Mean of each frame's slots: one row per drop, one column per frame of all superframes."""
    rows = results.slots(scheme, [column])
    return rows.groupby([*DROP, "superframe", "frame"])[column].mean().unstack(["superframe", "frame"])


def _cumulative_net_rate(results: Results, scheme: str, silent_slots: int) -> np.ndarray:
    """Mean net rate of superframes cut after 1, 2, ... frames, (drops, frames), their first ``silent_slots`` earning nothing."""
    rows = results.slots(scheme, ["net_rate_bps_hz"])
    earning = (rows["slot"] + 1 - silent_slots).clip(0, rows["covers"]) / rows["covers"]
    rows["earned"] = rows["net_rate_bps_hz"].fillna(0.0) * earning
    by_frame = rows.groupby([*DROP, "superframe", "frame"])["earned"].mean().groupby([*DROP, "frame"]).mean()
    frame_means = by_frame.unstack("frame").to_numpy(float)
    return np.cumsum(frame_means, axis=1) / np.arange(1, frame_means.shape[1] + 1)


def _winners(table: "pd.DataFrame", contenders: Sequence[str]) -> dict[int, str]:
    """Best contender at each number of frames; the first named where some are equal."""
    values = table.pivot(index="num_frames", columns="scheme", values="net_rate_bps_hz")[list(contenders)]
    return dict(zip(values.index.tolist(), values.idxmax(axis=1).tolist(), strict=True))


def _spans(best: dict[int, str]) -> list[tuple[str, int, int]]:
    """Runs of the same winner: (name, first, last)."""
    spans: list[tuple[str, int, int]] = []
    for frames, name in best.items():
        if spans and spans[-1][0] == name:
            spans[-1] = (name, spans[-1][1], frames)
        else:
            spans.append((name, frames, frames))
    return spans


def _air_time(results: Results, plot: "Plot", charged: "Sequence[SchemeConfig]") -> str:
    """What pilots take of a slot, and what the offline schemes' samples cost in this figure."""
    clock, words = results.scenario.clock, []
    for scheme in results.schemes(plot.schemes):
        if scheme in charged:
            words.append(f"{scheme.name} is charged {scheme.num_samples} silent sampling slots first")
        elif scheme.samples_before:
            words.append(f"{scheme.name} took {scheme.num_samples} samples before the superframe, at no air time")
        elif scheme.timescale == "offline" and scheme.cadence != "fixed":
            meanwhile = "in silence" if scheme.sampling == "inside_silent" else "with payload through random phases"
            words.append(f"{scheme.name} takes {scheme.num_samples} samples in its first slots, {meanwhile}")
    sampling = "; ".join(words) + f" ($T_s$ = {clock.slots_per_frame})." if words else ""
    return f"Net of pilot air time in slots of {clock.symbols_per_slot} symbols ({1e3 * clock.slot_s:g} ms). {sampling}".rstrip()


def _first_evaluated_frame(results: Results) -> int:
    last = results.scenario.evaluation.last_frames
    return 0 if last is None else max(results.scenario.clock.frames - last, 0)
