"""Images that codecs are fitted to and trained on: of a trace file, fresh ones of a COST 2100 preset, or of recorded reports.

Reports recorded by ``csisim trace record`` are CSI of the very shape that codecs see in the scenario, so that images of them are made
as there, in any domain. Other traces hold delays and angles of a channel and know no beams.
"""

import numpy as np

from csisim.channel.cost2100.presets import PRESETS, generate, preset
from csisim.channel.trace import TraceError, centred, load, locate, opened
from csisim.errors import CsisimError
from csisim.feedback.images import Domain, ImageLayout, Scaling, normalise, scale_of
from csisim.phy.transforms import delay_angle_to_frequency

#: Seed of drops that codecs are fitted to: far from those of data sets and scenarios.
FITTING = 2**62
#: Array of recorded reports in an .npz.
CSI = "csi"
_BLOCK = 2048  # rows whose images are made at once


def channels(source: str, count: int, seed: int = FITTING) -> tuple[np.ndarray, bool]:
    """Delay-angle rows (n, taps, angles) complex64, and whether angle zero is in the middle of their angle axis.

    Parameters
    ----------
    source : str
        A preset of :mod:`csisim.channel.cost2100.presets`, or a trace: packaged, .npz or .mat.
    count : int
        Drops of a preset; a trace gives all rows it has.
    seed : int
        Of a preset's drops.
    """
    if source in PRESETS:
        config = preset(source, seed)
        return generate(config, count).delay_angle, config.convention.centred
    return load(source), centred(source)


def trace_images(rows: np.ndarray, subcarriers: int, *, centred: bool, scaling: Scaling = "unit", delays: int | None = None) -> np.ndarray:
    """Normalised images (n, 2, angle, delay) of a trace's delay-angle rows, seen on some subcarriers, of the first ``delays`` taps.

    More taps than subcarriers fold onto each other, exactly as in a scenario with that many subcarriers.
    """
    blocks = np.split(rows, range(_BLOCK, len(rows), _BLOCK))
    return np.concatenate([_images(block, subcarriers, centred, scaling, delays) for block in blocks])


def _images(rows: np.ndarray, subcarriers: int, centred: bool, scaling: Scaling, delays: int | None) -> np.ndarray:
    num_rows, taps, angles = rows.shape
    stride = -(-taps // subcarriers)
    grid = stride * subcarriers
    h = delay_angle_to_frequency(rows, grid, np.arange(0, grid, stride), centred=centred)
    layout = ImageLayout.of((1, num_rows, subcarriers, 1, angles), h.dtype, "delay_angle", delays)
    images = layout.to_images(h[None, :, :, None])[0, :, 0]
    return normalise(images, scale_of(images, scaling), scaling)


def recorded(source: str) -> np.ndarray | None:
    """CSI (n, S, R, T) complex64 that users reported; None if the source is a preset or holds delays and angles.

    Raises
    ------
    TraceError
        If there is no such file, or it is damaged.
    """
    path = None if source in PRESETS else locate(source)
    if path is None or path.suffix != ".npz":
        return None
    with opened(path) as archive:
        if CSI not in archive:
            return None
        csi = np.asarray(archive[CSI])
    if csi.ndim != 4 or not np.iscomplexobj(csi) or 0 in csi.shape or not np.isfinite(csi).all():
        raise TraceError(f"{path}: key '{CSI}' is {csi.dtype} of shape {csi.shape}; expected finite complex numbers (reports, S, R, T)")
    return csi.astype(np.complex64, copy=False)


def recorded_images(source: str, domain: Domain, delays: int | None, scaling: Scaling = "unit") -> np.ndarray | None:
    """Normalised images (n, 2, angle, delay) of recorded reports as a codec makes them; None if the source holds delays and angles.

    Raises
    ------
    CsisimError
        If such a source is to give images of beams, or the reports have fewer subcarriers than taps to keep.
    """
    csi = recorded(source)
    if csi is None:
        if domain == "beams":
            raise CsisimError(f"{source} has delays and angles; domain beams takes a file of `csisim trace record`")
        return None
    layout = ImageLayout.of((1, *csi.shape), csi.dtype, domain, delays)
    images = layout.to_images(csi[None]).reshape(-1, layout.angles, layout.delays)
    return normalise(images, scale_of(images, scaling), scaling)


def split(source: str, train: int, validation: int, seeds: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, bool]:
    """Rows to train and to validate on, no row in both: fresh drops of two seeds, or the first and the last rows of a trace."""
    rows, middle = channels(source, train, seeds[0])
    if source in PRESETS:
        return rows, channels(source, validation, seeds[1])[0], middle
    return *apart(source, rows, train, validation), middle


def apart(source: str, rows: np.ndarray, train: int, validation: int) -> tuple[np.ndarray, np.ndarray]:
    """The first rows of a source to train on, and the last ones to validate on.

    Raises
    ------
    CsisimError
        If there are too few rows for both.
    """
    kept = min(validation, len(rows) // 10)
    if not kept:
        raise CsisimError(f"{source}: {len(rows)} rows are too few to train and to validate on")
    return rows[:-kept][:train], rows[-kept:]
