"""Statistics over drops: they add, so more replicas add precision.

A drop is the independent unit: slots of one drop are correlated, so a cell's mean, standard deviation and confidence interval
are those of its drop means.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from csisim.records.schema import BITS, METRICS

if TYPE_CHECKING:
    import pandas as pd


@cache
def t_quantile(dof: int, probability: float = 0.975) -> float:
    """Quantile of Student's t with ``dof`` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(dof, probability))


@dataclass(frozen=True)
class Moments:
    """Number, mean and sum of squared deviations of independent values; ``a + b`` is exact for the pooled values.

    Examples
    --------
    >>> Moments.of([1.0, 2.0]) + Moments.of([3.0]) == Moments.of([1.0, 2.0, 3.0])
    True
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float] | np.ndarray) -> "Moments":
        """Moments of the values that are not NaN."""
        array = np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=np.float64)
        array = array[~np.isnan(array)]
        if len(array) == 0:
            return cls()
        mean = float(array.mean())
        return cls(len(array), mean, float(np.sum((array - mean) ** 2)))

    def __add__(self, other: "Moments") -> "Moments":
        """Pool two sets of values (Chan, Golub and LeVeque 1979, eq. 2.1)."""
        n = self.n + other.n
        if n == 0:
            return Moments()
        delta = other.mean - self.mean
        return Moments(n, self.mean + delta * (other.n / n), self.m2 + other.m2 + delta * delta * (self.n * other.n / n))

    @property
    def std(self) -> float:
        """Sample standard deviation; NaN for fewer than two values."""
        return math.sqrt(self.m2 / (self.n - 1)) if self.n > 1 else math.nan

    @property
    def ci95(self) -> float:
        """Half width of the 95 % confidence interval of the mean (Student t); NaN for fewer than two values."""
        return t_quantile(self.n - 1) * self.std / math.sqrt(self.n) if self.n > 1 else math.nan

    def columns(self, metric: str) -> dict[str, Any]:
        """These moments as columns of the cell table, NaN where there is no value."""
        mean = self.mean if self.n else math.nan
        return {f"{metric}_n": self.n, f"{metric}_mean": mean, f"{metric}_std": self.std, f"{metric}_ci95": self.ci95}

    @classmethod
    def from_columns(cls, row: Mapping[str, Any], metric: str) -> "Moments":
        """The inverse of :meth:`columns`."""
        n = row[f"{metric}_n"]
        if n is None or not n > 0:
            return cls()
        std = row[f"{metric}_std"] if n > 1 else 0.0
        return cls(int(n), float(row[f"{metric}_mean"]), float(std) ** 2 * (int(n) - 1))


class DropMeans:
    """Sums per drop over the evaluated slots of one record, fed superframe by superframe."""

    def __init__(self, drops: int, frames: int, last_frames: int | None) -> None:
        self.first_frame = 0 if last_frames is None else max(frames - last_frames, 0)
        self.sums = {metric: np.zeros(drops) for metric in METRICS}
        self.counts = {metric: np.zeros(drops) for metric in METRICS}
        self.bits = dict.fromkeys(BITS, 0.0)
        self.drops = drops
        self.drop_superframes = 0

    def add(self, columns: Mapping[str, np.ndarray]) -> None:
        """Add the rows of one superframe of some drops."""
        if len(columns["drop"]) == 0:  # a superframe of no frames
            return
        evaluated = columns["frame"] >= self.first_frame
        drop = columns["drop"][evaluated]
        for metric in METRICS:
            values = columns[metric][evaluated].astype(np.float64)
            valid = ~np.isnan(values)
            self.sums[metric] += np.bincount(drop[valid], values[valid], self.drops)
            self.counts[metric] += np.bincount(drop[valid], minlength=self.drops)
        last = columns["slot"] == columns["slot"].max()
        self.drop_superframes += int(last.sum())
        for name in ("pilot_bits", "feedback_bits"):
            self.bits[name] += float(columns[name].sum())
        self.bits["signaling_bits"] += float(columns["signaling_bits"][last].sum())  # a running sum: its end is the total

    def values(self, metric: str) -> np.ndarray:
        """Mean of each drop, (drops,), NaN for a drop without a value."""
        counts = self.counts[metric]
        return np.where(counts > 0, self.sums[metric] / np.maximum(counts, 1), np.nan)

    def columns(self) -> dict[str, Any]:
        """Summary columns of the cell table."""
        row: dict[str, Any] = {"n": self.drops}
        for metric in METRICS:
            row |= Moments.of(self.values(metric)).columns(metric)
        return row | {name: total / max(self.drop_superframes, 1) for name, total in self.bits.items()}

    def table(self) -> dict[str, list[float | None]]:
        """Every metric's drop means as plain lists, None for a drop without a value."""
        return {metric: [None if np.isnan(value) else float(value) for value in self.values(metric)] for metric in METRICS}


def merge_replicas(cells: "pd.DataFrame", axes: Sequence[str]) -> "pd.DataFrame":
    """One row per sweep point and scheme: the replicas' drops pooled, bits averaged, seconds added.

    ``cell`` and ``record`` are those of the first replica, ``replica`` counts the replicas. Rows without numbers (failed
    cells) are left out as soon as another replica has some.
    """
    import pandas as pd

    rows = []
    for _, group in cells.groupby([*axes, "scheme"], sort=False, dropna=False):
        counted = group[group["n"] > 0] if (group["n"] > 0).any() else group
        members: list[dict[str, Any]] = [dict(zip(counted.columns, values, strict=True)) for values in counted.itertuples(index=False)]
        row = members[0]
        if len(counted) > 1:
            for metric in METRICS:
                pooled = Moments()
                for member in members:
                    pooled += Moments.from_columns(member, metric)
                row |= pooled.columns(metric)
            for name in BITS:
                row[name] = float(np.average(counted[name], weights=counted["n"]))
            row |= {"n": int(counted["n"].sum()), "seconds": float(counted["seconds"].sum())}
        rows.append(row | {"replica": len(counted)})
    merged = pd.DataFrame(rows, columns=cells.columns)
    merged.attrs = dict(cells.attrs)
    return merged


def paired_differences(drops: "pd.DataFrame", axes: Sequence[str], reference: str, metrics: Sequence[str] = METRICS[:2]) -> "pd.DataFrame":
    """Differences of every scheme to a reference scheme, drop by drop on the same channel.

    Parameters
    ----------
    drops : DataFrame
        Drop means, ``load(path, "drops")``.
    axes : list of str
        Swept axes; replicas are pooled.
    reference : str
        Name of the scheme that is subtracted.

    Returns
    -------
    DataFrame
        Swept axes, ``scheme``, ``n`` and for each metric ``<metric>_diff_mean`` and ``<metric>_diff_ci95``.
    """
    import pandas as pd

    unit = [*axes, "replica", "drop"]
    against = drops[drops["scheme"] == reference][[*unit, *metrics]]
    others = drops[drops["scheme"] != reference]
    both = others.merge(against, on=unit, suffixes=("", "_reference"))
    rows = []
    for key, group in both.groupby([*axes, "scheme"], sort=False, dropna=False, observed=True):
        row = dict(zip([*axes, "scheme"], key, strict=True)) | {"n": len(group)}
        for metric in metrics:
            difference = Moments.of((group[metric] - group[f"{metric}_reference"]).to_numpy(dtype=np.float64))
            row |= {f"{metric}_diff_mean": difference.mean if difference.n else math.nan, f"{metric}_diff_ci95": difference.ci95}
        rows.append(row)
    columns = [*axes, "scheme", "n", *(f"{metric}_diff_{what}" for metric in metrics for what in ("mean", "ci95"))]
    return pd.DataFrame(rows, columns=columns)
