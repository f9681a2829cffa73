"""``csisim ls``: what there is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import click

Lines = Iterator[tuple[str, str]]


@click.command()
@click.argument("what", type=click.Choice(["rooms", "kinds", "scenarios", "results"]), default="kinds")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
def ls(what: str, folder: Path | None) -> None:
    """List rooms, the kinds of components, scenario files, or results (in FOLDER instead of the usual place)."""
    listings: dict[str, Callable[[Path | None], Lines]] = {"rooms": rooms, "kinds": kinds, "scenarios": scenarios, "results": results}
    lines = list(listings[what](folder))
    width = max((len(name) for name, _ in lines), default=0)
    for name, text in lines:
        click.echo(f"{name:<{width}}  {text}".rstrip())


def rooms(_: Path | None) -> Lines:
    """Every room with its number of kinds."""
    from csisim.registry import TABLE
    from csisim.registry import kinds as known

    for room in TABLE:
        yield room, f"{len(known(room))} kinds"


def kinds(_: Path | None) -> Lines:
    """Every kind with its line; nothing is imported for that."""
    from csisim.registry import TABLE
    from csisim.registry import kinds as known

    for room in TABLE:
        for kind, (_address, line) in known(room).items():
            yield f"{room}/{kind}", line


def scenarios(folder: Path | None) -> Lines:
    """Scenario files with the question in their first line: those in ./scenarios and those that come with csisim."""
    from csisim.cli.shipped import shipped

    here, ours = Path("scenarios"), shipped()
    usual = [here, *([] if here.is_dir() and here.samefile(ours) else [ours])]
    for file in (file for place in ([folder] if folder else usual) for file in sorted(place.rglob("*.yaml")) if file.is_file()):
        with file.open(encoding="utf-8", errors="replace") as text:
            first = text.readline(500)
        yield str(file), first.lstrip("# ").rstrip() if first.startswith("#") else ""


def results(folder: Path | None) -> Lines:
    """Folders of results and whether their table is there."""
    for scenario in sorted((folder or Path("results")).glob("*/scenario.yaml")):
        done = (scenario.parent / "cells.parquet").exists()
        yield str(scenario.parent), "" if done else "not finished"
