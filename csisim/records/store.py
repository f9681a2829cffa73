"""A folder of results: what is done, written so that a kill at any instruction loses nothing that was finished.

A record is done when its slot file is in place and a line about it is in a journal (or, later, a row in ``cells.parquet``). The
file comes first, then the line, in one write. Every process has its own journal; at the start and end of a run they are folded
into ``cells.parquet``, which holds the present scenario and nothing else. What earlier versions of the scenario left stays in
``journal/earlier.jsonl``, so that going back costs nothing.
"""

import json
import os
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from csisim.errors import CsisimError
from csisim.records.atomic import replacing, write_atomic
from csisim.records.schema import SCHEMA_VERSION, axis_type, axis_value, cell_schema, fits
from csisim.records.slots import holds_record, nulls, table_row

try:
    import fcntl
except ImportError:  # Windows: no advisory locks, one run per folder is up to the user
    fcntl = None  # type: ignore[assignment]

EARLIER = "earlier.jsonl"
_PROCESS = uuid.uuid4().hex[:8]  # process numbers come back, this one does not
_LINE = cell_schema({})
Row = dict[str, Any]


class DamagedTable(CsisimError):
    """``cells.parquet`` cannot be read."""


@dataclass(frozen=True)
class Entry:
    """One row the cell table should have: a scheme in a cell, and the record that holds its numbers."""

    cell: str
    scheme: str
    record: str
    replica: int
    axes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> Row:
        return {"cell": self.cell, "scheme": self.scheme, "record": self.record, "replica": self.replica, **self.axes}


def append(journals: Path, row: Row) -> None:
    """Add one finished record to this process's own journal, in one write.

    Raises
    ------
    OSError
        If the line could not be written whole (a full disk).
    """
    path = journals / f"{socket.gethostname()}-{os.getpid()}-{_PROCESS}.jsonl"
    # the line break in front separates it from a line that an earlier full disk cut short
    line = ("\n" + json.dumps(nulls(row), sort_keys=True, allow_nan=False) + "\n").encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(f"{path}: the line of record {row['record']} was cut short; is the disk full?")
    finally:
        os.close(descriptor)


class Store:
    """The files of one results folder."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.slots = self.root / "slots"
        self.journals = self.root / "journal"
        self.failed = self.root / "failed"
        self.cells = self.root / "cells.parquet"
        self.scenario = self.root / "scenario.yaml"
        self.provenance = self.root / "provenance.json"

    def slot_file(self, record: str) -> Path:
        return self.slots / f"{record}.parquet"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for one run, and sweep up what killed processes left half-written.

        Raises
        ------
        CsisimError
            If another run is writing into the folder.
        """
        for folder in (self.slots, self.journals, self.failed):
            folder.mkdir(parents=True, exist_ok=True)
        with open(self.journals / ".lock", "a+") as lock:
            if fcntl is not None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise CsisimError(f"{self.root}: another csisim run is writing here; wait for it or choose another -o DIR") from error
            self._sweep_up()
            try:
                yield
            finally:
                self._sweep_up()

    def _sweep_up(self) -> None:
        for folder in (self.root, self.slots, self.journals, self.failed):
            for leftover in folder.glob("*.tmp"):
                leftover.unlink(missing_ok=True)

    def rows(self) -> dict[str, Row]:
        """Every record whose numbers are here, by key: of the present scenario and of its earlier versions."""
        rows: dict[str, Row] = {}
        journaled = (*self._journaled(self._journal_files()), *self._journaled([self.journals / EARLIER]))
        for row in (*filter(_is_line, self._compacted()), *journaled):
            known = rows.get(row["record"])
            finer = known is not None and known["log"] == "frame" and row["log"] == "slot"
            if (known is None or finer) and holds_record(self.slot_file(row["record"])):
                rows[row["record"]] = row
        return rows

    def _compacted(self) -> list[Row]:
        """What the cell table says of finished records; in the place of one that is damaged or not there, what their slot files say."""
        if not self.cells.exists():
            return self._told()
        try:
            return self._table().to_pylist()
        except DamagedTable:
            if told := self._told():
                return told
            raise  # who knows whose it is

    def _told(self) -> list[Row]:
        """What slot files say of themselves."""
        return [row for file in sorted(self.slots.glob("*.parquet")) if isinstance(row := table_row(file), dict)]

    def _table(self) -> pa.Table:
        """``cells.parquet``, its metadata and columns checked.

        Raises
        ------
        CsisimError
            If it is something else.
        """
        wrong = f"{self.cells}: not a table that csisim wrote"
        try:
            with open(self.cells, "rb") as opened, pq.ParquetFile(opened) as file:
                table = file.read()
        except FileNotFoundError as error:
            raise CsisimError(f"{self.root}: no results here (cells.parquet is missing); `csisim run` makes them") from error
        except IsADirectoryError as error:
            raise CsisimError(f"{wrong} (a folder); remove it") from error
        except (OSError, pa.ArrowException) as error:
            if isinstance(error, OSError) and error.errno is not None:  # the system's refusal says nothing about the table
                raise CsisimError(f"{self.cells}: cannot be read ({error.strerror})") from error
            again = "`csisim run` makes it again from whole records, " if self._told() else ""
            raise DamagedTable(f"{wrong} ({error}); {again}`csisim run --fresh` starts over") from error
        try:
            about = json.loads((table.schema.metadata or {}).get(b"csisim", b"null"))
            if not isinstance(about, dict) or not isinstance(about.get("name"), str):
                raise ValueError("it does not say what it holds")
            expected = cell_schema({axis: table.schema.field(axis).type for axis in about["axes"]})
            strange = [field.name for field in expected if field.name in table.schema.names and table.schema.field(field.name) != field]
            strange += [field.name for field in expected if field.name not in table.schema.names and not field.nullable]
            if strange:
                raise ValueError(f"column {strange[0]}")
        except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
            raise CsisimError(f"{wrong} ({error}); `csisim run --fresh` starts over") from error
        return table

    def _journal_files(self) -> list[Path]:
        return sorted(path for path in self.journals.glob("*.jsonl") if path.name != EARLIER)

    @staticmethod
    def _journaled(paths: Iterable[Path]) -> Iterator[Row]:
        for path in paths:
            with suppress(FileNotFoundError):
                for line in path.read_bytes().splitlines():
                    with suppress(ValueError, RecursionError):  # a line torn by a kill: its record is computed again
                        row = json.loads(line)
                        if isinstance(row, dict) and _is_line(row):
                            yield row

    def current(self) -> tuple[pa.Table, Row]:
        """The cell table with the lines of a run that has not folded its journals yet, and what it says about itself.

        Raises
        ------
        CsisimError
            If there are no results, or the table is something else.
        """
        table = self._table()
        about = json.loads(table.schema.metadata[b"csisim"])
        types = {axis: table.schema.field(axis).type for axis in about["axes"]}
        rows = table.to_pylist()
        seen = {(row["cell"], row["scheme"]) for row in rows if row["status"] == "ok"}
        fresh = []
        for line in self._journaled(self._journal_files()):
            with suppress(ValueError, TypeError):  # a value that is none of this axis
                row = line | {axis: axis_value(line.get(axis), type_) for axis, type_ in types.items()}
                if (row["cell"], row["scheme"]) not in seen and fits(row, table.schema):
                    fresh.append(row)
        replaced = {(row["cell"], row["scheme"]) for row in fresh}
        shown = [row for row in rows if (row["cell"], row["scheme"]) not in replaced] + fresh
        numbers = [_numbers(row, table.schema) for row in shown]
        return pa.Table.from_pylist(numbers, schema=table.schema), about

    def compact(self, entries: Sequence[Entry], failures: Mapping[tuple[str, str], str], metadata: Mapping[str, Any]) -> None:
        """Fold everything into ``cells.parquet``: one row per entry that is done or has failed.

        ``failures`` maps (cell, scheme) to a status. Each step leaves every finished record in at least one file.
        """
        journals = self._journal_files()
        rows = self.rows()
        current = {entry.record for entry in entries}
        self._keep_earlier({key: row for key, row in rows.items() if key not in current})
        axes = list(dict.fromkeys(name for entry in entries for name in entry.axes))
        types = {name: axis_type(entry.axes.get(name) for entry in entries) for name in axes}
        schema = cell_schema(types).with_metadata({"csisim": json.dumps({"schema_version": SCHEMA_VERSION, "axes": axes, **metadata})})
        table = []
        for entry in entries:
            status = "ok" if entry.record in rows else failures.get((entry.cell, entry.scheme))
            if status is not None:
                numbers = rows.get(entry.record, {"n": 0, "status": status})
                typed = {name: axis_value(value, types[name]) for name, value in entry.axes.items()}
                table.append({**_numbers(numbers, schema), **entry.columns, **typed})
        with replacing(self.cells) as temporary, open(temporary, "wb") as file:
            pq.write_table(pa.Table.from_pylist(table, schema=schema), file, compression="zstd")
        for path in journals:
            path.unlink(missing_ok=True)

    def _keep_earlier(self, rows: Mapping[str, Row]) -> None:
        """Add rows to the journal of earlier versions of the scenario; it never shrinks, a line too many does no harm."""
        path = self.journals / EARLIER
        kept = {row["record"]: row for row in self._journaled([path])}
        if any(key not in kept or kept[key]["log"] != row["log"] for key, row in rows.items()):
            lines = [json.dumps(nulls(row), sort_keys=True) for row in (kept | dict(rows)).values()]
            write_atomic(path, "\n".join(lines) + "\n")

    def clear(self) -> None:
        """Delete what runs wrote here, and nothing else."""
        for folder, pattern in ((self.slots, "*.parquet"), (self.journals, "*.jsonl"), (self.failed, "*.json")):
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        for path in (self.cells, self.provenance):
            path.unlink(missing_ok=True)


def _is_line(row: Row) -> bool:
    """Whether a row tells of a finished record, with all that is told of one."""
    return fits(row, _LINE) and row["status"] == "ok" and row.get("log") in ("slot", "frame") and row.get("seconds") is not None


def _numbers(row: Row, schema: pa.Schema) -> Row:
    return {name: row.get(name) for name in schema.names}
