"""What figures draw, read from ``results/<name>``: cells along one axis, and the slots of the base point.

Every statistic is taken over drops (of all replicas); the slots and users of one drop are correlated and only averaged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from csisim.errors import CsisimError
from csisim.records.load import load
from csisim.records.schema import axis_type, axis_value
from csisim.records.slots import read_rows
from csisim.records.store import Store
from csisim.records.summary import Moments, merge_replicas

if TYPE_CHECKING:
    import pandas as pd

    from csisim.scenario.schema import Scenario
    from csisim.scheme import SchemeConfig


def paired_ratio(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Ratio of the means of paired samples and its 95 % half-width (of the residuals ``values - ratio * reference``)."""
    mean = float(reference.mean())
    if mean == 0.0:  # offline sampling in silence earns nothing to compare with
        return float("nan"), float("nan")
    ratio = float(values.mean()) / mean
    return ratio, Moments.of(values - ratio * reference).ci95 / abs(mean)


#: What tells independent drops apart.
DROP = ["replica", "drop"]


@dataclass(frozen=True, eq=False)
class Results:
    """One results folder.

    Attributes
    ----------
    folder : Path
        ``results/<name>``.
    scenario : Scenario
        The resolved scenario: the base point with its sweep.
    cells : DataFrame
        One row per finished cell, replica and scheme.
    axes : dict
        Values of each swept axis, as its column holds them: numbers ascending, anything else in the sweep's order.
    base : dict
        Values of the swept axes at the base point (of a grid: its first cell).
    """

    folder: Path
    scenario: "Scenario"
    cells: "pd.DataFrame"
    axes: dict[str, list[Any]]
    base: dict[str, Any]

    @classmethod
    def read(cls, folder: str | Path) -> "Results":
        """Open a results folder.

        Raises
        ------
        CsisimError
            If there is no finished cell in it.
        """
        from csisim.scenario.load import load_scenario

        store = Store(folder)
        cells = load(folder)
        cells = cells[cells["status"] == "ok"]
        if cells.empty:
            raise CsisimError(f"{folder}: no finished cell to draw yet; run the scenario again to finish it")
        loaded = load_scenario(store.scenario, rules=False)
        axes, base = {}, {}
        for name in loaded.axes:
            swept = [cell.axes[name] for cell in loaded.cells]
            column = [axis_value(value, axis_type(swept)) for value in swept]
            base[name] = column[0]
            values = [value for value in dict.fromkeys(column) if is_at(cells, name, value).any()]
            axes[name] = values if any(value is None or isinstance(value, str) for value in values) else sorted(values)
        return cls(store.root, loaded.scenario, cells, axes, base)

    def schemes(self, chosen: Sequence[str] | None = None) -> list["SchemeConfig"]:
        """Configurations of the chosen schemes (all without a choice), in the order asked for.

        Raises
        ------
        CsisimError
            If a chosen scheme is not part of the results.
        """
        known = {scheme.name: scheme for scheme in self.scenario.schemes}
        unknown = [name for name in chosen or () if name not in known]
        if unknown:
            raise CsisimError(f"{self.folder}: no scheme {', '.join(unknown)}; there are {', '.join(known)}")
        return [known[name] for name in (chosen or known)]

    def values(self, axis: str) -> list[Any]:
        """Values of a swept axis that have finished cells.

        Raises
        ------
        CsisimError
            If the axis was not swept.
        """
        if axis not in self.axes:
            raise CsisimError(f"{self.folder}: {axis!r} was not swept; swept are: {', '.join(self.axes) or 'no axes'}")
        return self.axes[axis]

    def held(self, x: str | None = None) -> dict[str, Any]:
        """Values at which all axes but ``x`` (and those that a zip moves together with it) are held: the base point's."""
        sweep = self.scenario.sweep
        moving = {x, *self.axes} if x is not None and sweep is not None and sweep.zip is not None else {x}
        return {name: value for name, value in self.base.items() if name not in moving}

    def along(self, x: str | None = None) -> "pd.DataFrame":
        """Cells along axis ``x``, every other axis held; the base point's cells without an axis. One row per replica."""
        cells = self.cells
        for name, value in self.held(x).items():
            cells = cells[is_at(cells, name, value)]
        if cells.empty:
            raise CsisimError(f"{self.folder}: no finished cell at the base point")
        return cells

    def points(self, x: str | None = None) -> "pd.DataFrame":
        """:meth:`along` with the replicas' drops pooled: one row per value of ``x`` and scheme."""
        return merge_replicas(self.along(x), list(self.axes))

    def slots(self, scheme: str, columns: Sequence[str]) -> "pd.DataFrame":
        """Logged rows of one scheme at the base point; ``covers`` says how many slots a row stands for."""
        import pandas as pd

        cells = self.along()
        cells = cells[cells["scheme"] == scheme].sort_values("replica")
        wanted = ["replica", "drop", "superframe", "frame", "slot", *columns]
        parts = []
        for record, log in zip(cells["record"], cells["log"], strict=True):
            rows = read_rows(Store(self.folder).slot_file(record), wanted).to_pandas()
            parts.append(rows.assign(covers=1 if log == "slot" else self.scenario.clock.slots_per_frame))
        if not parts:
            raise CsisimError(f"{self.folder}: scheme {scheme} has no finished cell at the base point")
        return pd.concat(parts, ignore_index=True)


def is_at(cells: "pd.DataFrame", axis: str, value: Any) -> "pd.Series[bool]":
    """Which rows have this value on an axis; None is a value like any other."""
    return cells[axis].isna() if value is None else cells[axis] == value
