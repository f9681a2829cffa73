r"""What a receiver sees of the pilots, and the noise it sees them through.

Noise is drawn at the antennas with unit variance, once per slot for all schemes, time axis first: a shorter pilot block sees a
prefix of a longer one, and the number of RF chains does not touch the draws.
"""

from typing import Literal

import numpy as np

from csisim.phy.dims import Dims
from csisim.phy.linalg import adjoint
from csisim.random import Streams, complex_normal


def observe(
    channel: np.ndarray,
    pilots: np.ndarray,
    noise: np.ndarray,
    noise_power: float,
    access: Literal["broadcast", "tdma", "kang_eq4"] = "broadcast",
) -> np.ndarray:
    r"""Received pilots :math:`Y_k = C_k X + \sigma Z`, or :math:`Y_k = C_k \sum_u X_u + \sigma Z` (Kang 2022, eq. 4).

    Parameters
    ----------
    channel : (D, K, S, R, T) complex
        The channel C that the pilots pass through (beams and pilot precoding included).
    pilots : (K|1, T, L) complex
        From :func:`csisim.acquisition.pilots.pilot_matrix`.
    noise : (D, K, S, R, L) complex
        Unit-variance noise after combining, from :func:`combine_noise`.
    noise_power : float
        sigma^2 relative to the reference power P = 1.
    access : {"broadcast", "tdma", "kang_eq4"}
        With ``kang_eq4`` the pilots of all users reach every user; else each user hears its own.

    Returns
    -------
    (D, K, S, R, L) complex, of the channel's dtype
    """
    sent = pilots.sum(axis=0, keepdims=True) if access == "kang_eq4" else pilots
    received = channel @ sent[:, None].astype(channel.dtype, copy=False)
    received += noise * noise.real.dtype.type(np.sqrt(noise_power))
    return received


def combine_noise(
    antenna_noise: np.ndarray,
    w_orthonormal: np.ndarray,
    kind: Literal["coloured", "white"] = "coloured",
    q_w: np.ndarray | None = None,
) -> np.ndarray:
    r"""Noise behind the analog combiners, in orthonormal coordinates.

    ``coloured`` is the physical :math:`Q_W W^H Z`: coloured :math:`W^H W` in the paper's coordinates, hence white here.
    ``white`` takes the paper at its word (AWGN after combining, eq. 4): :math:`Q_W Z'` with Z' the noise of the first R antennas.

    Parameters
    ----------
    antenna_noise : (L, D, K, S, r) complex
        From :meth:`UnitNoise.block`.
    w_orthonormal : (D|1, K, r, R) complex
        Orthonormal analog combiners W Q_W.
    kind : {"coloured", "white"}
    q_w : (D|1, K, R, R) complex, optional
        (W^H W)^(-1/2), needed by ``white`` alone.

    Returns
    -------
    (D, K, S, R, L) complex
    """
    z = np.moveaxis(antenna_noise, 0, -1)  # (D, K, S, r, L)
    if kind == "coloured":
        return adjoint(w_orthonormal)[:, :, None] @ z
    if q_w is None:
        raise ValueError("white noise after combining needs q_w")
    return q_w[:, :, None] @ z[..., : q_w.shape[-1], :]


class UnitNoise:
    """Unit-variance complex noise at the antennas of all users, the same for every scheme that asks in a slot.

    Only the current slot is remembered, at the greatest length asked for so far; a longer request goes on drawing where the
    shorter one stopped, so the order of requests does not matter.

    Parameters
    ----------
    streams : Streams
        Stream ``"noise"``, indexed by superframe, slot and user.
    dims : Dims
    """

    def __init__(self, streams: Streams, dims: Dims):
        self.streams = streams
        self.dims = dims
        self._slot: tuple[int, int] | None = None
        self._generators: list[np.random.Generator] = []
        self._drawn = self._draw(0)

    def block(self, superframe: int, slot: int, length: int) -> np.ndarray:
        """The first ``length`` symbols of a slot's noise, (length, D, K, S, r) complex; treat it as read-only."""
        if self._slot != (superframe, slot):
            self._slot = (superframe, slot)
            self._generators = [self.streams("noise", superframe, slot, user) for user in range(self.dims.num_users)]
            self._drawn = self._draw(length)
        elif length > len(self._drawn):
            self._drawn = np.concatenate([self._drawn, self._draw(length - len(self._drawn))])
        return self._drawn[:length]

    def _draw(self, length: int) -> np.ndarray:
        dims = self.dims
        noise = np.empty((length, dims.drops, dims.num_users, dims.num_subcarriers, dims.num_rx), dims.complex_dtype)
        for user, generator in enumerate(self._generators):
            noise[:, :, user] = complex_normal(generator, (length, dims.drops, dims.num_subcarriers, dims.num_rx), dims.complex_dtype)
        return noise
