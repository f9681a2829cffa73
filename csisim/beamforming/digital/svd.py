"""Singular vectors of the one user's channel."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital.linear import singular_directions
from csisim.errors import CsisimError
from csisim.phy.dims import PowerBudget
from csisim.phy.power import normalise
from csisim.registry import Component


class SvdConfig(Component):
    """Parallel channels along the singular vectors of a single user's channel."""

    kind: Literal["svd"] = "svd"
    allocation: Literal["waterfilling", "equal"] = Field("waterfilling", description="power over the streams")


class Svd:
    """Parallel channels of a single user; with water-filling the capacity for that many streams."""

    Config = SvdConfig
    single_user: ClassVar[bool] = True

    def __init__(self, config: SvdConfig) -> None:
        self.config = config

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, np.ndarray]:
        """Precoder (D, 1, S, T, n) and combiners (D, 1, S, R, n), the right and left singular vectors.

        Raises
        ------
        CsisimError
            With more than one user, whose singular vectors would interfere.
        """
        if channel.shape[1] != 1:
            raise CsisimError(f"digital: svd serves a single user, not {channel.shape[1]}; sca, wmmse, rzf and zf serve several")
        left, values, right = singular_directions(channel, num_streams)
        if self.config.allocation == "waterfilling":
            right = right * np.sqrt(waterfilling(values.astype(np.float64) ** 2 / noise_power, power.total))[..., None, :]
        return normalise(right, power).astype(channel.dtype), np.ascontiguousarray(left)


def waterfilling(gains: np.ndarray, total: float) -> np.ndarray:
    r"""Powers :math:`p_i = (\mu - 1/g_i)^+` that add up to ``total`` and maximise :math:`\sum_i \log(1 + g_i p_i)`.

    Parameters
    ----------
    gains : (..., n) real
        Channel gains over noise, sorted, strongest first. If all are zero, so are the powers.
    total : float

    Returns
    -------
    (..., n) real
    """
    floor = 1.0 / np.maximum(gains, np.maximum(1e-30 * gains[..., :1], 1e-200))
    # with the m strongest channels in use the water level is (total + sum of their floors) / m; the right m is the largest
    # whose weakest channel still lies below the water
    levels = (total + np.cumsum(floor, axis=-1)) / np.arange(1, gains.shape[-1] + 1)
    used = np.count_nonzero(levels > floor, axis=-1, keepdims=True)
    level = np.take_along_axis(levels, used - 1, axis=-1)
    return np.maximum(level - floor, 0.0)
