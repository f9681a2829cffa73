"""Spatially sparse hybrid beamforming by orthogonal matching pursuit over a beam dictionary.

El Ayach, Rajagopal, Abu-Surra, Pi, Heath, "Spatially sparse precoding in millimeter wave MIMO systems", IEEE TWC 2014,
Algorithms 1 and 2.
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.analog.dft import dft_phases
from csisim.beamforming.analog.digital_target import digital_target
from csisim.beamforming.analog.signal_space import SignalSpace
from csisim.beamforming.analog.state import PhaseDesigner, PhaseState
from csisim.beamforming.base import Occasion
from csisim.channel.base import PathSamples
from csisim.phy.linalg import adjoint
from csisim.phy.power import constant_modulus
from csisim.registry import Component


def matching_pursuit(target: np.ndarray, dictionary: np.ndarray, count: int) -> np.ndarray:
    """Dictionary columns whose span comes close to ``target``, chosen one after the other.

    Each turn takes the column that is most correlated with what is left of the target, and removes its part by
    orthogonalisation: the least squares of Ayach 2014, Algorithm 1, without solving it anew.

    Parameters
    ----------
    target : (..., antennas, m) complex
    dictionary : (antennas, Q) complex, columns of unit norm
    count : int
        Number of columns, at most Q.

    Returns
    -------
    (..., count) int
        Indices, no column twice.
    """
    correlator, residual = adjoint(dictionary), target
    basis = np.zeros((*target.shape[:-1], count), target.dtype)
    chosen = np.zeros((*target.shape[:-2], count), np.intp)
    free = np.ones((*target.shape[:-2], dictionary.shape[1]), bool)
    for i in range(count):
        correlation = correlator @ residual
        energy = np.where(free, (correlation.real**2 + correlation.imag**2).sum(-1), -1.0)
        best = energy.argmax(-1)
        chosen[..., i] = best
        np.put_along_axis(free, best[..., None], False, axis=-1)
        column = dictionary.T[best][..., None]
        for _ in range(2):  # twice is enough to stay orthogonal in single precision
            column = column - basis @ (adjoint(basis) @ column)
        norm = np.sqrt((column.real**2 + column.imag**2).sum(-2, keepdims=True))
        column = column / np.maximum(norm, np.finfo(norm.dtype).tiny)
        basis[..., i] = column[..., 0]
        residual = residual - column @ (adjoint(column) @ residual)
    return chosen


class OmpConfig(Component):
    """Steering vectors that approximate the fully digital beamformers, picked by matching pursuit (Ayach 2014)."""

    kind: Literal["omp"] = "omp"
    target: Literal["sca", "svd"] = Field("sca", description="fully digital solution: multi-user SCA, or every user's singular vectors")
    target_iterations: int = Field(10, ge=1, description="SCA iterations of the fully digital solution")
    oversampling: int = Field(2, ge=1, le=8, description="dictionary beams per antenna of a half-wavelength line array")


class Omp(PhaseDesigner):
    """Steering vectors chosen by matching pursuit of the fully digital precoder and of each user's combiner."""

    Config = OmpConfig
    cadence: ClassVar[Literal["slot"]] = "slot"

    def __init__(self, config: OmpConfig) -> None:
        self.config = config

    def update(self, samples: PathSamples, state: PhaseState, occasion: Occasion) -> PhaseState:
        space = SignalSpace.follow(samples, state.space, state.dims.num_streams)
        config = self.config
        target_f, target_w = digital_target(space, samples, config.target, config.target_iterations, occasion, state.dims)
        return state.moved(self._imitate(target_f, state.dims.num_rf), self._imitate(target_w, state.dims.num_rx_rf), space)

    def _imitate(self, target: np.ndarray, count: int) -> np.ndarray:
        """Phases (..., antennas, count) of the dictionary beams that imitate ``target`` (..., antennas, m)."""
        codebook = dft_phases(target.shape[-2], self.config.oversampling)
        chosen = matching_pursuit(target, constant_modulus(codebook, target.dtype), count)
        return np.moveaxis(codebook.T[chosen], -1, -2)
