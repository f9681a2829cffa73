"""``csisim reproduce``: a published table or figure beside ours, with a verdict."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from csisim.cli import INTERRUPTED

if TYPE_CHECKING:
    import pandas as pd

    from csisim.papers.base import Line, Point, Reproduction

PAPERS = ("hu2021", "kang2022")


@click.command()
@click.argument("paper", type=click.Choice(PAPERS))
@click.argument("items", nargs=-1)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes (default: what cores and memory allow).")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Results folder (default: results/SCENARIO).")
@click.option(
    "--scenarios",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the papers' scenarios (default: those that come with csisim).",
)
@click.option("--effort", type=click.Choice(("quick", "full")), default="quick", show_default=True, help="Quick shrinks, and says what.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of lines instead of tables.")
def reproduce(
    paper: str, items: tuple[str, ...], jobs: int | None, output: Path | None, scenarios: Path | None, effort: str, as_json: bool
) -> None:
    """Measure ITEMS of PAPER (e.g. kang2022 table1; none: all of them), print published and measured side by side, and judge.

    Only missing records and networks are computed. Exit status: 0 everything that was run is reproduced or was published
    inconsistently, 1 something is not reproduced.
    """
    from csisim.errors import CsisimError

    module = import_module(f"csisim.papers.{paper}")
    known = {**getattr(module, "REPRODUCTIONS", {}), **getattr(module, "TABLES", {})}
    unknown = [item for item in items if item not in known]
    if unknown:
        raise CsisimError(f"{paper} {unknown[0]}: there are {', '.join(known)}")
    lines: list[Line] = []
    for item in items or known:
        if item in getattr(module, "TABLES", {}):
            lines += direct(item, known[item], effort, output or Path("results") / paper, as_json)
        else:
            lines += by_scenario(item, known[item], jobs, output, scenarios, as_json)
    if as_json:
        click.echo(json.dumps([line.document() for line in lines], indent=1))
    if any(line.verdict == "not reproduced" for line in lines):
        sys.exit(1)


def direct(item: str, table: Any, effort: Any, root: Path, as_json: bool) -> "list[Line]":
    """A table that its own module measures; the lines are kept in the results folder, with a picture."""
    from csisim.papers.precoding import measure
    from csisim.records.store import write_atomic

    lines = measure(item, table, effort, lambda told: click.echo(f"    {told}", err=True))
    root.mkdir(parents=True, exist_ok=True)
    write_atomic(root / f"{item}.json", json.dumps([line.document() for line in lines], indent=1))
    if any(line.measured is not None for line in lines):
        draw(lines, table.title, root / f"{item}.svg")
    if not as_json:
        click.echo(written(table.title, table.note, lines), nl=False)
    return lines


def draw(lines: "list[Line]", title: str, path: Path) -> None:
    """Measured values (points with intervals) and published ones (crosses) of every row over the columns."""
    from matplotlib.figure import Figure

    columns = list(dict.fromkeys(line.column for line in lines))
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots(1, 2)
    for part, own in ((axes[0], True), (axes[1], False)):
        rows = list(dict.fromkeys(line.row for line in lines if (line.unit != "% of WMMSE") == own))
        for number, row in enumerate(rows):
            mine = [line for line in lines if line.row == row]
            measured = [line for line in mine if line.measured is not None]
            published = [line for line in mine if line.published is not None]
            at = [columns.index(line.column) for line in measured]
            values, halves = [line.measured for line in measured], [line.ci95 for line in measured]
            part.errorbar(at, values, halves, fmt="o-", ms=3, color=f"C{number}", label=row)
            crosses = [columns.index(line.column) for line in published]
            part.plot(crosses, [line.published for line in published], "x", color=f"C{number}")
        if rows:
            part.set_ylabel(next(line.unit for line in lines if line.row == rows[0]))
            part.legend(fontsize=7)
        part.set_xticks(range(len(columns)), columns, rotation=45, fontsize=7)
    figure.suptitle(f"{title}; crosses: published", fontsize=9)
    figure.savefig(path)


def written(title: str, note: str, lines: "list[Line]") -> str:
    """The lines as a table."""
    text = [f"# {title}", *([f"# {note}"] if note else [])]
    text.append(f"# {'row':<18} {'column':<18} {'unit':<11} | published | measured  +-ci95 | deviation | verdict")
    for line in lines:
        numbers = (line.published, line.measured, line.ci95)
        published, measured, half = ("-" if value is None else f"{value:.4g}" if line.unit == "s" else f"{value:.2f}" for value in numbers)
        deviation = "" if line.deviation is None else f"{line.deviation:+.1%}"
        remark = f": {line.note}" if line.note and line.note != note else ""
        place = f"  {line.row:<18} {line.column:<18} {line.unit:<11}"
        text.append(f"{place} | {published:>9} | {measured:>8} {half:>7} | {deviation:>9} | {line.verdict}{remark}")
    return "\n".join(text) + "\n"


def by_scenario(
    item: str, reproduction: "Reproduction", jobs: int | None, output: Path | None, scenarios: Path | None, as_json: bool
) -> "list[Line]":
    """A table whose numbers come from the records of a scenario."""
    from csisim.cli.run import tell
    from csisim.cli.shipped import shipped
    from csisim.papers.base import Line, Verdict, verdict
    from csisim.records.load import load
    from csisim.records.summary import merge_replicas
    from csisim.runner.effort import default_jobs
    from csisim.runner.progress import display
    from csisim.runner.sweep import run_sweep
    from csisim.scenario.load import load_scenario

    loaded = load_scenario((scenarios or shipped() / "papers") / reproduction.scenario)
    root = output or Path("results") / loaded.scenario.name
    with display(False) as shown:
        result = run_sweep(loaded, root, jobs or default_jobs(loaded), display=shown)
    tell(result, root, False)
    if result.interrupted or result.failed:
        sys.exit(INTERRUPTED if result.interrupted else 1)
    cells = load(root)
    points = compare(reproduction, merge_replicas(cells, cells.attrs["axes"]))
    holds, largest, rms = verdict(reproduction, points)
    told = (
        f"{'holds' if holds else 'does not hold'}: largest deviation {largest:.1%} (allowed {reproduction.each:.0%}), "
        f"rms {rms:.1%} (allowed {reproduction.rms:.0%})"
    )
    if not as_json:
        click.echo(text(reproduction, points) + told)
    judged: Verdict = "reproduced" if holds else "not reproduced"
    return [
        Line(item, p.row, f"{reproduction.axis} {p.at:g}", reproduction.unit, p.published, p.measured, p.ci95, judged, reproduction.note)
        for p in points
    ]


def compare(reproduction: "Reproduction", cells: "pd.DataFrame") -> "list[Point]":
    """Every published number beside the measured one, in the published unit."""
    from csisim.papers.base import Point

    points = []
    for row in reproduction.rows:
        ours = cells[cells["scheme"] == row.scheme]
        means, halves = (dict(zip(ours[reproduction.axis], ours[f"{row.metric}_{part}"], strict=True)) for part in ("mean", "ci95"))
        for at, published in row.published.items():
            points.append(Point(row.label, at, published, means[at] * row.scale, halves[at] * row.scale))
    return points


def text(reproduction: "Reproduction", points: "list[Point]") -> str:
    """The comparison as a table."""
    lines = [f"# {reproduction.title}, {reproduction.unit}", *([f"# {reproduction.note}"] if reproduction.note else [])]
    lines.append(f"# {'row':<14} {reproduction.axis:>10} | published | measured  +-ci95 | deviation")
    for p in points:
        lines.append(f"  {p.row:<14} {p.at:>10g} | {p.published:9.2f} | {p.measured:8.2f} {p.ci95:7.2f} | {p.deviation:+9.1%}")
    return "\n".join(lines) + "\n"
