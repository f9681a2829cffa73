"""Weighted MMSE (Hu 2021, Algorithm 1; Shi et al. 2011)."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.alternating import alternate
from csisim.beamforming.digital.linear import Start, fold, start_precoder, unfold
from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint
from csisim.phy.power import cap, normalise
from csisim.registry import Component


class WmmseConfig(Component):
    """Precoder that ascends the sum rate of streams decoded jointly by their user (Hu 2021, Algorithm 1)."""

    kind: Literal["wmmse"] = "wmmse"
    iterations: int = Field(100, ge=0, description="most iterations from the start")
    start: Start = Field("zf", description="first precoder: singular vectors, matched filter, or zero forcing")
    tolerance: float = Field(0.0, ge=0, description="stop when the rate grows by less than this fraction; 0: never")


class Wmmse:
    """Sum-rate precoder for streams of a user decoded jointly: the rate is a log det, and no iteration lowers it."""

    Config = WmmseConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config: WmmseConfig) -> None:
        self.config = config

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T); combiners are the MMSE ones."""
        options = self.config.model_dump(exclude={"kind"})
        return unfold(wmmse(fold(channel), noise_power, num_streams, power, **options), channel.shape[2]), None


def wmmse(
    channel: np.ndarray,
    noise_power: float,
    num_streams: int,
    power: PowerBudget,
    *,
    iterations: int,
    start: Start | np.ndarray = "zf",
    tolerance: float = 0.0,
) -> np.ndarray:
    """Precoder (B, K, T, n) of a batch of channels (B, K, R, T), in the channel's type.

    Under a total power constraint these are the exact reduced iterations of
    :mod:`csisim.beamforming.digital.alternating`; under one per user every iteration finds the users' multipliers by
    bisection on an eigendecomposition (:func:`csisim.beamforming.digital.oracle.wmmse`), some ten times slower, and a user
    may be left with less than its budget.
    ``tolerance`` may stop a problem after 20 iterations at the earliest; light loads stand still for a few before they level.
    """
    if isinstance(start, str) and start == "zf" and channel.shape[1] * num_streams > channel.shape[-1]:
        start = "mrt"  # more streams than transmit chains: there is nothing to force to zero
    wide = channel.astype(np.complex128)
    precoder = start_precoder(wide, num_streams, power, start)
    if power.constraint == "total":
        precoder = alternate(wide, precoder, noise_power, power, joint=True, iterations=iterations, tolerance=tolerance)
    else:
        precoder = oracle.wmmse(wide, precoder, noise_power, power, iterations, tau="bisection", tolerance=tolerance)
    constrained = normalise if power.constraint == "total" else cap
    return constrained(_separate(wide, precoder, noise_power), power).astype(channel.dtype)


def _separate(channel: np.ndarray, precoder: np.ndarray, noise_power: float) -> np.ndarray:
    """Rotate every user's streams so that their errors are uncorrelated.

    The log-det rate and the power do not see the rotation; afterwards the streams may as well be decoded one by one.
    """
    correlation = adjoint(oracle.mmse_combiner(channel, precoder, noise_power)) @ (channel @ precoder)
    return precoder @ np.linalg.eigh(correlation)[1]
