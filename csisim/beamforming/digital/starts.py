"""Where iterative designs start, and the receive directions of designs with fewer streams than receive chains."""

from typing import Literal

import numpy as np

from csisim.errors import CsisimError
from csisim.phy.dims import PowerBudget
from csisim.phy.power import normalise
from csisim.random import complex_normal

Start = Literal["svd", "mf", "zf", "random"]


def adjoint(a: np.ndarray) -> np.ndarray:
    """Hermitian transpose of the last two axes."""
    return a.conj().swapaxes(-1, -2)


def singular_directions(channel: np.ndarray, num_streams: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The strongest singular triplets of every user's channel, strongest first.

    Parameters
    ----------
    channel : (..., R, T) complex

    Returns
    -------
    left (..., R, n), values (..., n), right (..., T, n)
        Columns of ``right`` that belong to a singular value of zero are zero.
    """
    gram = channel @ adjoint(channel)
    left = np.linalg.eigh(gram)[1][..., : -num_streams - 1 : -1]
    right = adjoint(channel) @ left
    values = np.linalg.norm(right, axis=-2)
    floor = 1e-6 * values[..., :1]
    return left, values, right / np.where(values > floor, values, np.inf)[..., None, :]


def effective_channel(channel: np.ndarray, num_streams: int) -> np.ndarray:
    """The channel (..., n, T) behind receive directions fixed beforehand.

    All receive chains if there are as many as streams, otherwise the strongest left singular vectors.
    """
    if num_streams == channel.shape[-2]:
        return channel
    return adjoint(singular_directions(channel, num_streams)[0]) @ channel


def start_precoder(channel: np.ndarray, num_streams: int, power: PowerBudget, start: Start | np.ndarray) -> np.ndarray:
    """A first precoder (B, K, T, n) that meets the power constraint, in the channel's type.

    ``svd``: the strongest right singular vectors of each user's own channel; ``mf``: matched filter (MRT) and ``zf``: zero
    forcing behind :func:`effective_channel`; ``random``: one complex normal draw, the same for every problem of the batch;
    an array: itself, rescaled.
    """
    num_users, num_tx = channel.shape[1], channel.shape[3]
    if isinstance(start, np.ndarray):
        precoder = np.broadcast_to(start, (len(channel), num_users, num_tx, num_streams)).astype(channel.dtype)
    elif start == "svd":
        precoder = singular_directions(channel, num_streams)[2]
    elif start == "mf":
        precoder = adjoint(effective_channel(channel, num_streams))
    elif start == "zf":
        precoder = zero_forcing(channel, num_streams)
    elif start == "random":
        draw = complex_normal(np.random.default_rng(0), (num_users, num_tx, num_streams), channel.dtype)
        precoder = np.broadcast_to(draw, (len(channel), *draw.shape))
    else:
        raise CsisimError(f"start: {start!r} is unknown (svd, mf, zf, random)")
    return normalise(precoder, power)


def zero_forcing(channel: np.ndarray, num_streams: int) -> np.ndarray:
    """Pseudo-inverse of the stacked effective channels, (B, K, T, n), not normalised.

    Interference is zero if the K n directions are independent; otherwise it is smallest in the least-squares sense.
    """
    effective = effective_channel(channel, num_streams)
    batch, num_users, _, num_tx = effective.shape
    inverse = np.linalg.pinv(effective.reshape(batch, num_users * num_streams, num_tx))
    return np.moveaxis(inverse.reshape(batch, num_tx, num_users, num_streams), 1, 2)
