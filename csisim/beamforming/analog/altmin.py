"""Phase extraction alternating minimisation (PE-AltMin): a hybrid beamformer close to the fully digital one, every slot.

Yu, Shen, Zhang, Letaief, "Alternating minimization algorithms for hybrid precoding in millimeter wave MIMO systems",
IEEE JSTSP 2016, Algorithm 2.
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.analog.digital_target import digital_target
from csisim.beamforming.analog.signal_space import SignalSpace
from csisim.beamforming.analog.state import PhaseDesigner, PhaseState, for_drops, phases_of
from csisim.beamforming.base import Occasion
from csisim.channel.base import PathSamples
from csisim.phy.linalg import adjoint
from csisim.phy.power import constant_modulus
from csisim.registry import Component


def phase_extraction(target: np.ndarray, fallback: np.ndarray, iterations: int) -> np.ndarray:
    r"""Phases whose analog beamformer, times a semi-unitary digital one, comes close to ``target``.

    Starts from the phases of the target's own columns, then alternates between the digital part :math:`D = V U^H` from the
    singular value decomposition :math:`T^H F_{RF} = U \Sigma V^H` and the phases of :math:`T D^H` (Yu 2016, eq. 20 and 22).

    Parameters
    ----------
    target : (..., antennas, m) complex
        Orthonormal (or zero) columns, m <= T.
    fallback : (..., antennas, T) real
        Starting phases of RF chains in excess of the target's columns.

    Returns
    -------
    (..., antennas, T) float64
    """
    phases = phases_of(target, np.linalg.norm(target, axis=-2), fallback)
    for _ in range(iterations):
        left, _, right = np.linalg.svd(adjoint(target) @ constant_modulus(phases, target.dtype), full_matrices=False)
        phases = np.angle(target @ (left @ right)).astype(np.float64)
    return phases


class AltMinConfig(Component):
    """Phases that approximate the fully digital beamformers, alternating with a semi-unitary digital part (Yu 2016)."""

    kind: Literal["altmin"] = "altmin"
    target: Literal["sca", "svd"] = Field("sca", description="fully digital solution: multi-user SCA, or every user's singular vectors")
    target_iterations: int = Field(10, ge=1, description="SCA iterations of the fully digital solution")
    iterations: int = Field(1, ge=1, description="alternations of phases and digital part")


class AltMin(PhaseDesigner):
    """PE-AltMin of the fully digital precoder (common phases) and of each user's fully digital combiner.

    A slot's beams depend on that slot alone. Several subcarriers share the directions that are strongest over all of them.
    """

    Config = AltMinConfig
    cadence: ClassVar[Literal["slot"]] = "slot"

    def __init__(self, config: AltMinConfig) -> None:
        self.config = config

    def update(self, samples: PathSamples, state: PhaseState, occasion: Occasion) -> PhaseState:
        space = SignalSpace.follow(samples, state.space, state.dims.num_streams)
        config = self.config
        target_f, target_w = digital_target(space, samples, config.target, config.target_iterations, occasion, state.dims)
        fallback_f, fallback_w = for_drops(state.initial, samples.gains.shape[1])
        phi_f = phase_extraction(target_f, fallback_f, config.iterations)
        phi_w = phase_extraction(target_w, fallback_w, config.iterations)
        return state.moved(phi_f, phi_w, space)
