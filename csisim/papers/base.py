"""What a reproduction is: a published table or figure, where our numbers come from, and how they are judged.

One rule for every paper: a value is reproduced if it is as near to the published one as its row's rule says, to either side. A network
that is better than published is another network: not reproduced, and the note says "better than published".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

NATS = log(2.0)  #: nats per bit: a paper that printed nats is compared in nats

Effort = Literal["quick", "full"]
Told = Callable[[str], None]
Verdict = Literal["reproduced", "not reproduced", "published value inconsistent", "not run", "no published value"]


@dataclass(frozen=True)
class Rule:
    """How near a measured value must come, beyond its own confidence interval.

    Attributes
    ----------
    relative, points : float
        Deviation allowed, relative to the published value and in its unit.
    more_is_better : bool
        What lies too far above the published value is noted as better than published; it is not reproduced either.
    rms : float, optional
        Root mean square of the row's relative deviations beyond which none of its values holds.
    """

    relative: float = 0.0
    points: float = 0.0
    more_is_better: bool = False
    rms: float | None = None

    def holds(self, published: float, measured: float, ci95: float) -> bool:
        """Whether one value is near enough."""
        allowed = self.relative * abs(published) + self.points + ci95
        return abs(measured - published) <= allowed


@dataclass(frozen=True)
class Row:
    """One row of a table or curve of a figure.

    Attributes
    ----------
    published : tuple of float
        As printed, in ``unit``, one for each column; none where the paper prints no number.
    rule : Rule, optional
        Needed where something is published and measured.
    columns : tuple of str
        Where a row has others than its table's.
    inconsistent : dict
        Column numbers of values that cannot be right, with the reason.
    skipped : str
        Why values of this row are not measured.
    note : str
        Said beside every value that is not reproduced and not better than published.
    remark : str
        Said beside every measured value.
    key : str
        What its source calls it, if not by its name.
    """

    name: str
    unit: str
    published: tuple[float, ...] = ()
    rule: Rule | None = None
    columns: tuple[str, ...] = ()
    inconsistent: Mapping[int, str] = field(default_factory=dict)
    skipped: str = ""
    note: str = ""
    remark: str = ""
    key: str = ""


class Measured(NamedTuple):
    """Our value with the half-width of its 95 % confidence interval (None: exact, or no value), and what there is to say of it."""

    value: float | None
    ci95: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Conditions:
    """How a reproduction runs: effort, whom to tell, where results go and scenarios lie, how many worker processes."""

    effort: Effort
    told: Told
    results: Path
    scenarios: Path
    jobs: int | None = None


class Source(Protocol):
    """Where the numbers of a table come from."""

    def measure(self, name: str, table: "Table", conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """For each measured row of the table called ``name``, a value for each of its columns."""


@dataclass(frozen=True)
class Table:
    """A table or figure of a paper; without a source nothing is run, and ``skipped`` or its rows say why."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    source: Source | None = None
    note: str = ""
    skipped: str = ""


@dataclass(frozen=True)
class Line:
    """One entry of a published table beside ours, in the published unit; None where there is no number."""

    table: str
    row: str
    column: str
    unit: str
    published: float | None
    measured: float | None
    ci95: float | None
    verdict: Verdict
    note: str = ""

    @property
    def deviation(self) -> float | None:
        """Relative deviation from the published number."""
        return None if self.published is None or self.measured is None else self.measured / self.published - 1.0

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        names = ("table", "row", "column", "unit", "published", "measured", "ci95", "deviation", "verdict", "note")
        return {name: round(value, 5) if isinstance(value := getattr(self, name), float) else value for name in names}


def reproduce(name: str, table: Table, conditions: Conditions) -> list[Line]:
    """Measure a table and judge it, row by row in printed order."""
    found = {} if table.source is None else table.source.measure(name, table, conditions)
    return [line for row in table.rows for line in judge(name, table, row, found.get(row.key or row.name))]


def judge(name: str, table: Table, row: Row, measured: Sequence[Measured] | None) -> list[Line]:
    """The lines of one row; none for a row that is neither published, measured nor excused."""
    columns = row.columns or table.columns or ("",)
    why = row.skipped or table.skipped
    if measured is None:
        if not row.published and not why:
            return []
        measured = [Measured(None)] * len(columns)
    numbers: list[float | None] = list(row.published) or [None] * len(columns)
    too_far = _rms_exceeded(row, numbers, measured)
    lines = []
    for i, (column, published, (value, ci95, said)) in enumerate(zip(columns, numbers, measured, strict=True)):
        verdict: Verdict
        if i in row.inconsistent:
            verdict, said = "published value inconsistent", row.inconsistent[i]
        elif value is None:
            verdict, said = "not run", said or why
        elif published is None or row.rule is None:
            verdict = "no published value"
        else:
            verdict = "reproduced" if row.rule.holds(published, value, ci95 or 0.0) and not too_far else "not reproduced"
            if verdict == "not reproduced":
                better = row.rule.more_is_better and value > published
                said = _joined("better than published", said) if better else said or row.note
        said = said if value is None else _joined(said, row.remark)
        lines.append(Line(name, row.name, column, row.unit, published, value, ci95, verdict, said))
    return lines


def _joined(*said: str) -> str:
    return "; ".join(part for part in said if part)


def _rms_exceeded(row: Row, numbers: Sequence[float | None], measured: Sequence[Measured]) -> bool:
    if row.rule is None or row.rule.rms is None:
        return False
    pairs = zip(numbers, measured, strict=True)
    squares = [(ours.value / published - 1.0) ** 2 for published, ours in pairs if published is not None and ours.value is not None]
    return bool(squares) and (sum(squares) / len(squares)) ** 0.5 > row.rule.rms
