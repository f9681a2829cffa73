"""Table IX of Hu 2021: CPU time of one precoder and of one training step."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from csisim.papers.base import Conditions, Measured, Table
from csisim.papers.precoding import Size, draw
from csisim.papers.statistics import mean
from csisim.phy.dims import PowerBudget
from csisim.registry import build, configure

#: row -> largest N_t K that is timed (parameters per user fill gigabytes beyond) and the designer
_TIMED: dict[str, tuple[int, dict[str, Any]]] = {
    "WMMSE": (2**20, {"kind": "wmmse", "iterations": 100}),
    "WMMSE-7": (2**20, {"kind": "wmmse", "iterations": 7}),
    "IAIDNN": (64 * 30, {"kind": "iaidnn", "structure": "plain", "tied": False, "weights": "untrained"}),
    "improved IAIDNN": (64 * 30, {"kind": "iaidnn", "tied": False, "weights": "untrained"}),
    "tied IAIDNN": (2**20, {"kind": "iaidnn", "weights": "untrained"}),
    "black box": (32 * 8, {"kind": "cnn", "weights": "untrained"}),
}
#: rows of training steps -> row of the network, and the largest N_t K
_STEPS = {"a step of IAIDNN": ("IAIDNN", 64 * 30), "a step of the black box": ("black box, one stage", 32 * 8)}
ROWS = (*_TIMED, *_STEPS)
RATIO = "WMMSE over IAIDNN"
_TOO_LARGE = Measured(None, None, "too many parameters to be timed in passing")


@dataclass(frozen=True)
class Times:
    """A source of CPU milliseconds for one channel and one training step; an untrained network takes as long as a trained one."""

    sizes: tuple[Size, ...]

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Every design at every size, one channel at a time, and steps of batch 10."""
        count = 20 if conditions.effort == "full" else 4
        found: dict[str, list[Measured]] = defaultdict(list)
        for size in self.sizes:
            conditions.told(f"{name} {size.label()}")
            for row, (largest, digital) in _TIMED.items():
                found[row].append(_design(digital, size, count) if size.num_tx * size.users <= largest else _TOO_LARGE)
            for row, (net, largest) in _STEPS.items():
                found[row].append(_step(net, size) if size.num_tx * size.users <= largest else _TOO_LARGE)
        found[RATIO] = [_over(*pair) for pair in zip(found["WMMSE"], found["IAIDNN"], strict=True)]
        return found


def _over(above: Measured, below: Measured) -> Measured:
    return _TOO_LARGE if above.value is None or below.value is None else Measured(above.value / below.value)


def _design(digital: dict[str, Any], size: Size, count: int) -> Measured:
    channel, designer = draw(size, count)[0], build("digital", configure("digital", digital))  # which reads its parameters once
    return _milliseconds(lambda i: designer.design(channel[i : i + 1], size.noise, PowerBudget("total", 1.0), 2), count)


def _step(row: str, size: Size, count: int = 4) -> Measured:
    from csisim.papers.hu2021_nets import Net, recipe
    from csisim.training.stepper import stepper

    task = recipe(Net(row, size, batch=10), "quick").task(0, {})
    work, batch = stepper(task, "cpu"), task.batch(np.random.default_rng(0))
    small: dict[str, float] = defaultdict(lambda: 1e-9)
    return _milliseconds(lambda _: work.step(batch, small, 1.0, np.inf), count)


def _milliseconds(run: Callable[[int], object], count: int) -> Measured:
    """CPU time of ``run(0)`` to ``run(count - 1)``, after one that does not count."""
    from csisim.runner.work import one_thread_per_process

    taken = []
    with one_thread_per_process():
        run(0)
        for i in range(count):
            began = time.process_time()
            run(i)
            taken.append(1e3 * (time.process_time() - began))
    return mean(np.asarray(taken))
