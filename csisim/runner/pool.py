"""Where units run: in this process, or in one worker process per job.

Every job has a pool of one process (Pebble): when a process dies, it is plain which unit it worked on, and no other is touched.
"""

import multiprocessing
import signal
import traceback
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from csisim.errors import CsisimError
from csisim.runner.interrupts import ctrl_c_waits, end_with_the_parent, interrupted
from csisim.runner.plan import RunCell, Unit
from csisim.runner.work import run_unit

if TYPE_CHECKING:
    from csisim.scenario.schema import Scenario

Status = Literal["ok", "failed", "crashed", "timeout"]


@dataclass(frozen=True)
class Outcome:
    """How a unit ended; ``error`` is a line about what went wrong, ``trace`` the traceback if there is one."""

    unit: Unit
    status: Status
    error: str = ""
    trace: str = ""


class Executor(Protocol):
    """Runs units; what they compute goes to disk, only how they ended comes back."""

    def room(self) -> bool:
        """Can another unit be started?"""

    def start(self, unit: Unit) -> None:
        """Start a unit."""

    def wait(self, seconds: float) -> list[Outcome]:
        """Units that have ended, as soon as one has or after ``seconds``."""

    def fractions(self) -> list[tuple[Unit, float]]:
        """Running units and how far they are, 0 to 1."""

    def stop(self) -> None:
        """End what is running, at once."""


def attempt(unit: Unit, root: Path, run_cell: RunCell, progress: Callable[[float], None]) -> tuple[str, str] | None:
    """Run a unit; the error and traceback if it failed. Errors travel as text, because not every exception can be pickled."""
    try:
        run_unit(unit, root, run_cell, progress)
    except CsisimError as error:
        return str(error), traceback.format_exc()
    except Exception as error:
        if interrupted(error):
            raise KeyboardInterrupt from error
        return f"{type(error).__name__}: {error}", traceback.format_exc()
    return None


def _outcome(unit: Unit, failure: tuple[str, str] | None) -> Outcome:
    return Outcome(unit, "ok") if failure is None else Outcome(unit, "failed", *failure)


class InProcess:
    """One unit after the other in this process, for debuggers and profilers."""

    def __init__(self, root: Path, run_cell: RunCell, tick: Callable[[], None]) -> None:
        self.root, self.run_cell, self.tick = root, run_cell, tick
        self.ended: list[Outcome] = []
        self.running: list[tuple[Unit, float]] = []

    def room(self) -> bool:
        return not self.ended

    def start(self, unit: Unit) -> None:
        def progress(fraction: float) -> None:
            self.running = [(unit, fraction)]
            self.tick()

        self.ended.append(_outcome(unit, attempt(unit, self.root, self.run_cell, progress)))
        self.running = []

    def wait(self, seconds: float) -> list[Outcome]:
        ended, self.ended = self.ended, []
        return ended

    def fractions(self) -> list[tuple[Unit, float]]:
        return self.running

    def stop(self) -> None:
        self.running = []


class Processes:
    """``jobs`` worker processes, started afresh (spawn) and kept from unit to unit."""

    def __init__(self, root: Path, run_cell: RunCell, jobs: int, timeout: float | None) -> None:
        self.root, self.run_cell, self.timeout = root, run_cell, timeout
        context = multiprocessing.get_context("spawn")
        # written without a lock, one cell per worker: a worker killed while writing can block nobody
        self.shared = context.RawArray("d", jobs)
        self.workers = [_Worker(context, index, self.shared) for index in range(jobs)]

    def room(self) -> bool:
        return any(worker.unit is None for worker in self.workers)

    def start(self, unit: Unit) -> None:
        worker = next(worker for worker in self.workers if worker.unit is None)
        worker.start(unit, self.root, self.run_cell, self.timeout)

    def wait(self, seconds: float) -> list[Outcome]:
        futures = [worker.future for worker in self.workers if worker.future is not None]
        wait(futures, seconds, return_when=FIRST_COMPLETED)
        return [worker.finish() for worker in self.workers if worker.future is not None and worker.future.done()]

    def fractions(self) -> list[tuple[Unit, float]]:
        return [(worker.unit, self.shared[worker.index]) for worker in self.workers if worker.unit is not None]

    def stop(self) -> None:
        for worker in self.workers:
            worker.pool.stop()
        for worker in self.workers:
            worker.pool.join()


class _Worker:
    """One worker process and what it is doing."""

    def __init__(self, context: Any, index: int, shared: Any) -> None:
        self.context, self.index, self.shared = context, index, shared
        self.unit: Unit | None = None
        self.future: Future | None = None
        self.pool = self._new_pool()

    def _new_pool(self) -> Any:
        from pebble import ProcessPool

        return ProcessPool(max_workers=1, initializer=_begin_worker, initargs=(self.index, self.shared), context=self.context)

    def start(self, unit: Unit, root: Path, run_cell: RunCell, timeout: float | None) -> None:
        self.shared[self.index] = 0.0
        self.unit = unit
        with ctrl_c_waits():  # processes started meanwhile never hear of it: the parent decides, also while they still import
            if not self.pool.active:  # its worker died before the unit reached it; asking starts a new pool's worker
                self._replace_pool()
            if timeout is not None:  # a process that has just started must not pay for its imports
                self.pool.schedule(import_components, args=(unit.scenario,))
            self.future = self.pool.schedule(_attempt_in_worker, args=(unit, root, run_cell), timeout=timeout)

    def finish(self) -> Outcome:
        assert self.unit is not None
        assert self.future is not None
        unit, error = self.unit, self.future.exception()
        outcome = self._died(unit, error) if error is not None else _outcome(unit, self.future.result())
        self.unit = self.future = None
        return outcome

    def _died(self, unit: Unit, error: BaseException) -> Outcome:
        from pebble import ProcessExpired

        if isinstance(error, TimeoutError):
            return Outcome(unit, "timeout", "took longer than --timeout allows")
        if isinstance(error, ProcessExpired):
            code = error.exitcode
            reason = f"killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
            hint = "; too little memory?" if code == -signal.SIGKILL else ""
            return Outcome(unit, "crashed", f"the worker process died ({reason}{hint})")
        self._replace_pool()
        return Outcome(unit, "crashed", f"the worker process died ({type(error).__name__}: {error})")

    def _replace_pool(self) -> None:
        self.pool.stop()
        self.pool.join()
        self.pool = self._new_pool()


#: Where a worker process notes how far it is: its index and the shared array; set once when the process begins.
_NOTEBOOK: dict[str, Any] = {}


def _begin_worker(index: int, shared: Any) -> None:
    _NOTEBOOK.update(index=index, shared=shared)
    end_with_the_parent()


def import_components(scenario: "Scenario") -> None:
    """Import the engine, everything that a scenario names, and what both import only when they are first used."""
    import csisim.engine.cell  # noqa: F401
    from csisim.registry import component

    component("channel", scenario.channel.kind)
    for scheme in scenario.schemes:
        for room in ("estimator", "codec", "analog", "digital"):
            component(room, getattr(scheme, room).kind)
    for package in ("numba", "pandas", "scipy.linalg", "scipy.special"):
        import_module(package)


def _attempt_in_worker(unit: Unit, root: Path, run_cell: RunCell) -> tuple[str, str] | None:
    def progress(fraction: float) -> None:
        _NOTEBOOK["shared"][_NOTEBOOK["index"]] = fraction

    return attempt(unit, root, run_cell, progress)
