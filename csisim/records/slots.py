"""Slot files: one Parquet file per record, written superframe by superframe and seen only when complete."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from csisim.errors import CsisimError
from csisim.records.atomic import named
from csisim.records.schema import METRICS, SLOT_COLUMNS, slot_schema

#: Columns that a frame adds up (events), and those it takes from its last slot; metrics are averaged, NaN left out.
_ADDED = ("pilot_bits", "feedback_bits")
_LAST = ("drop", "superframe", "frame", "slot", "time_s", "signaling_bits")

#: Key of the footer's JSON with one list per metric: the mean of every drop over the evaluated frames.
DROP_MEANS = "csisim.drop_means"
#: Key of the footer's JSON with the record's row of the cell table, from which a damaged table is made again.
ROW = "csisim.row"


def frame_rows(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Slot rows condensed to one row per frame: metrics averaged, events added, running sums and clocks at the last slot."""
    order = np.lexsort((columns["slot"], columns["frame"], columns["superframe"], columns["drop"]))
    keys = np.stack([columns[name][order] for name in ("drop", "superframe", "frame")])
    starts = np.flatnonzero(np.r_[True, np.any(np.diff(keys, axis=1) != 0, axis=0)])
    last = np.r_[starts[1:], len(order)] - 1

    def mean(values: np.ndarray) -> np.ndarray:
        valid = ~np.isnan(values)
        sums = np.add.reduceat(np.where(valid, values, 0.0), starts, axis=0)
        counts = np.add.reduceat(valid, starts, axis=0, dtype=np.int64)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    rows = {name: columns[name][order][last] for name in _LAST}
    rows |= {name: np.add.reduceat(columns[name][order], starts) for name in _ADDED}
    rows |= {name: mean(columns[name][order].astype(np.float64)) for name in METRICS}
    rows["rate_user"] = mean(columns["rate_user"][order].astype(np.float64))
    rows["analog_updated"] = np.logical_or.reduceat(columns["analog_updated"][order].astype(bool), starts)
    return rows


class SlotWriter:
    """Writes one slot file under a temporary name; :meth:`close` gives it its own in one step.

    One row group per call of :meth:`write`, so memory stays that of one superframe. Floats go byte-stream split, integers and
    names through dictionaries, all under zstd-3.
    """

    def __init__(self, path: Path, cell: str, scheme: str, axes: Mapping[str, Any], replica: int, log: str, metadata: dict) -> None:
        self.path = path
        self.temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp")
        self.constants = {"cell": cell, "scheme": scheme, **axes, "replica": replica}
        self.log = log
        self.schema = slot_schema(axes).with_metadata({"csisim": json.dumps(metadata, sort_keys=True)})
        floats = [column.name for column in SLOT_COLUMNS if pa.types.is_floating(column.type)] + ["rate_user.list.element"]
        others = [field.name for field in self.schema if field.name not in floats and field.name not in ("rate_user", "analog_updated")]
        # here and wherever Parquet is read: an open file, because Arrow takes names like a:b for addresses and knows UTF-8 names only
        self.file = open(self.temporary, "wb")  # noqa: SIM115
        self.writer = pq.ParquetWriter(
            self.file,
            self.schema,
            compression="zstd",
            compression_level=3,
            use_byte_stream_split=floats,
            use_dictionary=others,
        )

    def write(self, columns: Mapping[str, np.ndarray]) -> None:
        """Append slot rows (condensed to frames first if that is the log) as one row group."""
        rows = frame_rows(columns) if self.log == "frame" else columns
        count = len(rows["drop"])
        arrays = [pa.repeat(pa.scalar(value), count) for value in self.constants.values()]
        for column in SLOT_COLUMNS:
            arrays.append(_rates(rows["rate_user"]) if column.name == "rate_user" else _array(rows[column.name], column.type))
        table = pa.Table.from_arrays([array.cast(field.type) for array, field in zip(arrays, self.schema, strict=True)], schema=self.schema)
        with named(self.path):
            self.writer.write_table(table, row_group_size=max(count, 1))

    def close(self, drop_means: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Complete the file, the drop means and the row of the cell table in its footer, and let it appear under its own name."""
        footer = {DROP_MEANS: json.dumps(drop_means, allow_nan=False), ROW: json.dumps(nulls(row), allow_nan=False)}
        self.writer.add_key_value_metadata(footer)
        with named(self.path):
            self.writer.close()
            self.file.close()
            os.replace(self.temporary, self.path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError, pa.ArrowException):  # the footer of a file that goes anyway
            self.writer.close()
            self.file.close()
        self.temporary.unlink(missing_ok=True)


def nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    """NaN as None, which is what JSON and Parquet call a missing value."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def _array(values: np.ndarray, type_: pa.DataType) -> pa.Array:
    return pa.array(np.ascontiguousarray(values).astype(type_.to_pandas_dtype(), copy=False), type_, from_pandas=True)


def _rates(rates: np.ndarray) -> pa.Array:
    count, num_users = rates.shape
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * num_users)
    return pa.ListArray.from_arrays(offsets, _array(rates.reshape(-1), pa.float32()))


def drop_means(file: Path) -> dict[str, np.ndarray]:
    """Mean of every drop over the evaluated frames, (drops,) float64 per metric, NaN where null; only the footer is read.

    Raises
    ------
    CsisimError
        If the file is missing or damaged.
    """
    with _readable(file), open(file, "rb") as opened:
        lists = json.loads(pq.read_metadata(opened).metadata[DROP_MEANS.encode()])
        means = {metric: np.array(values, dtype=np.float64) for metric, values in dict(lists).items()}
        if {values.ndim for values in means.values()} != {1} or len({len(values) for values in means.values()}) > 1:
            raise ValueError("its drop means are not one list per metric")
    return means


def table_row(file: Path) -> Any:
    """The row of the cell table in a record's footer; None where there is none, as in files of older versions."""
    with suppress(OSError, pa.ArrowException, ValueError, KeyError, TypeError), open(file, "rb") as opened:
        return json.loads(pq.read_metadata(opened).metadata[ROW.encode()])


def read_rows(file: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of a slot file, those left out that a file of an older version does not have; errors as for :func:`drop_means`."""
    with _readable(file), open(file, "rb") as opened, pq.ParquetFile(opened) as slots:
        return slots.read([name for name in columns if name in slots.schema_arrow.names]).replace_schema_metadata(None)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Whatever goes wrong with a file that is not what it should be, as one message."""
    try:
        yield
    except FileNotFoundError as error:
        raise CsisimError(f"{file}: missing; `csisim run` computes it again") from error
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise CsisimError(f"{file}: damaged ({error}); `csisim run` computes it again") from error


def holds_record(file: Path) -> bool:
    """Whether a slot file is there, whole and of the record that its name says; remembered while the file stays the same."""
    try:
        status = file.stat()
    except OSError:
        return False
    return _holds_record(str(file), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=65536)
def _holds_record(file: str, size: int, changed_ns: int) -> bool:
    """The footer comes last: who can read it and finds the record's key and drop means in it has all pages before it."""
    try:
        with open(file, "rb") as opened:
            footer = pq.read_metadata(opened)
        written = json.loads(footer.metadata[b"csisim"])["record"]
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return False
    return written == Path(file).stem and DROP_MEANS.encode() in footer.metadata
