"""``csisim validate``: everything that is wrong with scenario files, before anything runs."""

import click

from csisim.errors import ScenarioError


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Set a field; it is no longer swept.")
@click.option(
    "--sweep", "sweeps", multiple=True, metavar="PATH=V,V", help="Sweep this instead of what the file sweeps; several make a grid."
)
def validate(files: tuple[str, ...], sets: tuple[str, ...], sweeps: tuple[str, ...]) -> None:
    """Check scenario FILEs, or shipped ones by their names: fields, kinds, and what they mean together."""
    from csisim.cli.shipped import scenario_file
    from csisim.scenario.load import load_scenario

    failed = False
    for name in files:
        try:
            file = scenario_file(name)
            loaded = load_scenario(file, sets, sweeps)
        except ScenarioError as error:
            failed = True
            click.echo(str(error), err=True)
            continue
        for warning in loaded.warnings:
            click.echo(f"warning: {warning}", err=True)
        replicas = f" x {loaded.scenario.replicas} replicas" if loaded.scenario.replicas > 1 else ""
        cells = f"{len(loaded.cells)} cell{'s' if len(loaded.cells) > 1 else ''}"
        schemes = f"{len(loaded.scenario.schemes)} scheme{'s' if len(loaded.scenario.schemes) > 1 else ''}"
        click.echo(f"{file}: OK, {cells} x {schemes}{replicas}")
    if failed:
        click.get_current_context().exit(2)
