"""Weighted MMSE (Hu 2021, Algorithm 1; Shi et al. 2011)."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.alternating import alternate
from csisim.beamforming.digital.linear import Start, fold, start_precoder, unfold
from csisim.errors import CsisimError
from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint
from csisim.phy.power import cap, normalise
from csisim.random import complex_normal, stream
from csisim.registry import Component


class WmmseConfig(Component):
    """Precoder that ascends the sum rate of streams decoded jointly by their user (Hu 2021, Algorithm 1)."""

    kind: Literal["wmmse"] = "wmmse"
    iterations: int = Field(100, ge=0, description="most iterations from the start")
    start: Start = Field("zf", description="first precoder: singular vectors, matched filter, or zero forcing")
    tolerance: float = Field(0.0, ge=0, description="stop when the rate grows by less than this fraction; 0: never")
    restarts: int = Field(0, ge=0, description="further random starts, of which the best is kept")
    user_weights: list[float] | None = Field(None, description="priority of each user in the sum rate; null: all alike")


class Wmmse:
    """Sum-rate precoder for streams of a user decoded jointly: the rate is a log det, and no iteration lowers it."""

    Config = WmmseConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config: WmmseConfig) -> None:
        self.config = config

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T); combiners are the MMSE ones."""
        options = self.config.model_dump(exclude={"kind"})
        if options["user_weights"] is not None:
            options["user_weights"] = user_weights(options["user_weights"], channel.shape[1])
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
    restarts: int = 0,
    user_weights: np.ndarray | None = None,
) -> np.ndarray:
    """Precoder (B, K, T, n) of a batch of channels (B, K, R, T), in the channel's type.

    Under a total power constraint these are the exact reduced iterations of
    :mod:`csisim.beamforming.digital.alternating`; under one per user every iteration finds the users' multipliers by
    bisection on an eigendecomposition (:func:`csisim.beamforming.digital.oracle.wmmse`), some ten times slower, and a user
    may be left with less than its budget.
    ``tolerance`` may stop a problem after 20 iterations at the earliest; light loads stand still for a few before they level.
    ``restarts`` tries that many random starts more, the same for every problem, and keeps the best weighted rate.
    """
    if isinstance(start, str) and start == "zf" and channel.shape[1] * num_streams > channel.shape[-1]:
        start = "mrt"  # more streams than transmit chains: there is nothing to force to zero
    wide = channel.astype(np.complex128)
    precoder = _improve(wide, start_precoder(wide, num_streams, power, start), noise_power, power, iterations, tolerance, user_weights)
    shape = (restarts, channel.shape[1], channel.shape[3], num_streams)
    for other in complex_normal(stream(0, 0, "wmmse.restarts"), shape, np.complex128):
        first = start_precoder(wide, num_streams, power, other)
        rival = _improve(wide, first, noise_power, power, iterations, tolerance, user_weights)
        better = _rate(wide, rival, noise_power, user_weights) > _rate(wide, precoder, noise_power, user_weights)
        precoder = np.where(better[:, None, None, None], rival, precoder)
    constrained = normalise if power.constraint == "total" else cap
    return constrained(separate(wide, precoder, noise_power), power).astype(channel.dtype)


def _improve(
    channel: np.ndarray,
    start: np.ndarray,
    noise_power: float,
    power: PowerBudget,
    iterations: int,
    tolerance: float,
    priorities: np.ndarray | None,
) -> np.ndarray:
    if power.constraint == "per_user":
        return oracle.wmmse(channel, start, noise_power, power, iterations, "bisection", tolerance, priorities)
    return alternate(channel, start, noise_power, power, joint=True, iterations=iterations, tolerance=tolerance, user_weights=priorities)


def user_weights(weights: Sequence[float], num_users: int) -> np.ndarray:
    """Priorities of the users, (K,).

    Raises
    ------
    CsisimError
        Unless there is a positive one for every user.
    """
    if len(weights) != num_users or min(weights) <= 0.0:
        raise CsisimError(f"user_weights: {num_users} positive numbers are wanted, one per user, not {list(weights)}")
    return np.asarray(weights, np.float64)


def _rate(channel: np.ndarray, precoder: np.ndarray, noise_power: float, priorities: np.ndarray | None) -> np.ndarray:
    """Weighted sum rate (B,) in nats."""
    combiner = oracle.mmse_combiner(channel, precoder, noise_power)
    rates = -np.linalg.slogdet(np.eye(precoder.shape[-1]) - adjoint(combiner) @ (channel @ precoder))[1]
    return np.sum(rates if priorities is None else priorities * rates, axis=-1)


def separate(channel: np.ndarray, precoder: np.ndarray, noise_power: float) -> np.ndarray:
    """Rotate every user's streams so that their errors are uncorrelated.

    The log-det rate and the power do not see the rotation; afterwards the streams may as well be decoded one by one.
    """
    correlation = adjoint(oracle.mmse_combiner(channel, precoder, noise_power)) @ (channel @ precoder)
    return precoder @ np.linalg.eigh(correlation)[1]
