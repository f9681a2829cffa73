"""One Parquet file for all drops, a row group per block."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from csisim.channel.cost2100.statistics import COLUMNS
from csisim.dataset.blocks import Piece, Rows
from csisim.dataset.recipe import ANTENNAS, DELAYS, Recipe

_MATRIX = pa.list_(pa.float32(), DELAYS * ANTENNAS)
_FIELDS = {
    "drop": pa.int64(),
    "split": pa.string(),
    "delay_angle_real": _MATRIX,
    "delay_angle_imag": _MATRIX,
    "user_x_m": pa.float32(),
    "user_y_m": pa.float32(),
    **dict.fromkeys(COLUMNS, pa.float64()),
}


def write_parquet(path: Path, rows: Rows, recipe: Recipe) -> None:
    """Write drops; matrices are lists of 1024 numbers, delay by delay, and the recipe is in the schema's metadata."""
    metadata = {"recipe": recipe.text(), "note": recipe.preset.note, "delay_angle_shape": f"[{DELAYS}, {ANTENNAS}]"}
    schema = pa.schema(_FIELDS.items(), metadata=metadata)
    # noise does not compress; without dictionaries the numbers are copied as they are
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=["split"], write_statistics=["drop", "split"]) as writer:
        for piece in rows:
            writer.write_table(_table(piece, recipe, schema))


def _table(piece: Piece, recipe: Recipe, schema: pa.Schema) -> pa.Table:
    matrices, users, stats = piece["delay_angle"].reshape(len(piece.drops), -1), piece["user_pos_xy_m"], piece["stats"]
    parts = (pa.FixedSizeListArray.from_arrays(np.ravel(part), DELAYS * ANTENNAS) for part in (matrices.real, matrices.imag))
    columns = [piece.drops, recipe.split_of(piece.drops), *parts, *users.T, *stats.T]
    return pa.Table.from_arrays([pa.array(column).cast(field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)
