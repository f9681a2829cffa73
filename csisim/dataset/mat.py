"""MATLAB level 5 files written piece by piece.

``scipy.io.savemat`` wants whole arrays in memory and version 7.3 needs HDF5. The format itself is simple: a header, then for each
variable a tag with its size, its class, dimensions and name, and its numbers column by column, real parts before imaginary ones.
So the place of every number is known beforehand, and rows are written wherever they belong in each column.
"""

import io
import os
import struct
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import numpy as np

from csisim.dataset.blocks import Piece, Rows
from csisim.dataset.csinet import KEPT, images
from csisim.dataset.recipe import ANTENNAS, DELAYS, Recipe
from csisim.errors import CsisimError

#: MATLAB reads no larger variable from a file of this version.
LARGEST = 2**31 - 1

_INT8, _INT32, _UINT32, _SINGLE, _MATRIX = 1, 5, 6, 7, 14  # types of data
_CLASS_SINGLE, _COMPLEX = 7, 0x0800
_HEADER, _LITTLE = 128, struct.pack("<H", 0x0100) + b"IM"  # the header's size, and its end: version and order of bytes


class Matrix:
    """A single-precision matrix (rows, columns) of a .mat file, and where its numbers are."""

    def __init__(self, name: str, rows: int, columns: int, is_complex: bool = False) -> None:
        self.rows, self.columns, self.parts = rows, columns, 1 + is_complex
        self.part_bytes = 4 * rows * columns
        if self.part_bytes * self.parts > LARGEST:
            most = LARGEST // (4 * columns * self.parts)
            raise CsisimError(
                f"--format mat: {name} of {rows} drops is larger than MATLAB's 2 GB per variable (at most {most}); "
                "choose a smaller --count, or npz or parquet"
            )
        flags = _element(_UINT32, struct.pack("<II", _CLASS_SINGLE | (_COMPLEX if is_complex else 0), 0))
        self.head = flags + _element(_INT32, struct.pack("<ii", rows, columns)) + _element(_INT8, name.encode())

    def begin(self, file: FileIO) -> None:
        """Write everything but the numbers, and leave room for these."""
        size = len(self.head) + self.parts * (8 + _padded(self.part_bytes))
        _put(file, struct.pack("<II", _MATRIX, size) + self.head)
        self.places = []
        for _ in range(self.parts):
            _put(file, struct.pack("<II", _SINGLE, self.part_bytes))
            self.places.append(file.tell())
            file.seek(_padded(self.part_bytes), os.SEEK_CUR)

    def write(self, file: FileIO, first: int, rows: np.ndarray) -> None:
        """Write rows (n, columns) from row ``first`` on."""
        parts = (rows.real, rows.imag) if self.parts == 2 else (rows,)
        for place, part in zip(self.places, parts, strict=True):
            for column, numbers in enumerate(np.ascontiguousarray(part.T, "<f4")):
                file.seek(place + 4 * (column * self.rows + first))
                _put(file, numbers.data)


def image_matrix(rows: int) -> Matrix:
    """``HT`` for a number of drops."""
    return Matrix("HT", rows, 2 * ANTENNAS * DELAYS)


def frequency_matrix(rows: int) -> Matrix:
    """``HF_all`` for a number of drops."""
    return Matrix("HF_all", rows, ANTENNAS * KEPT, is_complex=True)


def write_images(path: Path, rows: Rows, recipe: Recipe) -> None:
    """``HT`` (drop, 2048), values in [0, 1] with zero at 0.5."""
    centred = recipe.preset.convention.centred
    _write(path, image_matrix(len(rows)), rows, recipe, lambda piece: images(piece["delay_angle"], centred))


def write_frequency_rows(path: Path, rows: Rows, recipe: Recipe) -> None:
    """``HF_all`` (drop, 4000), complex."""
    _write(path, frequency_matrix(len(rows)), rows, recipe, lambda piece: piece["frequency_rows"])


def _write(path: Path, matrix: Matrix, rows: Rows, recipe: Recipe, numbers: Callable[[Piece], np.ndarray]) -> None:
    """The matrix, and behind it the small variables that say what it is."""
    from scipy.io import savemat

    small = io.BytesIO()
    savemat(small, {"recipe": recipe.text(), "note": recipe.preset.note})
    header = b"MATLAB 5.0 MAT-file, created by csisim".ljust(_HEADER - 12) + bytes(8) + _LITTLE
    with open(path, "wb", buffering=0) as file:
        _put(file, header)
        matrix.begin(file)
        _put(file, small.getvalue()[len(header) :])
        for piece in rows:
            matrix.write(file, int(piece.drops[0]) - rows.wanted.start, numbers(piece))


def mapped(path: Path, matrix_of: Callable[[int], Matrix]) -> np.ndarray | None:
    """The real part of a file's first variable, mapped instead of read, if it is ``matrix_of`` its rows as we write it."""
    with open(path, "rb") as file:
        start, size = file.read(_HEADER + 16 + len(matrix_of(1).head)), os.fstat(file.fileno()).st_size
    try:
        (rows,) = struct.unpack_from("<i", start, _HEADER + 32)  # behind the tags of matrix, flags and dimensions
        matrix = matrix_of(max(1, rows))
    except (struct.error, CsisimError):
        return None
    ours = start[_HEADER - 4 : _HEADER] == _LITTLE and start[_HEADER + 8 :] == matrix.head + struct.pack("<II", _SINGLE, matrix.part_bytes)
    if not ours or size < len(start) + matrix.part_bytes:
        return None
    return np.memmap(path, "<f4", "r", len(start), (matrix.rows, matrix.columns), order="F")


def _put(file: FileIO, data: bytes | memoryview) -> None:
    """Write all of it: a disk that becomes full may take a part without complaint."""
    view = memoryview(data).cast("B")
    while view:
        view = view[file.write(view) :]


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data.ljust(_padded(len(data)), b"\0")
