"""npz files written array by array from pieces: what ``numpy.savez`` writes, without the whole in memory."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from csisim.channel.cost2100.statistics import COLUMNS
from csisim.dataset.blocks import Rows
from csisim.dataset.recipe import ANTENNAS, DELAYS, Recipe

#: Arrays of one row per drop: type and shape of a row.
STREAMED: dict[str, tuple[np.dtype, tuple[int, ...]]] = {
    "delay_angle": (np.dtype(np.complex64), (DELAYS, ANTENNAS)),
    "user_pos_xy_m": (np.dtype(np.float32), (2,)),
    "stats": (np.dtype(np.float64), (len(COLUMNS),)),
}


def write_npz(path: Path, rows: Rows, recipe: Recipe) -> None:
    """Write drops uncompressed, with the recipe, every drop's number and its part of the data set."""
    numbers = np.array(rows.wanted)
    small = {
        "stats_columns": np.array(COLUMNS),
        "note": np.array(recipe.preset.note),
        "recipe": np.array(recipe.text()),
        "drop": numbers,
        "split": recipe.split_of(numbers),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, (dtype, tail) in STREAMED.items():
            with _member(archive, name) as file:
                header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (len(rows), *tail)}
                np.lib.format.write_array_header_1_0(file, header)
                for piece in rows:
                    file.write(np.ascontiguousarray(piece[name], dtype).data.cast("B"))
        _small(archive, small)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays that are in memory, uncompressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        _small(archive, arrays)


def _small(archive: zipfile.ZipFile, arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        with _member(archive, name) as file:
            np.lib.format.write_array(file, array, allow_pickle=False)


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """A new array of the archive; its date is fixed, so equal data make equal files."""
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)
