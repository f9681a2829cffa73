"""Thousands of parameters and multiply-accumulates of codecs beside the printed ones (:mod:`csisim.feedback.published`)."""

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Literal

from csisim.feedback.costs import Convention, Costs
from csisim.feedback.published import ANGLES, DELAYS, ROWS
from csisim.feedback.published import Row as Count
from csisim.papers.base import Conditions, Measured, Row, Rule
from csisim.papers.by_row import Measurable, Measure
from csisim.registry import configure

#: what is counted, and how it is called
_UNITS = {"params": "k params", "module_params": "k params", "layer_weights": "k weights", "float_equivalents": "k params, 1/32"}


def counted(source: str, names: dict[str, str]) -> list[Measurable]:
    """Rows of a printed table, each with our count in the row's own convention.

    A printed number is met if ours has its digits, rounded or cut.

    Parameters
    ----------
    source : str
        As in :data:`csisim.feedback.published.ROWS`.
    names : dict
        How a codec is called in the paper, by what :func:`label` says.
    """
    groups: dict[tuple[str, str, str], list[Count]] = {}
    for row in ROWS:
        if row.source == source:
            groups.setdefault((label(row.settings), row.part, row.count), []).append(row)
    return [_row(names.get(name, name), side, count, rows) for (name, side, count), rows in groups.items()]


def label(settings: dict[str, Any]) -> str:
    """A codec's settings in words."""
    more = " ".join(str(value) for name, value in settings.items() if name != "kind")
    return f"{settings['kind']} {more}".rstrip()


def _row(name: str, side: str, count: str, rows: list[Count]) -> Measurable:
    unit = _UNITS.get(count, f"k MAC, {count}")
    digit = 1000 * max(10.0 ** -len(row.value.partition(".")[2]) for row in rows)
    row = Row(
        f"{name} {side} {'params' if count in _UNITS else 'MAC'}",
        unit,
        tuple(float(1000 * Decimal(row.value)) for row in rows),
        Rule(points=digit * (1 + 1e-9)),
        tuple(f"1/{row.reduction}" for row in rows),
        {i: row.note for i, row in enumerate(rows) if row.contradictory},
        note="; ".join(dict.fromkeys(row.note for row in rows if row.note)),
    )
    return row, partial(_ours, rows)


def _ours(rows: list[Count], conditions: Conditions) -> list[Measured]:
    return [Measured(float(1000 * row.ours(costs(row.settings, row.reduction)))) for row in rows]


def costs(settings: dict[str, Any], reduction: int) -> Costs:
    """What a codec costs at either end for 32 x 32 images."""
    return _costs(tuple(settings.items()), reduction)


@lru_cache(maxsize=256)
def _costs(settings: tuple[tuple[str, Any], ...], reduction: int) -> Costs:
    found: Costs = configure("codec", dict(settings) | {"reduction": reduction}).costs(ANGLES, DELAYS)  # type: ignore[attr-defined]
    return found


def ours(
    name: str, settings: Iterable[dict[str, Any]], reductions: Iterable[int], side: str, count: Convention | Literal["params"]
) -> Measurable:
    """A row without printed numbers: a count of ours, for each column its settings and reduction."""
    cells = list(zip(settings, reductions, strict=True))
    unit = _UNITS["params"] if count == "params" else f"k MAC, {count}"
    return Row(name, unit), _counting(cells, side, count)


def _counting(cells: list[tuple[dict[str, Any], int]], side: str, count: Convention | Literal["params"]) -> Measure:
    def compute(conditions: Conditions) -> list[Measured]:
        found = []
        for settings, reduction in cells:
            whole = costs(settings, reduction)
            sides = list(whole) if side == "total" else [getattr(whole, side)]
            found.append(Measured(sum(s.params if count == "params" else s.macs[count] for s in sides) / 1e3))
        return found

    return compute
