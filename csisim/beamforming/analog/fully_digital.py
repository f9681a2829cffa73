"""No RF constraint: the fully digital bound."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from csisim.beamforming.analog.signal_space import SignalSpace
from csisim.beamforming.base import Occasion, Phases
from csisim.channel.base import PathSamples
from csisim.phy.dims import Dims
from csisim.registry import Component


@dataclass(frozen=True, eq=False)
class FullyDigitalState:
    """The signal space of the current slot; None before the first."""

    dims: Dims
    space: SignalSpace | None = None


class FullyDigitalConfig(Component):
    """One RF chain per antenna: the analog stage loses nothing."""

    kind: Literal["none"] = "none"


class FullyDigital:
    """One RF chain per antenna; its "beams" are the orthonormal bases of the slot's :class:`SignalSpace`.

    Digital design behind them loses nothing. They need no whitening, and as long as the array responses stand still ``beams``
    returns the very same arrays: what was computed from them remains valid.
    """

    Config = FullyDigitalConfig
    cadence: ClassVar[Literal["slot"]] = "slot"
    phase_shifters: ClassVar[bool] = False
    designs_without_samples: ClassVar[bool] = False

    def __init__(self, config: FullyDigitalConfig) -> None:
        self.config = config

    def init(self, dims: Dims, phases: Phases) -> FullyDigitalState:
        return FullyDigitalState(dims)

    def update(self, samples: PathSamples, state: FullyDigitalState, occasion: Occasion) -> FullyDigitalState:
        return replace(state, space=SignalSpace.follow(samples, state.space, state.dims.num_streams))

    def beams(self, state: FullyDigitalState) -> tuple[np.ndarray, np.ndarray]:
        """Orthonormal bases f (D, t, T') and w (D, K, r, R'); all antennas before the first slot."""
        if state.space is not None:
            return state.space.f, state.space.w
        dims = state.dims
        eye = [np.eye(n, dtype=dims.complex_dtype) for n in (dims.num_tx, dims.num_rx)]
        return eye[0][None], np.broadcast_to(eye[1], (1, dims.num_users, *eye[1].shape))
