"""Figures of a results folder: PNG, PDF and the CSV of the numbers drawn.

``csisim run`` leaves the scenario's ``plots`` behind, ``csisim plot`` makes them again or makes others.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from csisim.records.figures.data import Results
from csisim.records.figures.kinds import KINDS, Picture

if TYPE_CHECKING:
    from csisim.scenario.schema import Plot


def render_all(results_dir: str | Path) -> list[Path]:
    """Draw every plot of a results folder into its ``figures/``; the written files, in the plots' order.

    Raises
    ------
    CsisimError
        If there is nothing to draw yet, or a plot asks for what the results do not hold.
    """
    results = Results.read(results_dir)
    folder = results.folder / "figures"
    written: list[Path] = []
    for plot in plots(results):
        picture = KINDS[plot.kind](results, plot)
        stem = folder / picture.name
        written += write(results, picture, [stem.parent / f"{stem.name}{suffix}" for suffix in (".png", ".pdf", ".csv")])
    return written


def render(results: Results, plot: "Plot") -> Picture:
    """The picture a plot asks for."""
    return KINDS[plot.kind](results, plot)


def plots(results: Results) -> "list[Plot]":
    """The scenario's plots, or what every sweep deserves: each axis, the climb over frames, the signaling."""
    from csisim.scenario.schema import Plot

    if results.scenario.plots:
        return list(results.scenario.plots)
    return [Plot(kind="versus", x=axis) for axis in results.axes] + [Plot(kind="frames"), Plot(kind="signaling")]


def write(results: Results, picture: Picture, paths: list[Path], columns: int = 1) -> list[Path]:
    """Write a picture to files, each in the format its suffix names (``.csv``: the numbers).

    Parameters
    ----------
    columns : {1, 2}
        Width in journal columns.
    """
    from csisim.records.figures.style import draw, save

    figure = draw(picture, [scheme.name for scheme in results.scenario.schemes], columns)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            picture.table.to_csv(path, index=False, float_format="%.9g", lineterminator="\n")
        else:
            save(figure, path)
    return paths


__all__ = ["KINDS", "Picture", "Results", "plots", "render", "render_all", "write"]
