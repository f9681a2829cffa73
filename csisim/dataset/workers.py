"""Blocks made in this process, or by worker processes side by side; the numbers are the same."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from csisim.channel.cost2100.presets import Preset, generate
from csisim.dataset.blocks import Block, make_block
from csisim.runner.interrupts import ctrl_c_waits, end_with_the_parent, interrupted
from csisim.runner.work import one_thread_per_process


class WorkerDied(Exception):
    """A worker process ended before its block was finished."""


@contextmanager
def making(blocks: Sequence[Block], config: Preset, folder: Path, jobs: int) -> Iterator[Iterator[Block]]:
    """Make blocks in ``folder``; gives an iterator over them in the order in which they end.

    Raises
    ------
    WorkerDied
        If a worker process was killed.
    """
    jobs = min(jobs, len(blocks))
    with one_thread_per_process():
        if jobs > 1:
            with _processes(blocks, config, folder, jobs) as ended:
                yield ended
        else:
            yield _in_process(blocks, config, folder)


def _in_process(blocks: Sequence[Block], config: Preset, folder: Path) -> Iterator[Block]:
    for block in blocks:
        try:
            make_block(block, config, folder)
        except SystemError as error:
            if interrupted(error):
                raise KeyboardInterrupt from error
            raise
        yield block


@contextmanager
def _processes(blocks: Sequence[Block], config: Preset, folder: Path, jobs: int) -> Iterator[Iterator[Block]]:
    from pebble import ProcessPool

    generate(config, 1)  # kernels compile here once, not in every worker
    pool = ProcessPool(max_workers=jobs, initializer=end_with_the_parent, context=multiprocessing.get_context("spawn"))
    try:
        with ctrl_c_waits():  # workers that start meanwhile never hear of it, not even while they still import
            futures = {pool.schedule(make_block, args=(block, config, folder)): block for block in blocks}
        yield _ended(futures)
    finally:
        pool.stop()
        pool.join()


def _ended(futures: dict) -> Iterator[Block]:
    from pebble import ProcessExpired

    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            try:
                future.result()
            except ProcessExpired as error:
                hint = "; too little memory?" if error.exitcode == -signal.SIGKILL else ""
                raise WorkerDied(f"a worker process died (exit status {error.exitcode}{hint})") from error
            except BrokenExecutor as error:  # all of them, between two blocks
                raise WorkerDied("the worker processes died (too little memory?)") from error
            yield futures[future]
