"""Images that codecs are fitted to and trained on: of a trace file, or fresh ones of a COST 2100 preset."""

import numpy as np

from csisim.channel.cost2100.presets import PRESETS, generate, preset
from csisim.channel.trace import centred, load
from csisim.errors import CsisimError
from csisim.feedback.images import ImageLayout, Scaling, normalise, scale_of
from csisim.phy.transforms import delay_angle_to_frequency

#: Seed of drops that codecs are fitted to: far from those of data sets and scenarios.
FITTING = 2**62
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


def split(source: str, train: int, validation: int, seeds: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, bool]:
    """Rows to train and to validate on, no row in both: fresh drops of two seeds, or the first and the last rows of a trace.

    Raises
    ------
    CsisimError
        If a trace has too few rows for both.
    """
    rows, middle = channels(source, train, seeds[0])
    if source in PRESETS:
        return rows, channels(source, validation, seeds[1])[0], middle
    kept = min(validation, len(rows) // 10)
    if not kept:
        raise CsisimError(f"{source}: {len(rows)} rows are too few to train and to validate on")
    return rows[:-kept][:train], rows[-kept:], middle
