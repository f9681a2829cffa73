"""Images and frequency rows as the CsiNet scripts read them."""

import numpy as np

from csisim.channel.cost2100.draws import keys
from csisim.channel.cost2100.paths import draw_paths
from csisim.channel.cost2100.presets import Preset, positions
from csisim.channel.cost2100.transfer import delay_angle, frequency_response
from csisim.random import stream

#: The scripts pad 32 delays to this many, transform, and keep the first frequencies.
PADDED, KEPT = 257, 125

#: Drops whose frequency responses are computed at once: an outdoor drop has a thousand paths, times 125 frequencies.
CHUNK = 16


def images(delay_angles: np.ndarray, centred: bool) -> np.ndarray:
    """Rows of ``HT``: [re, im] x angle x delay, 0.5 + h / (2 max|h|) for every drop, angle zero in the middle.

    Parameters
    ----------
    delay_angles : (n, delay, angle) complex
    centred : bool
        Whether angle zero is in the middle of their angle axis already.

    Returns
    -------
    (n, 2 * angle * delay) float32
    """
    h = delay_angles if centred else np.fft.fftshift(delay_angles, axes=-1)
    h = (h * _scale(delay_angles)).swapaxes(-1, -2)
    return np.stack([h.real, h.imag], axis=1).reshape(len(h), -1).astype(np.float32) + np.float32(0.5)


def frequency_rows(config: Preset, first: int, last: int) -> np.ndarray:
    """Rows of ``HF_all``: angle x frequency, drops ``first`` to ``last - 1``.

    The scripts compare a decoded image, padded to 257 delays and transformed over delay, with these rows on 125 frequencies. So they
    are the same drops' images before the delays were cut to 32, transformed: equal but for the energy in later delays.

    Returns
    -------
    (n, 32 * 125) complex64
    """
    drops = keys(stream(config.seed, 0, "cost2100.drops"), np.arange(first, last))
    users, points = positions(config, drops)[:, None], config.points
    frequencies = points.first_hz + np.arange(KEPT) * points.num_points * points.spacing_hz / PADDED
    rows = np.empty((len(drops), 32 * KEPT), np.complex64)
    for begin in range(0, len(drops), CHUNK):
        chunk = slice(begin, begin + CHUNK)
        paths, _ = draw_paths(drops[chunk], config.law, users[chunk], config.reference("needs_a_cluster"))
        rays = paths.amplitude[:, 0], paths.delay[:, 0], paths.aod[:, 0]
        response = frequency_response(*rays, frequencies, sign=config.convention.sign)
        angles = np.fft.fftshift(np.fft.fft(response, axis=-1, norm="ortho"), axes=-1)
        image = delay_angle(*rays, points, paths.num_paths[:, 0], convention=config.convention)
        scaled = np.sqrt(points.num_points) * _scale(image) * angles
        rows[chunk] = scaled.swapaxes(-1, -2).reshape(len(scaled), -1)
    return rows


def _scale(delay_angles: np.ndarray) -> np.ndarray:
    """Factor (n, 1, 1) of each drop that makes its largest entry 0.5."""
    return 0.5 / np.abs(delay_angles).max(axis=(-2, -1), keepdims=True)
