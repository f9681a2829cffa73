"""What figures draw, read from ``results/<name>``: cells along one axis and the slots of the base point.

Every statistic is taken over drops (of all replicas); slots and users of one drop are correlated and only averaged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from csisim.errors import CsisimError

if TYPE_CHECKING:
    import pandas as pd

    from csisim.scenario.schema import Scenario


def half_width(values: np.ndarray) -> float:
    """Half-width of the 95 % Student t confidence interval of the mean of ``values``, NaN for fewer than two."""
    return student_t(len(values)) * float(np.std(values, ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else float("nan")


def student_t(count: int) -> float:
    """The two-sided 95 % quantile of Student's t with ``count - 1`` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.975))


def ratio_interval(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Ratio of means of paired samples and its 95 % half-width (linearised: residuals ``values - ratio * reference``)."""
    ratio = float(values.mean() / reference.mean())
    return ratio, half_width(values - ratio * reference) / abs(float(reference.mean()))


@dataclass(frozen=True, eq=False)
class Results:
    """One results folder.

    Attributes
    ----------
    folder : Path
    scenario : Scenario
        The base point, with its sweep.
    cells : DataFrame
        ``cells.parquet``, finished cells only.
    """

    folder: Path
    scenario: "Scenario"
    cells: "pd.DataFrame"
