"""A report: what a user sends back, as bits, and what a codec is."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Report:
    """One CSI report of every user.

    Attributes
    ----------
    payload : (D, K, bytes) uint8
        The bit strings, packed (``numpy.packbits``, big-endian, zero-padded to a byte). An ideal report, which no bit
        string can carry, holds the array itself.
    num_bits : int
        Length of one user's bit string, scale factors included: what the ledger books.
    content : "channel" or "precoder"
    """

    payload: np.ndarray
    num_bits: int
    content: Literal["channel", "precoder"] = "channel"


class Codec(Protocol):
    """Turns CSI into bits and back; ``decode`` sees the bits alone."""

    content: ClassVar[Literal["channel", "precoder"]]

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """State of one end, the user's or the base station's, for CSI of this shape (D, K, S, R, T) and precision."""

    def encode(self, csi: np.ndarray, state: Any) -> tuple[Report, Any]:
        """The report for ``csi`` (D, K, S, R, T), given in orthonormal beam coordinates."""

    def decode(self, report: Report, state: Any) -> tuple[np.ndarray, Any]:
        """The CSI (D, K, S, R, T) that the bits describe."""
