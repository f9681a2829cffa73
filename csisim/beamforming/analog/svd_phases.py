"""Phases of every user's singular vectors: the hybrid beamformer that ignores interference."""

from typing import ClassVar, Literal

import numpy as np

from csisim.beamforming.analog.signal_space import SignalSpace
from csisim.beamforming.analog.state import PhaseDesigner, PhaseState, for_drops, phases_of
from csisim.beamforming.base import Occasion
from csisim.channel.base import PathSamples
from csisim.registry import Component


class SvdPhasesConfig(Component):
    """Phases of every user's singular vectors, slot by slot; interference is ignored."""

    kind: Literal["svd_phases"] = "svd_phases"


class SvdPhases(PhaseDesigner):
    """Phases of the leading singular vectors of the slot's channels.

    The users take turns: RF chain 1 carries the strongest right singular vector of user 1, chain 2 that of user 2, and so on,
    then the second strongest. With several subcarriers the vectors are those of all subcarriers' channels stacked.
    """

    Config = SvdPhasesConfig
    cadence: ClassVar[Literal["slot"]] = "slot"

    def __init__(self, config: SvdPhasesConfig) -> None:
        self.config = config

    def update(self, samples: PathSamples, state: PhaseState, occasion: Occasion) -> PhaseState:
        space = SignalSpace.follow(samples, state.space, state.dims.num_streams)
        channel = space.coordinates(samples)  # (D, K, S, R', T')
        d, k, s, r, t = channel.shape
        right, strength_f = _leading(channel.conj().transpose(0, 1, 4, 2, 3).reshape(d, k, t, s * r))
        left, strength_w = _leading(channel.transpose(0, 1, 3, 2, 4).reshape(d, k, r, s * t))
        turns = right.transpose(0, 2, 3, 1).reshape(d, t, -1)  # (D, T', rank K), users fastest
        fallback_f, fallback_w = for_drops(state.initial, d)
        phi_f = phases_of(space.f @ turns, strength_f.swapaxes(1, 2).reshape(d, -1), fallback_f)
        phi_w = phases_of(space.w @ left, strength_w, fallback_w)
        return state.moved(phi_f, phi_w, space)


def _leading(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors (..., rows, rank) and singular values (..., rank), strongest first."""
    vectors, values, _ = np.linalg.svd(matrix, full_matrices=False)
    return vectors, values
