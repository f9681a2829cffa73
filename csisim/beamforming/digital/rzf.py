"""Regularised zero forcing."""

from typing import Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital.linear import fold, regularised_zero_forcing, unfold
from csisim.phy.dims import PowerBudget
from csisim.phy.power import normalise
from csisim.registry import Component


class RegularisedZeroForcingConfig(Component):
    """Configuration of :class:`RegularisedZeroForcing`."""

    kind: Literal["rzf"] = "rzf"
    loading: float | None = Field(None, gt=0, description="Loading α of (H Hᴴ + α I)⁻¹; null: the MMSE value K N_s σ²/P")


class RegularisedZeroForcing:
    """Between zero forcing (loading to 0) and the matched filter (loading to infinity); by default the linear MMSE precoder."""

    Config = RegularisedZeroForcingConfig

    def __init__(self, config: RegularisedZeroForcingConfig) -> None:
        self.config = config

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T)."""
        loading = self.config.loading or channel.shape[1] * num_streams * noise_power / power.total
        precoder = normalise(regularised_zero_forcing(fold(channel), num_streams, loading), power)
        return unfold(precoder.astype(channel.dtype), channel.shape[2]), None
