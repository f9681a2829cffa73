"""What is in a trace file, whoever wrote it: npz, CsiNet .mat or Parquet."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from csisim.channel.trace import delay_angles, load, locate
from csisim.dataset.mat import frequency_matrix, image_matrix, mapped
from csisim.errors import CsisimError
from csisim.feedback.sources import recorded

#: Drops of a file that are looked at.
MOST = 10_000


@dataclass(frozen=True)
class Contents:
    """A trace file: its arrays by name, and its first drops."""

    path: Path
    count: int
    arrays: dict[str, str]  # shapes and types
    delay_angle: np.ndarray  # (n, delay, angle) complex64, the first drops, in the file's own orientation; none of frequency rows
    stats: np.ndarray | None = None  # (n, columns)
    columns: tuple[str, ...] = ()
    note: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    csi: np.ndarray | None = None  # (n, S, R, T) complex64, the first reports of a file that has no delay_angle


def read_contents(file: str) -> Contents:
    """Read a trace file, or a packaged trace.

    Raises
    ------
    CsisimError
        If there is none, or it is damaged, or it holds something else.
    """
    if Path(file).suffix == ".parquet":
        return _parquet(Path(file))
    path = locate(file)
    if path.suffix == ".mat":
        return _mat(path)
    csi = recorded(file)
    return _npz(path, load(file)) if csi is None else _reports(path, csi)


def _npz(path: Path, rows: np.ndarray) -> Contents:
    stats: np.ndarray | None = None
    columns: tuple[str, ...] = ()
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: _shape(archive[name]) for name in archive.files}
        texts = {name: str(archive[name]) for name in ("note", "recipe") if name in archive}
        if "stats" in archive and "stats_columns" in archive:
            stats, columns = archive["stats"], tuple(map(str, archive["stats_columns"]))
            if stats.shape != (len(rows), len(columns)):
                raise CsisimError(f"{path}: stats is {_shape(stats)}, expected {len(rows)} rows and one column for each of stats_columns")
            stats = stats[:MOST]
    return Contents(path, len(rows), arrays, rows[:MOST], stats, columns, texts.get("note", ""), _recipe(path, texts.get("recipe")))


def _reports(path: Path, csi: np.ndarray) -> Contents:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: _shape(archive[name]) for name in archive.files}
        recipe = _recipe(path, str(archive["recipe"])) if "recipe" in archive else {}
    return Contents(path, len(csi), arrays, np.empty((0, 1, 1), np.complex64), recipe=recipe, csi=csi[:MOST])


def _mat(path: Path) -> Contents:
    from scipy.io import loadmat, whosmat

    if (image := mapped(path, image_matrix)) is not None:  # as `csisim trace make` writes it, so that a part may be read alone
        count, rows = len(image), delay_angles(np.array(image[:MOST]))
    elif (frequency := mapped(path, frequency_matrix)) is not None:
        count, rows = len(frequency), np.empty((0, 32, 32), np.complex64)
    else:
        rows = load(str(path))
        count, rows = len(rows), rows[:MOST]
    arrays = {name: f"{shape} {kind}" for name, shape, kind in whosmat(path)}
    texts = {name: str(value.item()) for name, value in loadmat(path, variable_names=["note", "recipe"]).items() if name in arrays}
    return Contents(path, count, arrays, rows, note=texts.get("note", ""), recipe=_recipe(path, texts.get("recipe")))


def _parquet(path: Path) -> Contents:
    import pyarrow as pa
    import pyarrow.parquet as pq

    expected = "expected columns delay_angle_real and delay_angle_imag, lists of one length, and their delay_angle_shape in the metadata"
    if not path.is_file():
        raise CsisimError(f"{path}: no such trace file")
    try:
        with pq.ParquetFile(path) as file:
            told = {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}
            shape = tuple(json.loads(told["delay_angle_shape"]))
            table = next(file.iter_batches(batch_size=MOST))
            real, imag = (_lists(table[f"delay_angle_{part}"]) for part in ("real", "imag"))
            delay_angle = (real + 1j * imag).astype(np.complex64).reshape(len(table), *shape)
            columns = tuple(field.name for field in file.schema_arrow if pa.types.is_float64(field.type))
            stats = np.stack([table[name].to_numpy() for name in columns], axis=-1) if columns else None
            arrays = {field.name: str(field.type) for field in file.schema_arrow}
            count = file.metadata.num_rows
    except (pa.ArrowException, KeyError, ValueError, StopIteration) as error:
        raise CsisimError(f"{path}: not a readable trace ({_first_line(error)}); {expected}") from error
    return Contents(path, count, arrays, delay_angle, stats, columns, told.get("note", ""), _recipe(path, told.get("recipe")))


def _lists(column: Any) -> np.ndarray:
    """A column of lists as numbers, one list after the other, those of a slice alone."""
    return np.asarray(column.flatten())


def _recipe(path: Path, text: str | None) -> dict[str, Any]:
    try:
        recipe = json.loads(text or "{}")
    except ValueError as error:
        raise CsisimError(f"{path}: the recipe inside is not JSON ({error})") from error
    if not isinstance(recipe, dict):
        raise CsisimError(f"{path}: the recipe inside is not a JSON object")
    return recipe


def _shape(array: np.ndarray) -> str:
    return "text" if array.dtype.kind == "U" and array.ndim == 0 else f"{array.shape} {'text' if array.dtype.kind == 'U' else array.dtype}"


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
