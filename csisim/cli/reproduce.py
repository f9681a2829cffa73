"""``csisim reproduce``: a published table or figure beside ours, with a verdict."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from csisim.cli import INTERRUPTED

if TYPE_CHECKING:
    import pandas as pd

    from csisim.papers.base import Point, Reproduction

PAPERS = ("kang2022",)


@click.command()
@click.argument("paper", type=click.Choice(PAPERS))
@click.argument("item")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes (default: what cores and memory allow).")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Results folder (default: results/SCENARIO).")
@click.option(
    "--scenarios",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the papers' scenarios (default: those that come with csisim).",
)
def reproduce(paper: str, item: str, jobs: int | None, output: Path | None, scenarios: Path | None) -> None:
    """Measure ITEM of PAPER (e.g. kang2022 table1), print published and measured side by side, and judge.

    Only missing records are computed. Exit status: 0 it holds, 1 it does not.
    """
    from csisim.cli.run import tell
    from csisim.cli.shipped import shipped
    from csisim.errors import CsisimError
    from csisim.papers.base import verdict
    from csisim.records.load import load
    from csisim.records.summary import merge_replicas
    from csisim.runner.effort import default_jobs
    from csisim.runner.progress import display
    from csisim.runner.sweep import run_sweep
    from csisim.scenario.load import load_scenario

    known: dict[str, Reproduction] = import_module(f"csisim.papers.{paper}").REPRODUCTIONS
    if item not in known:
        raise CsisimError(f"{paper} {item}: there are {', '.join(known)}")
    reproduction = known[item]
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
    click.echo(text(reproduction, points), nl=False)
    click.echo(
        f"{'holds' if holds else 'does not hold'}: largest deviation {largest:.1%} (allowed {reproduction.each:.0%}), "
        f"rms {rms:.1%} (allowed {reproduction.rms:.0%})"
    )
    if not holds:
        sys.exit(1)


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
