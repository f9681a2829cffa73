"""Numbers of a table that come from the records of scenarios."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from csisim.errors import CsisimError
from csisim.papers.base import NATS, Conditions, Measured, Row, Table
from csisim.papers.statistics import mean, share
from csisim.records.schema import BITS

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

#: replicas of every cell with effort ``full``
_REPLICAS = 8


@dataclass(frozen=True)
class Of:
    """A metric of one scheme along a swept axis.

    Attributes
    ----------
    scenario : str
        Name of a file in ``scenarios/papers``.
    at : tuple of float or None
        Axis value of each column, None where there is nothing to measure; a single one serves all columns.
    axis : str
        As in the cell table, or ``frame``: the number of the frame in its superframe, counted from one.
    over : Of, optional
        The share of it in percent, drop by drop on the same channel.
    """

    scenario: str
    scheme: str
    axis: str
    at: tuple[float | None, ...]
    metric: str = "sum_rate_bps_hz"
    scale: float = 1.0
    over: "Of | None" = None

    def nats(self) -> "Of":
        """A rate in nats instead of bits."""
        return replace(self, scale=NATS)

    def share(self, of: "Of") -> "Of":
        """The share of another one in percent."""
        return replace(self, over=of)


@dataclass(frozen=True)
class ByScenario:
    """A source that runs the scenarios of its rows, as far as records are missing, and reads them."""

    rows: Mapping[str, Of] = field(default_factory=dict)

    def scenarios(self) -> list[str]:
        """Names of the scenarios, each once."""
        parts = [part for of in self.rows.values() for part in (of, of.over) if part is not None]
        return list(dict.fromkeys(part.scenario for part in parts))

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Run what is missing, then read each row."""
        roots = {scenario: _run(scenario, conditions) for scenario in self.scenarios()}
        return {row: [_value(of, i, roots) for i in range(len(of.at))] for row, of in self.rows.items()}


def _run(name: str, conditions: Conditions) -> "Path":
    from csisim.runner.effort import default_jobs
    from csisim.runner.progress import display
    from csisim.runner.sweep import run_sweep
    from csisim.scenario.load import load_scenario

    sets = (f"replicas={_REPLICAS}",) if conditions.effort == "full" else ()
    loaded = load_scenario(conditions.scenarios / f"{name}.yaml", sets)
    root = conditions.results / name
    with display(False) as shown:
        result = run_sweep(loaded, root, conditions.jobs or default_jobs(loaded), display=shown, say=conditions.told)
    _tables.cache_clear()  # what was read before may have grown
    if result.interrupted:
        raise KeyboardInterrupt
    if result.failed:
        raise CsisimError(f"{name}: {result.failed} records failed, see {root / 'failed'}: {result.failures[0].error}")
    return root


def _value(of: Of, column: int, roots: "Mapping[str, Path]") -> Measured:
    at = of.at[column if len(of.at) > 1 else 0]
    if at is None:
        return Measured(None)
    values = _drops(roots[of.scenario], of, at)
    if of.over is None:
        return mean(values, of.scale)
    against = of.over.at[column if len(of.over.at) > 1 else 0]
    if against is None:
        raise CsisimError(f"{of.scenario}: {of.scheme} at {of.axis} = {at:g} is compared with nothing")
    return share(values, _drops(roots[of.over.scenario], of.over, against))


def _drops(root: "Path", of: Of, at: float) -> np.ndarray:
    """Drop means in the order of replicas and drops, so that schemes of scenarios with the same channels are paired; counts as they are."""
    if of.metric in BITS:
        table = _tables(root, "cells")
    elif of.axis == "frame":
        table = _tables(root, "slots")
        table = (
            table.assign(frame=table["frame"] + 1).groupby(["scheme", "replica", "drop", "frame"], observed=True).mean(True).reset_index()
        )
    else:
        table = _tables(root, "drops")
    mine = table[(table["scheme"] == of.scheme) & (table[of.axis] == at)]
    if mine.empty:
        raise CsisimError(f"{root}: no record of {of.scheme} at {of.axis} = {at:g}")
    order = [name for name in ("replica", "drop") if name in mine.columns]
    return mine.sort_values(order)[of.metric].to_numpy(np.float64)


@cache
def _tables(root: "Path", what: str) -> "pd.DataFrame":
    from csisim.records.load import load

    return load(root, what, None)  # type: ignore[arg-type]


def by_scenario(title: str, columns: tuple[str, ...], *rows: tuple[Row, Of | None], note: str = "") -> Table:
    """A table whose rows are measured by scenarios, or (None) not at all."""
    return Table(title, columns, tuple(row for row, _ in rows), ByScenario({row.name: of for row, of in rows if of is not None}), note)
