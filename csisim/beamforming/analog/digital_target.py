"""The fully digital solution of one slot, which hybrid designs of the single timescale imitate."""

from typing import Literal

import numpy as np

from csisim.beamforming.analog.signal_space import SignalSpace
from csisim.beamforming.digital.sca import sca
from csisim.channel.base import PathSamples
from csisim.phy.dims import PowerBudget
from csisim.phy.rates import mmse_combiner

Target = Literal["sca", "svd"]


def digital_target(
    space: SignalSpace,
    samples: PathSamples,
    target: Target,
    iterations: int,
    noise_power: float,
    power: PowerBudget,
    num_streams: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Fully digital precoders and combiners of every subcarrier, at the antennas.

    Parameters
    ----------
    target : "sca" or "svd"
        Multi-user SCA (``iterations`` of it) with MMSE combiners, or every user's leading singular vectors as if alone.

    Returns
    -------
    (D, S, t, K n) complex, (D, K, S, r, n) complex
    """
    channel = space.coordinates(samples)  # (D, K, S, R', T')
    d, k, s, r, t = channel.shape
    if target == "sca":
        flat = np.moveaxis(channel, 2, 1).reshape(d * s, k, r, t)
        precoder = sca(flat, noise_power, num_streams, power, iterations=iterations)
        precoder = np.moveaxis(precoder.reshape(d, s, k, t, -1), 1, 2)
        combiner = mmse_combiner(channel, precoder, noise_power)
    else:
        left, _, right = np.linalg.svd(channel, full_matrices=False)
        precoder, combiner = right.conj().swapaxes(-1, -2)[..., :num_streams], left[..., :num_streams]
    columns = precoder.transpose(0, 2, 3, 1, 4).reshape(d, s, t, -1)  # all users' streams side by side
    return space.f[:, None] @ columns, space.w[:, :, None] @ combiner
