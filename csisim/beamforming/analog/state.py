"""What designers of phases share and remember, and how phases are completed where the channel leaves them free."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from csisim.beamforming.analog.signal_space import SignalSpace
from csisim.beamforming.base import Phases
from csisim.phy.dims import Dims
from csisim.phy.power import constant_modulus


@dataclass(frozen=True, eq=False)
class PhaseState:
    """The phase shifters of one scheme.

    Attributes
    ----------
    dims : Dims
    phi_f : (D|1, t, T) float64
        Phases of the analog precoder, radians.
    phi_w : (D|1, K, r, R) float64
        Phases of the analog combiners.
    initial : pair of arrays
        The random phases the state began with: RF chains for which the channel has no direction left keep them.
    space : SignalSpace or None
        Where the current slot's channels live (``slot`` designers only).
    """

    dims: Dims
    phi_f: np.ndarray
    phi_w: np.ndarray
    initial: Phases
    space: SignalSpace | None = None

    @classmethod
    def of(cls, dims: Dims, phases: Phases) -> "PhaseState":
        return cls(dims, *phases, initial=phases)

    def moved(self, phi_f: np.ndarray, phi_w: np.ndarray, space: SignalSpace | None = None) -> "PhaseState":
        """The same state with other phases."""
        return replace(self, phi_f=phi_f, phi_w=phi_w, space=space)


class PhaseDesigner:
    """What designers whose state is a :class:`PhaseState` have in common: where they begin, and what beams they end with."""

    phase_shifters: ClassVar[bool] = True
    designs_without_samples: ClassVar[bool] = False

    def init(self, dims: Dims, phases: Phases) -> PhaseState:
        """``phases``, until there are samples."""
        return PhaseState.of(dims, phases)

    def beams(self, state: PhaseState) -> tuple[np.ndarray, np.ndarray]:
        """Analog precoder (D|1, t, T) and combiners (D|1, K, r, R), every entry of modulus 1/sqrt(antennas)."""
        return analog_pair(state.phi_f, state.phi_w, state.dims)


def analog_pair(phi_f: np.ndarray, phi_w: np.ndarray, dims: Dims) -> tuple[np.ndarray, np.ndarray]:
    """F_RF and W_RF from their phases (Kang 2022, eq. 18, with the missing 1/sqrt(N)), in the precision of the link."""
    return constant_modulus(phi_f, dims.complex_dtype), constant_modulus(phi_w, dims.complex_dtype)


def for_drops(phases: Phases, drops: int) -> Phases:
    """The phases of the first drop if one design serves all drops (``drops`` = 1: shared statistics), else all of them."""
    return (phases[0][:1], phases[1][:1]) if drops == 1 else phases


def phases_of(vectors: np.ndarray, strength: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """Phases of the columns of ``vectors`` (..., antennas, m), strongest first, as the phases of T RF chains.

    Parameters
    ----------
    vectors : (..., antennas, m) complex
    strength : (..., m) real
        Eigenvalues, singular values or norms of the columns; those that rounding alone explains are no directions of the channel.
    fallback : (..., antennas, T) real
        Phases of the chains that ``vectors`` leaves free.
    """
    phases = np.broadcast_to(fallback, (*vectors.shape[:-1], fallback.shape[-1])).copy()
    used = min(vectors.shape[-1], fallback.shape[-1])
    rounding = vectors.shape[-2] * np.finfo(vectors.dtype).eps * strength.max(-1)
    genuine = strength[..., None, :used] > rounding[..., None, None]
    phases[..., :used] = np.where(genuine, np.angle(vectors[..., :used]), phases[..., :used])
    return phases
