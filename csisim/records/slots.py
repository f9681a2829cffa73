"""Slot files: one Parquet file per record, written superframe by superframe and seen only when complete."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from csisim.records.schema import METRICS, SLOT_COLUMNS, slot_schema

#: Columns that a frame adds up (events), and those it takes from its last slot; metrics are averaged, NaN left out.
_ADDED = ("pilot_bits", "feedback_bits")
_LAST = ("drop", "superframe", "frame", "slot", "time_s", "signaling_bits")

#: Key of the footer's JSON with one list per metric: the mean of every drop over the evaluated frames.
DROP_MEANS = "csisim.drop_means"


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
        self.writer = pq.ParquetWriter(
            self.temporary,
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
        self.writer.write_table(table, row_group_size=max(count, 1))

    def close(self, drop_means: Mapping[str, Any]) -> None:
        """Complete the file, the drop means in its footer, and let it appear under its own name."""
        self.writer.add_key_value_metadata({DROP_MEANS: json.dumps(drop_means, allow_nan=False)})
        self.writer.close()
        os.replace(self.temporary, self.path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError, pa.ArrowException):  # the footer of a file that goes anyway
            self.writer.close()
        self.temporary.unlink(missing_ok=True)


def _array(values: np.ndarray, type_: pa.DataType) -> pa.Array:
    return pa.array(np.ascontiguousarray(values).astype(type_.to_pandas_dtype(), copy=False), type_, from_pandas=True)


def _rates(rates: np.ndarray) -> pa.Array:
    count, num_users = rates.shape
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * num_users)
    return pa.ListArray.from_arrays(offsets, _array(rates.reshape(-1), pa.float32()))


def drop_means(file: Path) -> dict[str, np.ndarray]:
    """Mean of every drop over the evaluated frames, (drops,) float64 per metric, NaN where null; only the footer is read."""
    lists = json.loads(pq.read_metadata(file).metadata[DROP_MEANS.encode()])
    return {metric: np.array(values, dtype=np.float64) for metric, values in lists.items()}
