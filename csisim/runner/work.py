"""One unit of work, wherever it runs: simulate, write slot files, then say so in the journal."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import csisim
from csisim.records.identity import MODEL_VERSION
from csisim.records.schema import SCHEMA_VERSION, definitions
from csisim.records.slots import SlotWriter
from csisim.records.store import Entry, Row, Store, append
from csisim.records.summary import DropMeans
from csisim.runner.plan import RunCell, Unit

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@contextmanager
def one_thread_per_process() -> Iterator[None]:
    """One thread here and in processes started inside: cells are the parallelism, and sums depend on the number of threads."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        with threadpool_limits(1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run_unit(unit: Unit, root: Path, run_cell: RunCell, progress: Callable[[float], None] | None = None) -> None:
    """Compute the records of a unit and write them; on any error nothing of the unit remains.

    All schemes end together, so their slot files appear together, and after all of them their journal lines.
    """
    store = Store(root)
    records = {entry.scheme: _Record(store, unit.scenario, entry) for entry in unit.entries}

    def sink(scheme: str, superframe: int, columns: dict[str, np.ndarray]) -> None:
        records[scheme].add(columns)

    try:
        seconds = run_cell(unit.scenario, list(records), unit.replica, sink, progress)
        rows = [record.close(seconds[scheme]) for scheme, record in records.items()]
    except BaseException:
        for record in records.values():
            record.abandon()
        raise
    for row in rows:
        append(store.journals, row)


class _Record:
    """One record being made: its slot file and its statistics."""

    def __init__(self, store: Store, scenario: Any, entry: Entry) -> None:
        self.entry = entry
        self.means = DropMeans(scenario.drops, scenario.clock.frames, scenario.evaluation.last_frames)
        config = next(scheme for scheme in scenario.schemes if scheme.name == entry.scheme)
        metadata = {
            "schema_version": SCHEMA_VERSION,
            "model_version": MODEL_VERSION,
            "csisim": csisim.__version__,
            "numpy": np.__version__,
            "record": entry.record,
            "scenario": scenario.name,
            "seed": scenario.seed,
            "scheme": config.model_dump(mode="json"),
            "log": scenario.log,
            "definitions": definitions(scenario),
        }
        path = store.slot_file(entry.record)
        self.writer = SlotWriter(path, entry.cell, entry.scheme, entry.axes, entry.replica, scenario.log, metadata)

    def add(self, columns: dict[str, np.ndarray]) -> None:
        self.writer.write(columns)
        self.means.add(columns)

    def close(self, seconds: float) -> Row:
        """Complete the slot file; the record's row of the cell table."""
        row = self.entry.columns | self.means.columns() | {"log": self.writer.log, "status": "ok", "seconds": seconds}
        self.writer.close(self.means.table(), row)
        return row

    def abandon(self) -> None:
        self.writer.abandon()
