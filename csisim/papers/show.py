"""A reproduced table as text and as a picture."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from csisim.papers.base import Line, Table


def written(table: Table, lines: Sequence[Line]) -> str:
    """The lines as a table, with a count of verdicts below."""
    text = [f"# {table.title}", *([f"# {table.note}"] if table.note else [])]
    text.append(f"# {'row':<26} {'column':<14} {'unit':<13} | published | measured  +-ci95 | deviation | verdict")
    said: set[str] = {"", table.note}
    for line in lines:
        numbers = (line.published, line.measured, line.ci95)
        published, measured, half = ("-" if value is None else f"{value:.4g}" if line.unit == "s" else f"{value:.2f}" for value in numbers)
        deviation = "" if line.deviation is None else f"{line.deviation:+.1%}"
        remark = "" if line.note in said else f": {line.note}"
        said.add(line.note)
        place = f"  {line.row:<26} {line.column:<14} {line.unit:<13}"
        text.append(f"{place} | {published:>9} | {measured:>8} {half:>7} | {deviation:>9} | {line.verdict}{remark}")
    counted = ", ".join(f"{count} {verdict}" for verdict, count in Counter(line.verdict for line in lines).items())
    return "\n".join([*text, counted]) + "\n"


def draw(lines: Sequence[Line], title: str, path: Path) -> None:
    """Measured values (points with intervals) and published ones (crosses) over the columns, a panel for each unit."""
    from matplotlib.figure import Figure

    from csisim.records.atomic import replacing

    units = list(dict.fromkeys(line.unit for line in lines if line.measured is not None or line.published is not None))
    figure = Figure(figsize=(4.0 * max(len(units), 2), 4.5), layout="constrained")
    for part, unit in zip(figure.subplots(1, max(len(units), 1), squeeze=False)[0], units, strict=False):
        shown = [line for line in lines if line.unit == unit]
        columns = list(dict.fromkeys(line.column for line in shown))
        for number, row in enumerate(dict.fromkeys(line.row for line in shown)):
            measured = [line for line in shown if line.row == row and line.measured is not None]
            published = [line for line in shown if line.row == row and line.published is not None]
            at = [columns.index(line.column) for line in measured]
            halves = [line.ci95 or 0.0 for line in measured]
            part.errorbar(at, [line.measured for line in measured], halves, fmt="o-", ms=3, color=f"C{number}", label=row)
            part.plot([columns.index(line.column) for line in published], [line.published for line in published], "x", color=f"C{number}")
        part.set_ylabel(unit)
        part.set_xticks(range(len(columns)), columns, rotation=45, fontsize=7)
        part.legend(fontsize=7)
    figure.suptitle(f"{title}; crosses: published", fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="svg")
