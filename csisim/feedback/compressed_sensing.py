"""Compressed sensing without learning: a random projection at the user, the lasso at the base station."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from pydantic import Field

from csisim.feedback.code_quantisers import CodeQuantiser, Float32, LinearCodeQuantiserConfig
from csisim.feedback.costs import Costs, Side
from csisim.feedback.image_codec import ImageCodec, ImageCodecConfig
from csisim.feedback.projection import random_projection

CALIBRATION_CODES = 2048


class _LassoConfig(ImageCodecConfig):
    quantiser: LinearCodeQuantiserConfig = Field(Float32(), description="what turns the code into bits")
    iterations: int

    def costs(self, angles: int, delays: int) -> Costs:
        """A product with the random matrix at the user, two per iteration at the base station; nothing is trained."""
        product = self.code_length(angles, delays) * 2 * angles * delays
        return Costs(Side(0, 0, {"mac": product}), Side(0, 0, {"mac": 2 * product * self.iterations}))


class IstaConfig(_LassoConfig):
    """ISTA on a random projection, far from converged, as the papers compare with."""

    kind: Literal["ista"] = "ista"
    iterations: int = Field(10, ge=1, description="iterations at the base station")
    penalty: float = Field(0.1, gt=0, description="weight of the l1 norm, relative to the smallest one that gives zero")


class FistaConfig(_LassoConfig):
    """FISTA on a random projection until it has converged: compressed sensing's fair baseline."""

    kind: Literal["fista"] = "fista"
    iterations: int = Field(1000, ge=1, description="most iterations at the base station")
    tolerance: float = Field(1e-4, gt=0, description="stops when no image moves by more than this share of its norm")
    penalty: float = Field(0.01, gt=0, description="weight of the l1 norm, relative to the smallest one that gives zero")


@dataclass(frozen=True, eq=False)
class Lasso:
    """min 1/2 ||s - A x||^2 + lambda ||x||_1, one problem per image.

    Attributes
    ----------
    matrix : (M, 2 N)
    step : float
        One over the largest eigenvalue of A A^T.
    shape : (angles, delays)
    grouped : bool
        Real and imaginary part of an entry are shrunk together: an entry is a path or not, whatever its phase.
    """

    matrix: np.ndarray
    step: float
    shape: tuple[int, int]
    penalty: float
    iterations: int
    tolerance: float
    accelerated: bool
    grouped: bool
    quantiser: CodeQuantiser

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Codes (n, M)."""
        return (images.reshape(len(images), -1) @ self.matrix.T).astype(np.float32)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Images (n, 2, angle, delay)."""
        return self.solve(codes.astype(np.float64)).reshape(-1, 2, *self.shape)

    def solve(self, s: np.ndarray) -> np.ndarray:
        """x (n, 2 N) for measurements s (n, M); an image that has converged stands still, whatever the others do."""
        step = self.step
        penalty = self.penalty * np.abs(s @ self.matrix).max(axis=1, keepdims=True)
        x = y = np.zeros((len(s), self.matrix.shape[1]))
        moving = np.ones((len(s), 1), bool)
        momentum = 1.0
        for _ in range(self.iterations):
            u = y - step * ((y @ self.matrix.T - s) @ self.matrix)
            moved = np.where(moving, self._shrunk(u, step * penalty), x)
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2 if self.accelerated else 1.0
            y = moved + (momentum - 1) / following * (moved - x)
            distance = np.linalg.norm(moved - x, axis=1, keepdims=True)
            x, momentum = moved, following
            moving &= distance > self.tolerance * np.linalg.norm(x, axis=1, keepdims=True)
            if not moving.any():
                break
        return x

    def _shrunk(self, u: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        if not self.grouped:
            return np.sign(u) * np.maximum(np.abs(u) - threshold, 0)
        parts = u.reshape(len(u), 2, -1)
        magnitude = np.sqrt((parts**2).sum(axis=1, keepdims=True))
        return (parts * np.maximum(1 - threshold[:, None] / np.maximum(magnitude, 1e-30), 0)).reshape(len(u), -1)


class Ista(ImageCodec):
    """Compressed sensing with ten iterations of ISTA."""

    Config = IstaConfig
    config: IstaConfig

    def model(self, angles: int, delays: int) -> Lasso:
        """The projection for this image size and the solver."""
        return _lasso(self.config, angles, delays, 0.0, fair=False)


class Fista(ImageCodec):
    """Compressed sensing, converged."""

    Config = FistaConfig
    config: FistaConfig

    def model(self, angles: int, delays: int) -> Lasso:
        """The projection for this image size and the solver."""
        return _lasso(self.config, angles, delays, self.config.tolerance, fair=True)


@lru_cache(maxsize=8)
def _lasso(config: IstaConfig | FistaConfig, angles: int, delays: int, tolerance: float, *, fair: bool) -> Lasso:
    length = config.code_length(angles, delays)
    matrix = random_projection(length, 2 * angles * delays)
    # projections of unit-power images on unit-norm rows are nearly Gaussian with variance 1/2, so the calibration needs no data
    calibration = np.random.default_rng(0).standard_normal((CALIBRATION_CODES, length)) * np.sqrt(0.5)
    step = 1 / float(np.linalg.eigvalsh(matrix @ matrix.T)[-1])
    return Lasso(
        matrix, step, (angles, delays), config.penalty, config.iterations, tolerance, fair, fair, config.quantiser.prepare(calibration)
    )
