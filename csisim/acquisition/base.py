"""What an estimator is, and what a station knows about a channel."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from csisim.phy.arrays import CrossPolarised, Ula, Upa


@dataclass(frozen=True, eq=False)
class Sounding:
    """What pilots pass through on their way: the beams, and the arrays behind them.

    Attributes
    ----------
    f : (D|1, t, T) complex
        Beams that carry the pilots, their precoding included.
    w : (D|1, K, r, R) complex
        Orthonormal analog combiners.
    tx_array, rx_array : Ula, Upa or CrossPolarised
        Where the channel names none, half-wavelength lines.
    """

    f: np.ndarray
    w: np.ndarray
    tx_array: Ula | Upa | CrossPolarised
    rx_array: Ula | Upa | CrossPolarised


@dataclass(frozen=True, eq=False)
class Estimate:
    """A channel estimate with its predicted quality.

    Attributes
    ----------
    value : (D, K, S, R, T) complex
        The channel in the coordinates the pilots were sent in.
    error_variance : (D|1, K|1) real
        Predicted error variance per entry of ``value``.
    """

    value: np.ndarray
    error_variance: np.ndarray


class Estimator(Protocol):
    """Estimates a channel C from ``received = C X + Z`` with known pilots X and white noise Z.

    ``uses_pilots`` is False for perfect CSI; ``needs_covariance`` asks for the transmit covariance E[C^H C] / R.

    An estimator that was trained with pilots of its own has a method ``pilots``: it is handed the scenario's (K|1, T, L) and returns
    what is sent in their place, with the same power in every symbol. One that looks through the beams says ``needs_sounding = True``:
    its ``init`` is handed a :class:`Sounding` as a fourth argument.
    """

    uses_pilots: ClassVar[bool]
    needs_covariance: ClassVar[bool]

    def init(self, pilots: np.ndarray, noise_power: float, covariance: np.ndarray | None = None) -> Any:
        """State for pilots (K|1, T, L) and, if asked for, a covariance (D, K, T, T).

        Raises
        ------
        PilotError
            If the pilots cannot identify the channel.
        """

    def update(self, received: np.ndarray, state: Any) -> tuple[Estimate, Any]:
        """The estimate from one pilot block, received (D, K, S, R, L)."""
