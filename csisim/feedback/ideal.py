"""The ideal feedback link: an unquantised report that costs nothing."""

from typing import ClassVar, Literal

import numpy as np

from csisim.feedback.report import Report, check_csi
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

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, ...]:
        """The shape (D, K, S, R, T) that reports will have."""
        return tuple(shape)

    def encode(self, csi: np.ndarray, state: tuple[int, ...]) -> tuple[Report, tuple[int, ...]]:
        """A report that holds ``csi`` (D, K, S, R, T) itself.

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced.
        """
        check_csi(csi, state)
        return Report(csi, 0), state

    def decode(self, report: Report, state: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
        """The array that the report holds."""
        return report.payload, state
