r"""A distribution of angles and gains fitted to samples of the channel (Kang 2022, Sec. VIII-B), to draw fresh channels from.

Every sample is taken apart into rays, :math:`H = \sum_p g_p a_r(\psi_p) a_t(\psi'_p)^H` with :math:`a(\psi)_n = e^{j \psi n} / \sqrt N`,
by orthogonal matching pursuit between uniform linear arrays. Then the parameters of the distribution have closed estimates, and
nothing is left for an EM iteration: quantiles of the angles, with a constant density between neighbouring ones, and the mean power of
complex Gaussian gains. Users have distributions of their own; both ends' angles and the gains are taken to be independent of each
other and from ray to ray.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from csisim.errors import CsisimError
from csisim.phy.linalg import adjoint
from csisim.random import complex_normal

#: A ray explains more than this share of its channel's power, and more than the strongest of so many directions of white noise would.
_WEAKEST = 0.01
#: Rays of one channel, at most.
_MOST = 32
#: Points of the angular grid per antenna; a parabola through three of them finds the peak between.
_OVERSAMPLING = 4
#: Quantiles of a distribution of angles; equal bins would smear its edges, where a sector's rays are densest.
_QUANTILES = 65
#: Channels whose spectra are in memory at once.
_CHUNK = 32


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays of M channels, absent ones with gain 0.

    Attributes
    ----------
    rx, tx : (M, P) float64
        Phase steps between antennas in [-pi, pi).
    gains : (M, P) complex
    found : (M, P) bool
    power : (M,) float
        Squared norm of what the rays add up to.
    """

    rx: np.ndarray
    tx: np.ndarray
    gains: np.ndarray
    found: np.ndarray
    power: np.ndarray


@dataclass(frozen=True, eq=False)
class FittedRays:
    """Independent rays with piecewise constant angular densities and complex Gaussian gains.

    Attributes
    ----------
    rx, tx : (K, quantiles) float
        Equally probable quantiles of the phase steps at both ends, from the least to the largest.
    num_rays : int
        P of every channel.
    variance : (K,) float
        Of the gains.
    antennas : (int, int)
        r and t.
    """

    rx: np.ndarray
    tx: np.ndarray
    num_rays: int
    variance: np.ndarray
    antennas: tuple[int, int]

    def draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``count`` fresh channels as paths: rx (count, K, r, P), tx (count, K, t, P) and gains (count, K, P), complex64."""
        shape = (count, len(self.variance), self.num_rays)
        probabilities = np.linspace(0, 1, self.rx.shape[-1])
        steps = []
        for quantiles in (self.rx, self.tx):
            uniform = rng.random(shape)
            steps.append(np.stack([np.interp(uniform[:, k], probabilities, row) for k, row in enumerate(quantiles)], axis=1))
        gains = np.sqrt(self.variance)[:, None] * complex_normal(rng, shape)
        rx, tx = (_responses(step, size).astype(np.complex64) for step, size in zip(steps, self.antennas, strict=True))
        return rx, tx, gains.astype(np.complex64)


def fit_rays(channels: tuple[np.ndarray, np.ndarray, np.ndarray], config: Any) -> FittedRays:
    """The distribution of the rays of channels given as paths (N, K, r|t, P) and (N, K, P).

    Raises
    ------
    CsisimError
        If the channel's arrays are not uniform and linear, or its samples have no rays.
    """
    for end in ("tx_array", "rx_array"):
        kind = getattr(getattr(config, end, None), "kind", "ula")
        if kind != "ula":
            raise CsisimError(f"fitted: rays are found between uniform linear arrays, {end} is {kind}")
    rx, tx, gains = channels
    h = (rx * gains[..., None, :]) @ adjoint(tx)
    count, users = h.shape[:2]
    rays = find_rays(h.reshape(-1, *h.shape[2:]))
    num_rays = round(rays.found.sum(-1).mean())
    if num_rays == 0:
        raise CsisimError("fitted: there are no rays in these samples")
    found = rays.found.reshape(count, users, -1)
    rx_steps, tx_steps = (
        np.stack([_quantiles(steps.reshape(found.shape)[:, k][found[:, k]]) for k in range(users)]) for steps in (rays.rx, rays.tx)
    )
    return FittedRays(rx_steps, tx_steps, num_rays, rays.power.reshape(count, users).mean(0) / num_rays, h.shape[2:])


def find_rays(h: np.ndarray) -> Rays:
    """Orthogonal matching pursuit on channels (M, r, t), strongest ray first, until what is left looks like noise or is negligible."""
    energy = np.sum(np.abs(h) ** 2, axis=(-2, -1))
    count, num_rx, num_tx = h.shape
    steps = np.zeros((2, count, 0))
    found = np.zeros((count, 0), bool)
    gains = np.zeros((count, 0), h.dtype)
    residual = h
    peak_of_noise = 2 * np.log(num_rx * num_tx) / (num_rx * num_tx)  # the strongest direction's share; one in many exceeds it
    while found.shape[-1] < _MOST:
        rx, tx, strength = _strongest(residual)
        left = np.sum(np.abs(residual) ** 2, axis=(-2, -1))
        new = (strength > np.maximum(_WEAKEST * energy, peak_of_noise * left)) & (found[:, -1] if found.shape[-1] else True)
        if not new.any():
            break
        found = np.append(found, new[:, None], axis=-1)
        steps = np.append(steps, np.stack([rx, tx])[..., None], axis=-1)
        a_r, a_t = _responses(steps[0], num_rx) * found[:, None], _responses(steps[1], num_tx) * found[:, None]
        gram = (adjoint(a_r) @ a_r) * (adjoint(a_t) @ a_t).conj() + 1e-6 * np.eye(found.shape[-1])
        matched = np.sum(a_r.conj() * (h @ a_t), axis=-2)
        gains = np.linalg.solve(gram, matched[..., None])[..., 0]
        residual = h - (a_r * gains[:, None]) @ adjoint(a_t)
    left = np.sum(np.abs(residual) ** 2, axis=(-2, -1))
    return Rays(steps[0], steps[1], gains, found, np.maximum(energy - left, 0.0))


def _strongest(h: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Phase steps (M,) at both ends and |a_r^H H a_t|^2 of the strongest ray of matrices (M, r, t)."""
    sizes = tuple(_OVERSAMPLING * n for n in h.shape[1:])
    rx, tx, strength = (np.empty(len(h)) for _ in range(3))
    for first in range(0, len(h), _CHUNK):
        here = slice(first, first + _CHUNK)
        spectrum = np.abs(np.fft.fft(np.fft.ifft(h[here], sizes[1], axis=2, norm="forward"), sizes[0], axis=1))
        rows = np.arange(len(spectrum))
        i, j = np.unravel_index(spectrum.reshape(len(spectrum), -1).argmax(-1), sizes)
        peak = spectrum[rows, i, j]
        across = (spectrum[rows, (i + d) % sizes[0], j] for d in (-1, 1))
        along = (spectrum[rows, i, (j + d) % sizes[1]] for d in (-1, 1))
        rx[here] = 2 * np.pi * (i + _vertex(peak, *across)) / sizes[0]
        tx[here] = 2 * np.pi * (j + _vertex(peak, *along)) / sizes[1]
        strength[here] = peak**2 / (h.shape[1] * h.shape[2])
    return (rx + np.pi) % (2 * np.pi) - np.pi, (tx + np.pi) % (2 * np.pi) - np.pi, strength


def _vertex(peak: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where the parabola through three neighbouring points is largest, between -1/2 and 1/2."""
    bend = 2 * peak - before - after
    return 0.5 * (after - before) / np.where(bend > 0, bend, np.inf)


def _responses(steps: np.ndarray, antennas: int) -> np.ndarray:
    """Array responses (..., antennas, P) for phase steps (..., P)."""
    return np.exp(1j * np.arange(antennas)[:, None] * steps[..., None, :]) / np.sqrt(antennas)


def _quantiles(steps: np.ndarray) -> np.ndarray:
    """Equally probable quantiles of phase steps, of a uniform distribution if there are none."""
    probabilities = np.linspace(0, 1, _QUANTILES)
    return np.quantile(steps, probabilities) if len(steps) else np.pi * (2 * probabilities - 1)
