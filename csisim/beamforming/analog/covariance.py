"""Phases of the eigenvectors of the long-term covariances: the analog beamformer that second-order statistics suggest."""

from typing import ClassVar, Literal

import numpy as np

from csisim.beamforming.analog.second_order import covariance_cores, dominant_directions
from csisim.beamforming.analog.state import PhaseDesigner, PhaseState, for_drops, phases_of
from csisim.beamforming.base import Occasion, Phases
from csisim.channel.base import PathSamples
from csisim.registry import Component


def covariance_phases(samples: PathSamples, fallback: Phases) -> Phases:
    r"""Phases of the dominant eigenvectors of :math:`\sum_k E[H_k^H H_k]` (common) and :math:`E[H_k H_k^H]` (per user).

    While the samples share their responses the work is done between the paths: the cost is linear in the number of antennas.

    Parameters
    ----------
    samples : PathSamples
    fallback : phases (D|1, t, T), (D|1, K, r, R)
        Kept by RF chains in excess of a covariance's rank.

    Returns
    -------
    (D, t, T) float64, (D, K, r, R) float64
    """
    transmit, receive = covariance_cores(samples)
    # the sum over users joins the sum over samples: users are further summands of one covariance
    users_first = (np.moveaxis(a, 2, 1).reshape(-1, a.shape[1], *a.shape[3:]) for a in (samples.tx, transmit))
    phi_f = phases_of(*dominant_directions(*users_first), fallback=fallback[0])
    phi_w = phases_of(*dominant_directions(samples.rx, receive), fallback=fallback[1])
    return phi_f, phi_w


class CovarianceConfig(Component):
    """Phases of the dominant eigenvectors of the long-term covariances."""

    kind: Literal["covariance"] = "covariance"


class Covariance(PhaseDesigner):
    """Phases of the dominant eigenvectors of the sample covariances."""

    Config = CovarianceConfig
    cadence: ClassVar[Literal["statistics"]] = "statistics"

    def __init__(self, config: CovarianceConfig) -> None:
        self.config = config

    def update(self, samples: PathSamples, state: PhaseState, occasion: Occasion) -> PhaseState:
        if len(samples) == 0:
            return state
        return state.moved(*covariance_phases(samples, for_drops(state.initial, samples.gains.shape[1])))
