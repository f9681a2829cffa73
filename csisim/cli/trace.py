"""``csisim trace``: data sets of channels and of reports, made and looked at."""

import sys
from pathlib import Path

import click

from csisim.cli import INTERRUPTED, LazyGroup

COMMANDS = {
    "make": ("csisim.cli.trace:make", "Draw COST 2100 channels into a data set for training and scenarios."),
    "record": ("csisim.cli.trace:record", "Record what the users of a scenario's scheme report, to fit codecs to it."),
    "inspect": ("csisim.cli.trace_inspect:inspect", "Say what is in a trace file."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def trace() -> None:
    """Traces: data sets of channels, or of reports, for CSI feedback and scenarios."""


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


@click.command()
@click.argument("scenario")
@click.option("--scheme", metavar="NAME", help="Whose reports; may be left out where there is one scheme with reports.")
@click.option("--count", required=True, type=click.IntRange(min=1), help="Reports.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.npz", help="The file.")
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Set a field; it is no longer swept.")
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Of the channels (default: one that scenarios do not have).")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but errors.")
def record(scenario: str, scheme: str | None, count: int, output: Path, sets: tuple[str, ...], seed: int | None, quiet: bool) -> None:
    """Run a scheme of SCENARIO on fresh channels and write what its users report: CSI through its beams, as its codec is given it.

    The codec itself may lack whatever is made of such a file: pca takes it as its file, `csisim train codec_KIND --set
    link.images=FILE` trains a network on it. Of a sweep the first cell counts, its base point. Numbers depend on the scenario, the
    scheme and the seed; fewer reports are the first of more. Of a user eight reports of a superframe are kept at most.

    Exit status: 0 done, 2 something is wrong with the input, 130 interrupted.
    """
    from csisim.dataset.make import Progress
    from csisim.dataset.reports import of_scheme, write_reports
    from csisim.dataset.reports import record as recorded
    from csisim.feedback.sources import FITTING
    from csisim.runner.progress import display
    from csisim.scenario.load import load_scenario

    if output.suffix != ".npz":
        raise click.UsageError(f"-o {output}: the name must end in .npz")
    if not output.parent.is_dir():
        raise click.UsageError(f"-o {output}: there is no folder {output.parent}")
    alone = of_scheme(load_scenario(scenario, sets, rules=False).cells[0].scenario, scheme)
    with display(quiet) as shown:
        tally = Progress(count, count)

        def told(fraction: float) -> None:
            tally.spent = fraction * count
            shown.show(tally)

        root = FITTING if seed is None else seed
        csi = recorded(alone, count, root, told)
    write_reports(output, csi, alone, root)
    if not quiet:
        subcarriers, receive, transmit = csi.shape[1:]
        size = f"{subcarriers} subcarriers, {receive} receive and {transmit} transmit chains"
        click.echo(f"{output}: {count} reports of {alone.schemes[0].name}, {size}", err=True)
