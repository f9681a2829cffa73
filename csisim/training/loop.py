"""Training: steps of Adam until the schedule, the budget or the patience ends, and the best iterate as the result.

The data of step t come from a stream named by the seed and t, so an interrupted training resumes from its checkpoint exactly where
it would have been.
"""

import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from csisim.errors import CsisimError
from csisim.random import stream
from csisim.training.base import Parameters, Progress, Report, Schedule, Task, Trained, part, prefixed
from csisim.training.stepper import Stepper, stepper

#: Root of training data: seeds of scenarios are far from seeds of trainings.
TRAINING, VALIDATION = 2**62, 2**62 + 2**61
_FINAL = 0.01  # of the learning rate, at the end of the cosine
_EXPLODING = 100.0  # times the typical norm of the gradient
_SAVE_EVERY_S = 30.0  # so much at most is lost when the process is killed


@dataclass
class _State:
    """What a training knows beside its parameters."""

    step: int = 0
    seconds: float = 0.0
    ready: float = 0.0  # seconds before the first step
    untrained: float = -math.inf
    best: float = -math.inf
    skipped: int = 0
    stale: int = 0  # validations since the best
    typical: float = 0.0  # typical norm of the gradient, 0 for not known yet
    history: list[list[float]] = field(default_factory=list)


def train(
    task: Task,
    schedule: Schedule,
    *,
    device: str = "cpu",
    budget_s: float | None = None,
    checkpoint: str | Path | None = None,
    report: Report | None = None,
) -> Trained:
    """Train a task.

    Parameters
    ----------
    task : Task
    schedule : Schedule
    device : {"cpu", "cuda"}
        For tasks that torch differentiates.
    budget_s : float, optional
        Wall-clock seconds, setting up for the first time included; what is left of them after that bounds the learning rate's warm-up
        and cosine as the steps do, whichever ends first.
    checkpoint : path, optional
        Written at every validation, every 30 s, and when Ctrl-C or SIGTERM ends training after the step in progress (a second one
        does so at once); if it is there, training goes on from it. Deleted when training ends.
    report : callable, optional
        Is told the progress after every validation.

    Returns
    -------
    Trained
        The best iterate by the validation score; the untrained network if nothing was better.

    Raises
    ------
    CsisimError
        If a learning rate is for no parameter of the task.
    """
    began = time.perf_counter()
    work: Stepper = stepper(task, device)
    state, best = _State(), work.parameters()
    _check_rates(schedule, best)
    place = Path(checkpoint) if checkpoint is not None else None
    resumed = None if place is None else _resume(place, schedule, work)
    if resumed is not None:
        state, best = resumed
        began = time.perf_counter() - state.seconds  # a second set-up is no training: the learning rate goes on where it was
    else:
        state.untrained = state.best = float(task.score(best))
        if not math.isfinite(state.untrained):
            raise CsisimError("the untrained network has no finite score: nothing to improve on")
        state.history.append([0, state.untrained])
        state.ready = time.perf_counter() - began
    state.seconds = time.perf_counter() - began

    def save() -> None:
        if place is not None:
            _save(place, schedule, work, state, best)

    saved = time.perf_counter()
    while _goes_on(schedule, state, budget_s):
        due = (state.step + 1) % schedule.validate_every == 0 or state.step + 1 == schedule.steps
        with nullcontext() if place is None else _whole(save):
            _step(task, work, schedule, state, budget_s)
            if due:
                best = _validate(task, work, state, best)
            state.seconds = time.perf_counter() - began
            if due or time.perf_counter() - saved >= _SAVE_EVERY_S:
                save()
                saved = time.perf_counter()
                state.seconds = saved - began
        if due and report is not None:
            report(Progress(state.step, schedule.steps, state.seconds, state.untrained, state.history[-1][1], state.best, state.skipped))
    if state.history[-1][0] != state.step:  # the budget ended between two validations
        best = _validate(task, work, state, best)
    if place is not None:
        place.unlink(missing_ok=True)
    history = [(int(step), score) for step, score in state.history]
    return Trained(best, state.untrained, state.best, state.step, state.skipped, state.seconds, history)


@contextmanager
def _whole(save: Callable[[], None]) -> Iterator[None]:
    """A block that the first Ctrl-C or SIGTERM does not cut short: it is heard at the end, after ``save``; a second one at once."""
    heard: list[signal.Signals] = []
    before: dict[signal.Signals, Any] = {}

    def note(number: Any, frame: Any) -> None:
        heard.append(number)
        signal.signal(number, before[number])

    if threading.current_thread() is threading.main_thread():  # no other hears signals
        for number in (signal.SIGINT, signal.SIGTERM):
            if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None):
                before[number] = handler
                signal.signal(number, note)
    whole = False
    try:
        yield
        whole = True
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if heard and whole:
            save()
        for number in heard:
            signal.raise_signal(number)


def _goes_on(schedule: Schedule, state: _State, budget_s: float | None) -> bool:
    """Whether steps, budget and patience are left."""
    patient = schedule.patience is None or state.stale < schedule.patience
    return state.step < schedule.steps and patient and (budget_s is None or state.seconds < budget_s)


def _step(task: Task, work: Stepper, schedule: Schedule, state: _State, budget_s: float | None) -> None:
    reached: float = state.step
    if budget_s is not None:  # as many steps as the clock has gone through
        reached = min(schedule.steps, max(reached, schedule.steps * (state.seconds - state.ready) / (budget_s - state.ready)))
    factor = _FINAL + (1 - _FINAL) * 0.5 * (1 + math.cos(math.pi * (reached / schedule.steps)))
    factor *= min(1.0, (reached + 1) / (schedule.warm_up + 1))
    rates = _Rates(schedule, factor)
    limit = _EXPLODING * state.typical if state.typical > 0.0 else math.inf
    rng = stream(TRAINING + schedule.seed, 0, "training.batch", state.step)
    norm, taken = work.step(task.batch(rng), rates, schedule.clip, limit)
    if not taken:
        state.skipped += 1
    elif norm > 0.0:
        state.typical = norm if state.typical == 0.0 else 0.9 * state.typical + 0.1 * norm
    state.step += 1


def _check_rates(schedule: Schedule, parameters: Parameters) -> None:
    for key in schedule.rates:
        if not any(name == key or name.startswith(f"{key}/") for name in parameters):
            parts = sorted({name.split("/")[0] for name in parameters})
            raise CsisimError(f"rates: {key!r} is no parameter and no beginning of one; parameters begin with {', '.join(parts)}")


class _Rates(dict[str, float]):
    """Learning rate of every parameter, by its name or the longest beginning of it (``encoder`` for ``encoder/fc/weight``)."""

    def __init__(self, schedule: Schedule, factor: float) -> None:
        super().__init__({name: rate * factor for name, rate in schedule.rates.items()})
        self.default = schedule.learning_rate * factor

    def __missing__(self, name: str) -> float:
        beginning, _, _ = name.rpartition("/")
        return self[beginning] if beginning else self.default


def _validate(task: Task, work: Stepper, state: _State, best: Parameters) -> Parameters:
    parameters = work.parameters()
    score = float(task.score(parameters))
    state.history.append([state.step, score])
    if score > state.best:  # never true for NaN
        state.best, state.stale = score, 0
        return parameters
    state.stale += 1
    return best


def _save(place: Path, schedule: Schedule, work: Stepper, state: _State, best: Parameters) -> None:
    from safetensors.numpy import save

    arrays = prefixed("now", work.parameters()) | prefixed("memory", work.memory()) | prefixed("best", best)
    told = {"schedule": schedule.model_dump_json(), "state": json.dumps(vars(state))}
    write_whole(place, save({name: np.ascontiguousarray(value) for name, value in arrays.items()}, metadata=told))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one piece, also where another process that trains the same is done and removes the folder meanwhile."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    for again in (True, False):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_bytes(content)
            os.replace(unfinished, path)
            return
        except FileNotFoundError:
            if not again:
                raise


def _resume(place: Path, schedule: Schedule, work: Stepper) -> tuple[_State, Parameters] | None:
    """Where a checkpoint has left off; None if there is none, or none any more because another process has ended the same training."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(place), framework="numpy") as file:
            told, arrays = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if told["schedule"] != schedule.model_dump_json():
            raise CsisimError(f"{place}: a checkpoint of another schedule; delete it to begin anew")
        state = _State(**json.loads(told["state"]))
        work.restore(part("now", arrays), part("memory", arrays))
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CsisimError(f"{place}: a damaged checkpoint; delete it to begin anew ({error})") from error
    return state, part("best", arrays)
