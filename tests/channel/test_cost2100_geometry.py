"""What the model's geometry promises: twins, ellipsoids, delays, closed-form laws."""

import numpy as np
import pytest

from csisim.channel.cost2100.draws import child, keys
from csisim.channel.cost2100.kernels import CLUSTERS, far_cluster, region_table
from csisim.channel.cost2100.law import law
from csisim.channel.cost2100.parameters import Reference, parameter_set
from csisim.channel.cost2100.paths import draw_paths, local_clusters, path_list, scatterers
from csisim.errors import CsisimError

C0 = 3e8
INDOOR = law(parameter_set("indoor_hall_5ghz"), Reference(), np.zeros(3))
OUTDOOR = law(parameter_set("semi_urban_300mhz_los"), Reference(), np.zeros(3))


def environment_keys(count: int, seed: int = 1) -> np.ndarray:
    return keys(np.random.default_rng(seed), np.arange(count))


def snapshot(numbers, count: int, where: tuple[float, float], seed: int = 1):
    users = np.broadcast_to([*where, 0.0], (count, 1, 3)).copy()
    return draw_paths(environment_keys(count, seed), numbers, users, False)


def clusters(numbers, count: int, region=(50.0, 20.0)):
    """Many clusters that see one region: stacked points at both ends and gains, centres and link delays."""
    n = numbers.num_mpcs
    bs, ms, gains = np.empty((count, n, 3)), np.empty((count, n, 3)), np.empty((count, n), complex)
    rest = [far_cluster(key, numbers, np.array([region]), bs[i], ms[i], gains[i]) for i, key in enumerate(environment_keys(count))]
    centres_bs, centres_ms, links = (np.array(column) for column in zip(*rest, strict=True))
    return bs, ms, gains, centres_bs, centres_ms, links


def framed(points, centre, towards):
    """Points in the frame whose first axis is level and points to ``towards``."""
    azimuth = np.arctan2(towards[1] - centre[1], towards[0] - centre[0])
    x, y, z = np.moveaxis(points - centre, -1, 0)
    return np.stack([x * np.cos(azimuth) + y * np.sin(azimuth), y * np.cos(azimuth) - x * np.sin(azimuth), z], axis=-1)


def test_twins_have_paired_components():
    numbers = OUTDOOR._replace(single_fraction=0.0)
    bs, ms, _, centre_bs, centre_ms, _ = clusters(numbers, 20)
    for i in range(20):
        here, there = framed(bs[i], centre_bs[i], np.zeros(3)), framed(ms[i], centre_ms[i], np.array([50.0, 20.0, 0.0]))
        np.testing.assert_allclose(here[:, :2], there[:, :2], atol=1e-9)  # same depth and width at both ends
        ratio = here[:, 2] / there[:, 2]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)  # heights differ by one factor


def test_singles_are_one_body():
    bs, ms, _, centre_bs, centre_ms, links = clusters(OUTDOOR._replace(single_fraction=1.0), 5)
    np.testing.assert_array_equal(bs, ms)
    np.testing.assert_array_equal(centre_bs, centre_ms)
    assert not links.any()


def test_shared_height_of_2017():
    bs, ms, _, centre_bs, centre_ms, _ = clusters(OUTDOOR._replace(single_fraction=0.0, shared_height=True), 5)
    np.testing.assert_allclose(bs[..., 2] - centre_bs[:, None, 2], ms[..., 2] - centre_ms[:, None, 2], atol=1e-9)


def test_ellipsoids_have_three_sigma_radii():
    """Spreads fixed at their medians: depth c tau / 2, width r tan(phi / 2), height r tan(theta / 2)."""
    numbers = OUTDOOR._replace(factor=np.zeros((6, 6)), nearest=200.0, farthest=200.0, num_mpcs=4000)
    bs, _, _, centre, _, _ = clusters(numbers, 1)
    radii = 3 * framed(bs[0], centre[0], np.zeros(3)).std(axis=0)
    _, delay, theta, phi = numbers.medians[:4]
    np.testing.assert_allclose(radii, [C0 * delay / 2, 200 * np.tan(phi / 2), 200 * np.tan(theta / 2)], rtol=0.05)


def test_power_of_a_cluster_is_its_shadowing():
    _, _, gains, *_ = clusters(INDOOR, 10)
    np.testing.assert_allclose((np.abs(gains) ** 2).sum(axis=-1), 1)  # indoors there is none
    _, _, gains, *_ = clusters(OUTDOOR, 4000)
    level = 10 * np.log10((np.abs(gains) ** 2).sum(axis=-1))
    assert level.std() == pytest.approx(2.05, rel=0.05)


def test_link_delay_law():
    *_, links = clusters(INDOOR, 8000)
    assert links.min() >= 33.6e-9
    excess = links - 33.6e-9
    assert excess.mean() == pytest.approx(107e-9, rel=0.04)
    assert np.mean(excess > 107e-9) == pytest.approx(np.exp(-1), abs=0.02)


def test_large_scale_parameters_are_correlated():
    """Depth and width of a cluster come from parameters that correlate by 0.9."""
    numbers = OUTDOOR._replace(nearest=200.0, farthest=200.0, single_fraction=0.0)
    bs, _, _, centre, _, _ = clusters(numbers, 1500)
    radii = np.log([framed(b, c, np.zeros(3)).std(axis=0) for b, c in zip(bs, centre, strict=True)])
    # 27 components estimate a standard deviation to 14 %, which takes little from the correlation
    assert np.corrcoef(radii[:, 0], radii[:, 1])[0, 1] == pytest.approx(0.87, abs=0.04)


def test_bearings_of_both_versions():
    bearing = np.arctan2(20.0, 50.0)
    _, _, _, centre, _, _ = clusters(OUTDOOR, 3000)
    off = np.exp(1j * (np.arctan2(centre[:, 1], centre[:, 0]) - bearing))
    assert np.degrees(np.angle(off.mean())) == pytest.approx(43, abs=3)
    old = law(parameter_set("semi_urban_300mhz_los"), Reference(version=2017), np.zeros(3))
    _, _, _, centre, _, _ = clusters(old, 3000)
    assert np.abs(np.exp(1j * np.arctan2(centre[:, 1], centre[:, 0])).mean()) < 0.06  # all round


def test_regions_fill_the_disc_and_groups_have_their_mean():
    table, first, num_far = region_table(np.uint64(5), INDOOR)
    assert np.hypot(*table.T).max() <= 30
    assert np.mean(np.hypot(*table.T) < 30 / np.sqrt(2)) == pytest.approx(0.5, abs=0.06)
    assert first[-1] == len(table) == round(num_far * (30 / 1.72) ** 2)
    assert np.diff(first).mean() == pytest.approx(5, abs=0.5)


@pytest.mark.parametrize(
    ("numbers", "name", "where"), [(INDOOR, "indoor_hall_5ghz", (3.0, 4.0)), (OUTDOOR, "semi_urban_300mhz_los", (80.0, -60.0))]
)
def test_mean_number_of_visible_regions(numbers, name, where):
    count = 400
    users = np.broadcast_to([*where, 0.0], (count, 1, 3)).copy()
    where_from = environment_keys(count)
    local = local_clusters(where_from[:, None], numbers, users)[:2]
    seen, _, _ = scatterers(where_from, numbers, users, np.zeros((count, 1)), local, False)
    expected = parameter_set(name).expected_visible_regions
    error = seen.num_regions.std() / np.sqrt(count)
    assert abs(seen.num_regions.mean() - expected) < 3.5 * error + 0.02 * expected  # at least one far cluster indoors


def test_delays_are_path_lengths_and_link_delays():
    count = 6
    users = np.broadcast_to([30.0, 40.0, 0.0], (count, 1, 3)).copy()
    where = environment_keys(count)
    built, kept, _ = scatterers(where, OUTDOOR, users, np.zeros((count, 1)), local_clusters(where[:, None], OUTDOOR, users)[:2], False)
    paths = path_list(kept, OUTDOOR, users, built)
    n = built.aod.shape[-1]
    length = np.linalg.norm(built.point - users[:, :, None], axis=-1)
    there = built.gain != 0
    np.testing.assert_allclose(paths.delay[..., :n][there], (built.delay + length / C0)[there], rtol=1e-12)
    near = built.cluster == -1  # both ends of a local cluster are one point, and there is no link
    np.testing.assert_allclose(built.delay[near], np.linalg.norm(built.point[near], axis=-1) / C0, rtol=1e-12)
    towards = built.point - users[:, :, None]
    np.testing.assert_allclose(paths.aoa[..., :n][there], np.arctan2(towards[..., 1], towards[..., 0])[there], atol=1e-12)
    np.testing.assert_allclose(paths.delay[near_line(paths)], 50 / C0)


def near_line(paths):
    """Places of the lines of sight."""
    d, k = np.indices(paths.num_paths.shape)
    return d, k, paths.num_paths - 1


def test_line_of_sight_law():
    paths, _ = snapshot(OUTDOOR, 1500, (80.0, -60.0))
    assert (paths.k_factor > 0).all()
    k_db = 10 * np.log10(paths.k_factor[:, 0])
    assert k_db.mean() == pytest.approx(-4.7, abs=0.18)
    assert k_db.std() == pytest.approx(2.0, rel=0.08)
    power = np.abs(paths.amplitude) ** 2
    direct = power[near_line(paths)]
    np.testing.assert_allclose(direct, paths.k_factor * (power.sum(axis=-1) - direct), rtol=1e-9)
    assert (paths.amplitude[near_line(paths)].imag == 0).all()


@pytest.mark.parametrize(("in_plane", "length"), [(True, 100.0), (False, np.hypot(100.0, 30.0))])
def test_height_counts_in_the_line_of_sight_on_demand(in_plane, length):
    numbers = law(parameter_set("semi_urban_300mhz_los"), Reference(sight_in_the_plane=in_plane), np.array([0.0, 0.0, 30.0]))
    paths, _ = snapshot(numbers, 3, (80.0, -60.0))
    np.testing.assert_allclose(paths.delay[near_line(paths)], length / C0)


def test_coherent_k_factor_of_2017():
    paths, _ = snapshot(OUTDOOR._replace(coherent_k=True), 20, (80.0, -60.0))
    direct = paths.amplitude[near_line(paths)]
    others = paths.amplitude.sum(axis=-1) - direct
    np.testing.assert_allclose(np.abs(direct) ** 2, paths.k_factor * np.abs(others) ** 2, rtol=1e-9)


def test_indoors_there_is_no_line_of_sight_and_no_loss_of_local_power():
    paths, _ = snapshot(INDOOR, 50, (3.0, 4.0))
    assert not paths.k_factor.any()
    loss_db = 20 * np.log10(5) + 20 * np.log10(5.3e9) - 147.56
    np.testing.assert_allclose(paths.loss_db, -loss_db)
    power = (np.abs(paths.amplitude[:, 0, : 2 * INDOOR.num_mpcs]) ** 2).sum(axis=-1)  # two local clusters of unit power
    np.testing.assert_allclose(10 * np.log10(power / 2), -loss_db)


def test_amplitude_of_a_far_cluster():
    """Visibility gain, attenuation and path loss of every cluster, against the formulas."""
    users = np.full((30, 1, 3), [3.0, 4.0, 0.0])
    where = environment_keys(30)
    built, kept, _ = scatterers(where, INDOOR, users, np.zeros((30, 1)), local_clusters(where[:, None], INDOOR, users)[:2], True)
    paths = path_list(kept, INDOOR, users, built)
    for d in range(30):
        for c in range(built.num_clusters[d, 0]):
            regions = built.region[d, 0, : built.num_regions[d, 0]][built.region_cluster[d, 0, : built.num_regions[d, 0]] == c]
            y = np.linalg.norm(regions - [3.0, 4.0], axis=-1) - (2.72 - 1)
            gain = (0.5 - np.arctan(2 * np.sqrt(2) * y / np.sqrt(C0 / 5.3e9 * 1)) / np.pi).max()
            excess = built.centre_delay[d, 0, c] + np.linalg.norm(built.centre[d, 0, c] - users[d, 0]) / C0 - 5 / C0
            expected = paths.loss_db[d, 0] + 20 * np.log10(gain) - 10 * np.log10(np.e) * 16e6 * excess
            mine = built.cluster[d, 0, : built.num_paths[d, 0]] == c
            power = (np.abs(paths.amplitude[d, 0, : built.num_paths[d, 0]][mine]) ** 2).sum()
            assert 10 * np.log10(power) == pytest.approx(expected, abs=1e-6)


def test_an_environment_without_a_cluster_is_drawn_again_on_demand():
    sparse = INDOOR._replace(num_far=0.3, num_far_poisson=False)
    users = np.full((40, 1, 3), [3.0, 4.0, 0.0])
    kept, _ = draw_paths(environment_keys(40), sparse, users, False)
    redrawn, _ = draw_paths(environment_keys(40), sparse, users, True)
    assert (kept.num_visible == 0).any()
    assert (redrawn.num_visible > 0).all()
    alike = kept.num_visible[:, 0] > 0  # the others stay as they were
    np.testing.assert_array_equal(kept.num_paths[alike], redrawn.num_paths[alike])


def test_a_set_that_shows_no_cluster_is_refused():
    users = np.full((2, 1, 3), [3.0, 4.0, 0.0])
    with pytest.raises(CsisimError, match="num_far"):
        draw_paths(environment_keys(2), INDOOR._replace(num_far=1e-6, num_far_poisson=False), users, True)


def test_large_groups_of_regions_fill_the_table_too():
    """When fewer regions remain than a cluster has by far, drawing numbers until one fits would take for ever."""
    table, first, _ = region_table(np.uint64(5), INDOOR._replace(extra_regions=60.0))
    sizes = np.diff(first)
    assert sizes.sum() == len(table)
    assert sizes[:-2].mean() == pytest.approx(61, abs=6)


def test_only_what_is_visible_depends_on_its_own_number():
    """A cluster is the same whoever sees it: two users of one environment at one place."""
    users = np.full((3, 2, 3), [3.0, 4.0, 0.0])
    paths, _ = draw_paths(environment_keys(3), INDOOR, users, False)
    far = slice(2 * INDOOR.num_mpcs, None)
    np.testing.assert_array_equal(paths.delay[:, 0, far], paths.delay[:, 1, far])
    assert not np.array_equal(paths.delay[:, 0, 3:6], paths.delay[:, 1, 3:6])  # their own local clusters differ
    assert child(np.uint64(1), CLUSTERS) != child(np.uint64(1), CLUSTERS + 1)
