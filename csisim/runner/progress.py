"""How far a sweep is: a bar on a terminal, plain lines everywhere else, always on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@dataclass
class Tally:
    """Records done, failed and to do, weighted by their expected effort.

    Attributes
    ----------
    total, done, failed : int
        Records.
    cost, spent : float
        Expected effort of all, and of what has ended or is under way.
    """

    total: int
    cost: float
    done: int = 0
    failed: int = 0
    spent: float = 0.0
    began: float = field(default_factory=time.monotonic)

    @property
    def fraction(self) -> float:
        return min(self.spent / self.cost, 1.0) if self.cost > 0 else 1.0

    @property
    def seconds_left(self) -> float | None:
        """Time to go at the pace so far; None before there is a pace."""
        elapsed = time.monotonic() - self.began
        return elapsed * (1 - self.fraction) / self.fraction if self.fraction > 0 else None

    def line(self) -> str:
        """``sweep 12/16 75% failed 0 eta 00:21``."""
        left = self.seconds_left
        eta = "--:--" if left is None else clock(left)
        return f"sweep {self.done + self.failed}/{self.total} {int(100 * self.fraction)}% failed {self.failed} eta {eta}"


class Display(Protocol):
    """Shows a tally whenever it changes."""

    def show(self, tally: Tally) -> None: ...


def clock(seconds: float) -> str:
    """Seconds as mm:ss or h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


class Silent:
    """Shows nothing."""

    def show(self, tally: Tally) -> None:
        """Do nothing."""


class Plain:
    """A line at every twentieth of the way, and every half minute in between."""

    def __init__(self) -> None:
        self.step, self.last = 0, time.monotonic()

    def show(self, tally: Tally) -> None:
        step = int(20 * tally.fraction)
        if step > self.step or time.monotonic() - self.last >= 30:
            self.step, self.last = step, time.monotonic()
            sys.stderr.write(tally.line() + "\n")
            sys.stderr.flush()


class Bar:
    """A bar that vanishes when the sweep ends."""

    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self.progress, self.task = progress, task

    def show(self, tally: Tally) -> None:
        self.progress.update(self.task, completed=tally.fraction, text=tally.line())


@contextmanager
def display(quiet: bool = False) -> Iterator[Display]:
    """The display that suits standard error."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        columns = (SpinnerColumn(), TextColumn("{task.fields[text]}"), BarColumn(bar_width=None))
        with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4) as progress:
            yield Bar(progress, progress.add_task("sweep", total=1.0, text="sweep"))
    else:
        yield Plain()
