"""Channels read from a file: measured, ray-traced or from another simulator, in the delay-angle layout of CSI feedback."""

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from csisim.channel.base import DenseState
from csisim.channel.fading import blocks
from csisim.channel.normalisation import MEAN_POWER, scaled_per_drop
from csisim.errors import CsisimError
from csisim.phy.dims import Dims
from csisim.phy.transforms import delay_angle_to_frequency
from csisim.random import Streams
from csisim.registry import Component

PACKAGED = Path(__file__).parents[1] / "data"

#: Shape of a CsiNet image: real and imaginary part, angle, delay.
CSINET_IMAGE = (2, 32, 32)

_NPZ = "expected key 'delay_angle', complex, of shape (rows, delays, angles)"


class TraceConfig(Component):
    """Delay-angle channels of single-antenna users; every user of a drop has a row of its own."""

    kind: Literal["trace"] = "trace"
    file: str = Field(
        "cost2100_indoor",
        description="a packaged trace's name, or a path relative to the scenario file: an .npz with key delay_angle "
        "(rows, delays, angles), complex, or a CsiNet .mat with key HT",
    )
    num_subcarriers: int = Field(8, ge=1, description="subcarriers, evenly spaced over the trace's band")
    evolution: Literal["static", "iid"] = Field(
        "static", description="a user keeps its row for a superframe, or has a new one in every slot"
    )
    centred_angles: bool | None = Field(
        None,
        description="the angle axis has angle zero in its middle (fftshift); when left out: true for .mat; for .npz what a recipe in the "
        "file says, else false",
    )
    normalisation: Literal["unit", "kang", "hu", "per_drop", "ensemble"] = Field(
        "unit",
        description="mean of ||H||_F^2 / (N_r N_t) over the band: unit 1, kang 0.1, hu 2 for every row, so no path loss is left; ensemble: "
        "1 over all rows, path losses kept; per_drop: 1 in every realisation, averaged over a drop's users and subcarriers",
    )


class TraceError(CsisimError):
    """A trace file that is not there, or is no trace for this link."""

    field = "file"


class Trace:
    """Rows of a trace file as channels; the users of a drop never share a row."""

    Config = TraceConfig

    def __init__(self, config: TraceConfig, dims: Dims, streams: Streams, slot_s: float):
        if dims.num_subcarriers != config.num_subcarriers:
            raise CsisimError(f"trace: {config.num_subcarriers} subcarriers configured, but the link has {dims.num_subcarriers}")
        self.config, self.dims, self.streams = config, dims, streams
        self.shared_statistics = config.evolution == "iid"
        self.rows = _normalised(load(config.file), config)
        self.centred = centred(config.file) if config.centred_angles is None else config.centred_angles
        self._check()

    def begin_superframe(self, index: int) -> None:
        """Choose the users' rows (static), or begin a new succession of them (iid)."""
        self.superframe = index
        if self.shared_statistics:
            self._slots = self._run("channel.rows", self.dims.drops)
        else:
            self._state = next(self._run("channel.rows", self.dims.drops))

    def step(self, slot: int) -> DenseState:
        """The slot's state."""
        return next(self._slots) if self.shared_statistics else self._state

    def samples(self, count: int, name: str, spacing: int = 1) -> Iterator[DenseState]:
        """``count`` states with other rows (iid), or the superframe's own rows every time (static)."""
        if self.shared_statistics:
            run = self._run(f"channel.samples.{name}", 1)
            return (next(run) for _ in range(count))
        return (self._state for _ in range(count))

    def _check(self) -> None:
        config, dims = self.config, self.dims
        num_rows, _, num_angles = self.rows.shape
        if dims.num_tx != num_angles or dims.num_rx != 1:
            raise TraceError(
                f"{config.file}: delay_angle holds {num_angles} angles of users with one antenna, "
                f"so num_tx must be {num_angles} (not {dims.num_tx}) and num_rx 1 (not {dims.num_rx})"
            )
        if dims.num_users > num_rows:
            raise TraceError(f"{config.file}: {num_rows} rows cannot give {dims.num_users} users a row each")

    def _run(self, name: str, drops: int) -> Iterator[DenseState]:
        rngs = [self.streams(name, self.superframe, user) for user in range(self.dims.num_users)]
        uniform = blocks(rngs, (drops,), lambda rng, size: rng.random(size))
        for block in uniform:
            for chosen in distinct(block, len(self.rows)):
                yield DenseState(self._channel(self.rows[chosen]))

    def _channel(self, delay_angle: np.ndarray) -> np.ndarray:
        """(D, K, S, 1, t) of rows (D, K, delay, angle)."""
        config, dims = self.config, self.dims
        num_delays = delay_angle.shape[-2]
        # any grid that holds all delays and whose every stride-th point is wanted samples the band alike
        stride = -(-num_delays // dims.num_subcarriers)
        grid = stride * dims.num_subcarriers
        h = delay_angle_to_frequency(delay_angle, grid, np.arange(0, grid, stride), centred=self.centred)
        h = (np.sqrt(grid) * h[..., None, :]).astype(dims.complex_dtype)  # rows hold the power of one subcarrier
        return scaled_per_drop(h, dims.num_tx) if config.normalisation == "per_drop" else h


def distinct(uniform: np.ndarray, num_rows: int) -> np.ndarray:
    """Row numbers (..., K), uniform and different along the last axis, from uniform draws (..., K) in [0, 1).

    User k takes one of the rows that the users before it have left, so K users are a prefix of K + 1.
    """
    rows = np.empty(uniform.shape, np.int64)
    for user in range(uniform.shape[-1]):
        row = (uniform[..., user] * (num_rows - user)).astype(np.int64)
        for taken in np.moveaxis(np.sort(rows[..., :user], axis=-1), -1, 0):
            row += row >= taken
        rows[..., user] = row
    return rows


def locate(file: str) -> Path:
    """The file behind a trace's path or packaged name.

    Raises
    ------
    TraceError
        If there is none.
    """
    if "." not in Path(file).name and (PACKAGED / f"{file}.npz").is_file():
        return PACKAGED / f"{file}.npz"
    path = Path(file)
    if path.suffix not in (".npz", ".mat"):
        names = ", ".join(sorted(known.stem for known in PACKAGED.glob("*.npz")))
        raise TraceError(f"{file}: a trace is an .npz or .mat file, or a packaged trace: {names}")
    try:
        there = path.is_file()
    except OSError:  # a name that no file can have
        there = False
    if not there:
        raise TraceError(f"{file}: no such trace file")
    return path


def load(file: str) -> np.ndarray:
    """Delay-angle rows (n, delay, angle), complex64, of a trace.

    Raises
    ------
    TraceError
        If the file is missing, damaged or holds something else; the message says what is expected.
    """
    path = locate(file)
    return _load(path, path.stat().st_mtime_ns)


def centred(file: str) -> bool:
    """Whether angle zero is in the middle of a trace's angle axis: of a CsiNet .mat it is, an .npz of ``csisim trace make`` says so.

    Raises
    ------
    TraceError
        If the file is missing or damaged.
    """
    path = locate(file)
    if path.suffix == ".mat":
        return True
    with opened(path) as archive:
        try:
            return json.loads(str(archive["recipe"]))["angles"]["centred"] is True
        except (ValueError, TypeError, KeyError, IndexError):  # somebody else's recipe, or none
            return False


@lru_cache(maxsize=2)  # a worker runs many cells on the same trace
def _load(path: Path, modified_ns: int) -> np.ndarray:
    rows = _read_mat(path) if path.suffix == ".mat" else _read_npz(path)
    if not np.isfinite(rows).all():
        raise TraceError(f"{path}: the trace holds values that are not finite")
    if not (rows.any(axis=(1, 2))).all():
        raise TraceError(f"{path}: row {int(np.argmin(rows.any(axis=(1, 2))))} is all zero; every row must be a channel")
    rows.flags.writeable = False
    return rows


@contextmanager
def opened(path: Path) -> Iterator["np.lib.npyio.NpzFile"]:
    """An .npz that is read; whatever is wrong with it is one kind of error.

    Raises
    ------
    TraceError
        If it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except (ValueError, OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise TraceError(f"{path}: not a readable .npz file ({error}); {_NPZ}") from error


def _read_npz(path: Path) -> np.ndarray:
    with opened(path) as archive:
        if "delay_angle" not in archive:
            raise TraceError(f"{path}: no key 'delay_angle' (keys: {', '.join(archive.files)}); {_NPZ}")
        rows = archive["delay_angle"]
    rows = np.asarray(rows)  # anything else in the archive comes as bytes
    if rows.ndim != 3 or not np.iscomplexobj(rows) or 0 in rows.shape:
        raise TraceError(f"{path}: key 'delay_angle' is {rows.dtype} of shape {rows.shape}; {_NPZ}")
    with np.errstate(over="ignore"):  # infinite entries are refused
        return rows.astype(np.complex64)


def _read_mat(path: Path) -> np.ndarray:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    expected = "expected key 'HT' of shape (rows, 2048) or (rows, 2, 32, 32): [re, im] x angle x delay in [0, 1], zero at 0.5"
    try:
        contents = loadmat(path, variable_names=["HT"])
    except NotImplementedError as error:
        raise TraceError(f"{path}: MAT version 7.3; save it as version 7 or earlier (save -v7); {expected}") from error
    except (MatReadError, ValueError, TypeError, OSError, EOFError, IndexError, KeyError, MemoryError, zlib.error) as error:
        raise TraceError(f"{path}: not a readable .mat file ({error}); {expected}") from error
    if "HT" not in contents:
        raise TraceError(f"{path}: no key 'HT'; {expected}")
    image = np.asarray(contents["HT"])  # of a sparse matrix it makes one object
    fits = image.ndim in (2, 4) and image.size > 0 and image.shape[1:] in (CSINET_IMAGE, (2 * 32 * 32,))
    if not fits or image.dtype.kind not in "fiu":
        raise TraceError(f"{path}: key 'HT' is {image.dtype} of shape {image.shape}; {expected}")
    return delay_angles(image)


def delay_angles(images: np.ndarray) -> np.ndarray:
    """Delay-angle rows (n, 32, 32), complex64, of CsiNet images (n, 2048) or (n, 2, 32, 32), zero at 0.5."""
    image = images.astype(np.float32).reshape(-1, *CSINET_IMAGE) - np.float32(0.5)
    return np.ascontiguousarray((image[:, 0] + 1j * image[:, 1]).swapaxes(-1, -2))


def _normalised(rows: np.ndarray, config: TraceConfig) -> np.ndarray:
    """Rows whose energy is the mean of ||H||^2 over the band's subcarriers."""
    energy = np.einsum("nla,nla->n", rows, rows.conj(), dtype=np.complex128).real[:, None, None]
    if config.normalisation in ("per_drop", "ensemble"):
        energy = energy.mean(keepdims=True)
    target = rows.shape[-1] * MEAN_POWER.get(config.normalisation, 1.0)
    return rows * np.sqrt(target / energy).astype(np.float32)
