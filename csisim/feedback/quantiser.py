"""Scalar Lloyd-Max quantisers: least mean squared error at a fixed number of bits."""

from dataclasses import dataclass
from functools import cache
from math import erfc
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True, eq=False)
class Quantiser:
    """A scalar quantiser with its thresholds half-way between its levels.

    Attributes
    ----------
    levels : (2^bits,) real, ascending
    """

    levels: np.ndarray

    @property
    def thresholds(self) -> np.ndarray:
        """Decision thresholds, (2^bits - 1,)."""
        return (self.levels[1:] + self.levels[:-1]) / 2

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Indices of the nearest levels, integers of the shape of ``values``."""
        return np.searchsorted(self.thresholds, values)

    def decode(self, index: np.ndarray) -> np.ndarray:
        """The levels with these indices, float64."""
        return self.levels[index]


@cache
def gaussian_quantiser(bits: int) -> Quantiser:
    r"""The Lloyd-Max quantiser of a unit Gaussian (Max 1960), converged to rounding.

    At the optimum every level is the centroid of its cell. With :math:`\varphi` the density and Q its tail the centroid of
    :math:`(a, b)` is :math:`(\varphi(a) - \varphi(b)) / (Q(a) - Q(b))`; Newton's method solves all levels at once, starting
    from the high-rate density of levels, a Gaussian of variance 3 (Lloyd's own iteration needs thousands of rounds at 8 bits).
    """
    half = 2 ** (bits - 1)  # symmetric: the positive half is enough, and its tails lose no digits
    start = NormalDist(0, np.sqrt(3))
    levels = np.array([start.inv_cdf(0.5 + (i + 0.5) / (2 * half)) for i in range(half)])
    for _ in range(50):
        edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [np.inf]])
        density = np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi)
        tail = np.array([erfc(edge / np.sqrt(2)) / 2 for edge in edges])
        mass = tail[:-1] - tail[1:]
        centroid = (density[:-1] - density[1:]) / mass
        residual = centroid - levels
        lower = density[:-1] * (centroid - edges[:-1]) / mass / 2  # half of d centroid_i / d edge_i
        lower[0] = 0  # the edge at zero stands still
        upper = np.append(density[1:-1] * (edges[1:-1] - centroid[:-1]) / mass[:-1] / 2, 0.0)
        jacobian = np.diag(lower + upper - 1) + np.diag(lower[1:], -1) + np.diag(upper[:-1], 1)
        levels = levels - np.linalg.solve(jacobian, residual)
        if np.max(np.abs(residual)) < 1e-13:
            break
    return Quantiser(np.concatenate([-levels[::-1], levels]))


def train_quantiser(samples: np.ndarray, bits: int, tolerance: float = 1e-6, max_iterations: int = 1000) -> Quantiser:
    """A Lloyd-Max quantiser of the empirical distribution of real samples, by Lloyd's iteration from their quantiles.

    Parameters
    ----------
    samples : (...) real
    bits : int
    tolerance : float
        Stops when no level moves by more than this share of the samples' standard deviation.
    max_iterations : int

    Returns
    -------
    Quantiser
        Levels whose cells stay empty keep their place.
    """
    ordered = np.sort(samples, axis=None).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    count = 2**bits
    quantiser = Quantiser(np.quantile(ordered, (np.arange(count) + 0.5) / count))
    for _ in range(max_iterations):
        edges = np.concatenate([[0], np.searchsorted(ordered, quantiser.thresholds), [ordered.size]])
        inside = np.diff(edges)
        levels = np.where(inside > 0, np.diff(sums[edges]) / np.maximum(inside, 1), quantiser.levels)
        moved = np.max(np.abs(levels - quantiser.levels))
        quantiser = Quantiser(levels)
        if moved <= tolerance * ordered.std():
            break
    return quantiser
