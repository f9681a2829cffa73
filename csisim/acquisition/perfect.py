"""Perfect CSI: the true channel, no pilots."""

from typing import ClassVar, Literal

import numpy as np

from csisim.acquisition.base import Estimate
from csisim.registry import Component


class PerfectConfig(Component):
    """The true equivalent channel: no pilots, no error."""

    kind: Literal["perfect"] = "perfect"


class Perfect:
    """The true channel as the estimate; what it is given as ``received`` is the channel itself."""

    Config = PerfectConfig
    uses_pilots: ClassVar[bool] = False
    needs_covariance: ClassVar[bool] = False

    def __init__(self, config: PerfectConfig):
        self.config = config

    def init(self, pilots: np.ndarray, noise_power: float, covariance: np.ndarray | None = None) -> None:
        """Nothing to prepare."""

    def update(self, received: np.ndarray, state: None) -> tuple[Estimate, None]:
        """The channel (D, K, S, R, T) itself, with error variance 0."""
        return Estimate(received, np.zeros((1, 1), received.real.dtype)), state
