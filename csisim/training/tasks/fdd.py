"""Feedback within the trained link (Kang 2022, Sec. VI-B): behind the networks of Sec. III-A, stage one there, two more stages.

``fdd_codec``, stage two, trains the codec alone for the normalised error of the equivalent channel (eq. 33), the analog phases fixed.
``fdd_joint``, stage three, trains the cascade of pilots, estimator, codec and digital layers for the sum rate, from where the stages
before it ended. Both pass the quantiser.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from array_api_compat import array_namespace
from pydantic import Field

from csisim.beamforming.analog.projection import beamformer, inverse_sqrt
from csisim.beamforming.digital.oracle import squared
from csisim.errors import CsisimError
from csisim.feedback import beam_crnet, learned_paths
from csisim.feedback.beam_crnet import BeamCrnetConfig
from csisim.feedback.learned_paths import LearnedPathsConfig
from csisim.phy.linalg import adjoint
from csisim.phy.power import quantise_phases
from csisim.random import stream
from csisim.training.base import Array, Parameters, Product, part, prefixed
from csisim.training.data import source_of
from csisim.training.loop import TRAINING
from csisim.training.tasks.estimation import Estimation, EstimationConfig
from csisim.training.tasks.hybrid import PHASES, digital_rates, sca_rate
from csisim.weights import Learned

#: Channels whose paths the first directions are drawn from, and index of their draw; steps and known samples have others.
_FIRST, _FIRST_INDEX = 256, 2**31 + 1
_ROUNDS = 15  # of Lloyd's iteration on them


class FddConfig(EstimationConfig):
    """A codec behind fixed phases, alone or in the cascade."""

    task: Literal["fdd_codec", "fdd_joint"] = "fdd_joint"  # type: ignore[assignment]
    codec: LearnedPathsConfig | BeamCrnetConfig = Field(default_factory=LearnedPathsConfig, discriminator="kind", description="the codec")


class Fdd(Estimation):
    """Error of what the base station is told, or sum rate of digital beamformers that know nothing else.

    Parameters
    ----------
    config : FddConfig
    start : dict
        Networks of Kang 2022, Sec. III-A (``phi_f``, ``phi_w``, estimator and digital layers), and the codec, if it is there already.
        Without one its directions begin as those of single paths of the link's channel, seen through the beams.
    seed : int

    Raises
    ------
    CsisimError
        If there are no phases that all drops share, or the codec in ``start`` is not the one of the configuration.
    """

    Config: ClassVar[type[EstimationConfig]] = FddConfig
    PARTS: ClassVar[Mapping[str, tuple[str, ...]]] = {"fdd_codec": ("codec/",), "fdd_joint": ("estimator/", "codec/", "digital/")}

    config: FddConfig

    def __init__(self, config: FddConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        if "phi_f" not in start:
            raise CsisimError(
                f"task {config.task}: needs phases that all drops share (start: [kang2022_pair], or a stage hybrid before it)"
            )
        bits = config.system.phase_bits
        rounded = {name: quantise_phases(start[name], bits).astype(np.float32) for name in PHASES}
        codec = part("codec", start) or first_codec(config, rounded)
        sizes, wanted = ({name: value.shape for name, value in parameters.items()} for parameters in (codec, untrained(config)))
        if sizes != wanted:
            raise CsisimError(f"task {config.task}: the codec that it starts from is another one, with {sizes} in place of {wanted}")
        super().__init__(config, dict(start) | prefixed("codec", codec) | rounded, seed)

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Normalised error of the decoded channel (eq. 33), or minus the mean sum rate."""
        return self.errors(parameters, batch).mean() if self._alone else -self.rates(parameters, batch).mean()

    def score(self, parameters: Parameters) -> float:
        """Mean over validation channels and numbers of users: sum rate in bit/s/Hz, or the error in dB, negative."""
        measure = self.errors if self._alone else self.rates
        mean = float(np.mean([np.mean(measure(parameters, batch)) for batch in self._validations()]))
        return -10 * float(np.log10(mean)) if self._alone else mean

    def errors(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """NMSE (B, K) of every user's true channel after the codec."""
        everything = self._everything(parameters, batch)
        true = self._true(everything, batch[:-1])
        xp, told = array_namespace(true), self._told(everything, true)
        return xp.sum(squared(told - true), axis=(-2, -1)) / xp.sum(squared(true), axis=(-2, -1))

    def rates(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Sum rates (B,) of digital beamformers that know the decoded estimate alone."""
        everything = self._everything(parameters, batch)
        true, estimate = self._estimate(everything, batch)
        return digital_rates(everything, self._told(everything, estimate), true, self.config)

    def products(self, known: Parameters) -> list[Product]:
        """The codec; after stage three all networks but the phases."""
        trained = "separate" if self._alone else "joint"
        made: list[tuple[str, Learned]] = [("codec", self.config.codec)]
        if not self._alone:
            made += [("estimator", self.config.estimator), ("digital", self.config.digital)]
        return [self.config.product(config.model_copy(update={"training": trained}), part(room, known)) for room, config in made]

    @property
    def reference_is(self) -> str:  # type: ignore[override]
        """What :meth:`reference` is."""
        return "the codec as it began" if self._alone else "the same networks and codec with 70 SCA iterations for the digital layers"

    def reference(self, known: Parameters) -> float:
        """The score of the codec that training began with, or of SCA on what the trained cascade tells the base station."""
        if self._alone:
            return self.score(self.initial())
        scores = []
        for batch in self._validations():
            true, estimate = self._estimate(known, batch)
            scores.append(sca_rate(self._told(known, estimate), true, self.system))
        return float(np.mean(scores))

    @property
    def unit(self) -> str:
        """Of the score."""
        return "dB of signal over error" if self._alone else "bit/s/Hz"

    @property
    def _alone(self) -> bool:
        return self.config.task == "fdd_codec"

    def _told(self, everything: Mapping[str, Any], csi: Array) -> Array:
        """What the base station decodes of CSI (B, K, R, T)."""
        return self.config.codec.through(part("codec", everything), csi)


def untrained(config: FddConfig) -> Parameters:
    """The codec with random parameters."""
    codec = config.codec
    return learned_paths.initial(codec, config.dims) if isinstance(codec, LearnedPathsConfig) else beam_crnet.initial(codec, config.dims)


def first_codec(config: FddConfig, phases: Mapping[str, np.ndarray]) -> Parameters:
    """The codec that training begins with: fitted to paths through the beams, or random layers and the channels' scale."""
    channels = source_of(config, phases).channels(_FIRST, TRAINING, _FIRST_INDEX)
    if isinstance(config.codec, LearnedPathsConfig):
        return _first_paths(config, config.codec, phases, channels)
    scale = np.sqrt(np.mean(squared(channels)) / 2)
    return untrained(config) | {"scale": np.array([scale], np.float32)}


def _first_paths(config: FddConfig, codec: LearnedPathsConfig, phases: Mapping[str, np.ndarray], channels: np.ndarray) -> Parameters:
    """Directions of single paths through the beams and gains of the paths found with them, both by Lloyd's iteration."""
    rng = stream(TRAINING, 0, "training.directions")
    rx, tx, _ = config.paths(_FIRST, TRAINING, _FIRST_INDEX)
    f, w = (b @ inverse_sqrt(adjoint(b) @ b) for b in (beamformer(phases["phi_f"]), beamformer(phases["phi_w"])))
    heard = np.moveaxis(adjoint(w) @ rx, 1, 0).swapaxes(-1, -2)  # (K, B, P, R)
    sent = (adjoint(f) @ tx).swapaxes(-1, -2).conj()  # (B, K, P, T)
    receive = np.stack([directions(user.reshape(-1, user.shape[-1]), 2**codec.receive_bits, rng) for user in heard])
    transmit = directions(sent.reshape(-1, sent.shape[-1]), 2**codec.transmit_bits, rng)
    found = {"receive": receive, "transmit": transmit}
    _, gains, _ = learned_paths.strongest(found, channels, codec.num_paths)
    return found | {"gain": np.stack([centres(gain.reshape(-1), 2**codec.gain_bits) for gain in np.moveaxis(gains, -1, 0)])}


def directions(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` directions (count, n) of norm one for vectors (N, n) whose length and phase do not matter, by Lloyd's iteration.

    Every round turns a direction by one step of the power iteration towards the strongest one of its cell; empty cells stay.
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors = (vectors / np.where(lengths > 0.0, lengths, 1.0)).astype(np.complex64)
    found = vectors[rng.choice(len(vectors), count, replace=len(vectors) < count)]
    for _ in range(_ROUNDS):
        likeness = vectors @ found.conj().T
        cell = np.argmax(np.abs(likeness), axis=-1)
        weighted = vectors * np.take_along_axis(likeness, cell[:, None], axis=-1).conj()
        sums = np.zeros_like(found)
        np.add.at(sums, cell, weighted)
        size = np.linalg.norm(sums, axis=-1, keepdims=True)
        found = np.where(size > 0.0, sums / np.where(size > 0.0, size, 1.0), found)
    return found


def centres(values: np.ndarray, count: int) -> np.ndarray:
    """``count`` complex numbers with the least squared distance to the nearest from ``values`` (N,), by Lloyd's iteration.

    It begins with a spiral as dense as a complex Gaussian of their power; empty cells stay.
    """
    turn = np.arange(count)
    spread = np.sqrt(-np.log1p(-(turn + 0.5) / count) * np.mean(squared(values)))
    found = (spread * np.exp(1j * np.pi * (3 - np.sqrt(5)) * turn)).astype(np.complex64)
    for _ in range(_ROUNDS):
        cell = np.argmin(squared(values[:, None] - found), axis=-1)
        size = np.bincount(cell, minlength=count)
        sums = np.bincount(cell, values.real, count) + 1j * np.bincount(cell, values.imag, count)
        found = np.where(size > 0, sums / np.maximum(size, 1), found).astype(np.complex64)
    return found
