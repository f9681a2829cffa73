"""Regularised zero forcing."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital.linear import fold, regularised_zero_forcing, unfold
from csisim.phy.dims import PowerBudget
from csisim.phy.power import normalise
from csisim.registry import Component


class RegularisedZeroForcingConfig(Component):
    """Channel inversion that tolerates interference where removing it would cost more power than it is worth."""

    kind: Literal["rzf"] = "rzf"
    loading: float | None = Field(None, gt=0, description="loading alpha of (H H^H + alpha I)^-1; null: the MMSE value K N_s sigma^2 / P")


class RegularisedZeroForcing:
    """Between zero forcing (loading to 0) and the matched filter (loading to infinity); by default the linear MMSE precoder."""

    Config = RegularisedZeroForcingConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config: RegularisedZeroForcingConfig) -> None:
        self.config = config

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T)."""
        loading = self.config.loading or channel.shape[1] * num_streams * noise_power / power.total
        precoder = normalise(regularised_zero_forcing(fold(channel), num_streams, loading), power)
        return unfold(precoder.astype(channel.dtype), channel.shape[2]), None
