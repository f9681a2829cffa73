"""Means and shares of means with the half-width of their 95 % confidence intervals."""

import numpy as np

from csisim.papers.base import Measured
from csisim.records.summary import Moments


def mean(values: np.ndarray, scale: float = 1.0) -> Measured:
    """Mean of independent values (n,); no interval for a single one, which counts as exact."""
    moments = Moments.of(scale * np.asarray(values, dtype=np.float64))
    return Measured(moments.mean, moments.ci95 if moments.n > 1 else None)


def share(values: np.ndarray, reference: np.ndarray) -> Measured:
    """Ratio of the means (n,) in percent for pairs on the same channel (a ratio estimator: the spread is that of the residuals)."""
    ratio = float(values.mean() / reference.mean())
    residuals = Moments.of((values - ratio * reference) / reference.mean())
    return Measured(100.0 * ratio, 100.0 * residuals.ci95 if residuals.n > 1 else None)
