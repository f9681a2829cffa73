"""Digital layers alone, behind analog beamformers that are there already: perfect equivalent CSI, sum rate.

A network of six users serves fewer with the first ones' parameters, and loses up to a tenth of the rate by it (Kang 2022, Fig. 14, sees
less). With ``serves`` it is trained for that: every batch has another number of users.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital import hbdun
from csisim.beamforming.digital.hbdun import HbdunConfig
from csisim.training.base import Parameters, Product, part, prefixed
from csisim.training.data import LinkSettings, source_of
from csisim.training.loop import TRAINING, VALIDATION
from csisim.training.tasks.hybrid import digital_rates, sca_rate


class DigitalConfig(LinkSettings):
    """Digital layers behind given phases, or behind phases designed for every drop."""

    task: Literal["digital"] = "digital"
    digital: HbdunConfig = Field(default_factory=HbdunConfig, description="the digital layers")
    batch: int = Field(32, ge=1, description="channels per step")
    validation: int = Field(256, ge=1, description="channels of the validation set")
    serves: list[int] = Field(default_factory=list, description="numbers of users that are trained for in turn; empty is all users at once")


class Digital:
    """Sum rate over the digital layers; ``start`` holds ``phi_f`` and ``phi_w`` if all drops share them, and layers to go on from."""

    Config = DigitalConfig
    unit = "bit/s/Hz"
    reference_is = "70 SCA iterations behind the same phases"

    def __init__(self, config: DigitalConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.config = config
        self.start = prefixed("digital", hbdun.initial(config.digital, config.dims) | part("digital", start))
        self.source = source_of(config, start)
        self.users = config.serves or [config.system.num_users]
        self.validation = self.source.channels(config.validation, VALIDATION, 0)

    def initial(self) -> Parameters:
        """The start, or untrained layers."""
        return {name: value.copy() for name, value in self.start.items()}

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray]:
        """Equivalent channels of as many users as the batch is for."""
        users = int(rng.choice(self.users))
        return (self.source.channels(self.config.batch, TRAINING, int(rng.integers(2**31)))[:, :users],)

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Minus the mean sum rate in bit/s/Hz."""
        return -digital_rates(parameters, batch[0], batch[0], self.config).mean()

    def score(self, parameters: Parameters) -> float:
        """Mean sum rate of the validation channels in bit/s/Hz, over the numbers of users too."""
        channels = [self.validation[:, :users] for users in self.users]
        return float(np.mean([digital_rates(parameters, channel, channel, self.config) for channel in channels]))

    def reference(self, known: Parameters) -> float:
        """Mean sum rate of the validation channels with SCA in place of the digital layers."""
        channels = [self.validation[:, :users] for users in self.users]
        return float(np.mean([sca_rate(channel, channel, self.config.system) for channel in channels]))

    def products(self, known: Parameters) -> list[Product]:
        """The digital layers."""
        return [self.config.product(self.config.digital, part("digital", known))]
