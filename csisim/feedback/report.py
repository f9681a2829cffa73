"""A report: what a user sends back, as bits, and what a codec is."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from csisim.errors import CsisimError

SCALE_BITS = 16  # of a scale factor, an IEEE half-precision float


class CsiError(CsisimError, ValueError):
    """CSI that a codec cannot report: not finite, or not of the shape it was made for."""


def check_csi(csi: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse CSI of another ``shape`` (any number of drops is welcome) or with values that are not finite.

    Raises
    ------
    CsiError
    """
    if csi.ndim != len(shape) or csi.shape[1:] != tuple(shape[1:]):
        raise CsiError(f"CSI of shape {csi.shape} for a codec made for {shape}")
    if not np.isfinite(np.vdot(csi, csi)) and not np.isfinite(csi).all():  # the first is cheap, and overflows at worst
        raise CsiError("CSI with values that are not finite cannot be reported")


@dataclass(frozen=True, eq=False)
class Report:
    """One CSI report of every user.

    Attributes
    ----------
    payload : (D, K, bytes) uint8
        The bit strings, packed (``numpy.packbits``, big-endian, zero-padded to a byte). An ideal report, which no bit
        string can carry, holds the array itself.
    num_bits : int
        Length of one user's bit string, scale factors included; of the longest possible one where lengths vary.
    content : "channel" or "precoder"
    lengths : (D, K) int, optional
        Length of every user's bit string, where they vary; zeros follow it in the payload. A string tells its own end.
    arrived : (D, K) bool, optional
        Whose bit strings reached the base station; nothing else of the others may be decoded. All when left out.
    number : (D, K) int, optional
        Running numbers of the reports of a codec with memory. Both ends count them: the base station knows whom it lets report when.
    """

    payload: np.ndarray
    num_bits: int
    content: Literal["channel", "precoder"] = "channel"
    lengths: np.ndarray | None = None
    arrived: np.ndarray | None = None
    number: Any = 0

    @property
    def size(self) -> int:
        """Bits in the payload without the padding of its last byte; all bytes where a genie carries more than is booked."""
        whole = 8 * self.payload.shape[-1]
        return self.num_bits if whole - 8 < self.num_bits <= whole else whole

    @property
    def booked(self) -> np.ndarray:
        """Bits of every user's report, (D, K) int: what the ledger books."""
        return np.full(self.payload.shape[:2], self.num_bits) if self.lengths is None else self.lengths


class Codec(Protocol):
    """Turns CSI into bits and back; ``decode`` sees the bits alone.

    A codec whose reports build on earlier ones has three methods more. ``sent(senders, state)`` is the users' state where only
    ``senders`` (D, K) sent the report just encoded, the others having to save bits (what nobody sent is not decoded).
    ``intact(state)`` says of the last decoded report whose part could be used, (D, K) bool, and ``acknowledge(report, intact, state)``
    tells the user's end: it returns that end's state once the base station's answer to ``report`` is in. Such a codec begins anew with
    every pair of analog beams, as does one that says ``needs_sounding = True``: its ``init`` is handed the beams
    (:class:`csisim.acquisition.base.Sounding`) as a third argument.

    A codec that can make its reports shorter or longer has ``allow(bits, state)``: the state in which the next report takes about so
    many bits of every user, (D, K) real.
    """

    content: ClassVar[Literal["channel", "precoder"]]

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """State of one end, the user's or the base station's, for CSI of this shape (D, K, S, R, T) and precision."""

    def encode(self, csi: np.ndarray, state: Any) -> tuple[Report, Any]:
        """The report for ``csi`` (D, K, S, R, T), given in orthonormal beam coordinates.

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced (:func:`check_csi`).
        """

    def decode(self, report: Report, state: Any) -> tuple[np.ndarray, Any]:
        """The CSI (D, K, S, R, T) that the bits describe."""
