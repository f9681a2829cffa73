"""The model's geometry, compiled: visibility regions, clusters and what a user sees of them.

Everything is a function of an environment's key and a user's key, so nothing is stored and only visible clusters are built.
A visibility region's cluster is drawn by walking through the regions; their positions are independent and alike, so regions of one
cluster may as well be neighbours in the table.
"""

import math

import numpy as np

from csisim.channel.cost2100.draws import child, in_disc, kernel, pair, poisson, uniform

_C0 = 3.0e8
# Typed numbers: a plain one makes numba compile everything it is handed to once more for that very number.
TABLE, LOCAL, SIGHT, CLUSTERS = np.int64(0), np.int64(1), np.int64(2), np.int64(3)  # descendants of an environment's key
#: Environments that are drawn for a drop until its users see a cluster, and numbers of regions until they fit.
ENVIRONMENTS, _REDRAWN = 10_000, 1000
_NO_CLUSTER, _NONE = np.int64(-1), np.int64(0)


@kernel
def state_of(key, index):
    """A fresh random state for the descendant ``index`` of ``key``."""
    state = np.empty(1, np.uint64)
    state[0] = child(key, index)
    return state


@kernel
def distance3(a, b):
    """Distance of two points."""
    return math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2)


@kernel
def region_table(key, law):
    """Visibility regions (n, 2) and where the regions of each cluster begin (clusters + 1), both of one environment."""
    state = state_of(key, TABLE)
    num_far = law.num_far
    if law.num_far_poisson:
        num_far = max(1.0, float(poisson(state, law.num_far)))
    core = law.region_radius - law.region_rim
    count = round(num_far * (law.cell_radius / core) ** 2)
    first = np.empty(count + 1, np.int64)
    num_clusters, taken = 0, 0
    while taken < count:
        first[num_clusters] = taken
        num_clusters += 1
        remaining = count - taken - 1
        extra = 0
        if law.extra_regions > 0.0 and remaining > 0:
            extra = poisson(state, law.extra_regions)
            redrawn = 0
            while extra > remaining:  # after too many, none at all is refused as well
                extra = poisson(state, law.extra_regions)
                redrawn += 1
                if redrawn == _REDRAWN:  # far fewer remain than a cluster has: the likeliest of the numbers that fit is all of them
                    extra = remaining
                elif extra == 0:
                    extra = remaining + 1
        taken += 1 + extra
    first[num_clusters] = count
    regions = np.empty((count, 2))
    for i in range(count):
        x, y = in_disc(state, law.cell_radius)
        regions[i, 0], regions[i, 1] = x + law.cell_centre[0], y + law.cell_centre[1]
    return regions, first[: num_clusters + 1], num_far


@kernel
def large_scale(state, law, out):
    """The six correlated large-scale parameters of a cluster into ``out``."""
    normal = np.empty(6)
    for i in range(3):
        normal[2 * i], normal[2 * i + 1] = pair(state)
    for i in range(6):
        exponent = 0.0
        for j in range(i + 1):
            exponent += law.factor[i, j] * normal[j]
        out[i] = law.medians[i] * math.exp(exponent)


@kernel
def unit_gains(state, shadowing, gains):
    """Complex amplitudes of a cluster's components: normal, power normalised to the cluster's shadowing."""
    power = 0.0
    for i in range(len(gains)):
        re, im = pair(state)
        gains[i] = complex(re, im)
        power += re * re + im * im
    scale = math.sqrt(shadowing / power)
    for i in range(len(gains)):
        gains[i] *= scale


@kernel
def local_cluster(key, law, centre, points, gains):
    """A cluster around a base station or user: its components' ``points`` (n, 3) and ``gains`` (n,). Returns its radius."""
    state = state_of(key, LOCAL)
    spread = np.empty(6)
    large_scale(state, law, spread)
    radius = 0.5 * _C0 * spread[1]
    scatter_ball(state, centre, radius, points)
    unit_gains(state, spread[0], gains)
    return radius


@kernel
def around_users(keys, law, users, points, gains, radii):
    """Clusters around users (D, K, 3) with keys (D, K)."""
    for d in range(users.shape[0]):
        for k in range(users.shape[1]):
            radii[d, k] = local_cluster(keys[d, k], law, users[d, k], points[d, k], gains[d, k])


@kernel
def follow(keys, users, radii, points):
    """Draw the points (D, K, n, 3) of clusters around users anew that have fallen behind by more than the clusters' radius."""
    fresh = np.empty((1, 3))
    for d in range(users.shape[0]):
        for k in range(users.shape[1]):
            state = state_of(keys[d, k], LOCAL)
            for i in range(points.shape[2]):
                if distance3(points[d, k, i], users[d, k]) > radii[d, k]:
                    scatter_ball(state, users[d, k], radii[d, k], fresh)
                    for axis in range(3):
                        points[d, k, i, axis] = fresh[0, axis]


@kernel
def scatter_ball(state, centre, radius, points):
    """Points (n, 3) of a local cluster: normal, three sigma within the radius, a twentieth of it in height."""
    for i in range(len(points)):
        x, y = pair(state)
        z, _ = pair(state)
        points[i, 0] = centre[0] + x * radius / 3.0
        points[i, 1] = centre[1] + y * radius / 3.0
        points[i, 2] = centre[2] + z * radius / 60.0


@kernel
def place(centre, towards, radii, offsets, points):
    """Ellipsoid of normal ``offsets`` (n, 3) around ``centre``, first axis pointing ``towards``; ``radii`` are three sigma."""
    dx, dy, dz = towards[0] - centre[0], towards[1] - centre[1], towards[2] - centre[2]
    flat = math.hypot(dx, dy)
    azimuth, elevation = math.atan2(dy, dx), math.atan2(dz, flat)
    ca, sa, ce, se = math.cos(azimuth), math.sin(azimuth), math.cos(elevation), math.sin(elevation)
    for i in range(len(offsets)):
        x, y, z = offsets[i, 0] * radii[0] / 3.0, offsets[i, 1] * radii[1] / 3.0, offsets[i, 2] * radii[2] / 3.0
        points[i, 0] = centre[0] + x * ce * ca - y * sa - z * se * ca
        points[i, 1] = centre[1] + x * ce * sa + y * ca - z * se * sa
        points[i, 2] = centre[2] + x * se + z * ce


@kernel
def offset_from(origin, distance, azimuth, elevation):
    """The point at a distance and direction from ``origin``."""
    point = np.empty(3)
    point[0] = origin[0] + distance * math.cos(elevation) * math.cos(azimuth)
    point[1] = origin[1] + distance * math.cos(elevation) * math.sin(azimuth)
    point[2] = origin[2] + distance * math.sin(elevation)
    return point


@kernel
def far_cluster(key, law, regions, bs_points, ms_points, gains):
    """A cluster that ``regions`` (m, 2) see: its components at both ends (n, 3) and their gains (n,).

    Returns the centre at the base station and at the user, and the link delay between them.
    """
    state = np.empty(1, np.uint64)
    state[0] = key
    spread = np.empty(6)
    large_scale(state, law, spread)
    chosen = min(int(uniform(state) * len(regions)), len(regions) - 1)
    region = np.zeros(3)
    region[0], region[1] = regions[chosen, 0], regions[chosen, 1]
    bearing = math.atan2(region[1] - law.bs[1], region[0] - law.bs[0])
    single = uniform(state) <= law.single_fraction
    distance = law.nearest + (law.farthest - law.nearest) * uniform(state)
    azimuth, elevation = pair(state)
    bs_centre = offset_from(
        law.bs, distance, bearing + law.bearing[0] + law.bearing[1] * azimuth, law.elevation[0] + law.elevation[1] * elevation
    )
    half_bs = math.tan(0.5 * spread[3])
    radii = np.empty(3)
    radii[0], radii[1], radii[2] = 0.5 * _C0 * spread[1], distance * half_bs, distance * math.tan(0.5 * spread[2])
    offsets = np.empty((law.num_mpcs, 3))
    spare = 0.0
    for i in range(3 * law.num_mpcs):  # normal numbers come in pairs
        if i % 2:
            offsets[i // 3, i % 3] = spare
        else:
            offsets[i // 3, i % 3], spare = pair(state)
    place(bs_centre, law.bs, radii, offsets, bs_points)
    ms_centre, link = bs_centre, 0.0
    if single:
        for i in range(law.num_mpcs):
            for axis in range(3):
                ms_points[i, axis] = bs_points[i, axis]
    else:
        reach = distance * half_bs / math.tan(0.5 * spread[5])  # so that both ends are equally wide
        azimuth, elevation = pair(state)
        ms_centre = offset_from(
            region, reach, bearing + law.bearing[0] + law.bearing[1] * azimuth, law.elevation[0] + law.elevation[1] * elevation
        )
        if not law.shared_height:
            radii[2] = reach * math.tan(0.5 * spread[4])
        place(ms_centre, region, radii, offsets, ms_points)
        link = law.link_min - law.link_mean * math.log(uniform(state))
    unit_gains(state, spread[0], gains)
    return bs_centre, ms_centre, link


@kernel
def survey(keys, law, users, reach, condition):
    """How much there is to be built: clusters and regions within ``reach`` (D, K) of each user's sight.

    With ``condition`` an environment in which some user sees nothing is drawn anew: its key in ``keys`` (D,) changes in place. After
    ``ENVIRONMENTS`` of them the user is left with 0 clusters.
    Also returns the number of far clusters and of regions of each environment (D, 2).
    """
    num_drops, num_users = users.shape[:2]
    clusters, near = np.zeros((num_drops, num_users), np.int64), np.zeros((num_drops, num_users), np.int64)
    size = np.empty((num_drops, 2))
    for d in range(num_drops):
        for _ in range(ENVIRONMENTS):
            lonely = False
            regions, first, num_far = region_table(keys[d], law)
            size[d, 0], size[d, 1] = num_far, len(regions)
            for k in range(num_users):
                limit = (law.region_radius + reach[d, k]) ** 2
                found, seen = 0, 0
                for c in range(len(first) - 1):
                    before = seen
                    for v in range(first[c], first[c + 1]):
                        if (regions[v, 0] - users[d, k, 0]) ** 2 + (regions[v, 1] - users[d, k, 1]) ** 2 < limit:
                            seen += 1
                    found += seen > before
                clusters[d, k], near[d, k] = found, seen
                lonely |= condition and found == 0
            if not lonely:
                break
            keys[d] = child(keys[d], TABLE)
    return clusters, near, size


@kernel
def scatter(keys, law, users, reach, local_points, local_gains, out):
    """Build what users may see into the :class:`Scatterers` ``out``; local clusters around users come ready-made."""
    n = law.num_mpcs
    bs_points, ms_points, gains = np.empty((n, 3)), np.empty((n, 3)), np.empty(n, np.complex128)
    bs_local, bs_gains = np.empty((n, 3)), np.empty(n, np.complex128)
    for d in range(users.shape[0]):
        regions, first, _ = region_table(keys[d], law)
        if law.local_bs:
            local_cluster(child(keys[d], LOCAL), law, law.bs, bs_local, bs_gains)
        for k in range(users.shape[1]):
            limit = (law.region_radius + reach[d, k]) ** 2
            path, cluster, seen = _NONE, _NONE, _NONE
            if law.local_bs:
                path = _append(law, bs_local, bs_local, bs_gains, 0.0, _NO_CLUSTER, out, d, k, path)
            if law.local_ms:
                path = _append(law, local_points[d, k], local_points[d, k], local_gains[d, k], 0.0, _NO_CLUSTER, out, d, k, path)
            for c in range(len(first) - 1):
                before = seen
                for v in range(first[c], first[c + 1]):
                    if (regions[v, 0] - users[d, k, 0]) ** 2 + (regions[v, 1] - users[d, k, 1]) ** 2 < limit:
                        out.region[d, k, seen, 0], out.region[d, k, seen, 1] = regions[v, 0], regions[v, 1]
                        out.region_cluster[d, k, seen] = cluster
                        seen += 1
                if seen > before:
                    bs_centre, ms_centre, link = far_cluster(
                        child(keys[d], CLUSTERS + c), law, regions[first[c] : first[c + 1]], bs_points, ms_points, gains
                    )
                    for axis in range(3):
                        out.centre[d, k, cluster, axis] = ms_centre[axis]
                    out.centre_delay[d, k, cluster] = distance3(law.bs, bs_centre) / _C0 + link
                    path = _append(law, bs_points, ms_points, gains, link, cluster, out, d, k, path)
                    cluster += 1
            out.num_paths[d, k], out.num_clusters[d, k], out.num_regions[d, k] = path, cluster, seen


@kernel
def _append(law, bs_points, ms_points, gains, link, cluster, out, d, k, path):
    """One cluster's components behind the paths that a user has already; returns how many they are now."""
    for i in range(law.num_mpcs):
        dx, dy, dz = bs_points[i, 0] - law.bs[0], bs_points[i, 1] - law.bs[1], bs_points[i, 2] - law.bs[2]
        out.aod[d, k, path], out.eod[d, k, path] = math.atan2(dy, dx), math.atan2(dz, math.hypot(dx, dy))
        out.delay[d, k, path] = math.sqrt(dx * dx + dy * dy + dz * dz) / _C0 + link
        for axis in range(3):
            out.point[d, k, path, axis] = ms_points[i, axis]
        out.gain[d, k, path], out.cluster[d, k, path] = gains[i], cluster
        path += 1
    return path


@kernel
def illuminate(keys, law, users, scatterers, with_angles, out):
    """Delays, amplitudes and (``with_angles``) angles of what users (D, K, 3) see now, into the :class:`PathList` ``out``."""
    for d in range(users.shape[0]):
        sight = _sight(keys[d], law)
        for k in range(users.shape[1]):
            user = users[d, k]
            direct = distance3(law.bs, user)
            loss = 10.0 ** (-(law.loss_slope * math.log10(direct) + law.loss_offset) / 20.0)
            weight, out.num_visible[d, k] = _weights(law, user, direct / _C0, scatterers, d, k)
            coherent, power = 0.0j, 0.0
            count = scatterers.num_paths[d, k]
            for p in range(count):
                point = scatterers.point[d, k, p]
                delay = scatterers.delay[d, k, p] + distance3(point, user) / _C0
                c = scatterers.cluster[d, k, p]
                amplitude = scatterers.gain[d, k, p] * loss * (1.0 if c < 0 else weight[c])
                if law.carrier_twice_hz > 0.0:
                    turn = -2.0 * math.pi * law.carrier_twice_hz * delay
                    amplitude *= complex(math.cos(turn), math.sin(turn))
                coherent += amplitude
                power += amplitude.real**2 + amplitude.imag**2
                out.delay[d, k, p], out.amplitude[d, k, p] = delay, amplitude
                if with_angles:
                    out.aod[d, k, p], out.eod[d, k, p] = scatterers.aod[d, k, p], scatterers.eod[d, k, p]
                    dx, dy, dz = point[0] - user[0], point[1] - user[1], point[2] - user[2]
                    out.aoa[d, k, p], out.eoa[d, k, p] = math.atan2(dy, dx), math.atan2(dz, math.hypot(dx, dy))
            if law.los_radius > 0.0:
                scattered = coherent.real**2 + coherent.imag**2 if law.coherent_k else power
                _direct_path(law, user, sight, scattered, with_angles, out, d, k, count)
                count += 1
            out.num_paths[d, k], out.loss_db[d, k] = count, 20.0 * math.log10(loss)


@kernel
def _sight(key, law):
    """An environment's K factor, and the centre (x, y) of the region in which there is a line of sight."""
    state = state_of(key, SIGHT)
    k_factor = law.k_median * math.exp(law.k_sigma * pair(state)[0])
    x, y = uniform(state), uniform(state)
    if not law.los_first_quadrant:
        x, y = 2.0 * x - 1.0, 2.0 * y - 1.0
    spare = law.los_cutoff - law.los_radius
    return k_factor, law.bs[0] + spare * x, law.bs[1] + spare * y


@kernel
def _weights(law, user, direct_s, scatterers, d, k):
    """Amplitude weight of each far cluster, visibility gain times attenuation, and how many are visible."""
    rim = math.sqrt(law.wavelength * law.region_rim)
    weight = np.zeros(scatterers.num_clusters[d, k])
    for v in range(scatterers.num_regions[d, k]):
        away = math.hypot(scatterers.region[d, k, v, 0] - user[0], scatterers.region[d, k, v, 1] - user[1])
        if away < law.region_radius:
            y = away - (law.region_radius - law.region_rim)
            gain = 0.5 - math.atan(2.0 * math.sqrt(2.0) * y / rim) / math.pi
            c = scatterers.region_cluster[d, k, v]
            weight[c] = max(weight[c], gain)
    visible = 0
    floor = math.exp(-law.decay * (law.cutoff - direct_s))
    for c in range(len(weight)):
        excess = scatterers.centre_delay[d, k, c] + distance3(scatterers.centre[d, k, c], user) / _C0 - direct_s
        visible += weight[c] > 0.0
        weight[c] *= math.sqrt(max(math.exp(-law.decay * excess), floor))
    return weight, visible


@kernel
def _direct_path(law, user, sight, scattered, with_angles, out, d, k, place_in_list):
    """The line of sight, real and positive; of amplitude 0 where there is none."""
    k_factor, sight_x, sight_y = sight
    dx, dy, dz = user[0] - law.bs[0], user[1] - law.bs[1], user[2] - law.bs[2]
    length = distance3(law.bs, user)
    seen = length <= law.los_cutoff and math.hypot(user[0] - sight_x, user[1] - sight_y) <= law.los_radius
    out.k_factor[d, k] = k_factor if seen else 0.0
    out.amplitude[d, k, place_in_list] = complex(math.sqrt(out.k_factor[d, k] * scattered), 0.0)
    out.delay[d, k, place_in_list] = (math.hypot(dx, dy) if law.los_in_plane else length) / _C0
    if with_angles:
        azimuth, elevation = math.atan2(dy, dx), math.atan2(dz, math.hypot(dx, dy))
        out.aod[d, k, place_in_list], out.eod[d, k, place_in_list] = azimuth, elevation
        out.aoa[d, k, place_in_list], out.eoa[d, k, place_in_list] = azimuth + math.pi, -elevation
