"""Numbers of a table that are computed row by row, each in its own way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from csisim.papers.base import Conditions, Measured, Row, Table

#: a value for each column of a row
Measure = Callable[[Conditions], Sequence[Measured]]


@dataclass(frozen=True)
class ByRow:
    """A source with a computation for every measured row."""

    rows: Mapping[str, Measure]

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """One after the other, as printed."""
        found = {}
        for row, compute in self.rows.items():
            conditions.told(f"{name}: {row}")
            found[row] = compute(conditions)
        return found


#: a row with what measures it, None for one that is only printed
Measurable = tuple[Row, Measure | None]


def by_row(title: str, columns: tuple[str, ...], *rows: Measurable, note: str = "", skipped: str = "") -> Table:
    """A table of such rows."""
    measured = {row.name: compute for row, compute in rows if compute is not None}
    return Table(title, columns, tuple(row for row, _ in rows), ByRow(measured) if measured else None, note, skipped)
