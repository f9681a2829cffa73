"""Successive convex approximation (Kang 2022, Algorithm 2, corrected)."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.alternating import alternate
from csisim.beamforming.digital.linear import Start, fold, start_precoder, unfold
from csisim.phy.dims import PowerBudget
from csisim.phy.power import cap
from csisim.registry import Component


class ScaConfig(Component):
    """Precoder that ascends the sum rate of streams decoded one by one (Kang 2022, Algorithm 2)."""

    kind: Literal["sca"] = "sca"
    iterations: int = Field(5, ge=0, description="iterations from the start")
    start: Start = Field("svd", description="first precoder: singular vectors, matched filter, or zero forcing")
    weights: Literal["mmse", "recursion"] = Field("mmse", description="1 / MSE, or the paper's dual recursion towards it")
    tau: Literal["closed", "bisection"] = Field("closed", description="multiplier of the power constraint: closed form, or bisection")
    noise_factor: float = Field(1.0, gt=0, description="the design reckons with so many times the noise: errors of CSI act like noise")


class Sca:
    """Sum-rate precoder by successive convex approximation, streams decoded one by one (Kang 2022, Algorithm 2)."""

    Config = ScaConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config: ScaConfig) -> None:
        self.config = config

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T); combiners are the MMSE ones."""
        options = self.config.model_dump(exclude={"kind", "noise_factor"})
        noise_power *= self.config.noise_factor
        return unfold(sca(fold(channel), noise_power, num_streams, power, **options), channel.shape[2]), None


def sca(
    channel: np.ndarray,
    noise_power: float,
    num_streams: int,
    power: PowerBudget,
    *,
    iterations: int,
    start: Start | np.ndarray = "svd",
    weights: Literal["mmse", "recursion"] = "mmse",
    tau: Literal["closed", "bisection"] = "closed",
) -> np.ndarray:
    """Precoder (B, K, T, n) of a batch of channels (B, K, R, T), in the channel's type.

    ``closed`` meets the power constraint with equality; ``bisection`` never exceeds it, and may leave a user less.

    ``tau="closed"`` runs :mod:`csisim.beamforming.digital.alternating`; ``tau="bisection"`` is the reference with exact
    multipliers (:func:`csisim.beamforming.digital.oracle.sca`), some fifteen times slower for at most
    about 0.5 % more.
    """
    first = start_precoder(channel, num_streams, power, start)
    if tau == "closed":
        return alternate(channel, first, noise_power, power, joint=False, recursion=weights == "recursion", iterations=iterations)
    wide = channel.astype(np.complex128), first.astype(np.complex128)
    return cap(oracle.sca(*wide, noise_power, power, iterations, weights, tau), power).astype(channel.dtype)
