"""How the black box is trained (Hu 2021, Section V-A): to copy WMMSE first, then for the sum rate itself."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.cnn import CnnConfig, guess, initial, precode
from csisim.beamforming.digital.iaidnn import weighted_rate
from csisim.phy.linalg import adjoint
from csisim.random import stream
from csisim.training.base import Parameters, Product
from csisim.training.tasks.iaidnn import PrecodingData, PrecodingSettings, wmmse_of


class CnnTaskConfig(PrecodingSettings):
    """One of the two trainings of the black box."""

    task: Literal["cnn_supervised", "cnn"] = "cnn"
    digital: CnnConfig = Field(default_factory=CnnConfig, description="the network")
    batch: int = Field(128, ge=1, description="channels per step")


class CnnTask:
    """Squared distance to the combiners and weights of WMMSE (``cnn_supervised``), or minus the sum rate (``cnn``)."""

    Config = CnnTaskConfig
    unit = "bit/s/Hz"

    def __init__(self, config: CnnTaskConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.config, self.start, self.seed = config, start, seed
        self.data = PrecodingData(config, {}, seed)

    def initial(self) -> Parameters:
        """Those of the stage before, or random ones."""
        if self.start:
            return {name: value.copy() for name, value in self.start.items()}
        return initial(self.config.digital, self.config.dims, stream(self.seed, 0, "cnn.initial"))

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """CSI, channels and noise ratios; labels too in the supervised stage."""
        seen, true, ratio = self.data.batch(rng)
        if self.config.task == "cnn":
            return seen, true, ratio
        return seen, true, ratio, *labels(seen, ratio, self.config.system.num_streams)

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Mean squared distance of U and W from the labels, or minus the mean sum rate in nats."""
        if self.config.task == "cnn":
            return -self._rates(parameters, batch).mean()
        u, w = guess(dict(parameters), batch[0], self.config.system.num_streams)
        return oracle.squared(u - batch[3]).mean() + oracle.squared(w - batch[4]).mean()

    def score(self, parameters: Parameters) -> float:
        """Mean rate on the validation set in bit/s/Hz, whatever the stage."""
        return float(self._rates(parameters, self.data.held_out).mean() / np.log(2.0))

    def products(self, known: Parameters) -> list[Product]:
        """The network."""
        return [self.config.product(self.config.digital, dict(known))]

    def _rates(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        seen, true, ratio = batch[:3]
        u, w = guess(dict(parameters), seen, self.config.system.num_streams)
        return weighted_rate(true, precode(seen, u, w, ratio), ratio)


def labels(channel: np.ndarray, ratio: np.ndarray, num_streams: int, iterations: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Combiners and weights that WMMSE ends with.

    The rate sees neither a unitary rotation of a user's streams nor a common factor of U or of W. Labels are made unique: U_k
    Hermitian and positive (its polar factor, with as many streams as antennas), unit mean square entries on the diagonals.
    """
    precoder = wmmse_of(channel, ratio, num_streams, iterations=iterations)
    u = oracle.mmse_combiner(channel, precoder, ratio[:, None, None, None])
    errors = np.eye(num_streams) - adjoint(u) @ channel @ precoder
    if num_streams == u.shape[-2]:
        left, _, right = np.linalg.svd(u)
        rotation = adjoint(left @ right)
        u, errors = u @ rotation, adjoint(rotation) @ errors @ rotation
    w = np.linalg.inv(errors)
    return u / _size(u), w / _size(w)


def _size(a: np.ndarray) -> np.ndarray:
    """Root mean square of the diagonals of all users' matrices, with kept axes."""
    diagonal = np.diagonal(a, axis1=-2, axis2=-1)
    return np.sqrt(np.mean(np.abs(diagonal) ** 2, axis=(1, 2)))[:, None, None, None]
