"""What a training task is, how long training goes on, and what comes out of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from pydantic import Field, PositiveFloat

from csisim.registry import Settings

Array = Any
Parameters = dict[str, np.ndarray]


class Task(Protocol):
    """Something to be learned: parameters, random batches, a loss, and a score on a set that is neither trained nor tested on.

    A task whose gradient is written by hand has ``gradient(parameters, batch) -> (loss, gradients)`` on NumPy arrays instead of
    ``loss``: then no torch is involved. The gradient of a complex parameter is :math:`\\partial / \\partial \\Re + j\\,\\partial /
    \\partial \\Im`, torch's convention.
    """

    unit: str  # of the score

    def initial(self) -> Parameters:
        """Untrained parameters, complex64 and float32."""

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Training data of one step."""

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """A real number that is to become small, from torch tensors."""

    def score(self, parameters: Parameters) -> float:
        """What is to become large, on the validation set."""

    def products(self, known: Parameters) -> "list[Product]":
        """Components that ``known``, everything learned so far in a recipe, is to be split into and written as."""


class Schedule(Settings):
    """How a training goes: Adam with a cosine that ends at a hundredth of the learning rate."""

    steps: int = Field(250, ge=1, description="gradient steps")
    learning_rate: float = Field(0.005, gt=0, description="Adam's first step size")
    rates: dict[str, PositiveFloat] = Field(
        default_factory=dict, description="learning rates of parameters by name, or by whole parts (encoder/2) that names begin with"
    )
    warm_up: int = Field(0, ge=0, description="steps in which the learning rate grows to its full value")
    clip: float = Field(5.0, gt=0, description="norm that gradients are clipped to")
    validate_every: int = Field(25, ge=1, description="steps between two validations")
    patience: int | None = Field(None, ge=1, description="validations without a better score before training stops early; null never stops")
    seed: int = Field(7, ge=0, lt=2**61, description="seed of the training data")


@dataclass
class Progress:
    """Where a training is.

    Attributes
    ----------
    step, steps : int
        Done and asked for.
    seconds : float
        So far, interruptions left out.
    untrained, score, best : float
        Validation score of the untrained network, now, and of the best iterate.
    skipped : int
        Steps left out because the gradient was not finite or exploded.
    """

    step: int
    steps: int
    seconds: float
    untrained: float
    score: float
    best: float
    skipped: int


Report = Callable[[Progress], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """The best iterate of a training, never worse on the validation set than the untrained network.

    Attributes
    ----------
    parameters : dict of arrays
    untrained, score : float
        Validation scores before and after.
    steps, skipped : int
    seconds : float
    history : list of (step, score)
    """

    parameters: Parameters
    untrained: float
    score: float
    steps: int
    skipped: int
    seconds: float
    history: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Product:
    """Trained parameters of one component, and what they are for (:class:`csisim.weights.Header`)."""

    component: str
    architecture: Mapping[str, Any]
    dims: Mapping[str, int]
    statistics: Mapping[str, Any]
    snr_db: float
    parameters: Parameters


def prefixed(prefix: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one part of a task, named ``prefix/name``."""
    return {f"{prefix}/{name}": value for name, value in parameters.items()}


def part(prefix: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`prefixed` named, under its own names again."""
    return {name.removeprefix(f"{prefix}/"): value for name, value in parameters.items() if name.startswith(f"{prefix}/")}
