"""The small space in which every full channel of a slot lives.

A channel H_k = A_r diag(g) A_t^H only sees the span of the users' transmit responses. With orthonormal bases of that span and
of each user's receive responses as "beams", digital design behind them *is* fully digital design, at the dimension of the
paths instead of that of the antennas.
"""

from dataclasses import dataclass

import numpy as np

from csisim.beamforming.analog.second_order import side_by_side
from csisim.channel.base import PathSamples
from csisim.phy.linalg import adjoint


@dataclass(frozen=True, eq=False)
class SignalSpace:
    """Orthonormal bases of all that the channels of one slot can carry.

    Attributes
    ----------
    f : (D, t, T') complex
        Basis of the union of the users' row spaces, T' = min(t, number of transmit responses).
    w : (D, K, r, R') complex
        Basis of each user's column space.
    left : (N|1, D, K, R', P) complex
        w^H A_r.
    right : (N|1, D, K, P, T') complex
        A_t^H f.
    rx, tx : arrays
        The responses the bases were computed from.
    """

    f: np.ndarray
    w: np.ndarray
    left: np.ndarray
    right: np.ndarray
    rx: np.ndarray
    tx: np.ndarray

    @classmethod
    def of(cls, samples: PathSamples, num_streams: int) -> "SignalSpace":
        """The signal space of all ``samples``, with room for ``num_streams`` even where there are fewer paths."""
        users_first = np.moveaxis(samples.tx, 2, 1)  # users are further summands of the common row space
        f = _orthonormal_basis(side_by_side(users_first.reshape(-1, users_first.shape[2], *users_first.shape[3:])), num_streams)
        w = _orthonormal_basis(side_by_side(samples.rx), num_streams)
        return cls._in(f, w, samples)

    @classmethod
    def _in(cls, f: np.ndarray, w: np.ndarray, samples: PathSamples) -> "SignalSpace":
        left = adjoint(w) @ samples.rx
        right = adjoint(samples.tx) @ f[:, None]
        return cls(f, w, left, right, samples.rx, samples.tx)

    @classmethod
    def follow(cls, samples: PathSamples, previous: "SignalSpace | None", num_streams: int) -> "SignalSpace":
        """``previous`` itself while the samples look at the very arrays it was computed from, else a new signal space.

        Square bases span everything, whatever the samples: they stay, so that beams made of them need not change.
        """
        if previous is None or previous.f.shape[0] != samples.gains.shape[1]:
            return cls.of(samples, num_streams)
        if _same_memory(previous.rx, samples.rx) and _same_memory(previous.tx, samples.tx):
            return previous
        if all(basis.shape[-1] == basis.shape[-2] for basis in (previous.f, previous.w)):
            return cls._in(previous.f, previous.w, samples)
        return cls.of(samples, num_streams)

    def coordinates(self, samples: PathSamples) -> np.ndarray:
        """The channels in these bases, w^H H f: (D, K, N, R', T')."""
        return np.moveaxis((self.left * samples.gains[..., None, :]) @ self.right, 0, 2)


def _orthonormal_basis(responses: np.ndarray, least: int) -> np.ndarray:
    """At least ``least`` orthonormal columns that span ``responses`` (..., antennas, m); the identity if m reaches the antennas."""
    *batch, antennas, columns = responses.shape
    if columns < least:  # a stream without a path of its own still needs a place, orthogonal to all paths
        spare = np.broadcast_to(np.eye(antennas, least - columns, dtype=responses.dtype), (*batch, antennas, least - columns))
        responses, columns = np.concatenate([responses, spare], axis=-1), least
    if columns >= antennas:
        return np.broadcast_to(np.eye(antennas, dtype=responses.dtype), (*batch, antennas, antennas))
    return np.linalg.qr(responses)[0]


def _same_memory(a: np.ndarray, b: np.ndarray) -> bool:
    return (a.ctypes.data, a.shape, a.strides, a.dtype) == (b.ctypes.data, b.shape, b.strides, b.dtype)
