"""Numbers of a table that come from the records of scenarios."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from csisim.errors import CsisimError
from csisim.papers.base import NATS, Conditions, Measured, Row, Table
from csisim.papers.networks import loaded
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
    scheme : str
        Its name; with ``{:g}`` in it, every column has a scheme of its own, named by ``at``.
    at : tuple of float or None
        Axis value of each column, None where there is nothing to measure; a single one serves all columns.
    axis : str
        As in the cell table; ``frame``: the number of the frame in its superframe, counted from one; ``scheme``: see there.
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
    """A source that runs the scenarios of its rows, as far as records are missing, and reads them.

    Attributes
    ----------
    rows : dict
    quick : dict of dict
        Values that effort ``quick`` leaves of the axis of a scenario: ``{scenario: {axis: values}}``.
    """

    rows: Mapping[str, Of] = field(default_factory=dict)
    quick: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)

    def scenarios(self) -> list[str]:
        """Names of the scenarios, each once."""
        parts = [part for of in self.rows.values() for part in (of, of.over) if part is not None]
        return list(dict.fromkeys(part.scenario for part in parts))

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Run what is missing, then read each row."""
        kept = self.quick if conditions.effort == "quick" else {}
        roots = {scenario: _run(scenario, conditions, kept.get(scenario, {})) for scenario in self.scenarios()}
        return {row: [_value(of, i, roots, kept.get(of.scenario, {})) for i in range(len(of.at))] for row, of in self.rows.items()}


def _run(name: str, conditions: Conditions, kept: Mapping[str, tuple[float, ...]]) -> "Path":
    from csisim.runner.effort import default_jobs
    from csisim.runner.progress import display
    from csisim.runner.sweep import run_sweep

    sets = (f"replicas={_REPLICAS}",) if conditions.effort == "full" else ()
    asked = loaded(name, conditions, sets)
    if kept:
        axes = [f"{'.'.join(asked.axes[axis])}={','.join(f'{at:g}' for at in values)}" for axis, values in kept.items()]
        asked = loaded(name, conditions, sets, axes)
    root = conditions.results / name
    with display(False) as shown:
        jobs = conditions.jobs or default_jobs(asked)
        result = run_sweep(asked, root, jobs, display=shown, say=conditions.told)
    _tables.cache_clear()  # what was read before may have grown
    if result.interrupted:
        raise KeyboardInterrupt
    if result.failed:
        raise CsisimError(f"{name}: {result.failed} records failed, see {root / 'failed'}: {result.failures[0].error}")
    return root


def _value(of: Of, column: int, roots: "Mapping[str, Path]", kept: Mapping[str, tuple[float, ...]]) -> Measured:
    at = of.at[column if len(of.at) > 1 else 0]
    if at is None:
        return Measured(None)
    if at not in kept.get(of.axis, (at,)):
        return Measured(None, None, "left out by --effort quick")
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
    mine = table[table["scheme"] == of.scheme.format(at)]
    if of.axis != "scheme":
        mine = mine[mine[of.axis] == at]
    if mine.empty:
        raise CsisimError(f"{root}: no record of {of.scheme} at {of.axis} = {at:g}")
    order = [name for name in ("replica", "drop") if name in mine.columns]
    return mine.sort_values(order)[of.metric].to_numpy(np.float64)


@cache
def _tables(root: "Path", what: str) -> "pd.DataFrame":
    from csisim.records.load import load

    return load(root, what, None)  # type: ignore[arg-type]


def by_scenario(
    title: str,
    columns: tuple[str, ...],
    *rows: tuple[Row, Of | None],
    note: str = "",
    quick: Mapping[str, Mapping[str, tuple[float, ...]]] | None = None,
) -> Table:
    """A table whose rows are measured by scenarios, or (None) not at all; ``quick`` as for :class:`ByScenario`."""
    source = ByScenario({row.name: of for row, of in rows if of is not None}, quick or {})
    return Table(title, columns, tuple(row for row, _ in rows), source, note)
