"""What a bit of feedback buys: a metric against the bits of a report, one series per codec, one panel per value of an axis."""

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from csisim.errors import CsisimError
from csisim.records.figures.captions import band, conditions, metric_label, spell
from csisim.records.figures.data import Results, is_at
from csisim.records.figures.kinds import Picture, metric
from csisim.records.summary import Moments

if TYPE_CHECKING:
    from csisim.scenario.schema import Plot
    from csisim.scheme import SchemeConfig

MOST_PANELS = 4


def rate_vs_report_bits(results: Results, plot: "Plot") -> Picture:
    """A metric against the bits of a user's report: schemes that differ in their codec's settings alone are one series.

    Raises
    ------
    CsisimError
        If the axis has more values than there is room for panels.
    """
    import pandas as pd

    y, x = metric(plot), plot.x
    schemes, points = results.schemes(plot.schemes), results.points(x)
    values = results.values(x) if x is not None else [None]
    if len(values) > MOST_PANELS:
        raise CsisimError(f"a rate_vs_bits plot has a panel for each of at most {MOST_PANELS} values; {x} has {len(values)}")
    series = labels(schemes)
    slots = {s.name: int((~s.silent_slots(results.scenario.clock.frames, results.scenario.clock.slots_per_frame)).sum()) for s in schemes}
    rows: list[dict[str, Any]] = []
    for scheme in schemes:
        for value in values:
            at = points[points["scheme"] == scheme.name]
            for point in (at if x is None else at[is_at(at, x, value)]).to_dict("records"):
                moments = Moments.from_columns({str(name): value for name, value in point.items()}, y)
                bits = float(point["feedback_bits"]) / max(slots[scheme.name], 1)
                row: dict[str, Any] = {"scheme": series[scheme.name], "name": scheme.name} | ({x: value} if x is not None else {})
                interval = {"low": moments.mean - moments.ci95, "high": moments.mean + moments.ci95, "n": moments.n}
                rows.append(row | {"report_bits": bits, y: moments.mean} | interval)
    if not rows:
        raise CsisimError("nothing to draw")
    table = pd.DataFrame(rows).sort_values(["scheme", "report_bits"], key=lambda c: c if c.dtype.kind in "if" else c.map(_order(rows)))
    told = table.loc[table["report_bits"] > 0, "report_bits"]
    wide = bool(len(told) and told.max() > 5 * told.min())
    silent = " Reports without a bit booked are levels." if (table["report_bits"] == 0).any() else ""
    caption = f"{conditions(results, x, evaluated=True)} Bits of a user's report in every slot.{silent}{band(table)}"
    return Picture(
        f"rate_vs_bits-{y}" + (f"-{x}" if x is not None else ""), table.reset_index(drop=True), "report_bits", y,
        "Bits per user and report", metric_label(y), plot.title or f"{spell(y)} versus bits per report", caption,
        form="points", log_x=wide, panel=x,
    )  # fmt: skip


def labels(schemes: "Sequence[SchemeConfig]") -> dict[str, str]:
    """Name of a scheme -> its series: the codec, and what else the schemes differ in as the beginning that their names share.

    Where several groups' names share the same beginning, it tells nothing, and every scheme is a series of its own.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for scheme in schemes:
        groups.setdefault((_kind(scheme.codec), scheme.model_dump_json(exclude={"name", "codec"})), []).append(scheme.name)
    several = len({rest for _, rest in groups}) > 1
    if not several:
        return {name: kind for (kind, _), names in groups.items() for name in names}
    shared = [_beginning(names) for names in groups.values()]
    found: dict[str, str] = {}
    for beginning, names in zip(shared, groups.values(), strict=True):
        found |= dict.fromkeys(names, beginning) if shared.count(beginning) == 1 else {name: name for name in names}
    return found


def _beginning(names: list[str]) -> str:
    """What ``names`` share up to a number that tells them apart; the first of them if that is nothing, or there is but one."""
    if len(names) == 1:
        return names[0]
    shared = "".join(takewhile(bool, (a if {a} == set(others) else "" for a, *others in zip(*names, strict=False))))
    return shared.rstrip("_-0123456789") or names[0]


def _kind(codec: Any) -> str:
    inner = getattr(codec, "inner", None)
    return str(codec.kind) if inner is None else f"{codec.kind} {_kind(inner)}"


def _order(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {label: number for number, label in enumerate(dict.fromkeys(row["scheme"] for row in rows))}
