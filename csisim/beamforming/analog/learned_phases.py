"""The analog half of HBDUN (Kang 2022, Sec. V-B and VI-A): phases as parameters, trained with the digital layers that serve the scheme.

Where all drops share their statistics, weights hold one set of phases, trained beforehand with the digital layers (stage one). In the
engine ``update`` goes on with Adam on the phases of every drop, through the scheme's own, frozen digital designer: the online
long-term network, and transfer to new statistics.

The engine's gradient is the first term of eq. (32), with the digital beamformers of each step held. The second term, through the
layers, needs automatic differentiation and belongs to training. It vanishes where the layers end at a maximum over the digital
beamformers, and five of them do not quite: the cosine between first term and whole gradient is 0.84 at random phases and 0.80 at
trained ones behind the shipped layers, 0.61 at random phases behind untrained layers (six users, 16 RF chains, 32 channels with fresh
angles, one draw). Online it ends 1 % below SSCA (90.2 against 91.2 bit/s/Hz, four users of the main job's channel). How full CSI is
acquired at the frames' ends is the scenario's ``full_csi``: ``cedun`` makes it the long-term network of Kang 2022, Fig. 6a.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.analog.ssca import minibatch
from csisim.beamforming.analog.ssca_gradient import gradient
from csisim.beamforming.analog.state import analog_pair, for_drops
from csisim.beamforming.base import Occasion, Phases
from csisim.channel.base import PathSamples
from csisim.phy.dims import Dims
from csisim.weights import UNTRAINED, Circumstances, Learned, Need, Parameters, parameters_of

_BETA = (0.9, 0.99)
#: Sizes that weights are known by.
SIZES = ("num_tx", "num_rf", "num_rx", "num_rx_rf", "num_users")


@dataclass(frozen=True, eq=False)
class LearnedState:
    """Phases and Adam's memory of their gradients.

    Attributes
    ----------
    phases : ((D|1, t, T), (D|1, K, r, R)) float64
    first, second : pairs like ``phases``
        Averages of the gradients and of their squares.
    step : int
    """

    dims: Dims
    phases: Phases
    first: Phases
    second: Phases
    step: int = 0


class LearnedPhasesConfig(Learned):
    """Phases trained through the scheme's digital designer, step by step with Adam (Kang 2022, Sec. V-B)."""

    kind: Literal["learned_phases"] = "learned_phases"
    steps: int = Field(48, ge=0, description="Adam steps of one update (the engine sets its own number when online)")
    batch: int = Field(8, ge=1, description="samples per step; the newest is always among them")
    learning_rate: float = Field(1.0, gt=0, description="Adam's first step in radians; to go on from trained phases choose a small one")
    decay: float = Field(0.5, ge=0, le=1, description="the step shrinks as (t + 1)^-decay")

    @property
    def architecture(self) -> dict[str, object]:
        """Phases are phases: how an update goes on with them does not matter."""
        return {}

    def need(self, circumstances: Circumstances) -> Need | None:
        """Trained phases where all drops can share them; elsewhere every drop begins at random ones."""
        return circumstances.need("analog/learned_phases", {}, *SIZES) if circumstances.shared_statistics else None


class LearnedPhases:
    """Phases that begin where training left them and go on learning in the engine."""

    Config = LearnedPhasesConfig
    cadence: ClassVar[Literal["statistics"]] = "statistics"
    phase_shifters: ClassVar[bool] = True
    designs_without_samples: ClassVar[bool] = True

    def __init__(self, config: LearnedPhasesConfig) -> None:
        self.config = config

    def init(self, dims: Dims, phases: Phases) -> LearnedState:
        """Trained phases, the first users' if there are fewer than in training; ``phases`` if there are no weights.

        Raises
        ------
        WeightsError
            If the file of weights does not fit.
        """
        if self.config.weights not in (None, UNTRAINED):
            trained = parameters_of(self.config, "analog", {name: getattr(dims, name) for name in SIZES}, template)
            phases = trained["phi_f"][None].astype(np.float64), trained["phi_w"][None, : dims.num_users].astype(np.float64)
        zeros = tuple(np.zeros_like(phase) for phase in phases)
        return LearnedState(dims, phases, zeros, zeros)  # type: ignore[arg-type]

    def update(self, samples: PathSamples, state: LearnedState, occasion: Occasion) -> LearnedState:
        """Adam on minibatches of ``samples``, through the scheme's digital designer (five SCA iterations if there is none)."""
        if len(samples) == 0:
            return state
        dims, drops = state.dims, samples.gains.shape[1]
        phases, first, second = (_spread(for_drops(pair, drops), drops) for pair in (state.phases, state.first, state.second))
        state = LearnedState(dims, phases, first, second, state.step)
        for _ in range(self.config.steps if occasion.steps is None else occasion.steps):
            batch = samples.take(minibatch(len(samples), self.config.batch, occasion.rng))
            f, w = analog_pair(*state.phases, dims)
            slopes = gradient(batch, f, w, occasion.noise_power, occasion.power, dims.num_streams, 5, occasion.digital)
            state = self._step(state, slopes)
        return state

    def beams(self, state: LearnedState) -> tuple[np.ndarray, np.ndarray]:
        return analog_pair(*state.phases, state.dims)

    def _step(self, state: LearnedState, slopes: tuple[np.ndarray, np.ndarray]) -> LearnedState:
        step = state.step + 1
        size = self.config.learning_rate * step**-self.config.decay / (1 - _BETA[0] ** step)
        moved = []
        for phase, first, second, slope in zip(state.phases, state.first, state.second, slopes, strict=True):
            first = _BETA[0] * first + (1 - _BETA[0]) * slope
            second = _BETA[1] * second + (1 - _BETA[1]) * slope**2
            spread = np.sqrt(second / (1 - _BETA[1] ** step)) + 1e-12
            moved.append((phase + size * first / spread, first, second))
        (phi_f, first_f, second_f), (phi_w, first_w, second_w) = moved
        return replace(state, phases=(phi_f, phi_w), first=(first_f, first_w), second=(second_f, second_w), step=step)


def template(dims: Mapping[str, int]) -> Parameters:
    """Parameters of one set of phases."""
    return {
        "phi_f": np.zeros((dims["num_tx"], dims["num_rf"]), np.float32),
        "phi_w": np.zeros((dims["num_users"], dims["num_rx"], dims["num_rx_rf"]), np.float32),
    }


def _spread(pair: Phases, drops: int) -> Phases:
    """The same phases for every drop, where training knew only one set."""
    return tuple(np.broadcast_to(a, (drops, *a.shape[1:])) for a in pair)  # type: ignore[return-value]
