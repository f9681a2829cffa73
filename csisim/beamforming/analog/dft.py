"""Beams of a DFT codebook, and the sector grid used before anything is known about the channel."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.analog.second_order import covariance_cores
from csisim.beamforming.analog.state import PhaseDesigner, PhaseState
from csisim.beamforming.base import Occasion, Phases
from csisim.channel.base import PathSamples
from csisim.phy.dims import Dims
from csisim.phy.linalg import adjoint
from csisim.phy.power import constant_modulus
from csisim.registry import Component

SECTOR_DEG = 60.0


def beam_phases(num_antennas: int, direction: np.ndarray) -> np.ndarray:
    """Phases (num_antennas, beams) that steer a half-wavelength line array to ``direction`` = sin(angle), (beams,)."""
    return np.pi * np.arange(num_antennas)[:, None] * direction


def dft_phases(num_antennas: int, oversampling: int = 1) -> np.ndarray:
    """Phases (num_antennas, num_antennas * oversampling) of the DFT beams; without oversampling they are orthogonal."""
    size = num_antennas * oversampling
    return beam_phases(num_antennas, (2 * np.arange(size) - size) / size)


def sector_phases(dims: Dims) -> Phases:
    """Beams whose sines are equally spaced over +-60 degrees, at the base station and at every user.

    Returns
    -------
    (1, t, T) float64, (1, K, r, R) float64
    """
    grid = lambda beams: np.sin(np.deg2rad(SECTOR_DEG)) * (2 * np.arange(beams) + 1 - beams) / beams  # noqa: E731
    phi_f = beam_phases(dims.num_tx, grid(dims.num_rf))
    phi_w = beam_phases(dims.num_rx, grid(dims.num_rx_rf))
    return phi_f[None], np.broadcast_to(phi_w, (1, dims.num_users, *phi_w.shape)).copy()


def beam_energies(responses: np.ndarray, cores: np.ndarray, beams: np.ndarray) -> np.ndarray:
    r"""Average energies :math:`b^H (\sum_n A_n M_n A_n^H) b` of the columns b of ``beams`` (antennas, Q), as (..., Q)."""
    coupling = adjoint(responses) @ beams
    return np.sum((coupling.conj() * (cores @ coupling)).real, axis=(0, -2))


class DftCodebookConfig(Component):
    """DFT beams of the largest average energy."""

    kind: Literal["dft"] = "dft"
    oversampling: int = Field(1, ge=1, le=8, description="beams per antenna; 1 is the orthogonal DFT")


class DftCodebook(PhaseDesigner):
    """The codebook beams with the largest average energy, no beam twice.

    The base station ranks its beams b by the sum over users of E||H_k b||^2, every user its beams by E||H_k^H b||^2 with one
    RF chain per beam: the usual beam training with long-term energy reports. Before the first sample it points to the sector.
    """

    Config = DftCodebookConfig
    cadence: ClassVar[Literal["statistics"]] = "statistics"
    designs_without_samples: ClassVar[bool] = True

    def __init__(self, config: DftCodebookConfig) -> None:
        self.config = config

    def init(self, dims: Dims, phases: Phases) -> PhaseState:
        return PhaseState.of(dims, phases).moved(*sector_phases(dims))

    def update(self, samples: PathSamples, state: PhaseState, occasion: Occasion) -> PhaseState:
        if len(samples) == 0:
            return state
        transmit, receive = covariance_cores(samples)
        phi_f = self._strongest(samples.tx, transmit, state.dims.num_rf, over_users=True)
        phi_w = self._strongest(samples.rx, receive, state.dims.num_rx_rf, over_users=False)
        return state.moved(phi_f, phi_w)

    def _strongest(self, responses: np.ndarray, cores: np.ndarray, count: int, over_users: bool) -> np.ndarray:
        """Phases (D, [K,] antennas, count) of the ``count`` beams of largest energy, strongest first."""
        codebook = dft_phases(responses.shape[-2], self.config.oversampling)
        energies = beam_energies(responses, cores, constant_modulus(codebook, responses.dtype))  # (D, K, Q)
        if over_users:
            energies = energies.sum(1)
        chosen = np.argsort(-energies, axis=-1, kind="stable")[..., :count]
        return np.moveaxis(codebook.T[chosen], -1, -2)
