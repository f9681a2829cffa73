"""What is to be done: the cells of a scenario, their keys, and which records are missing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from csisim.records.identity import cell_key, physics_digest, record_key
from csisim.records.store import Entry, Row

if TYPE_CHECKING:
    from csisim.scenario.load import Loaded
    from csisim.scenario.schema import Scenario

#: Slots that take as long as the analog design of a superframe, roughly (SSCA on 16 samples).
DESIGN_SLOTS = 128

#: The engine: ``csisim.engine.cell.run_cell``.
RunCell = Callable[..., dict[str, float]]


@dataclass(frozen=True)
class Unit:
    """One job: schemes of one cell and replica whose records are missing, side by side on one channel.

    Attributes
    ----------
    entries : tuple of Entry
        One per scheme.
    retried : bool
        The process that worked on it has died once already.
    """

    scenario: "Scenario"
    entries: tuple[Entry, ...]
    retried: bool = False

    @property
    def cell(self) -> str:
        return self.entries[0].cell

    @property
    def replica(self) -> int:
        return self.entries[0].replica

    @property
    def cost(self) -> float:
        """Expected effort in arbitrary units: what a slot costs a scheme grows with users and RF chains."""
        return len(self.entries) * record_cost(self.scenario)

    def split(self) -> "list[Unit]":
        """One unit for each scheme, so that one that fails does not take the others with it."""
        return [replace(self, entries=(entry,)) for entry in self.entries]


@dataclass(frozen=True)
class Plan:
    """All rows the cell table should have, and the units that are missing for it, the most expensive first."""

    entries: list[Entry]
    units: list[Unit]


def record_cost(scenario: "Scenario") -> float:
    """Effort of one scheme in one cell, in arbitrary units; a superframe's analog design weighs as much as many of its slots."""
    system = scenario.system
    designs = scenario.drops * scenario.clock.superframes
    return float(system.num_users * system.num_rf * (num_rows(scenario) + DESIGN_SLOTS * designs))


def num_rows(scenario: "Scenario", log: str = "slot") -> int:
    """Rows of one record."""
    clock = scenario.clock
    frames = scenario.drops * clock.superframes * clock.frames
    return frames if log == "frame" else frames * clock.slots_per_frame


def make_plan(loaded: "Loaded", known: Mapping[str, Row]) -> Plan:
    """Rows and missing units of a loaded scenario, given the records that are there.

    A record that several cells share (a scheme that a sweep does not touch) is computed once.
    """
    entries: list[Entry] = []
    units: list[Unit] = []
    planned: set[str] = set()
    for scenario, cell_entries in cells(loaded):
        entries += cell_entries
        missing = [entry for entry in cell_entries if entry.record not in planned and not _done(known.get(entry.record), scenario.log)]
        unique = {entry.record: entry for entry in reversed(missing)}
        planned |= unique.keys()
        if unique:
            units.append(Unit(scenario, tuple(entry for entry in missing if unique[entry.record] is entry)))
    return Plan(entries, sorted(units, key=lambda unit: -unit.cost))


def cells(loaded: "Loaded") -> "Iterator[tuple[Scenario, list[Entry]]]":
    """Every cell and replica with its entries, one per scheme, in the order of the sweep.

    Weights that a learned component will run with are named in its settings from here on, so that keys follow from them.
    """
    from csisim.training.supply import supplied

    swept_in_schemes = [axis for axis, path in loaded.axes.items() if path[0] == "schemes"]
    for point in loaded.cells:
        scheme_axes = {axis: point.axes[axis] for axis in swept_in_schemes}
        scenario = supplied(point.scenario)
        physics = physics_digest(scenario)
        for replica in range(scenario.replicas):
            key = cell_key(physics, replica, scheme_axes)
            records = {scheme.name: record_key(physics, scheme, replica) for scheme in scenario.schemes}
            yield scenario, [Entry(key, name, record, replica, point.axes) for name, record in records.items()]


def _done(row: Row | None, log: str) -> bool:
    """A slot log answers for a frame log, not the other way round."""
    return row is not None and (log == "frame" or row["log"] == "slot")
