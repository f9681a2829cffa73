r"""Combiners, SINR and rates in orthonormal beam coordinates, where the noise is white and power is the squared norm.

Shapes: D drops, K users, S subcarriers, R receive and T transmit RF chains, n streams per user.
With :math:`s_{k,m l} = H_k f_{m l}` the rate of stream l of user k is :math:`\log_2 (1 + \mathrm{SINR}_{k l})`,

.. math:: \mathrm{SINR}_{k l} = \frac{|w_{k l}^H s_{k,k l}|^2}{\sum_{(m, p) \ne (k, l)} |w_{k l}^H s_{k,m p}|^2 + \sigma^2 \|w_{k l}\|^2}

(Kang 2022, eq. 3 with the sum over the other streams and the noise behind the combiner put right).
"""

from typing import Literal

import numpy as np
from numba import njit

from csisim.phy.beams import inverse_sqrt

#: below any interference plus noise that double precision can tell from zero: a stream that is switched off has rate 0
_FLOOR = 1e-300


def mmse_combiner(channel: np.ndarray, precoder: np.ndarray, noise_power: float) -> np.ndarray:
    r"""MMSE combiners :math:`W_k = (\sum_m H_k F_m F_m^H H_k^H + \sigma^2 I)^{-1} H_k F_k` (Kang 2022, eq. 24).

    Parameters
    ----------
    channel : (D, K, S, R, T) complex
    precoder : (D, K, S, T, n) complex
    noise_power : float
        :math:`\sigma^2 > 0`.

    Returns
    -------
    (D, K, S, R, n) complex, of the channel's type
    """
    num_streams = precoder.shape[-1]
    received = _received(channel, precoder)
    combiner = np.empty((*received.shape[:-1], num_streams), np.complex128)
    _combine(received, float(noise_power), combiner)
    return combiner.astype(channel.dtype, copy=False)


def stream_sinr(channel: np.ndarray, precoder: np.ndarray, combiner: np.ndarray, noise_power: float) -> np.ndarray:
    """SINR of every stream, (D, K, S, n) float64, linear (Kang 2022, eq. 3 corrected).

    Takes the channel as it is, and precoder and combiners (D, K, S, R, n) as the stations chose them.
    A stream without power has SINR 0.
    """
    sinr = np.empty((*combiner.shape[:3], combiner.shape[-1]), np.float64)
    _sinr(_received(channel, precoder), np.ascontiguousarray(combiner, np.complex128), float(noise_power), sinr)
    return sinr


def rate_per_user(
    channel: np.ndarray,
    precoder: np.ndarray,
    combiner: np.ndarray,
    noise_power: float,
    kind: Literal["per_stream", "logdet"] = "per_stream",
) -> np.ndarray:
    r"""Rate of every user in bit/s/Hz, averaged over subcarriers, (D, K) float64.

    Parameters
    ----------
    channel, precoder, combiner, noise_power
        As for :func:`stream_sinr`.
    kind
        ``per_stream``: the streams are decoded one by one, :math:`\sum_l \log_2(1 + \mathrm{SINR}_{k l})`.
        ``logdet``: the outputs of a user's combiner are decoded jointly, never less (Hu 2021, eq. 3).
    """
    if kind == "per_stream":
        return np.log2(1.0 + stream_sinr(channel, precoder, combiner, noise_power)).sum(axis=-1).mean(axis=-1)
    return _joint_rate(_received(channel, precoder), combiner.astype(np.complex128), noise_power).mean(axis=-1)


def _received(channel: np.ndarray, precoder: np.ndarray) -> np.ndarray:
    """What every user receives of every user's streams, H_k F_m, (D, K, S, R, K n) complex128, own streams at k n."""
    drops, users, subcarriers, num_tx, num_streams = precoder.shape
    streams = np.moveaxis(precoder, 1, 3).reshape(drops, 1, subcarriers, num_tx, users * num_streams)
    return np.ascontiguousarray(channel @ streams, np.complex128)


def _joint_rate(received: np.ndarray, combiner: np.ndarray, noise_power: float) -> np.ndarray:
    """log2 det(I + N^-1 X X^H) per user and subcarrier, X the own streams behind the combiner, N all the rest."""
    users, num_streams = received.shape[1], combiner.shape[-1]
    norm = np.linalg.norm(combiner, axis=-2, keepdims=True)
    filters = combiner / np.where(norm > 0.0, norm, 1.0)
    adjoint = filters.conj().swapaxes(-1, -2)
    # orthonormal outputs: filters of streams that were switched off are zero or collinear with others, and add nothing
    outputs = inverse_sqrt(adjoint @ filters)[0] @ adjoint @ received  # (D, K, S, n, K n)
    own = np.stack([outputs[:, k, :, :, k * num_streams : (k + 1) * num_streams] for k in range(users)], axis=1)
    everything = outputs @ outputs.conj().swapaxes(-1, -2) + noise_power * np.eye(num_streams)
    disturbance = everything - own @ own.conj().swapaxes(-1, -2)
    return (np.linalg.slogdet(everything)[1] - np.linalg.slogdet(disturbance)[1]) / np.log(2.0)


@njit(cache=True, error_model="numpy")
def _combine(received, noise_power, combiner):
    """W_k = A^-1 H_k F_k with the Cholesky factor of A = sum_m H_k F_m F_m^H H_k^H + sigma^2 I."""
    drops, users, subcarriers, num_rx, total = received.shape
    num_streams = total // users
    a = np.empty((num_rx, num_rx), np.complex128)
    for d in range(drops):
        for k in range(users):
            for q in range(subcarriers):
                s, w = received[d, k, q], combiner[d, k, q]
                for i in range(num_rx):
                    for j in range(i + 1):
                        value = 0j
                        for c in range(total):
                            value += s[i, c] * s[j, c].conjugate()
                        a[i, j] = value
                    a[i, i] += noise_power
                for i in range(num_rx):
                    for j in range(i + 1):
                        value = a[i, j]
                        for c in range(j):
                            value -= a[i, c] * a[j, c].conjugate()
                        # the diagonal holds the reciprocals: complex by real division is slow in Numba
                        a[i, j] = value * a[j, j] if j < i else 1.0 / np.sqrt(value.real) + 0j
                for n in range(num_streams):
                    for i in range(num_rx):
                        value = s[i, k * num_streams + n]
                        for c in range(i):
                            value -= a[i, c] * w[c, n]
                        w[i, n] = value * a[i, i]
                    for i in range(num_rx - 1, -1, -1):
                        value = w[i, n]
                        for c in range(i + 1, num_rx):
                            value -= a[c, i].conjugate() * w[c, n]
                        w[i, n] = value * a[i, i]


@njit(cache=True, error_model="numpy")
def _sinr(received, combiner, noise_power, sinr):
    """Signal over interference plus noise behind each combiner column."""
    drops, users, subcarriers, num_rx, total = received.shape
    num_streams = combiner.shape[4]
    for d in range(drops):
        for k in range(users):
            for q in range(subcarriers):
                s, w = received[d, k, q], combiner[d, k, q]
                for n in range(num_streams):
                    signal, disturbance = 0.0, 0.0
                    for i in range(num_rx):
                        disturbance += noise_power * (w[i, n].real ** 2 + w[i, n].imag ** 2)
                    for c in range(total):
                        value = 0j
                        for i in range(num_rx):
                            value += w[i, n].conjugate() * s[i, c]
                        power = value.real**2 + value.imag**2
                        if c == k * num_streams + n:
                            signal = power
                        else:
                            disturbance += power
                    sinr[d, k, q, n] = signal / max(disturbance, _FLOOR)
