"""Parameter sets: what the packaged ones say, and which ones are refused."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml

from csisim.channel.cost2100.law import law
from csisim.channel.cost2100.parameters import SETS, Lognormal, Reference, _load, available, parameter_set
from csisim.channel.cost2100.paths import draw_paths
from csisim.errors import CsisimError


def changed(tmp_path, **fields):
    document = yaml.safe_load((SETS / "semi_urban_300mhz_los.yaml").read_text(encoding="utf-8")) | fields
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(path)


def test_packaged_sets_load_and_name_their_source():
    assert {"indoor_hall_5ghz", "semi_urban_300mhz_los", "semi_urban_300mhz_nlos"} <= set(available())
    with warnings.catch_warnings(action="ignore"):
        assert all("COST 2100" in parameter_set(name).source for name in available())


@pytest.mark.parametrize("name", [name for name in available() if "2600mhz" in name])
def test_unvalidated_sets_warn_once_and_can_be_drawn(name):
    _load.cache_clear()
    with pytest.warns(UserWarning, match=f"{name} is unvalidated.*not modelled"):
        loaded = parameter_set(name)
    with warnings.catch_warnings(action="error"):
        assert parameter_set(name) is loaded
    users = np.full((3, 1, 3), [2.0, 1.0, 0.0])
    paths, _ = draw_paths(np.arange(3, dtype=np.uint64), law(loaded, Reference(), np.zeros(3)), users, False)
    assert np.isfinite(paths.amplitude).all()
    assert np.isfinite(paths.delay).all()


def test_validated_sets_and_ones_own_do_not_warn(tmp_path):
    _load.cache_clear()
    with warnings.catch_warnings(action="error"):
        parameter_set("indoor_hall_5ghz")
        parameter_set("semi_urban_300mhz_los")
        parameter_set(changed(tmp_path, name="mine", validated=False))


def test_numbers_of_the_indoor_set():
    indoor = parameter_set("indoor_hall_5ghz")
    assert indoor.expected_visible_regions == pytest.approx(2.50 * 3.8, rel=2e-3)
    assert [indoor.num_regions(n) for n in (4, 5)] == [1217, 1521]  # the reference's own table sizes
    assert indoor.delay_spread_ns.law == pytest.approx((2.942, 0.8601), rel=1e-3)
    assert indoor.azimuth_spread_bs_deg.law == pytest.approx((2.4962, 2.6336), rel=1e-4)


def test_numbers_of_the_outdoor_set():
    outdoor = parameter_set("semi_urban_300mhz_los")
    assert outdoor.expected_visible_regions == pytest.approx(25.2, abs=0.05)
    assert outdoor.num_regions(6) == 5859
    spread = law(outdoor, Reference(), np.zeros(3))
    np.testing.assert_allclose(
        spread.factor @ spread.factor.T, np.outer(*2 * [np.linalg.norm(spread.factor, axis=1)]) * outdoor.correlation
    )


def test_a_set_of_ones_own(tmp_path):
    assert parameter_set(changed(tmp_path, name="mine", num_mpcs=5)).num_mpcs == 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shadowing_db": -1.0}, "shadowing_db"),
        ({"delay_spread_ns": {"median": 139, "sigma_db": -3.66}}, "delay_spread_ns.sigma_db"),
        ({"delay_spread_ns": {"median": 139, "std": 3.66}}, "either median and sigma_db, or mean and std"),
        ({"correlations": [["delay", "azimuth_bs", 0.9], ["delay", "azimuth_ms", -0.9], ["azimuth_bs", "azimuth_ms", 0.9]]}, "definite"),
        ({"correlations": [["delay", "colour", 0.9]]}, "unknown parameter 'colour'"),
        ({"visibility": {"radius_m": 10, "transition_m": 10}}, "smaller than radius_m"),
        ({"cell_radius_m": 10}, "do not fit a cell"),
        ({"band_mhz": [295, 275]}, "mine.yaml: set: band_mhz"),
        ({"cell_radius_m": 10_000}, "visibility regions in a cell, at most 1000000"),
        ({"num_far": 501}, "num_far"),
        ({"visibility": {"radius_m": 10, "transition_m": 5, "extra_per_cluster": 101}}, "extra_per_cluster"),
        ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_bad_sets_are_refused(tmp_path, fields, message):
    with pytest.raises(CsisimError, match=message):
        parameter_set(changed(tmp_path, **fields))


def test_a_set_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(CsisimError, match="not YAML"):
        parameter_set(str(tmp_path / "mine.yaml"))


def test_a_changed_set_is_read_again(tmp_path):
    path = Path(changed(tmp_path, num_mpcs=5))
    assert parameter_set(str(path)).num_mpcs == 5
    changed(tmp_path, num_mpcs=6)
    later = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))
    assert parameter_set(str(path)).num_mpcs == 6


def test_unknown_sets_are_refused():
    with pytest.raises(CsisimError, match="indoor_hall_5ghz"):
        parameter_set("moon_base")


def test_a_lognormal_by_its_mean_has_that_mean():
    median, sigma_db = Lognormal(mean=3, std=2).law
    draws = median * 10 ** (sigma_db / 10 * np.random.default_rng(1).standard_normal(200_000))
    assert draws.mean() == pytest.approx(3, rel=0.02)
    assert draws.std() == pytest.approx(2, rel=0.05)


def test_a_version_sets_the_switches_that_are_left_open():
    assert Reference(version=2017)("coherent_k_factor")
    assert not Reference(version=2018)("coherent_k_factor")
    assert Reference(version=2018)("needs_a_cluster")
    assert not Reference(version=2017)("needs_a_cluster")
    assert not Reference(version=2017, coherent_k_factor=False)("coherent_k_factor")


def test_slips_of_units_can_be_mended(tmp_path):
    zero = np.zeros(3)
    indoor, outdoor = parameter_set("indoor_hall_5ghz"), parameter_set("semi_urban_300mhz_los")
    assert [law(indoor, Reference(unit_slips=slips), zero).cutoff for slips in (True, False)] == pytest.approx([0.1, 1e-7])
    spreads = [np.degrees(law(outdoor, Reference(unit_slips=slips), zero).medians[2]) for slips in (True, False)]
    assert spreads == pytest.approx([90.41, 1.578], rel=1e-4)
    with pytest.raises(CsisimError, match="cutoff_us"):
        parameter_set(changed(tmp_path, intended={"cutoff_us": -1}))
