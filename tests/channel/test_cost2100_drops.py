"""Drops of the presets: seeds, orientation, and the reference's statistics (the benchmark compares them closely)."""

import numpy as np
import pytest

from csisim.channel.cost2100.presets import PRESETS, generate, positions, preset
from csisim.channel.cost2100.statistics import COLUMNS, sparsity
from csisim.errors import CsisimError

#: Means of 2200 reference drops.
INDOOR = {
    "rms_delay_spread_s": 36.32e-9,
    "rms_bs_azimuth_spread_deg": 64.12,
    "n_visible_far_clusters": 9.59,
    "mean_excess_delay_s": 11.0e-9,
}
OUTDOOR = {
    "rms_delay_spread_s": 333.7e-9, "rms_bs_azimuth_spread_deg": 22.44, "n_visible_far_clusters": 25.17, "mean_excess_delay_s": 106.8e-9,
    "n_mpc_within_30dB": 97.4, "rms_bs_elevation_deg": 8.60,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "means", "share", "count"), [("indoor_paper", INDOOR, 0.287, 600), ("outdoor_paper", OUTDOOR, 0.331, 250)]
)
def test_means_of_the_reference(name, means, share, count):
    drops = generate(preset(name), count)
    for column, mean in means.items():
        mine = drops.stats[:, COLUMNS.index(column)]
        assert abs(mine.mean() - mean) < 4.5 * mine.std() / np.sqrt(count), column
    strongest = sparsity(drops.delay_angle)["strongest_share"]
    assert abs(strongest.mean() - share) < 4.5 * strongest.std() / np.sqrt(count)


@pytest.mark.parametrize("name", PRESETS)
def test_a_drop_depends_on_its_number_and_the_seed_alone(name):
    config = preset(name)
    whole, part = generate(config, 5), generate(config, 2, start=3)
    np.testing.assert_array_equal(whole.delay_angle[3:], part.delay_angle)
    np.testing.assert_array_equal(whole.stats[3:], part.stats)
    np.testing.assert_array_equal(whole.user_pos_xy_m[3:], part.user_pos_xy_m)
    assert not np.array_equal(generate(preset(name, seed=1), 2).delay_angle, whole.delay_angle[:2])


def test_users_fill_the_square():
    config = preset("indoor_paper")
    where = generate(config, 1).user_pos_xy_m
    assert where.shape == (1, 2)
    many = positions(config, np.random.default_rng(1).integers(0, 2**64, 4000, dtype=np.uint64))
    assert np.abs(many[:, :2]).max() <= 10
    np.testing.assert_allclose(many[:, :2].var(axis=0), 100 / 3, rtol=0.06)
    assert abs(np.corrcoef(many[:, 0], many[:, 1])[0, 1]) < 0.06


def test_the_public_preset_faces_the_other_way():
    """exp(+j pi k cos AoD) and fftshift: a user straight along +x is at angle index 16 before the shift, 0 after."""
    drops = generate(preset("indoor_public"), 300)
    energy = (np.abs(drops.delay_angle) ** 2).sum(axis=1)
    profile = (energy / energy.sum(axis=-1, keepdims=True)).mean(axis=0)
    assert profile.argmax() == 0  # end-fire, where the cosine piles up
    centred = generate(preset("indoor_paper"), 300).delay_angle
    energy = (np.abs(centred) ** 2).sum(axis=1)
    assert (energy / energy.sum(axis=-1, keepdims=True)).mean(axis=0).argmax() == 16


def test_unknown_presets_are_refused():
    with pytest.raises(CsisimError, match="indoor_public"):
        preset("indoor")
