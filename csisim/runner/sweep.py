"""A sweep: whatever is missing is computed, whatever goes wrong is written down, and nothing that is done is done again."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csisim.errors import CsisimError
from csisim.records.atomic import write_atomic
from csisim.records.identity import MODEL_VERSION
from csisim.records.provenance import append_run, describe_run
from csisim.records.schema import definitions
from csisim.records.store import Store
from csisim.runner.effort import check_memory
from csisim.runner.plan import Plan, RunCell, make_plan
from csisim.runner.pool import Executor, InProcess, Outcome, Processes
from csisim.runner.progress import Display, Silent, Tally
from csisim.runner.work import one_thread_per_process

if TYPE_CHECKING:
    from csisim.scenario.load import Loaded


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended, in records: computed now, failed, and still missing because it was interrupted."""

    computed: int
    failed: int
    left: int
    failures: list[Outcome] = field(default_factory=list)
    interrupted: bool = False


def run_sweep(
    loaded: "Loaded",
    root: str | Path,
    jobs: int = 1,
    timeout: float | None = None,
    fresh: bool = False,
    run_cell: RunCell | None = None,
    display: Display | None = None,
    say: Callable[[str], None] | None = None,
) -> SweepResult:
    """Compute the records of a scenario that are missing in a results folder.

    Parameters
    ----------
    loaded : Loaded
        ``csisim.scenario.load.load_scenario(path)``.
    root : path
        Results folder; made if need be.
    jobs : int
        Worker processes; 1 runs in this process (in a worker process if there is a ``timeout``). A script that asks for more
        needs ``if __name__ == "__main__":`` around its body, because every worker imports it.
    timeout : float, optional
        Seconds a cell may take.
    fresh : bool
        Delete the folder's records first.
    run_cell : callable, optional
        The engine; :func:`csisim.engine.cell.run_cell` when left out.
    say : callable, optional
        Is told when weights must be trained first.

    Raises
    ------
    CsisimError
        If the folder belongs to another scenario, another run is writing into it, or so many jobs exceed the memory.
    """
    check_memory(loaded, jobs)
    store = Store(root)
    check_owner(store, loaded.scenario.name, fresh)
    loaded = _train_first(loaded, jobs, say)
    with store.writing():
        if fresh:
            store.clear()
        plan = make_plan(loaded, store.rows())
        metadata = describe(loaded)
        store.compact(plan.entries, {}, metadata)
        write_atomic(store.scenario, scenario_text(loaded))
        for failure in store.failed.glob("*.json"):  # of the run before: this one tries again
            failure.unlink(missing_ok=True)
        if not plan.units:
            return SweepResult(0, 0, 0)
        write_atomic(store.provenance, append_run(store.provenance, describe_run(jobs)))
        sweep = _Sweep(store, plan, display or Silent())
        try:
            with one_thread_per_process(), sweep.executor(jobs, timeout, run_cell) as executor:
                interrupted = sweep.run(executor)
        finally:
            failures = {(entry.cell, entry.scheme): out.status for out in sweep.failures for entry in out.unit.entries}
            store.compact(plan.entries, failures, metadata)
        tally = sweep.tally
        return SweepResult(tally.done, tally.failed, tally.total - tally.done - tally.failed, sweep.failures, interrupted)


def _train_first(loaded: "Loaded", jobs: int, say: Callable[[str], None] | None) -> "Loaded":
    """Train what the learned components of the cells lack, by the recipes or within the budgets that they declare."""
    from csisim.runner.networks import train_networks
    from csisim.training.supply import budget, missing, train_missing

    for cell in loaded.cells:
        lacking: dict[str, list[str]] = {}
        for scheme, need in missing(cell.scenario):
            lacking.setdefault(f"{scheme.name} (training for at most {budget(scheme):.0f} s)", []).append(need.component)
        if say is not None:
            for scheme, components in lacking.items():
                say(f"no weights for {', '.join(components)} of {scheme}")
        with one_thread_per_process():
            train_missing(cell.scenario)
    return train_networks(loaded, jobs, say)


class _Sweep:
    """The units of one run, from the queue to their end."""

    def __init__(self, store: Store, plan: Plan, display: Display) -> None:
        self.store, self.display = store, display
        self.queue = deque(plan.units)
        self.tally = Tally(sum(len(unit.entries) for unit in plan.units), sum(unit.cost for unit in plan.units))
        self.ended_cost = 0.0
        self.failures: list[Outcome] = []
        self.running: Executor | None = None

    @contextmanager
    def executor(self, jobs: int, timeout: float | None, run_cell: RunCell | None) -> Iterator[Executor]:
        from csisim.engine import cell

        engine = run_cell or cell.run_cell
        if jobs == 1 and timeout is None:
            executor: Executor = InProcess(self.store.root, engine, self.tick)
        else:
            executor = Processes(self.store.root, engine, min(jobs, len(self.queue)), timeout)
        self.running = executor
        try:
            yield executor
        finally:
            executor.stop()

    def run(self, executor: Executor) -> bool:
        """Work until nothing is left; True if Ctrl-C came first."""
        busy = 0
        try:
            while self.queue or busy:
                while self.queue and executor.room():
                    executor.start(self.queue.popleft())
                    busy += 1
                for outcome in executor.wait(0.2):
                    busy -= 1
                    self.end(outcome)
                self.tick()
        except KeyboardInterrupt:
            return True
        return False

    def end(self, outcome: Outcome) -> None:
        """Book a unit's end: done, once more, scheme by scheme, or failed."""
        unit = outcome.unit
        if outcome.status == "ok":
            self.tally.done += len(unit.entries)
        elif len(unit.entries) > 1:  # one scheme must not take the others with it
            self.queue.extendleft(reversed(unit.split()))
            return
        elif outcome.status == "crashed" and not unit.retried:
            self.queue.append(replace(unit, retried=True))
            return
        else:
            self.tally.failed += 1
            self.failures.append(outcome)
            self.write_down(outcome)
        self.ended_cost += unit.cost

    def write_down(self, outcome: Outcome) -> None:
        """``failed/<cell>.json``: what went wrong in the schemes of a cell, and the command that shows it again."""
        cell = outcome.unit.cell
        schemes = {
            other.unit.entries[0].scheme: {"status": other.status, "error": other.error, "traceback": other.trace}
            for other in self.failures
            if other.unit.cell == cell
        }
        entry = outcome.unit.entries[0]
        document = {
            "cell": cell,
            "axes": dict(entry.axes),
            "replica": entry.replica,
            "seed": outcome.unit.scenario.seed,
            "repro": repro_command(cell, self.store.root),
            "schemes": schemes,
        }
        write_atomic(self.store.failed / f"{cell}.json", json.dumps(document, indent=2) + "\n")

    def tick(self) -> None:
        under_way = sum(unit.cost * fraction for unit, fraction in self.running.fractions()) if self.running is not None else 0.0
        self.tally.spent = self.ended_cost + under_way
        self.display.show(self.tally)


def check_owner(store: Store, name: str, fresh: bool = False) -> None:
    """Refuse a folder that holds something else than this scenario's results.

    What makes a folder one of results is its journal or its table: a scenario file alone may be somebody's only copy. ``fresh``
    takes a folder of results whose scenario nobody can read any more.

    Raises
    ------
    CsisimError
    """
    from csisim.scenario.yaml import read

    if not store.root.is_dir() or not any(store.root.iterdir()):
        return
    if not store.journals.is_dir() and not store.cells.is_file():
        raise CsisimError(f"{store.root}: not empty and not a results folder; choose another -o DIR")
    if not store.scenario.exists():
        return
    try:
        owner = read(store.scenario).plain().get("name")
        if not isinstance(owner, str):
            raise CsisimError(f"{store.scenario}: not a scenario that csisim wrote")
    except CsisimError as error:
        if fresh:
            return
        raise CsisimError(f"{error}\n--fresh deletes the records in {store.root} and starts over") from error
    if owner != name:
        raise CsisimError(f"{store.root}: holds the results of {owner!r}, not of {name!r}; choose another -o DIR")


def scenario_text(loaded: "Loaded") -> str:
    """The resolved scenario as YAML: running it gives the same keys."""
    from csisim.scenario.yaml import dump

    return dump(loaded.scenario.document())


def describe(loaded: "Loaded") -> dict[str, Any]:
    """What the cell table says about itself."""
    scenario = loaded.scenario
    return {
        "name": scenario.name,
        "description": scenario.description,
        "seed": scenario.seed,
        "model_version": MODEL_VERSION,
        "definitions": definitions(scenario),
    }


def repro_command(cell: str, root: Path) -> str:
    """The command that runs one cell in the foreground."""
    return f"csisim repro {cell} -o {root}"


__all__ = ["SweepResult", "check_owner", "repro_command", "run_sweep"]
