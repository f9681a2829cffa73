"""Ctrl-C: the parent process alone hears it, and it is heard in the middle of compiled code too."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


def interrupted(error: BaseException | None) -> bool:
    """Whether it was Ctrl-C, which compiled code that it hits hands on as the cause of a SystemError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Ctrl-C arrives at the end of this block; processes and threads that are started in it inherit being deaf to it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start, with the first worker, would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_the_parent() -> None:
    """First thing in a worker: die when told to, a training after its step, and with the parent (Pebble has it ignore Ctrl-C)."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # also in the middle of compiled code; unfinished files are swept up
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
