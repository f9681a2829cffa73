"""Zero forcing."""

from typing import ClassVar, Literal

import numpy as np

from csisim.beamforming.digital.linear import fold, unfold, zero_forcing
from csisim.phy.dims import PowerBudget
from csisim.phy.power import normalise
from csisim.registry import Component


class ZeroForcingConfig(Component):
    """Channel inversion: no interference between streams, at any price in power."""

    kind: Literal["zf"] = "zf"


class ZeroForcing:
    """Channel inversion: no interference at any price, which on a fully loaded system is most of the power."""

    Config = ZeroForcingConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config: ZeroForcingConfig) -> None:
        self.config = config

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T); the noise plays no role."""
        precoder = normalise(zero_forcing(fold(channel), num_streams), power)
        return unfold(precoder.astype(channel.dtype), channel.shape[2]), None
