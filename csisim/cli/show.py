"""``csisim show``: the table of a results folder."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.argument("results", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The rows as a JSON list, one per cell and scheme; null is no value.")
@click.option("--reference", metavar="SCHEME", help="Add every scheme's difference to this one, paired drop by drop.")
def show(results: Path, as_json: bool, reference: str | None) -> None:
    """Show the table of RESULTS, a results folder such as results/quickstart."""
    from csisim.records.load import load

    if as_json:
        rows = load(results) if reference is None else differences(results, reference)
        click.echo(to_json(rows))
        return
    click.echo(table(results, reference), nl=False)


def table(results: Path, reference: str | None = None) -> str:
    """The cell table as text, replicas pooled; with the paired differences to a reference scheme underneath."""
    from csisim.records.load import load
    from csisim.records.summary import merge_replicas
    from csisim.records.table import cells_table, paired_table

    cells = load(results)
    axes = cells.attrs["axes"]
    text = cells_table(merge_replicas(cells, axes))
    if reference is not None:
        text += paired_table(differences(results, reference), axes, reference)
    return text


def differences(results: Path, reference: str) -> "pd.DataFrame":
    """Paired differences to a reference scheme.

    Raises
    ------
    CsisimError
        If the results have no such scheme.
    """
    from csisim.errors import CsisimError
    from csisim.records.load import load
    from csisim.records.summary import paired_differences

    drops = load(results, "drops")
    known = list(dict.fromkeys(drops["scheme"]))
    if reference not in known:
        raise CsisimError(f"--reference {reference}: no such scheme in {results}; there are {', '.join(known)}")
    return paired_differences(drops, drops.attrs["axes"], reference)


def to_json(rows: "pd.DataFrame") -> str:
    """Rows as a JSON list of objects, NaN as null."""
    from csisim.records.table import missing

    records = rows.to_dict("records")
    return json.dumps([{name: None if missing(value) else value for name, value in row.items()} for row in records], indent=1)
