"""A reproduced table as text and as a picture."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from csisim.papers.base import Line, Table


def written(table: Table, lines: Sequence[Line]) -> str:
    """The lines as a table, with a count of verdicts below."""
    text = [f"# {table.title}", *([f"# {table.note}"] if table.note else [])]
    names, columns, units = (max(len(getattr(line, field)) for line in lines) for field in ("row", "column", "unit"))
    text.append(f"# {'row':<{names}} {'column':<{columns}} {'unit':<{units}} | published | measured  +-ci95 | deviation | verdict")
    said: set[str] = {"", table.note}
    for line in lines:
        numbers = (line.published, line.measured, line.ci95)
        digits = ".4g" if line.unit.startswith(("s ", "min ")) or line.unit == "s" else ".2f"
        published, measured, half = ("-" if value is None else f"{value:{digits}}" for value in numbers)
        deviation = "" if line.deviation is None else f"{line.deviation:+.1%}"
        remark = "" if line.note in said else f": {line.note}"
        said.add(line.note)
        place = f"  {line.row:<{names}} {line.column:<{columns}} {line.unit:<{units}}"
        text.append(f"{place} | {published:>9} | {measured:>8} {half:>7} | {deviation:>9} | {line.verdict}{remark}")
    counted = ", ".join(f"{count} {verdict}" for verdict, count in Counter(line.verdict for line in lines).items())
    return "\n".join([*text, counted]) + "\n"


def draw(lines: Sequence[Line], title: str, path: Path) -> None:
    """Measured values (points with intervals) and published ones (crosses) over the columns, a panel for each unit and set of columns."""
    from matplotlib.figure import Figure

    from csisim.records.atomic import replacing

    panels = _panels(lines)
    across = 2 if len(panels) in (2, 4) else min(len(panels), 3)
    down = -(-len(panels) // across)
    figure = Figure(figsize=(max(5.0 * across, 7.0), 5.0 * down + 0.5), layout="constrained")
    for part, panel in zip(
        figure.subplots(down, across, squeeze=False).flat, [*panels, *[None] * (across * down - len(panels))], strict=True
    ):
        if panel is None:
            part.axis("off")
        else:
            _draw_panel(part, *panel)
    figure.suptitle(f"{title}; crosses: published" if any(line.published is not None for line in lines) else title, fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="svg")


def _panels(lines: Sequence[Line]) -> list[tuple[list[str], list[list[Line]]]]:
    """Columns and rows of each panel: a row goes where its unit is and its columns are among those of the first row."""
    panels: list[tuple[list[str], list[list[Line]]]] = []
    for key in dict.fromkeys((line.row, line.unit) for line in lines):
        row = [line for line in lines if (line.row, line.unit) == key]
        if all(line.measured is None and line.published is None for line in row):
            continue
        for columns, rows in panels:
            if rows[0][0].unit == key[1] and {line.column for line in row} <= set(columns):
                rows.append(row)
                break
        else:
            panels.append(([line.column for line in row], [row]))
    return panels


def _draw_panel(part: Any, columns: list[str], rows: list[list[Line]]) -> None:
    for number, row in enumerate(rows):
        colour, marker = f"C{number % 10}", "os^v"[number // 10 % 4]
        measured = [line for line in row if line.measured is not None]
        published = [line for line in row if line.published is not None]
        at, halves = [columns.index(line.column) for line in measured], [line.ci95 or 0.0 for line in measured]
        part.errorbar(at, [line.measured for line in measured], halves, fmt=f"{marker}-", ms=3, lw=1, color=colour, label=row[0].row)
        part.plot([columns.index(line.column) for line in published], [line.published for line in published], "x", ms=5, color=colour)
    values = [value for row in rows for line in row for value in (line.measured, line.published) if value is not None]
    unit = rows[0][0].unit
    if min(values) > 0.0 and max(values) > 30.0 * min(values) and not ("/" in unit or "%" in unit):  # seconds, not rates and shares
        part.set_yscale("log")
    part.set_ylabel(unit)
    every = -(-len(columns) // 10)
    part.set_xticks(range(0, len(columns), every), columns[::every], rotation=45, fontsize=7, ha="right")
    part.grid(alpha=0.3)
    part.legend(fontsize=6, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.16))
