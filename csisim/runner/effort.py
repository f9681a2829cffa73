"""What a run will take, roughly, said before it begins."""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from csisim.errors import CsisimError
from csisim.records.store import Row
from csisim.runner.plan import Plan, cells, num_rows, record_cost
from csisim.scenario.memory import physical_memory, readable, working_set

if TYPE_CHECKING:
    from csisim.scenario.load import Loaded
    from csisim.scenario.schema import Scenario

#: CPU seconds per unit of :func:`csisim.runner.plan.record_cost` where nothing has been measured yet: RLS and SSCA, 64 x 16.
SECONDS_PER_COST = 8e-6

#: Seconds that every run takes beside its records: imports, the start of its workers, compiled kernels read back, pictures.
START_UP_S = 8.0


@dataclass(frozen=True)
class Effort:
    """CPU seconds and bytes of the records that are missing; ``measured`` if earlier records of this folder calibrated them."""

    cpu_seconds: float
    bytes: float
    measured: bool

    def seconds(self, jobs: int) -> float:
        """Seconds until ``jobs`` workers, as far as there are cores for them, are done."""
        return START_UP_S + self.cpu_seconds / min(jobs, available_cores()) if self.cpu_seconds else 0.0


def available_cores() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def default_jobs(loaded: "Loaded") -> int:
    """One worker per core, as far as there is memory for the largest cells side by side."""
    cores, present, sizes = available_cores(), physical_memory(), _largest_cells(loaded)
    fitting = [jobs for jobs in range(1, cores + 1) if present is None or sum(sizes[:jobs]) <= present]
    return max(fitting, default=1)


def check_memory(loaded: "Loaded", jobs: int) -> None:
    """Refuse more workers than there is memory for; that one fits was checked when the scenario was loaded.

    Raises
    ------
    CsisimError
    """
    needed, present = sum(_largest_cells(loaded)[:jobs]), physical_memory()
    if jobs > 1 and present is not None and needed > present:
        message = f"{jobs} workers need about {readable(needed)} and this machine has {readable(present)}"
        raise CsisimError(f"{message} (-j {default_jobs(loaded)})")


def _largest_cells(loaded: "Loaded") -> list[int]:
    """Bytes of every cell, the largest first."""
    return sorted((working_set(cell.scenario) for cell in loaded.cells for _ in range(cell.scenario.replicas)), reverse=True)


def expected_effort(loaded: "Loaded", plan: Plan, known: Mapping[str, Row]) -> Effort:
    """Effort of a plan: each scheme at the pace of its records that are there, else of the others, else at a built-in pace."""
    paces: dict[str, list[float]] = defaultdict(list)
    for scenario, entries in cells(loaded):
        for entry in entries:
            if (row := known.get(entry.record)) is not None:
                paces[entry.scheme].append(row["seconds"] / record_cost(scenario))
    everything = [pace for measured in paces.values() for pace in measured]
    default = median(everything) if everything else SECONDS_PER_COST
    seconds = size = 0.0
    for unit in plan.units:
        for entry in unit.entries:
            seconds += record_cost(unit.scenario) * (median(paces[entry.scheme]) if paces[entry.scheme] else default)
            size += record_bytes(unit.scenario)
    return Effort(seconds, size, bool(everything))


def record_bytes(scenario: "Scenario") -> float:
    """Size of one slot file, roughly: a footer, and for every row four bytes per rate and metric."""
    return 12e3 + num_rows(scenario, scenario.log) * (10 + 4 * scenario.system.num_users)
