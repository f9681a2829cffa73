"""Stage one (Kang 2022, Sec. III-A): analog phases and digital layers together, perfect equivalent CSI, sum rate.

For statistics that all drops share (fresh angles in every realisation) the phases are parameters. Where every drop has clusters of
its own there are no common phases: :mod:`csisim.training.tasks.digital` trains the digital layers alone, behind phases designed for
each drop.

With ``csi_error_db`` the layers see channels with an error and are trained for the rate on the true ones (robust training).
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from array_api_compat import array_namespace
from pydantic import Field

from csisim.beamforming.analog.learned_phases import LearnedPhasesConfig
from csisim.beamforming.analog.projection import project
from csisim.beamforming.digital import hbdun
from csisim.beamforming.digital.hbdun import HbdunConfig
from csisim.beamforming.digital.oracle import mmse_combiner, squared, sum_rate
from csisim.beamforming.digital.sca import sca
from csisim.errors import CsisimError
from csisim.phy.dims import System
from csisim.random import complex_normal, stream
from csisim.training.base import Parameters, Product, part, prefixed
from csisim.training.data import LinkSettings, UsersLink, of_first_users
from csisim.training.loop import TRAINING, VALIDATION

PHASES = ("phi_f", "phi_w")


class LayersConfig(UsersLink):
    """Digital layers that see perfect equivalent CSI, or CSI with an error."""

    digital: HbdunConfig = Field(default_factory=HbdunConfig, description="the digital layers")
    csi_error_db: float | None = Field(
        None, le=60, description="error of the CSI that the layers see, relative to each user's equivalent channel; null is none"
    )
    batch: int = Field(32, ge=1, description="channels per step")
    validation: int = Field(256, ge=1, description="channels of the validation set")

    @property
    def handicap(self) -> dict[str, Any]:
        error = {} if self.csi_error_db is None else {"csi_error_db": self.csi_error_db}
        return super().handicap | error

    def errors(self, count: int, root: int, index: int) -> tuple[np.ndarray, ...]:
        """Unit noise for the CSI of a batch, if there is an error."""
        if self.csi_error_db is None:
            return ()
        s = self.system
        return (complex_normal(stream(root, 0, "training.csi", index), (count, s.num_users, s.num_rx_rf, s.num_rf)),)

    def seen(self, channel: Any, *noise: Any) -> Any:
        """The CSI of channels (B, K, R, T): white errors, of the same size relative to every user's channel."""
        if self.csi_error_db is None:
            return channel
        xp = array_namespace(channel)
        power = xp.mean(squared(channel), axis=(-2, -1), keepdims=True)
        return channel + xp.astype(xp.sqrt(power * 10 ** (self.csi_error_db / 10)), channel.dtype) * noise[0]


class HybridConfig(LayersConfig):
    """Phases and digital layers for shared statistics (stage one)."""

    task: Literal["hybrid"] = "hybrid"


class Hybrid:
    """Sum rate over phases and digital layers."""

    Config = HybridConfig
    unit = "bit/s/Hz"
    reference_is = "70 SCA iterations behind the same phases"

    def __init__(self, config: HybridConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        if not config.shared_statistics:
            raise CsisimError("task hybrid: every drop has statistics of its own, so there are no common phases to train (task: digital)")
        self.config, self.start, self.seed = config, start, seed
        self.validation = self._batch(config.validation, VALIDATION, 0)

    def initial(self) -> Parameters:
        """The start; random phases and untrained layers stand for what it lacks."""
        phases = dict(zip(PHASES, random_phases(self.config, self.seed), strict=True))
        start = phases | prefixed("digital", hbdun.initial(self.config.digital, self.config.dims)) | dict(self.start)
        return {name: value for name, value in start.items() if name in PHASES or name.startswith("digital/")}

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Paths of as many users as the batch is for, with the errors of their CSI."""
        users = self.config.some_users(rng)
        return of_first_users(self._batch(self.config.batch, TRAINING, int(rng.integers(2**31))), users)

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Minus the mean sum rate in bit/s/Hz (eq. 9)."""
        return -self.rates(parameters, batch).mean()

    def score(self, parameters: Parameters) -> float:
        """Mean sum rate of the validation channels in bit/s/Hz, over the numbers of users too."""
        return float(np.mean([self.rates(parameters, of_first_users(self.validation, users)) for users in self.config.users]))

    def products(self, known: Parameters) -> list[Product]:
        """Phases and digital layers."""
        phases = {name: known[name] for name in PHASES}
        return [self.config.product(LearnedPhasesConfig(), phases), self.config.product(self.config.digital, part("digital", known))]

    def reference(self, known: Parameters) -> float:
        """Mean sum rate of the validation channels with SCA in place of the digital layers."""
        pairs = [self._channels(known, of_first_users(self.validation, users)) for users in self.config.users]
        return float(np.mean([sca_rate(seen, true, self.config.system) for seen, true in pairs]))

    def rates(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Sum rates (B,)."""
        return digital_rates(parameters, *self._channels(parameters, batch), self.config)

    def _channels(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> tuple[Any, Any]:
        """What the layers see of the equivalent channels, and these themselves."""
        rx, tx, gains, *noise = batch
        channel = project(parameters["phi_f"], parameters["phi_w"][: gains.shape[1]], rx, tx, gains)
        return self.config.seen(channel, *noise), channel

    def _batch(self, count: int, root: int, index: int) -> tuple[np.ndarray, ...]:
        return (*self.config.paths(count, root, index), *self.config.errors(count, root, index))


def digital_rates(parameters: Mapping[str, Any], known: Any, true: Any, config: Any) -> Any:
    """Sum rates (B,) on ``true`` channels of layers that see the ``known`` ones."""
    s = system_for(config.system, known.shape[-3])
    layers = hbdun.first_users(part("digital", parameters), s.num_users)
    start = hbdun.singular_start(known, s.num_streams, s.power)
    precoder, combiner = hbdun.forward(layers, known, start, s.noise_power, s.power, config.digital.inverse)
    return sum_rate(true, precoder, combiner, s.noise_power)


def system_for(system: System, num_users: int) -> System:
    """The link with the first users alone, and their share of the power."""
    return system if system.num_users == num_users else system.model_copy(update={"num_users": num_users})


def sca_rate(known: np.ndarray, true: np.ndarray, system: System) -> float:
    """Mean sum rate on ``true`` channels of 70 SCA iterations on ``known`` ones, (B, K, R, T)."""
    system = system_for(system, known.shape[-3])
    precoder = sca(known, system.noise_power, system.num_streams, system.power, iterations=70)
    return float(np.mean(sum_rate(true, precoder, mmse_combiner(known, precoder, system.noise_power), system.noise_power)))


def random_phases(link: LinkSettings, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Phases (t, T) and (K, r, R), float32."""
    s = link.system
    rng = stream(TRAINING + seed, 0, "training.phases")
    shapes = ((s.num_tx, s.num_rf), (s.num_users, s.num_rx, s.num_rx_rf))
    return tuple(rng.uniform(0, 2 * np.pi, shape).astype(np.float32) for shape in shapes)  # type: ignore[return-value]
