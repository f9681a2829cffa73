"""The fully digital solution of one slot, as hybrid designs of the single timescale imitate it."""

from typing import Literal

import numpy as np

from csisim.beamforming.analog.signal_space import SignalSpace
from csisim.beamforming.base import Occasion
from csisim.beamforming.digital.sca import sca
from csisim.channel.base import PathSamples
from csisim.phy.beams import inverse_sqrt
from csisim.phy.dims import Dims
from csisim.phy.linalg import adjoint
from csisim.phy.rates import mmse_combiner

Target = Literal["sca", "svd"]


def digital_target(
    space: SignalSpace, samples: PathSamples, target: Target, iterations: int, occasion: Occasion, dims: Dims
) -> tuple[np.ndarray, np.ndarray]:
    """Semi-unitary targets for both ends: the directions of the fully digital precoders and combiners.

    Which directions are used is the analog stage's business, how strongly is the digital stage's. So the columns lose their
    powers: approximating them with their powers sacrifices weak streams (measured: 2 % of the rate).

    Parameters
    ----------
    target : "sca" or "svd"
        Multi-user SCA (``iterations`` of it) with MMSE combiners, or every user's leading singular vectors as if alone.

    Returns
    -------
    (D, t, m) complex, m <= num_rf, and (D, K, r, m') complex, m' <= num_rx_rf
        For all users and subcarriers together; if these have more streams than there are RF chains, the strongest directions.
    """
    channel = space.coordinates(samples)  # (D, K, S, R', T')
    d, k, s, r, t = channel.shape
    if target == "sca":
        flat = np.moveaxis(channel, 2, 1).reshape(d * s, k, r, t)
        precoder = sca(flat, occasion.noise_power, dims.num_streams, occasion.power, iterations=iterations)
        precoder = np.moveaxis(precoder.reshape(d, s, k, t, -1), 1, 2)
        combiner = mmse_combiner(channel, precoder, occasion.noise_power)
    else:
        left, _, right = np.linalg.svd(channel, full_matrices=False)
        precoder, combiner = adjoint(right)[..., : dims.num_streams], left[..., : dims.num_streams]
    streams = precoder.transpose(0, 3, 2, 1, 4).reshape(d, t, -1)
    filters = np.moveaxis(combiner, 2, 3).reshape(d, k, r, -1)
    return space.f @ semi_unitary(streams, dims.num_rf), space.w @ semi_unitary(filters, dims.num_rx_rf)


def semi_unitary(columns: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` orthonormal columns that stand for ``columns`` (..., antennas, m).

    If ``count`` suffices, the orthonormal columns closest to the normalised ones (polar decomposition), so that every stream
    keeps its column; else the ``count`` dominant left singular vectors. Columns of streams that are switched off stay zero.
    """
    if columns.shape[-1] > count:
        return np.linalg.svd(columns, full_matrices=False)[0][..., :count]
    energy = (columns.real**2 + columns.imag**2).sum(-2, keepdims=True)
    on = energy > 1e-9 * energy.max(-1, keepdims=True)
    unit = np.where(on, columns, 0) / np.sqrt(np.where(on, energy, 1))
    return unit @ inverse_sqrt(adjoint(unit) @ unit)[0].astype(columns.dtype)
