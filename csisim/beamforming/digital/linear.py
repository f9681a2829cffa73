"""Linear precoders in closed form, which are baselines in themselves and where iterative designs start.

Channels are (B, K, R, T) and precoders (B, K, T, n) here, B a flattened batch of drops and subcarriers.
"""

from typing import Literal

import numpy as np

from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint
from csisim.phy.power import normalise

#: names of first precoders
Start = Literal["svd", "mrt", "zf"]


def fold(channel: np.ndarray) -> np.ndarray:
    """(D, K, S, R, T) to (D S, K, R, T): every subcarrier of every drop is a problem of its own."""
    drops, users, subcarriers, num_rx, num_tx = channel.shape
    return np.moveaxis(channel, 2, 1).reshape(drops * subcarriers, users, num_rx, num_tx)


def unfold(precoder: np.ndarray, subcarriers: int) -> np.ndarray:
    """(D S, K, T, n) to (D, K, S, T, n)."""
    return np.moveaxis(precoder.reshape(-1, subcarriers, *precoder.shape[1:]), 1, 2)


def singular_directions(channel: np.ndarray, num_streams: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The strongest singular triplets of every user's channel, strongest first.

    Parameters
    ----------
    channel : (..., R, T) complex

    Returns
    -------
    left (..., R, n), values (..., n), right (..., T, n)
        Directions more than 60 dB below the strongest, which single precision cannot tell from rounding, have a zero
        column in ``right``.
    """
    powers, vectors = np.linalg.eigh(channel @ adjoint(channel))
    left = vectors[..., : -num_streams - 1 : -1]
    values = np.sqrt(np.maximum(powers[..., : -num_streams - 1 : -1], 0.0))
    reciprocal = 1.0 / np.where(values > 1e-3 * values[..., :1], values, np.inf)
    return left, values, adjoint(channel) @ (left * reciprocal[..., None, :])


def effective_channel(channel: np.ndarray, num_streams: int) -> np.ndarray:
    """The channel (..., n, T) behind receive directions fixed beforehand.

    All receive chains if there are as many as streams, otherwise the strongest left singular vectors.
    """
    if num_streams == channel.shape[-2]:
        return channel
    return adjoint(singular_directions(channel, num_streams)[0]) @ channel


def zero_forcing(channel: np.ndarray, num_streams: int) -> np.ndarray:
    r"""Zero forcing :math:`H^H (H H^H)^{-1}` behind :func:`effective_channel`, not normalised, complex128.

    Interference is zero if the K n directions are independent; otherwise (more streams than transmit chains, users in the
    same place) the pseudo-inverse makes it smallest in the least-squares sense.
    """
    h, gram = _stacked(channel, num_streams)
    powers, vectors = np.linalg.eigh(gram)
    reciprocal = np.where(powers > 1e-12 * powers[:, -1:], 1.0 / np.where(powers > 0.0, powers, 1.0), 0.0)
    return _per_user(adjoint(h) @ ((vectors * reciprocal[:, None, :]) @ adjoint(vectors)), num_streams)


def regularised_zero_forcing(channel: np.ndarray, num_streams: int, loading: float) -> np.ndarray:
    r"""Regularised zero forcing :math:`H^H (H H^H + \alpha I)^{-1}` with loading :math:`\alpha > 0`, not normalised, complex128."""
    h, gram = _stacked(channel, num_streams)
    return _per_user(adjoint(np.linalg.solve(gram + loading * np.eye(gram.shape[-1]), h)), num_streams)


def start_precoder(channel: np.ndarray, num_streams: int, power: PowerBudget, start: Start | np.ndarray) -> np.ndarray:
    """A first precoder that meets the power constraint, in the channel's type.

    ``svd``: the strongest right singular vectors of each user's own channel; ``mrt``: matched filter behind
    :func:`effective_channel`; ``zf``: :func:`zero_forcing`; an array (..., K, T, n): itself, rescaled.
    """
    if isinstance(start, np.ndarray):
        precoder = start
    elif start == "svd":
        precoder = singular_directions(channel, num_streams)[2]
    elif start == "zf":
        precoder = zero_forcing(channel, num_streams)
    else:
        precoder = adjoint(effective_channel(channel, num_streams))
    shape = (*channel.shape[:2], channel.shape[3], num_streams)
    return normalise(np.broadcast_to(precoder, shape), power).astype(channel.dtype, copy=False)


def _stacked(channel: np.ndarray, num_streams: int) -> tuple[np.ndarray, np.ndarray]:
    """All users' effective channels under one another, (B, K n, T), and their Gram matrix, in double precision."""
    effective = effective_channel(channel, num_streams)
    h = effective.reshape(len(channel), -1, channel.shape[-1]).astype(np.complex128)
    return h, h @ adjoint(h)


def _per_user(precoder: np.ndarray, num_streams: int) -> np.ndarray:
    """(B, T, K n) to (B, K, T, n)."""
    batch, num_tx, _ = precoder.shape
    return np.moveaxis(precoder.reshape(batch, num_tx, -1, num_streams), 2, 1)
