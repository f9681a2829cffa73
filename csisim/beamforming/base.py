"""What analog and digital designers are."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from csisim.channel.base import PathSamples
from csisim.phy.dims import Dims, PowerBudget

Phases = tuple[np.ndarray, np.ndarray]  # phi_f (D|1, t, T), phi_w (D|1, K, r, R), radians


@dataclass(frozen=True, eq=False)
class Occasion:
    """What an analog update is told besides the samples: the link it designs for, its randomness and how far to go.

    ``steps``: gradient steps; None takes the configuration's. ``digital``: the scheme's digital designer, for those who design
    through it.
    """

    noise_power: float
    power: PowerBudget
    rng: np.random.Generator
    steps: int | None = None
    digital: "DigitalDesigner | None" = None


class AnalogDesigner(Protocol):
    """Designs the pair of analog beamformers from full-CSI samples.

    ``cadence``: ``slot`` designers serve the single timescale (one sample, every slot), ``statistics`` designers serve
    offline and online (many samples), ``fixed`` designers need no sample.

    ``phase_shifters``: every entry of the beams has the same modulus, or is zero where a chain has no antenna (``ports``). False
    frees the designer from RF chains altogether: its beams are orthonormal, as many as it likes, and nothing quantises their phases.

    ``designs_without_samples``: the beams of a fresh state are a design already. Others show the initial phases until they
    have seen a sample.
    """

    cadence: ClassVar[Literal["fixed", "statistics", "slot"]]
    phase_shifters: ClassVar[bool]
    designs_without_samples: ClassVar[bool]

    def init(self, dims: Dims, phases: Phases) -> Any:
        """A fresh state. ``phases`` are the random initial phases, the same for every scheme of a cell."""

    def update(self, samples: PathSamples, state: Any, occasion: Occasion) -> Any:
        """Improve the state with samples (newest last)."""

    def beams(self, state: Any) -> tuple[np.ndarray, np.ndarray]:
        """Analog precoder f (D|1, t, T) and combiners w (D|1, K, r, R)."""


class DigitalDesigner(Protocol):
    """Designs the digital precoder in orthonormal beam coordinates (:mod:`csisim.phy.beams`).

    ``single_user``: it serves one user only.
    """

    single_user: ClassVar[bool]

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T), and combiners (D, K, S, R, n) or None.

        None asks for the MMSE combiners of the same CSI (Kang 2022, eq. 24). The power budget holds on every subcarrier.
        """
