"""Lists of paths of many users at once, and what the model computes on the way to them."""

from typing import NamedTuple

import numpy as np

from csisim.channel.cost2100.draws import child
from csisim.channel.cost2100.kernels import ENVIRONMENTS, around_users, illuminate, scatter, survey
from csisim.channel.cost2100.law import Law
from csisim.channel.cost2100.parameters import ParameterError


class Scatterers(NamedTuple):
    """What users may see from where they are; rows of paths, clusters and regions are padded beyond their counts."""

    aod: np.ndarray  # (D, K, P) from the base station, rad
    eod: np.ndarray
    delay: np.ndarray  # (D, K, P) up to the last point, link delay included, s
    point: np.ndarray  # (D, K, P, 3) last point before the user
    gain: np.ndarray  # (D, K, P) complex, shadowing included
    cluster: np.ndarray  # (D, K, P) number of the far cluster, -1: a local one
    centre: np.ndarray  # (D, K, C, 3) clusters' centres at the user's end
    centre_delay: np.ndarray  # (D, K, C) delay up to there
    region: np.ndarray  # (D, K, V, 2) visibility regions in reach
    region_cluster: np.ndarray  # (D, K, V) their clusters
    num_paths: np.ndarray  # (D, K), the line of sight not counted
    num_clusters: np.ndarray  # (D, K)
    num_regions: np.ndarray  # (D, K)


class PathList(NamedTuple):
    """Paths (D, K, P) of users, padded beyond ``num_paths`` with amplitude 0; the line of sight is the last."""

    aod: np.ndarray  # rad, from the x axis
    eod: np.ndarray
    aoa: np.ndarray
    eoa: np.ndarray
    delay: np.ndarray  # s
    amplitude: np.ndarray  # complex
    num_paths: np.ndarray  # (D, K), line of sight counted
    k_factor: np.ndarray  # (D, K) linear, 0: no line of sight
    num_visible: np.ndarray  # (D, K) visible far clusters
    loss_db: np.ndarray  # (D, K) path gain of the direct distance, negative


def scatterers(
    keys: np.ndarray, law: Law, users: np.ndarray, reach: np.ndarray, local: tuple[np.ndarray, np.ndarray], condition: bool
) -> tuple[Scatterers, np.ndarray, np.ndarray]:
    """Build everything that users may see.

    Parameters
    ----------
    keys : (D,) uint64
        One per environment.
    law : Law
    users : (D, K, 3) float
    reach : (D, K) float
        How far, in m, a user may go before more needs to be built.
    local : (D, K, n, 3) float and (D, K, n) complex
        Clusters around users (:func:`local_clusters`).
    condition : bool
        Draw environments again in which a user sees no cluster.

    Returns
    -------
    Scatterers
    (D,) uint64
        The keys of the environments that were kept.
    (D, 2) float
        Far clusters per point and visibility regions of each environment.

    Raises
    ------
    ParameterError
        If a user sees no cluster, however often its environment is drawn again.
    """
    keys = keys.copy()
    clusters, regions, sizes = survey(keys, law, users, reach, condition)
    if condition and not clusters.all():
        raise ParameterError(
            f"no cluster is seen in any of {ENVIRONMENTS} environments; choose a larger num_far, or peculiarities: "
            "{needs_a_cluster: false}"
        )
    drops, num_users = users.shape[:2]
    most_clusters, most_regions = max(1, int(clusters.max())), max(1, int(regions.max()))
    most_paths = law.num_mpcs * (int(clusters.max()) + law.local_bs + law.local_ms)
    shape = (drops, num_users, most_paths)
    real = lambda *tail: np.zeros((drops, num_users, *tail))  # noqa: E731
    integer = lambda *tail: np.zeros((drops, num_users, *tail), np.int64)  # noqa: E731
    out = Scatterers(
        real(most_paths), real(most_paths), real(most_paths), real(most_paths, 3), np.zeros(shape, complex), integer(most_paths),
        real(most_clusters, 3), real(most_clusters), real(most_regions, 2), integer(most_regions), integer(), integer(), integer(),
    )  # fmt: skip
    scatter(keys, law, users, reach, *local, out)
    return out, keys, sizes


def local_clusters(keys: np.ndarray, law: Law, users: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clusters around users (D, K, 3), one key (D, K) each: points (D, K, n, 3), gains (D, K, n) and radii (D, K)."""
    count = law.num_mpcs if law.local_ms else 0
    points, gains = np.empty((*users.shape[:2], count, 3)), np.empty((*users.shape[:2], count), complex)
    radii = np.zeros(users.shape[:2])
    if law.local_ms:
        around_users(keys, law, users, points, gains, radii)
    return points, gains, radii


def path_list(keys: np.ndarray, law: Law, users: np.ndarray, what: Scatterers, angles: bool = True) -> PathList:
    """The paths of users (D, K, 3) who stand within the reach for which ``what`` was built; without angles, these are 0."""
    most = what.aod.shape[-1] + (law.los_radius > 0)
    shape = users.shape[:2]
    aod, eod, aoa, eoa, delay = np.zeros((5, *shape, most))
    k_factor, loss_db = np.zeros((2, *shape))
    num_paths, num_visible = np.zeros((2, *shape), np.int64)
    out = PathList(aod, eod, aoa, eoa, delay, np.zeros((*shape, most), complex), num_paths, k_factor, num_visible, loss_db)
    illuminate(keys, law, users, what, angles, out)
    return out


def draw_paths(keys: np.ndarray, law: Law, users: np.ndarray, condition: bool) -> tuple[PathList, np.ndarray]:
    """Paths of users (D, K, 3) in environments with keys (D,): one snapshot. Also the environments' sizes (D, 2)."""
    user_keys = np.stack([np.asarray(child.py_func(keys, np.full(1, 1000 + user, np.uint64))) for user in range(users.shape[1])], axis=1)
    points, gains, _ = local_clusters(user_keys, law, users)
    built, kept, sizes = scatterers(keys, law, users, np.zeros(users.shape[:2]), (points, gains), condition)
    return path_list(kept, law, users, built), sizes
