"""``csisim run``: compute what is missing of a scenario, print the table, leave the pictures behind."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from csisim.cli import INTERRUPTED

if TYPE_CHECKING:
    from csisim.runner.sweep import SweepResult
    from csisim.scenario.load import Loaded

TOLD = 10  # failures that are told one by one


@click.command()
@click.argument("scenario")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes (default: what cores and memory allow), 1: this process.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Results folder (default: results/NAME).")
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Give a field a value, e.g. --set system.snr_db=5.")
@click.option("--sweep", "sweeps", multiple=True, metavar="PATH=V1,V2", help="Sweep a field instead of the file's sweep; several: a grid.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed and what it would take, and stop.")
@click.option("--fresh", is_flag=True, help="Delete the folder's records first.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give a cell up after this time.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but the table and errors.")
def run(
    scenario: str,
    jobs: int | None,
    output: Path | None,
    sets: tuple[str, ...],
    sweeps: tuple[str, ...],
    dry_run: bool,
    fresh: bool,
    timeout: float | None,
    quiet: bool,
) -> None:
    """Run SCENARIO, a file or the name of a shipped one: every cell of its sweep with every scheme, side by side on the same channel.

    Only what is missing is computed, so the same command resumes an interrupted run, and adding a scheme or a sweep value adds
    just that. The table goes to standard output, records and figures to the results folder.

    Exit status: 0 all is there, 1 some cells failed, 2 the scenario is not valid, 130 interrupted.
    """
    from csisim.cli.shipped import scenario_file
    from csisim.runner.effort import default_jobs
    from csisim.runner.progress import display
    from csisim.runner.sweep import run_sweep
    from csisim.scenario.load import load_scenario

    loaded = load_scenario(scenario_file(scenario), sets, sweeps)
    root = output or Path("results") / loaded.scenario.name
    jobs = jobs or default_jobs(loaded)
    if dry_run:
        click.echo(preview(loaded, root, jobs, fresh), nl=False)
        return
    if not quiet:
        for warning in loaded.warnings:
            click.echo(f"warning: {warning}", err=True)
    with display(quiet) as shown:
        result = run_sweep(
            loaded, root, jobs, timeout, fresh, display=shown, say=None if quiet else lambda line: click.echo(line, err=True)
        )
    from csisim.cli.show import table

    click.echo(table(root), nl=False)
    if not result.interrupted:
        draw(root, quiet)
    tell(result, root, quiet)
    if result.interrupted:
        sys.exit(INTERRUPTED)
    if result.failed:
        sys.exit(1)


def tell(result: "SweepResult", root: Path, quiet: bool) -> None:
    """What became of the run, on standard error."""
    from csisim.runner.sweep import repro_command

    for outcome in result.failures[:TOLD]:
        entry = outcome.unit.entries[0]
        where = ", ".join(f"{axis} = {value}" for axis, value in entry.axes.items())
        click.echo(f"{outcome.status}: {entry.scheme}{f' at {where}' if where else ''}: {outcome.error}", err=True)
        click.echo(f"    again in the foreground: {repro_command(entry.cell, root)}", err=True)
    if len(result.failures) > TOLD:
        click.echo(f"... and {len(result.failures) - TOLD} more in {root / 'failed'}", err=True)
    if result.interrupted:
        click.echo(f"interrupted: {result.computed} done, {result.left} left; run the same command to resume", err=True)
    elif not quiet:
        failed = f", {result.failed} failed (see {root / 'failed'})" if result.failed else ""
        computed = (
            f"{result.computed} records computed" if result.computed or result.failed else "nothing to compute, all records are there"
        )
        click.echo(f"{root}: {computed}{failed}", err=True)


def draw(root: Path, quiet: bool) -> None:
    """The scenario's pictures, if they are not there; a picture that cannot be drawn costs no record."""
    from csisim.records.figures import all_drawn, render_all

    if all_drawn(root):
        return
    try:
        written = render_all(root)
    except Exception as error:
        click.echo(f"figures: {error}\n    the records are safe; `csisim plot {root}` draws again", err=True)
        return
    except KeyboardInterrupt:
        click.echo("interrupted: the records are safe; run the same command to draw the figures", err=True)
        raise
    if written and not quiet:
        click.echo(f"{root}: {len(written)} files in {written[0].parent}", err=True)


def preview(loaded: "Loaded", root: Path, jobs: int, fresh: bool) -> str:
    """What a run would do: cells, schemes, and roughly how long and how large."""
    from csisim.records.store import Store
    from csisim.runner.effort import expected_effort
    from csisim.runner.plan import make_plan
    from csisim.runner.progress import clock
    from csisim.runner.sweep import check_owner

    store = Store(root)
    check_owner(store, loaded.scenario.name, fresh)
    known = {} if fresh else store.rows()
    plan = make_plan(loaded, known)
    effort = expected_effort(loaded, plan, known)
    missing = sum(len(unit.entries) for unit in plan.units)
    records = len({entry.record for entry in plan.entries})
    basis = "from the pace of records that are there" if effort.measured else "a guess: nothing measured here yet"
    replicas = loaded.scenario.replicas
    seconds = effort.seconds(min(jobs, max(len(plan.units), 1)))
    lines = [
        f"scenario  {loaded.scenario.name}",
        f"results   {root}",
        f"cells     {len(loaded.cells)} of {loaded.scenario.drops} drops" + (f", {replicas} replicas" if replicas > 1 else ""),
        f"schemes   {', '.join(scheme.name for scheme in loaded.scenario.schemes)}",
        f"records   {records}: {records - missing} there, {missing} to compute",
        f"estimate  {clock(seconds)} with {jobs} worker{'s' if jobs > 1 else ''}, {effort.bytes / 1e6:.1f} MB ({basis})",
    ]
    for unit in plan.units:
        axes = " ".join(f"{axis}={value}" for axis, value in unit.entries[0].axes.items())
        lines.append(f"  {unit.cell} {axes} replica={unit.replica}: {', '.join(entry.scheme for entry in unit.entries)}")
    return "\n".join(lines) + "\n"
