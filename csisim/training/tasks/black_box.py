"""The fully connected networks of Kang 2022, Sec. VII-A, behind frozen phases: one at a time, then both for the sum rate.

The rate alone leaves the precoder where its output does not depend on the channel: there the gradient of what is odd in the channel is
zero on average, because a channel and its negative are as likely and have the same rates. So it may copy SCA first, as Hu's black box
copies WMMSE (:mod:`csisim.training.tasks.cnn`).
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from csisim.acquisition import fc_net as fc_estimator
from csisim.acquisition.cedun import amplitude
from csisim.acquisition.fc_net import FcEstimatorConfig
from csisim.acquisition.pilots import pilot_matrix
from csisim.beamforming.digital import fc_net as fc_precoder
from csisim.beamforming.digital.fc_net import FcPrecoderConfig
from csisim.beamforming.digital.oracle import mmse_combiner, squared, sum_rate
from csisim.beamforming.digital.sca import sca
from csisim.phy.dims import System
from csisim.random import complex_normal, stream
from csisim.training.base import Parameters, Product, part, prefixed
from csisim.training.data import SampledLink, source_of
from csisim.training.loop import TRAINING, VALIDATION
from csisim.training.tasks.hybrid import sca_rate
from csisim.weights import Learned


class BlackBoxConfig(SampledLink):
    """Fully connected estimator, precoder, or both."""

    task: Literal["fc_estimator", "fc_supervised", "fc_digital", "fc_joint"]
    estimator: FcEstimatorConfig = Field(default_factory=FcEstimatorConfig, description="the estimator")
    digital: FcPrecoderConfig = Field(default_factory=FcPrecoderConfig, description="the precoder")
    batch: int = Field(200, ge=1, description="channels per step")
    validation: int = Field(256, ge=1, description="channels of the validation set")


#: tasks whose precoder sees the channel itself
_PERFECT = ("fc_supervised", "fc_digital")


class BlackBox:
    """Error of the estimate, distance to SCA's precoders, sum rate with perfect CSI, or sum rate of both together.

    ``start`` holds ``phi_f`` and ``phi_w`` if all drops share them, and networks to go on from.
    """

    Config = BlackBoxConfig
    reference_is = "70 SCA iterations, for the estimator RLS before them"

    def __init__(self, config: BlackBoxConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.config, self.system = config, config.system
        s = config.system
        self.sent = pilot_matrix(config.pilots, s.num_rf, s.num_users, stream(TRAINING + seed, 0, "training.pilots")).sum(0)
        self.amplitude = amplitude(self.sent[None])
        networks = prefixed("estimator", fc_estimator.initial(config.estimator, config.dims))
        networks |= prefixed("digital", fc_precoder.initial(config.digital, config.dims))
        parts = {"fc_estimator": ("estimator/",), "fc_joint": ("estimator/", "digital/")}.get(config.task, ("digital/",))
        self.start = {name: start.get(name, value) for name, value in networks.items() if name.startswith(parts)}
        self.source = source_of(config, start)
        self.validation = self._batch(config.validation, VALIDATION, 0)

    def initial(self) -> Parameters:
        """The start, or fresh networks."""
        return {name: value.copy() for name, value in self.start.items()}

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Equivalent channels, what is received of the pilots, and for ``fc_supervised`` the precoders to copy."""
        true, received = self._batch(self.config.batch, TRAINING, int(rng.integers(2**31)))
        return (true, received, labels(true, self.system)) if self.config.task == "fc_supervised" else (true, received)

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Normalised error of the estimate, mean squared distance to the precoders, or minus the mean sum rate in bit/s/Hz."""
        if self.config.task == "fc_estimator":
            return self._error(parameters, batch)
        if self.config.task == "fc_supervised":
            true, _, wanted = batch
            return squared(self._precoder(parameters, true) - wanted).mean()
        return -self._rates(parameters, batch).mean()

    def score(self, parameters: Parameters) -> float:
        """Mean sum rate in bit/s/Hz, or the error in dB, negative."""
        if self.config.task == "fc_estimator":
            return -10 * float(np.log10(self._error(parameters, self.validation)))
        return float(np.mean(self._rates(parameters, self.validation)))

    def products(self, known: Parameters) -> list[Product]:
        """The networks that the task trains."""
        networks: list[tuple[str, Learned]] = [("estimator", self.config.estimator), ("digital", self.config.digital)]
        trained = [(room, config) for room, config in networks if any(name.startswith(f"{room}/") for name in self.start)]
        own = {name: known[name] for name in self.start}  # beside them stage one has left its digital layers
        return [self.config.product(config, part(room, own)) for room, config in trained]

    def reference(self, known: Parameters) -> float:
        """What least squares and SCA make of the validation set."""
        true, received = self.validation
        if self.config.task in _PERFECT:
            return sca_rate(true, true, self.system)
        estimate = (received @ np.linalg.pinv(self.sent)).astype(np.complex64)
        if self.config.task == "fc_estimator":
            return -10 * float(np.log10(np.sum(np.abs(estimate - true) ** 2) / np.sum(np.abs(true) ** 2)))
        return sca_rate(estimate, true, self.system)

    @property
    def unit(self) -> str:
        """Of the score."""
        return "dB of signal over error" if self.config.task == "fc_estimator" else "bit/s/Hz"

    def _error(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        true, received = batch
        return squared(self._estimate(parameters, received) - true).sum() / squared(true).sum()

    def _rates(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        true, received = batch
        noise_power = self.system.noise_power
        seen = true if self.config.task in _PERFECT else self._estimate(parameters, received)
        precoder = self._precoder(parameters, seen)
        return sum_rate(true, precoder, mmse_combiner(seen, precoder, noise_power), noise_power)

    def _precoder(self, parameters: Mapping[str, Any], channel: Any) -> Any:
        return fc_precoder.forward(part("digital", parameters), channel, self.system.num_streams, self.system.power)

    def _estimate(self, parameters: Mapping[str, Any], received: Any) -> Any:
        return fc_estimator.forward(part("estimator", parameters), received, self.amplitude, self.system.num_rf)

    def _batch(self, count: int, root: int, index: int) -> tuple[np.ndarray, ...]:
        true = self.source.channels(count, root, index)
        noise = complex_normal(stream(root, 0, "training.noise", index), (*true.shape[:-1], self.sent.shape[-1]))
        return true, (true @ self.sent.astype(true.dtype) + self.system.noise_power**0.5 * noise).astype(true.dtype)


def labels(channel: np.ndarray, system: System) -> np.ndarray:
    """Precoders (B, K, T, n) of SCA from matched filters: unlike those from singular vectors they are smooth functions of the channel.

    As long as there are as many streams as receive chains: with fewer, matched filters too are behind singular vectors.
    """
    return sca(channel, system.noise_power, system.num_streams, system.power, iterations=5, start="mrt")
