"""What a channel is: a process that is stepped slot by slot and offers a state to everybody.

Sums of paths stay factored, H = A_r diag(g) A_t^H: while the angles stand still, W^H A_r and A_t^H F are computed once per
pair of beams, and a slot costs O(paths x RF chains), whatever the number of antennas.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


class ChannelState(Protocol):
    """The channel of all users in one slot."""

    paths: "Paths | None"  # None when dense

    def matrix(self) -> np.ndarray:
        """H, (D, K, S, r, t)."""

    def project(self, w: np.ndarray, f: np.ndarray) -> np.ndarray:
        """W^H H F, (D, K, S, R, T), for w (D|1, K, r, R) and f (D|1, t, T)."""


class Channel(Protocol):
    """A channel process; its class is built as ``Class(config, dims, streams, slot_s)``.

    ``shared_statistics`` says that all drops have the same statistics: then ``samples`` has a drop axis of 1, and an
    analog beamformer designed from them serves every drop.
    """

    shared_statistics: bool

    def begin_superframe(self, index: int) -> None:
        """Draw new statistics (angles, covariances, trace rows)."""

    def step(self, slot: int) -> ChannelState:
        """The state of slot ``slot`` of this superframe; slots are asked for in order, each once."""

    def samples(self, count: int, name: str, spacing: int = 1) -> Iterator[ChannelState]:
        """``count`` states of this superframe's statistics outside time, ``spacing`` slots apart.

        An independent run of the same fading process from the stream ``name``: asking for samples never changes what
        ``step`` returns, and the same name gives the same samples.
        """


@dataclass(eq=False)
class Geometry:
    """Array responses that stand still for a while, and their couplings to beams.

    Attributes
    ----------
    rx : (D, K, r, P) complex
        Receive responses A_r.
    tx : (D, K, t, P) complex
        Transmit responses A_t.
    """

    rx: np.ndarray
    tx: np.ndarray
    _cache: OrderedDict = field(default_factory=OrderedDict, repr=False)

    def couple(self, w: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W^H A_r, (D, K, R, P), and A_t^H F, (D, K, P, T); the last 16 pairs of beams are remembered."""
        key = (id(w), id(f))
        if key not in self._cache:
            left = w.conj().swapaxes(-1, -2) @ self.rx
            right = self.tx.conj().swapaxes(-1, -2) @ f[:, None]
            self._cache[key] = (w, f, left, right)  # keeps w and f alive, so their ids stay theirs
            if len(self._cache) > 16:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key][2:]


@dataclass(eq=False)
class Paths:
    """A channel as a sum of paths.

    Attributes
    ----------
    geometry : Geometry
        Responses, the same object for every slot in which the angles are the same.
    gains : (D, K, S, P) complex
        Path gains, all normalisation included.
    """

    geometry: Geometry
    gains: np.ndarray


@dataclass(eq=False)
class FactoredState:
    """A channel state kept as paths."""

    paths: Paths

    def matrix(self) -> np.ndarray:
        geometry = self.paths.geometry
        return (geometry.rx[:, :, None] * self.paths.gains[..., None, :]) @ geometry.tx.conj().swapaxes(-1, -2)[:, :, None]

    def project(self, w: np.ndarray, f: np.ndarray) -> np.ndarray:
        left, right = self.paths.geometry.couple(w, f)
        return (left[:, :, None] * self.paths.gains[..., None, :]) @ right[:, :, None]


@dataclass(eq=False)
class DenseState:
    """A channel state kept as matrices (traces, Rayleigh fading, noisy full CSI)."""

    h: np.ndarray  # (D, K, S, r, t)
    paths: Paths | None = None

    def matrix(self) -> np.ndarray:
        return self.h

    def project(self, w: np.ndarray, f: np.ndarray) -> np.ndarray:
        return w.conj().swapaxes(-1, -2)[:, :, None] @ self.h @ f[:, None, None]


@dataclass(eq=False)
class PathSamples:
    """Full-CSI samples as an analog designer sees them: subcarriers are further samples.

    Attributes
    ----------
    rx : (N|1, D, K, r, P) complex
        Receive responses; a sample axis of 1 says that all samples share them.
    tx : (N|1, D, K, t, P) complex
        Transmit responses.
    gains : (N, D, K, P) complex

    A dense channel is r paths with A_r = I, gains 1 and A_t = H^H, so designers know one form only.
    """

    rx: np.ndarray
    tx: np.ndarray
    gains: np.ndarray

    def __len__(self) -> int:
        return len(self.gains)

    def take(self, index: np.ndarray) -> "PathSamples":
        """The samples ``index``; shared responses stay shared."""
        pick = lambda a: a if len(a) == 1 else a[index]  # noqa: E731
        return PathSamples(pick(self.rx), pick(self.tx), self.gains[index])


def stack(states: Sequence[ChannelState]) -> PathSamples:
    """Gather states into one :class:`PathSamples`, newest last, keeping shared geometry shared."""
    if any(state.paths is None for state in states):
        h = np.stack([state.matrix() for state in states])  # (N, D, K, S, r, t)
        n, d, k, s, r, t = h.shape
        h = np.moveaxis(h, 3, 1).reshape(n * s, d, k, r, t)
        eye = np.broadcast_to(np.eye(r, dtype=h.dtype), (1, d, k, r, r))
        return PathSamples(eye, h.conj().swapaxes(-1, -2), np.ones((n * s, d, k, r), h.dtype))
    paths = [state.paths for state in states if state.paths is not None]
    gains = np.stack([p.gains for p in paths])  # (N, D, K, S, P)
    n, d, k, s, p = gains.shape
    gains = np.moveaxis(gains, 3, 1).reshape(n * s, d, k, p)
    if all(path.geometry is paths[0].geometry for path in paths):
        return PathSamples(paths[0].geometry.rx[None], paths[0].geometry.tx[None], gains)
    rx = np.repeat(np.stack([path.geometry.rx for path in paths]), s, axis=0)
    tx = np.repeat(np.stack([path.geometry.tx for path in paths]), s, axis=0)
    return PathSamples(rx, tx, gains)
