"""Stochastic successive convex approximation of the long-term analog beamformers (Kang 2022, eq. 19-22)."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.analog.ssca_gradient import gradient
from csisim.beamforming.analog.state import analog_pair, for_drops
from csisim.beamforming.base import Occasion, Phases
from csisim.channel.base import PathSamples
from csisim.phy.dims import Dims
from csisim.registry import Component


@dataclass(frozen=True, eq=False)
class SscaState:
    """Phases, their averaged gradients, and the number of steps since the statistics began.

    Attributes
    ----------
    phi_f, direction_f : (D|1, t, T) float64
    phi_w, direction_w : (D|1, K, r, R) float64
    step : int
        t of the step sizes.
    """

    dims: Dims
    phi_f: np.ndarray
    phi_w: np.ndarray
    direction_f: np.ndarray
    direction_w: np.ndarray
    step: int = 0


class SscaConfig(Component):
    """Stochastic gradient ascent of the average sum rate over the phases (Kang 2022, eq. 19-22)."""

    kind: Literal["ssca"] = "ssca"
    steps: int = Field(48, ge=0, description="gradient steps of one update (the engine sets its own number when online)")
    batch: int = Field(8, ge=1, description="samples per step; the newest is always among them")
    inner_iterations: int = Field(3, ge=1, description="SCA iterations J of the digital beamformers inside a step")
    rule: Literal["normalised", "absolute"] = Field("normalised", description="whether the direction is divided by its rms")
    step_size: float = Field(0.5, gt=0, description="first step: rms radians (normalised), or eta of eq. 22 (absolute)")
    decay: float = Field(0.5, ge=0, le=1, description="the step shrinks as (t + 1)^-decay")
    smoothing: float = Field(0.6, ge=0, le=1, description="gradients are averaged with rho_t = (t + 1)^-smoothing")


class Ssca:
    """Gradient ascent of the average sum rate over the phases, with averaged minibatch gradients.

    Under ``rule: normalised`` F_RF has one rms in every drop and all users' W_RF share another, so that a user's weight in the
    common step is kept. The paper's own step (22) is ``rule: absolute, decay: 0``; its ``step_size`` of 3 works at 10 dB and
    fails at -10 dB.
    """

    Config = SscaConfig
    cadence: ClassVar[Literal["statistics"]] = "statistics"
    phase_shifters: ClassVar[bool] = True
    designs_without_samples: ClassVar[bool] = False

    def __init__(self, config: SscaConfig) -> None:
        self.config = config

    def init(self, dims: Dims, phases: Phases) -> SscaState:
        """The ascent begins at ``phases``, which need not be random."""
        phi_f, phi_w = phases
        return SscaState(dims, phi_f, phi_w, np.zeros_like(phi_f), np.zeros_like(phi_w))

    def update(self, samples: PathSamples, state: SscaState, occasion: Occasion) -> SscaState:
        """``occasion.steps`` gradient steps on minibatches of ``samples``; the drops share the choice of samples.

        If the samples have one drop because all drops share their statistics, so has the state from then on.
        """
        if len(samples) == 0:
            return state
        phi_f, phi_w = for_drops((state.phi_f, state.phi_w), samples.gains.shape[1])
        direction_f, direction_w = for_drops((state.direction_f, state.direction_w), samples.gains.shape[1])
        state = SscaState(state.dims, phi_f, phi_w, direction_f, direction_w, state.step)
        for _ in range(self.config.steps if occasion.steps is None else occasion.steps):
            batch = samples.take(minibatch(len(samples), self.config.batch, occasion.rng))
            f, w = analog_pair(state.phi_f, state.phi_w, state.dims)
            g_f, g_w = gradient(batch, f, w, occasion.noise_power, occasion.power, state.dims.num_streams, self.config.inner_iterations)
            phi_f, direction_f = self._step(state.phi_f, state.direction_f, g_f, state.step)
            phi_w, direction_w = self._step(state.phi_w, state.direction_w, g_w, state.step)
            state = replace(state, phi_f=phi_f, phi_w=phi_w, direction_f=direction_f, direction_w=direction_w, step=state.step + 1)
        return state

    def beams(self, state: SscaState) -> tuple[np.ndarray, np.ndarray]:
        return analog_pair(state.phi_f, state.phi_w, state.dims)

    def _step(self, phases: np.ndarray, direction: np.ndarray, slope: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Eq. (20) and (22) for one of the two beamformers: new phases and averaged direction."""
        rho = (t + 1.0) ** -self.config.smoothing  # rho_0 = 1: the first average is the first gradient
        direction = (1 - rho) * direction + rho * slope
        size = self.config.step_size * (t + 1.0) ** -self.config.decay
        if self.config.rule == "absolute":
            return phases + size * direction, direction
        rms = np.sqrt((direction**2).mean(tuple(range(1, direction.ndim)), keepdims=True))
        return phases + size * direction / np.maximum(rms, np.finfo(np.float64).tiny), direction


def minibatch(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of ``size`` of ``count`` samples without repetition, always the newest (the last)."""
    if count <= size:
        return np.arange(count)
    return np.append(rng.choice(count - 1, size - 1, replace=False), count - 1)
