"""``csisim reproduce``: a published table or figure beside ours, with a verdict."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from csisim.papers.base import Line, Table

PAPERS = ("hu2021", "kang2022", "lu2021", "ma2023", "ma2024")


@click.command()
@click.argument("paper", type=click.Choice(PAPERS), required=False)
@click.argument("items", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="List the items of PAPER, or of all papers, and stop.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes (default: what cores and memory allow).")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Results folder (default: results/PAPER).")
@click.option(
    "--scenarios",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the papers' scenarios (default: those that come with csisim).",
)
@click.option("--effort", type=click.Choice(("quick", "full")), default="quick", show_default=True, help="Quick shrinks, and says what.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of lines instead of tables.")
def reproduce(
    paper: str | None,
    items: tuple[str, ...],
    listed: bool,
    jobs: int | None,
    output: Path | None,
    scenarios: Path | None,
    effort: Any,
    as_json: bool,
) -> None:
    """Measure ITEMS of PAPER (e.g. kang2022 table1; none: all of them), print published and measured side by side, and judge.

    `csisim reproduce --list` says which items there are.

    Only missing records and networks are computed. Records, lines and a picture of every item stay in the results folder.
    Exit status: 0 everything that was run is reproduced or was published inconsistently, 1 something is not reproduced,
    130 interrupted.
    """
    from csisim.cli.shipped import shipped
    from csisim.papers import base
    from csisim.papers.show import draw, written
    from csisim.records.store import write_atomic

    if listed:
        for name in PAPERS if paper is None else (paper,):
            for item, table in _chosen(name, items).items():
                click.echo(f"{name} {item:8}{table.title}")
        return
    if paper is None:
        raise click.UsageError(f"Missing argument 'PAPER': one of {', '.join(PAPERS)}; --list says what is in them")
    tables = _chosen(paper, items)
    root = output or Path("results") / paper
    root.mkdir(parents=True, exist_ok=True)
    conditions = base.Conditions(effort, lambda told: click.echo(f"    {told}", err=True), root, scenarios or shipped() / "papers", jobs)
    lines: list[Line] = []
    for item, table in tables.items():
        found = base.reproduce(item, table, conditions)
        write_atomic(root / f"{item}.json", json.dumps([line.document() for line in found], indent=1))
        if any(line.measured is not None for line in found):
            draw(found, table.title, root / f"{item}.svg")
        if not as_json:
            click.echo(written(table, found))
        lines += found
    if as_json:
        click.echo(json.dumps([line.document() for line in lines], indent=1))
    if any(line.verdict == "not reproduced" for line in lines):
        sys.exit(1)


def _chosen(paper: str, items: tuple[str, ...]) -> "dict[str, Table]":
    """The items of a paper that are asked for by name, all of them if none is."""
    from csisim.errors import CsisimError

    tables: dict[str, Table] = import_module(f"csisim.papers.{paper}").TABLES
    for item in items:
        if item not in tables:
            raise CsisimError(f"{paper} {item}: there are {', '.join(tables)}")
    return {item: tables[item] for item in items or tables}
