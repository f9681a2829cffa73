"""Antenna ports: RF chains with antennas of their own, which look straight ahead."""

from typing import ClassVar, Literal

import numpy as np

from csisim.beamforming.base import Occasion, Phases
from csisim.channel.base import PathSamples
from csisim.phy.dims import Dims
from csisim.registry import Component


class PortsConfig(Component):
    """Every RF chain drives its own neighbouring antennas in phase; with as many chains as antennas that is fully digital."""

    kind: Literal["ports"] = "ports"


class Ports:
    """A partially connected analog stage that never moves: CSI-RS ports, as the 3GPP codebooks want them.

    The beams of an oversampled DFT make sense on the antennas themselves or on equal sub-arrays of them, whose order they keep.
    """

    Config = PortsConfig
    cadence: ClassVar[Literal["fixed"]] = "fixed"
    phase_shifters: ClassVar[bool] = True
    designs_without_samples: ClassVar[bool] = True

    def __init__(self, config: PortsConfig) -> None:
        self.config = config

    def init(self, dims: Dims, phases: Phases) -> Dims:
        return dims

    def update(self, samples: PathSamples, state: Dims, occasion: Occasion) -> Dims:
        return state

    def beams(self, state: Dims) -> tuple[np.ndarray, np.ndarray]:
        """Sub-arrays f (1, t, T) and w (1, K, r, R), orthonormal."""
        f, w = sub_arrays(state.num_tx, state.num_rf), sub_arrays(state.num_rx, state.num_rx_rf)
        w = np.broadcast_to(w, (1, state.num_users, *w.shape))
        return f[None].astype(state.complex_dtype), w.astype(state.complex_dtype)


def sub_arrays(antennas: int, chains: int) -> np.ndarray:
    """Which antenna belongs to which chain, (antennas, chains), columns of unit norm; neighbours stay together."""
    owner = np.arange(antennas) * chains // antennas
    connected = owner[:, None] == np.arange(chains)
    return connected / np.sqrt(connected.sum(axis=0))
