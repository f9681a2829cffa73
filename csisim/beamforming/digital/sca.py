"""Successive convex approximation (Kang 2022, Algorithm 2, corrected)."""

from typing import Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital.alternating import alternate
from csisim.beamforming.digital.starts import Start, start_precoder
from csisim.phy.dims import PowerBudget
from csisim.phy.power import normalise
from csisim.registry import Component


class ScaConfig(Component):
    """Configuration of :class:`Sca`."""

    kind: Literal["sca"] = "sca"
    iterations: int = Field(5, ge=0, description="Iterations from the start")
    start: Start = Field("svd", description="First precoder")
    weights: Literal["mmse", "recursion"] = Field("mmse", description="1/MSE, or the paper's dual recursion towards it")
    tau: Literal["closed", "bisection"] = Field("closed", description="Multiplier of the power constraint: closed form, or bisection")


class Sca:
    """Sum-rate precoder by successive convex approximation, streams decoded one by one (Kang 2022, Algorithm 2)."""

    Config = ScaConfig

    def __init__(self, config: ScaConfig) -> None:
        self.config = config

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T); combiners are the MMSE ones."""
        drops, users, subcarriers, num_rx, num_tx = channel.shape
        flat = np.moveaxis(channel, 2, 1).reshape(drops * subcarriers, users, num_rx, num_tx)
        c = self.config
        precoder = sca(flat, noise_power, num_streams, power, iterations=c.iterations, start=c.start, weights=c.weights, tau=c.tau)
        return np.moveaxis(precoder.reshape(drops, subcarriers, users, num_tx, num_streams), 1, 2), None


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
    """Precoder (B, K, T, n) of a batch of channels (B, K, R, T)."""
    first = start_precoder(channel, num_streams, power, start)
    precoder = np.array(first, np.complex128, order="C")
    alternate(
        np.ascontiguousarray(channel, np.complex128),
        precoder,
        float(noise_power),
        float(power.total),
        power.constraint == "per_user",
        False,
        weights == "recursion",
        int(iterations),
        0.0,
        1e-12,
    )
    return normalise(precoder, power).astype(channel.dtype, copy=False)
