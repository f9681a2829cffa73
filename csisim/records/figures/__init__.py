"""Figures of a results folder: PNG, PDF and the CSV of the numbers drawn.

``csisim run`` leaves the scenario's ``plots`` behind, ``csisim plot`` makes them again or makes others.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from csisim.records.figures.data import Results
from csisim.records.figures.kinds import KINDS, Picture

if TYPE_CHECKING:
    from csisim.scenario.schema import Plot


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
    results = Results.read(results_dir)
    written: list[Path] = []
    names: Counter[str] = Counter()
    for picture in (render(results, plot) for plot in plots(results)):
        names[picture.name] += 1
        number = names[picture.name]
        written += write(results, picture if number == 1 else replace(picture, name=f"{picture.name}-{number}"), columns=columns)
    return written


def render(results: Results, plot: "Plot") -> Picture:
    """The picture a plot asks for."""
    return KINDS[plot.kind](results, plot)


def plots(results: Results) -> "list[Plot]":
    """The scenario's plots, or what every sweep deserves: each axis, the climb over frames, the signaling.

    Plots along an axis that is not swept (any more, after ``--set`` or ``--sweep``) are left out; loading the scenario warned of them.
    """
    from csisim.scenario.schema import Plot

    drawable = [plot for plot in results.scenario.plots if plot.x is None or plot.x in results.axes]
    if drawable:
        return drawable
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
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    figure = draw(picture, [scheme.name for scheme in results.scenario.schemes], columns)
    for file in paths:
        if file.suffix == ".csv":
            picture.table.to_csv(file, index=False, float_format="%.9g", lineterminator="\n")
        else:
            save(figure, file)
    return paths


__all__ = ["KINDS", "Picture", "Results", "plots", "render", "render_all", "write"]
