"""Digital layers alone, behind analog beamformers that are there already: perfect equivalent CSI, sum rate.

A network of six users serves fewer with the first ones' parameters, and loses up to a tenth of the rate by it (Kang 2022, Fig. 14, sees
less). With ``serves`` it is trained for that: every batch has another number of users.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from csisim.beamforming.digital import hbdun
from csisim.training.base import Parameters, Product, part, prefixed
from csisim.training.data import of_first_users, source_of
from csisim.training.loop import TRAINING, VALIDATION
from csisim.training.tasks.hybrid import LayersConfig, digital_rates, sca_rate


class DigitalConfig(LayersConfig):
    """Digital layers behind given phases, or behind phases designed for every drop."""

    task: Literal["digital"] = "digital"


class Digital:
    """Sum rate over the digital layers; ``start`` holds ``phi_f`` and ``phi_w`` if all drops share them, and layers to go on from."""

    Config = DigitalConfig
    unit = "bit/s/Hz"
    reference_is = "70 SCA iterations behind the same phases"

    def __init__(self, config: DigitalConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.config = config
        self.start = prefixed("digital", hbdun.initial(config.digital, config.dims) | part("digital", start))
        self.source = source_of(config, start)
        self.validation = self._batch(config.validation, VALIDATION, 0)

    def initial(self) -> Parameters:
        """The start, or untrained layers."""
        return {name: value.copy() for name, value in self.start.items()}

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Equivalent channels of as many users as the batch is for, with the errors of their CSI."""
        users = self.config.some_users(rng)
        return of_first_users(self._batch(self.config.batch, TRAINING, int(rng.integers(2**31))), users)

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Minus the mean sum rate in bit/s/Hz."""
        return -self.rates(parameters, batch).mean()

    def score(self, parameters: Parameters) -> float:
        """Mean sum rate of the validation channels in bit/s/Hz, over the numbers of users too."""
        return float(np.mean([self.rates(parameters, batch) for batch in self._validations()]))

    def reference(self, known: Parameters) -> float:
        """Mean sum rate of the validation channels with SCA in place of the digital layers."""
        pairs = [(self.config.seen(*batch), batch[0]) for batch in self._validations()]
        return float(np.mean([sca_rate(seen, true, self.config.system) for seen, true in pairs]))

    def rates(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Sum rates (B,)."""
        return digital_rates(parameters, self.config.seen(*batch), batch[0], self.config)

    def _validations(self) -> list[tuple[Any, ...]]:
        return [of_first_users(self.validation, users) for users in self.config.users]

    def _batch(self, count: int, root: int, index: int) -> tuple[np.ndarray, ...]:
        return (self.source.channels(count, root, index), *self.config.errors(count, root, index))

    def products(self, known: Parameters) -> list[Product]:
        """The digital layers."""
        return [self.config.product(self.config.digital, part("digital", known))]
