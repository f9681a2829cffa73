"""Figures of a results folder: PNG, PDF and the CSV of the numbers drawn.

``csisim run`` leaves the scenario's ``plots`` behind, ``csisim plot`` makes them again or makes others.
"""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from csisim.records.atomic import replacing, write_atomic
from csisim.records.figures.data import Results
from csisim.records.figures.kinds import KINDS, Picture
from csisim.records.identity import digest, file_digest
from csisim.records.store import Store

if TYPE_CHECKING:
    from csisim.scenario.schema import Plot

#: Written last, so that pictures that were not all drawn are drawn again: which results they show, and their files.
DRAWN = Path("figures", "drawn.json")


def render_all(results_dir: str | Path, columns: int = 1) -> list[Path]:
    """Draw every plot of a results folder into its ``figures/``; the written files, in the plots' order.

    Parameters
    ----------
    results_dir : path
        ``results/<name>``.
    columns : {1, 2}
        Width in journal columns (3.5 in, 7 in).

    Raises
    ------
    CsisimError
        If there is nothing to draw yet, or a plot asks for what the results do not hold.
    """
    store = Store(results_dir)
    (marker := store.root / DRAWN).unlink(missing_ok=True)  # whatever ends this before its end leaves pictures to be drawn
    shown = _shown(store)
    results = Results.read(results_dir)
    written: list[Path] = []
    names: Counter[str] = Counter()
    for picture in (render(results, plot) for plot in plots(results)):
        names[picture.name] += 1
        number = names[picture.name]
        written += write(results, picture if number == 1 else replace(picture, name=f"{picture.name}-{number}"), columns=columns)
    write_atomic(marker, json.dumps({"of": shown, "files": [file.name for file in written]}, indent=1) + "\n")
    return written


def all_drawn(results_dir: str | Path) -> bool:
    """Whether :func:`render_all` has drawn these very results to the end, and its files are still there."""
    store = Store(results_dir)
    try:
        drawn = json.loads((store.root / DRAWN).read_text(encoding="utf-8"))
        files = [store.root / DRAWN.parent / name for name in drawn["files"]]
        return bool(drawn["of"] == _shown(store)) and all(file.is_file() for file in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _shown(store: Store) -> str:
    """What pictures are drawn from: the scenario and the table, which names the records."""
    return digest([file_digest(file) if file.is_file() else "" for file in (store.scenario, store.cells)])


def render(results: Results, plot: "Plot") -> Picture:
    """The picture a plot asks for."""
    return KINDS[plot.kind](results, plot)


def plots(results: Results) -> "list[Plot]":
    """The scenario's plots, or what every sweep deserves: each axis, the climb over frames, the signaling.

    Plots along an axis that is not swept (any more, after ``--set`` or ``--sweep``) are left out, as loading the scenario warned;
    the sum rate along the axes that took its place is shown instead.
    """
    from csisim.scenario.schema import Plot

    asked = results.scenario.plots
    drawable = [plot for plot in asked if plot.x is None or plot.x in results.axes]
    shown = {plot.x for plot in drawable}
    instead = [Plot(kind="versus", x=axis) for axis in results.axes if axis not in shown] if len(drawable) < len(asked) else []
    if drawable or instead:
        return drawable + instead
    return [Plot(kind="versus", x=axis) for axis in results.axes] + [Plot(kind="frames"), Plot(kind="signaling")]


def write(results: Results, picture: Picture, path: Path | None = None, columns: int = 1) -> list[Path]:
    """Write a picture; the written files.

    Parameters
    ----------
    results : Results
    picture : Picture
    path : Path, optional
        One file in the format its suffix names (``.csv``: the numbers). Without it: PNG, PDF and CSV in the results' ``figures/``.
    columns : {1, 2}
        Width in journal columns.
    """
    from csisim.records.figures.style import draw, save

    folder = results.folder / "figures"
    paths = [path] if path is not None else [folder / f"{picture.name}{suffix}" for suffix in (".png", ".pdf", ".csv")]
    figure = draw(picture, [scheme.name for scheme in results.scenario.schemes], columns)
    for file in paths:
        if file.suffix == ".csv":
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as temporary:
                picture.table.to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")
        else:
            save(figure, file)
    return paths


__all__ = ["KINDS", "Picture", "Results", "all_drawn", "plots", "render", "render_all", "write"]
