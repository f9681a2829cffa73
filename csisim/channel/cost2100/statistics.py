"""What a list of paths looks like in numbers: the columns of the reference's files."""

import numpy as np

from csisim.channel.cost2100.parameters import SPEED_OF_LIGHT
from csisim.channel.cost2100.paths import PathList

COLUMNS = (
    "rms_delay_spread_s",
    "rms_bs_azimuth_spread_deg",
    "n_visible_far_clusters",
    "n_mpc_nonLOS",
    "n_mpc_within_30dB",
    "K_los_over_rest",
    "pathloss_dB(neg)",
    "tau0_los_s",
    "n_c_far",
    "nVR_total",
    "mean_excess_delay_s",
    "rms_bs_elevation_deg",
    "path_gain_dB",
)


def describe(paths: PathList, users: np.ndarray, bs: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Statistics (D, K, columns) of paths; the columns are ``COLUMNS``.

    Spreads are weighted by power. The azimuth spread is circular, sqrt(-2 ln |E exp(j AoD)|).

    Parameters
    ----------
    paths : PathList
    users : (D, K, 3) float
    bs : (3,) float
    sizes : (D, 2) float
        Far clusters per point and visibility regions of each environment.
    """
    power = np.abs(paths.amplitude) ** 2
    total = _sum(power)
    share = power / total[..., None]
    mean_delay = _sum(share * paths.delay)
    spread = np.sqrt(_sum(share * (paths.delay - mean_delay[..., None]) ** 2))
    resultant = np.abs(_sum(share * np.exp(1j * paths.aod)))
    azimuth = np.degrees(np.sqrt(np.maximum(-2 * np.log(resultant), 0)))
    direct = np.linalg.norm(users - bs, axis=-1) / SPEED_OF_LIGHT
    sighted = paths.k_factor > 0
    far, regions = np.broadcast_to(sizes[:, None], (*direct.shape, 2)).transpose(2, 0, 1)
    # a set with a line of sight keeps a place for it in the list whether or not there is one
    rays = (power > 0).sum(axis=-1) - sighted
    strong = (power > 1e-3 * power.max(axis=-1, keepdims=True)).sum(axis=-1)
    elevation = np.degrees(np.sqrt(_sum(share * paths.eod**2)))
    columns = (
        spread, azimuth, paths.num_visible, rays, strong, paths.k_factor, paths.loss_db, direct, far, regions, mean_delay - direct,
        elevation, 10 * np.log10(total),
    )  # fmt: skip
    return np.stack(columns, axis=-1).astype(float)


def _sum(terms: np.ndarray) -> np.ndarray:
    """Sum over paths, one after the other: then padding does not even change the rounding, and a drop's numbers are its own."""
    return np.cumsum(terms, axis=-1)[..., -1]


def sparsity(delay_angle: np.ndarray) -> dict[str, np.ndarray]:
    """How concentrated delay-angle matrices (n, delay, angle) are: shares of energy and of entries, (n,) each."""
    power = np.sort((np.abs(delay_angle) ** 2).reshape(len(delay_angle), -1), axis=-1)[:, ::-1]
    cumulative = np.cumsum(power, axis=-1) / power.sum(axis=-1, keepdims=True)
    needed = {f"entries_{percent}": ((cumulative < percent / 100).sum(axis=-1) + 1) / power.shape[-1] for percent in (90, 95, 99)}
    return {"strongest_share": cumulative[:, 0], **needed}
