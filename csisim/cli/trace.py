"""``csisim trace``: data sets of channels, made and looked at."""

import sys
from pathlib import Path

import click

from csisim.cli import INTERRUPTED, LazyGroup

COMMANDS = {
    "make": ("csisim.cli.trace:make", "Draw COST 2100 channels into a data set for training and scenarios."),
    "inspect": ("csisim.cli.trace_inspect:inspect", "Say what is in a trace file."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def trace() -> None:
    """Traces: data sets of channels for CSI feedback and scenarios."""


@click.command()
@click.option("--preset", required=True, metavar="NAME|FILE.yaml", help="indoor_public, indoor_paper, outdoor_paper, or one's own file.")
@click.option("--count", required=True, type=click.IntRange(min=1), help="Drops, train, validation and test together (10 : 3 : 2).")
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the data set.")
@click.option(
    "--format", "formats", multiple=True, default=("npz",), show_default=True, type=click.Choice(("npz", "mat", "parquet")),
    help="Several: give it several times.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), help="Instead of the preset's own.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes (default: one per core); 1 draws in this process.")
@click.option("--fresh", is_flag=True, help="Delete the folder's data set first.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but errors.")
def make(preset: str, count: int, output: Path, formats: tuple, seed: int | None, jobs: int | None, fresh: bool, quiet: bool) -> None:
    """Draw COUNT drops of a COST 2100 preset, each one user in an environment of its own, and write them in every format asked for.

    \b
    npz      trace.npz, or trace-0000.npz ... of 10 000 drops: delay_angle, user_pos_xy_m, stats, ...
    mat      the CsiNet files DATA_Htrain|Hval|Htest{in,out}.mat (HT) and DATA_HtestF{in,out}_all.mat (HF_all)
    parquet  trace.parquet

    Numbers depend on preset and seed, not on workers or interruption: the same command resumes, finished drops are kept. Memory does
    not grow with COUNT. Every file holds the recipe.

    Exit status: 0 all is there, 1 a worker process died, 2 something is wrong with the input, 130 interrupted.
    """
    from csisim.dataset.make import make_trace
    from csisim.dataset.recipe import Recipe, load_preset
    from csisim.dataset.workers import WorkerDied
    from csisim.runner.effort import available_cores
    from csisim.runner.progress import display

    recipe = Recipe(load_preset(preset, seed), count)
    try:
        with display(quiet) as shown:
            made = make_trace(recipe, output, formats, jobs or available_cores(), fresh, shown)
    except WorkerDied as error:
        click.echo(f"{error}; finished drops are kept, run the same command to resume", err=True)
        sys.exit(1)
    if made.interrupted:
        click.echo(f"interrupted: {made.written} files written, finished drops kept; run the same command to resume", err=True)
        sys.exit(INTERRUPTED)
    if not quiet:
        told = f"{made.written} files written" if made.written else "nothing to do, all files are there"
        click.echo(f"{output}: {told}", err=True)
