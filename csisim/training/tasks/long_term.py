"""The long-term CEDUN (Kang 2022, Fig. 6a): beams, pilots, layers and the way back to the antennas, for the error of the full CSI."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from csisim.acquisition import long_term
from csisim.acquisition.cedun import amplitude
from csisim.acquisition.long_term import LongTermConfig
from csisim.acquisition.pilots import pilot_matrix
from csisim.beamforming.analog.projection import project
from csisim.beamforming.digital.oracle import squared
from csisim.phy.linalg import adjoint
from csisim.random import complex_normal, stream
from csisim.training.base import Parameters, Product
from csisim.training.data import SampledLink
from csisim.training.loop import TRAINING, VALIDATION


class LongTermTraining(SampledLink):
    """Full CSI from one pilot block."""

    task: Literal["long_term"] = "long_term"
    full_csi_network: LongTermConfig = Field(default_factory=LongTermConfig, description="the network")
    batch: int = Field(48, ge=1, description="channels per step")
    validation: int = Field(256, ge=1, description="channels of the validation set")


class LongTermTask:
    """Normalised error of the whole channel."""

    Config = LongTermTraining
    unit = "dB of signal over error"
    reference_is = "least squares through the first DFT beams"

    def __init__(self, config: LongTermTraining, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.config, s = config, config.system
        sent = pilot_matrix(config.pilots, s.num_rf, s.num_users, stream(TRAINING + seed, 0, "training.pilots"))
        self.size, self.sent = amplitude(sent[:1]), sent[0]
        self.validation = self._batch(config.validation, VALIDATION, 0)

    def initial(self) -> Parameters:
        """Untrained."""
        return long_term.initial(self.config.dims, self.sent)

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Paths and unit noise."""
        return self._batch(self.config.batch, TRAINING, int(rng.integers(2**31)))

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Error over signal, all channels together: a weak one has no weight of its own."""
        rx, tx, gains, noise = batch
        channel = project(parameters["phi_f"], parameters["phi_w"], rx, tx, gains)
        noise = self.config.system.noise_power**0.5 * noise
        estimate = long_term.recover(parameters, channel, noise, self.size, self.config.full_csi_network.loading)
        true = (rx * gains[..., None, :]) @ adjoint(tx)
        return squared(estimate - true).sum() / squared(true).sum()

    def score(self, parameters: Parameters) -> float:
        """Minus the error on the validation channels in dB."""
        return -10 * float(np.log10(self.loss(parameters, self.validation)))

    def reference(self, known: Parameters) -> float:
        """The untrained network's score."""
        return self.score(self.initial())

    def products(self, known: Parameters) -> list[Product]:
        """The network."""
        need = long_term.need(self.config.full_csi_network, self.config.dims)
        parameters = {name: known[name] for name in self.initial()}
        statistics = self.config.channel.model_dump(mode="json", exclude={"fading"}) | self.config.handicap
        return [Product(need.component, need.architecture, need.dims, statistics, self.config.system.snr_db, parameters)]

    def _batch(self, count: int, root: int, index: int) -> tuple[np.ndarray, ...]:
        s = self.config.system
        noise = complex_normal(stream(root, 0, "training.noise", index), (count, s.num_users, s.num_rx_rf, self.sent.shape[-1]))
        return (*self.config.paths(count, root, index), noise)
