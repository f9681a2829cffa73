"""Stage two (Kang 2022, Sec. III-A): pilots and estimator behind frozen phases, alone for the error or with digital layers for the rate.

``separate`` minimises the error of the estimate, the digital layers stay as stage one left them. ``joint`` trains both for the sum
rate, from where ``separate`` ended. ``one_stage`` trains phases, pilots, estimator and digital layers at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from array_api_compat import array_namespace
from pydantic import Field, model_validator

from csisim.acquisition import cedun
from csisim.acquisition.cedun import CedunConfig, affine_map, unit_pilots
from csisim.acquisition.pilots import pilot_matrix
from csisim.acquisition.rls import rls_map
from csisim.beamforming.analog.learned_phases import LearnedPhasesConfig
from csisim.beamforming.analog.projection import project
from csisim.beamforming.digital import hbdun
from csisim.beamforming.digital.hbdun import HbdunConfig
from csisim.beamforming.digital.oracle import squared
from csisim.phy.metrics import nmse
from csisim.random import complex_normal, stream
from csisim.training.base import Parameters, Product, part, prefixed
from csisim.training.data import UsersLink, of_first_users, source_of
from csisim.training.loop import TRAINING, VALIDATION
from csisim.training.tasks.hybrid import PHASES, digital_rates, random_phases, sca_rate
from csisim.weights import Learned


class EstimationConfig(UsersLink):
    """Pilots and estimator behind frozen phases (stage two), or everything at once."""

    task: Literal["separate", "joint", "one_stage"] = "separate"
    digital: HbdunConfig = Field(default_factory=HbdunConfig, description="the digital layers")
    estimator: CedunConfig = Field(default_factory=CedunConfig, description="the estimator's layers")
    batch: int = Field(48, ge=1, description="channels per step")
    validation: int = Field(256, ge=1, description="channels of the validation set")

    @model_validator(mode="after")
    def _pilots_keep_their_power(self) -> "EstimationConfig":
        if self.serves and self.pilots.access == "kang_eq4":
            raise ValueError("serves: under kang_eq4 fewer users' pilots add up to less power than the estimator is made for")
        return self


class Estimation:
    """Error of the estimate or sum rate over pilots, estimator and, if the task says so, digital layers and phases.

    Parameters
    ----------
    config : EstimationConfig
    start : dict
        What training begins with and what stays frozen: ``phi_f`` and ``phi_w`` (without them every drop has phases of its own),
        digital layers, the estimator's parameters. Untrained layers stand for what it lacks.
    seed : int
    """

    Config: ClassVar[type[EstimationConfig]] = EstimationConfig
    PARTS: ClassVar[Mapping[str, tuple[str, ...]]] = {"separate": ("estimator/",), "joint": ("estimator/", "digital/"), "one_stage": ("",)}
    reference_is = "RLS with the scenario's pilots of the same length"

    def __init__(self, config: EstimationConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.config, self.system = config, config.system
        s = config.system
        sent = pilot_matrix(config.pilots, s.num_rf, s.num_users, stream(TRAINING + seed, 0, "training.pilots"))
        self.amplitude, self.sent = cedun.amplitude(sent), sent
        layers = prefixed("digital", hbdun.initial(config.digital, config.dims))
        layers |= prefixed("estimator", cedun.initial(config.dims, sent[0]))
        phases = dict(zip(PHASES, random_phases(config, seed), strict=True)) if config.task == "one_stage" else {}
        self.start = phases | layers | dict(start)
        self.trained = tuple(name for name in self.start if name.startswith(self.PARTS[config.task]))
        self.frozen = {name: value for name, value in self.start.items() if name not in self.trained}
        self.source = source_of(config, start)
        self.validation = self._batch(config.validation, VALIDATION, 0)

    def initial(self) -> Parameters:
        """The start, or untrained layers."""
        return {name: self.start[name].copy() for name in self.trained}

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Channels and unit noise: equivalent channels, or paths where phases are trained too."""
        users = self.config.some_users(rng)
        return of_first_users(self._batch(self.config.batch, TRAINING, int(rng.integers(2**31))), users)

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Normalised error of the estimate, or minus the mean sum rate (eq. 12)."""
        if self.config.task == "separate":
            return self.errors(parameters, batch).mean()
        return -self.rates(parameters, batch).mean()

    def score(self, parameters: Parameters) -> float:
        """Mean over validation channels and numbers of users: sum rate in bit/s/Hz; for ``separate`` the error in dB, negative."""
        measure = self.errors if self.config.task == "separate" else self.rates
        mean = float(np.mean([np.mean(measure(parameters, batch)) for batch in self._validations()]))
        return -10 * float(np.log10(mean)) if self.config.task == "separate" else mean

    def products(self, known: Parameters) -> list[Product]:
        """The estimator; with it the digital layers and the phases, as far as the task trains them."""
        made: list[tuple[Learned, Parameters]] = [(self.config.estimator, part("estimator", known))]
        if self.config.task != "separate":
            made.append((self.config.digital, part("digital", known)))
        products = [
            self.config.product(config.model_copy(update={"training": self.config.task}), parameters) for config, parameters in made
        ]
        if self.config.task == "one_stage":
            products.append(self.config.product(LearnedPhasesConfig(), {name: known[name] for name in PHASES}))
        return products

    def reference(self, known: Parameters) -> float:
        """The score of RLS, with 70 SCA iterations if it is a rate."""
        scores = []
        for *channel, noise in self._validations():
            true = self._true(known, channel)
            received = true @ self.sent.sum(0).astype(np.complex64) + self.system.noise_power**0.5 * noise
            estimate = (received @ rls_map(self.sent)).astype(np.complex64)
            error = self.config.task == "separate"
            scores.append(float(np.mean(nmse(estimate, true))) if error else sca_rate(estimate, true, self.system))
        mean = float(np.mean(scores))
        return -10 * float(np.log10(mean)) if self.config.task == "separate" else mean

    @property
    def unit(self) -> str:
        """Of the score."""
        return "dB of signal over error" if self.config.task == "separate" else "bit/s/Hz"

    def rates(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Sum rates (B,) of digital beamformers that know the estimate alone."""
        everything = self._everything(parameters, batch)
        true, known = self._estimate(everything, batch)
        return digital_rates(everything, known, true, self.config)

    def errors(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """NMSE (B,) of the estimate in orthonormal coordinates."""
        true, known = self._estimate(self._everything(parameters, batch), batch)
        xp = array_namespace(true)
        axes = (-3, -2, -1)
        return xp.sum(squared(known - true), axis=axes) / xp.sum(squared(true), axis=axes)

    def _estimate(self, everything: Mapping[str, Any], batch: tuple[Any, ...]) -> tuple[Any, Any]:
        *channel, noise = batch
        true = self._true(everything, channel)
        layers = part("estimator", everything)
        x = unit_pilots(layers)
        received = self.amplitude * (true @ x) + self.system.noise_power**0.5 * noise
        layers = {name: value[: true.shape[1]] for name, value in layers.items() if name != "pilots"}
        matrix, offset = affine_map(layers, x, self.amplitude, self.config.estimator.loading)
        return true, received @ matrix + offset

    def _true(self, everything: Mapping[str, Any], channel: Sequence[Any]) -> Any:
        """Equivalent channels, from paths where phases are trained too."""
        if len(channel) == 1:
            return channel[0]
        return project(everything["phi_f"], everything["phi_w"][: channel[0].shape[1]], *channel)

    def _validations(self) -> list[tuple[Any, ...]]:
        return [of_first_users(self.validation, users) for users in self.config.users]

    def _everything(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> dict[str, Any]:
        """Frozen parameters beside the trained ones, in their library."""
        like = batch[-1]
        if isinstance(like, np.ndarray):
            return self.frozen | dict(parameters)
        import torch

        return {name: torch.as_tensor(value, device=like.device) for name, value in self.frozen.items()} | dict(parameters)

    def _batch(self, count: int, root: int, index: int) -> tuple[np.ndarray, ...]:
        s = self.system
        shape = (count, s.num_users, s.num_rx_rf, self.start["estimator/pilots"].shape[-1])
        noise = complex_normal(stream(root, 0, "training.noise", index), shape)
        if "phi_f" in self.trained:
            return (*self.config.paths(count, root, index), noise)
        return self.source.channels(count, root, index), noise
