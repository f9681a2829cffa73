"""``csisim repro``: one cell again, in the foreground, with whatever goes wrong in full."""

import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from csisim.records.store import Entry
    from csisim.records.summary import DropMeans
    from csisim.scenario.schema import Scenario


@click.command()
@click.argument("cell")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Results folder (default: search results/*).")
@click.option("--scheme", "schemes", multiple=True, help="Only this scheme (may be repeated; default: all).")
def repro(cell: str, output: Path | None, schemes: tuple[str, ...]) -> None:
    """Run one CELL again, by its key in the table or the beginning of it, and compare with the record.

    Everything happens in this process, nothing is written, and an error shows its full traceback.
    """
    from csisim.errors import CsisimError

    folders = [output] if output is not None else sorted(path.parent for path in Path("results").glob("*/scenario.yaml"))
    found, skipped = [], []
    for place in folders:
        try:
            found += [(place, *match) for match in matches(place, cell)]
        except (CsisimError, OSError) as error:
            if output is not None:
                raise
            skipped.append(f"\n{place} was skipped: {error}")
    if len(found) != 1:
        where = ", ".join(map(str, folders)) or "results/*"
        several = ", ".join(f"{entries[0].cell} in {folder}" for folder, _, entries in found[:5])
        nowhere = f"{cell}: no such cell in {where}{''.join(skipped)}"
        raise CsisimError(f"{cell}: several cells begin so: {several}" if found else nowhere)
    folder, scenario, entries = found[0]
    unknown = set(schemes) - {entry.scheme for entry in entries}
    if unknown:
        raise CsisimError(f"--scheme {', '.join(sorted(unknown))}: there are {', '.join(entry.scheme for entry in entries)}")
    chosen = [entry for entry in entries if not schemes or entry.scheme in schemes]
    axes = ", ".join(f"{axis} = {value}" for axis, value in chosen[0].axes.items())
    click.echo(f"# {scenario.name}: cell {chosen[0].cell}, replica {chosen[0].replica}{f', {axes}' if axes else ''}")
    try:
        means = simulate(scenario, chosen)
    except Exception:  # also an error that is meant for the user: here the question is where it comes from
        click.echo(traceback.format_exc(), err=True, nl=False)
        sys.exit(1)
    compare(folder, means, chosen)


def matches(folder: Path, prefix: str) -> "Iterator[tuple[Scenario, list[Entry]]]":
    """Cells of a results folder whose key begins so."""
    from csisim.runner.plan import cells
    from csisim.scenario.load import load_scenario

    for scenario, entries in cells(load_scenario(folder / "scenario.yaml")):
        if entries[0].cell.startswith(prefix.lower()):
            yield scenario, entries


def simulate(scenario: "Scenario", entries: "list[Entry]") -> "dict[str, DropMeans]":
    """Drop means of every scheme of one cell."""
    from csisim.engine.cell import run_cell
    from csisim.records.summary import DropMeans
    from csisim.runner.work import one_thread_per_process

    means = {entry.scheme: DropMeans(scenario.drops, scenario.clock.frames, scenario.evaluation.last_frames) for entry in entries}
    with one_thread_per_process():
        run_cell(scenario, list(means), entries[0].replica, lambda scheme, _, columns: means[scheme].add(columns))
    return means


def compare(folder: Path, means: "dict[str, DropMeans]", entries: "list[Entry]") -> None:
    """Print each scheme's rate and error, and whether the record says the same."""
    from csisim.records.schema import METRICS
    from csisim.records.store import Store
    from csisim.records.summary import Moments

    rows = Store(folder).rows()
    for entry in entries:
        now = {metric: Moments.of(means[entry.scheme].values(metric)) for metric in METRICS}
        numbers = "  ".join(f"{metric} {moments.mean:.6g} +- {moments.ci95:.2g}" for metric, moments in now.items() if moments.n)
        if entry.record not in rows:
            verdict = "not on record"
        else:
            recorded = {metric: Moments.from_columns(rows[entry.record], metric) for metric in METRICS}
            differ = [metric for metric in METRICS if (recorded[metric].n, recorded[metric].mean) != (now[metric].n, now[metric].mean)]
            verdict = f"differs from the record in {', '.join(differ)}" if differ else "as on record"
        click.echo(f"  {entry.scheme} | {numbers} | {verdict}")
