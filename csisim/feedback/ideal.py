"""The ideal feedback link: an unquantised report that costs nothing."""

from typing import ClassVar, Literal

import numpy as np

from csisim.feedback.report import Report
from csisim.registry import Component


class IdealConfig(Component):
    """The CSI itself, unquantised and without a bit booked."""

    kind: Literal["ideal"] = "ideal"


class Ideal:
    """The CSI itself as the report, with no bits booked: the upper bound of every codec."""

    Config = IdealConfig
    content: ClassVar[Literal["channel", "precoder"]] = "channel"

    def __init__(self, config: IdealConfig):
        self.config = config

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Nothing to prepare."""

    def encode(self, csi: np.ndarray, state: None) -> tuple[Report, None]:
        """A report that holds ``csi`` (D, K, S, R, T) itself."""
        return Report(csi, 0), state

    def decode(self, report: Report, state: None) -> tuple[np.ndarray, None]:
        """The array that the report holds."""
        return report.payload, state
