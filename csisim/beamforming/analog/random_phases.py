"""Random phases: the cheapest analog beamformer, and everybody's starting point."""

from typing import ClassVar, Literal

import numpy as np

from csisim.beamforming.analog.state import PhaseDesigner, PhaseState
from csisim.beamforming.base import Occasion, Phases
from csisim.channel.base import PathSamples
from csisim.phy.dims import Dims
from csisim.random import Streams
from csisim.registry import Component


def draw_phases(dims: Dims, streams: Streams, superframe: int) -> Phases:
    """Phases uniform on [0, 2 pi), the same for every scheme of a cell.

    RF chains lead the draws and every user has a stream: fewer chains or users are a prefix of more.

    Returns
    -------
    (D, t, T) float64, (D, K, r, R) float64
    """
    phi_f = streams("analog.phases.tx", superframe).uniform(0, 2 * np.pi, (dims.num_rf, dims.drops, dims.num_tx))
    shape = (dims.num_rx_rf, dims.drops, dims.num_rx)
    phi_w = np.stack([streams("analog.phases.rx", superframe, k).uniform(0, 2 * np.pi, shape) for k in range(dims.num_users)])
    return np.ascontiguousarray(np.moveaxis(phi_f, 0, -1)), np.ascontiguousarray(phi_w.transpose(2, 0, 3, 1))


class RandomPhasesConfig(Component):
    """Phases uniform on [0, 2 pi), drawn once per superframe."""

    kind: Literal["random"] = "random"


class RandomPhases(PhaseDesigner):
    """The random phases of the superframe, kept."""

    Config = RandomPhasesConfig
    cadence: ClassVar[Literal["fixed"]] = "fixed"
    designs_without_samples: ClassVar[bool] = True

    def __init__(self, config: RandomPhasesConfig) -> None:
        self.config = config

    def update(self, samples: PathSamples, state: PhaseState, occasion: Occasion) -> PhaseState:
        return state
