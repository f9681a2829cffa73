"""``csisim plot``: the figures of a results folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from csisim.scenario.schema import Plot

KINDS = ("versus", "frames", "net_rate", "nmse", "signaling", "rate_vs_bits", "cdf")
SUFFIXES = (".png", ".pdf", ".svg", ".csv")


@click.command()
@click.argument("results", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(KINDS), help="One figure of this kind instead of the scenario's plots.")
@click.option("--x", help="Swept axis, by its field's last name, e.g. snr_db.")
@click.option("--y", help="Metric, e.g. sum_rate_bps_hz, net_rate_bps_hz, nmse_csi; for cdf also rate_user.")
@click.option("--schemes", help="Schemes shown, separated by commas, in this order.")
@click.option("--relative-to", metavar="SCHEME", help="frames: percent of this scheme, paired drop by drop.")
@click.option("--charge-sampling", is_flag=True, help="net_rate: charge samples taken before the superframe as silent slots.")
@click.option("--title", help="Title instead of the kind's own.")
@click.option("--columns", type=click.IntRange(1, 2), default=1, show_default=True, help="Width in journal columns: 3.5 in or 7 in.")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to FILE (.png, .pdf, .svg or .csv)."
)
def plot(results: Path, kind: str | None, columns: int, output: Path | None, **options: Any) -> None:
    """Draw the figures of the results in DIR.

    Without --kind: the plots its scenario names, as PNG, PDF and CSV in DIR/figures.
    """
    from csisim.records.figures import Results, render, render_all, write

    if kind is None:
        if output is not None or any(options.values()):
            raise click.UsageError("options of a single figure need --kind")
        written = render_all(results, columns)
    else:
        if output is not None and output.suffix not in SUFFIXES:
            raise click.UsageError(f"-o {output}: the name must end in one of {', '.join(SUFFIXES)}")
        asked = _plot(kind, **options)
        opened = Results.read(results)
        written = write(opened, render(opened, asked), output, columns)
    for path in written:
        click.echo(path)


def _plot(kind: str, schemes: str | None, **options: Any) -> "Plot":
    from pydantic import ValidationError

    from csisim.scenario.schema import Plot

    try:
        return Plot(kind=kind, schemes=schemes.split(",") if schemes else None, **options)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = (f"--{'-'.join(map(str, item['loc'][:1])).replace('_', '-')}: {item['msg']}" for item in error.errors())
        raise click.UsageError("\n".join(dict.fromkeys(problems))) from error
