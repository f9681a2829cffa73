"""COST 2100 as a process: conformance, and fading that is continuous along a walk."""

from itertools import pairwise

import numpy as np
import pytest
import yaml

from csisim.channel.cost2100.parameters import SETS
from csisim.channel.cost2100.process import Cost2100, Cost2100Config
from csisim.channel.cost2100.transfer import frequency_response
from csisim.errors import CsisimError
from csisim.phy.dims import Dims
from csisim.random import Streams
from csisim.testing import check_channel

DIMS = Dims(drops=3, num_users=2, num_rx=4, num_tx=16, num_rx_rf=2, num_rf=4, num_streams=2, num_subcarriers=4)
OUTDOOR = {"parameters": "semi_urban_300mhz_los", "half_side_m": 200.0, "speed_mps": 10.0}


def channel(dims=DIMS, slot_s=1e-3, **settings):
    return Cost2100(Cost2100Config(num_subcarriers=dims.num_subcarriers, **settings), dims, Streams(1), slot_s)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        OUTDOOR | {"normalisation": "per_drop"},
        {"reference_version": 2017, "bs_m": (10.0, 10.0, 0.0)},
        {"tx_array": {"kind": "upa", "rows": 2, "columns": 8}},
    ],
)
def test_conformance(settings):
    check_channel(lambda dims, streams, slot_s: Cost2100(Cost2100Config(num_subcarriers=4, **settings), dims, streams, slot_s), DIMS)


def test_users_are_a_prefix():
    more = Dims(**{**DIMS.__dict__, "num_users": 3, "precision": "double"})
    fewer = Dims(**{**DIMS.__dict__, "precision": "double"})
    one, other = channel(fewer), channel(more)
    for c in (one, other):
        c.begin_superframe(0)
        c.begin_superframe(1)
    a, b = one.step(0).matrix(), other.step(0).matrix()[:, :2]
    np.testing.assert_allclose(a, b, atol=1e-9 * np.abs(a).max())
    a, b = (next(iter(c.samples(1, "x"))).matrix() for c in (one, other))
    np.testing.assert_allclose(a, b[:, :2], atol=1e-9 * np.abs(a).max())


def test_the_matrix_is_the_reference_transfer_function():
    """One receive antenna: H is the model's frequency response, up to the normalisation of each user."""
    dims = Dims(**{**DIMS.__dict__, "num_rx": 1, "num_rx_rf": 1, "num_streams": 1, "precision": "double"})
    c = channel(dims)
    c.begin_superframe(0)
    h = c.step(0).matrix()[:, :, :, 0]
    paths = c._paths(0)
    expected = frequency_response(paths.amplitude, paths.delay, paths.aod, 5.29e9 + 5e6 * (np.arange(4) + 0.5), 16)
    ratio = h / expected
    np.testing.assert_allclose(ratio, ratio[:, :, :1, :1] * np.ones_like(ratio), rtol=1e-6)


def test_mean_power_is_the_normalisations():
    c = channel(normalisation="kang")
    c.begin_superframe(0)
    power = np.mean([np.abs(s.matrix()) ** 2 for i in range(150) for s in c.samples(1, f"run{i}")], axis=0)
    np.testing.assert_allclose(power.mean(axis=(-1, -2, -3)), 0.1, rtol=0.35)


def test_a_superframe_fades_slot_by_slot():
    """At 1 m/s and 1 ms a user moves a sixtieth of a wavelength a slot: the channel changes, but not at once."""
    c = channel()
    c.begin_superframe(0)
    h = np.array([c.step(slot).matrix() for slot in range(60)])
    norm = np.linalg.norm(h[0])
    steps = [np.linalg.norm(b - a) / norm for a, b in pairwise(h)]
    assert 0 < max(steps) < 0.3
    assert np.linalg.norm(h[-1] - h[0]) / norm > 3 * max(steps)


def test_what_is_seen_changes_continuously_along_a_walk():
    """Over a walk through many regions, amplitudes have no jumps but the few per cent a region's edge has by its formula."""
    c = channel(superframe_s=4.0, slot_s=4.0 / 400)
    c.begin_superframe(0)
    paths = [c._paths(slot) for slot in range(400)]
    seen = np.array([p.num_visible for p in paths])
    amplitude = np.abs([p.amplitude for p in paths]).transpose(1, 2, 3, 0)
    assert (seen.max(axis=0) > seen.min(axis=0)).any()  # clusters come and go ...
    jump = np.abs(np.diff(amplitude, axis=-1)).max(axis=-1)
    strongest = amplitude.max(axis=(-1, -2))[..., None]
    assert (jump < 0.1 * strongest).all()


def test_superframes_change_the_visible_clusters_and_local_clusters_follow():
    c = channel(superframe_s=3.0)
    c.begin_superframe(0)
    before = c.scatterers.num_clusters.copy(), c._local[0].copy()
    c.begin_superframe(1)
    assert (before[0] != c.scatterers.num_clusters).any()
    points, _, radii = c._local
    near = np.linalg.norm(points - c.users(3.0)[:, :, None], axis=-1)
    assert (points != before[1]).any()
    assert np.mean(near <= radii[..., None]) > 0.9  # three sigma


def test_samples_of_standing_users_are_independent():
    """Their channel is constant, so its statistics are those of independent phases."""
    c = channel(speed_mps=0.0)
    c.begin_superframe(0)
    np.testing.assert_array_equal(c.step(0).matrix(), c.step(1).matrix())
    one, two, three = (s.matrix() for s in c.samples(3, "x"))
    for a, b in ((one, two), (two, three)):
        correlation = np.abs(np.vdot(a, b)) / np.linalg.norm(a) / np.linalg.norm(b)
        assert correlation < 0.6


def test_samples_far_apart_stay_in_the_superframe():
    """Walking on would leave the clusters that were built: the samples' power would fall, and they would forget the superframe."""
    c = channel(speed_mps=3.0, normalisation="unit")
    c.begin_superframe(0)
    power = [np.mean(np.abs(s.matrix()) ** 2, axis=(-3, -2, -1)) for s in c.samples(60, "x", spacing=2500)]
    np.testing.assert_allclose(np.mean(power, axis=0), 1, rtol=0.6)
    states = [s.matrix() for s in c.samples(2, "x", spacing=1000)]  # one superframe apart: the same place, other phases
    assert np.abs(np.vdot(*states)) < 0.7 * np.linalg.norm(states[0]) * np.linalg.norm(states[1])


def test_a_superframe_longer_than_the_channels_is_refused():
    c = channel(superframe_s=0.01)
    c.begin_superframe(0)
    c.step(9)
    with pytest.raises(CsisimError, match="superframe_s"):
        c.step(10)


def test_users_stay_in_their_square_without_jumps():
    c = channel(speed_mps=50.0)
    where = np.array([c.users(t) for t in np.arange(0, 5, 0.01)])
    assert np.abs(where[..., :2]).max() <= 10
    assert np.abs(np.diff(where, axis=0)).max() <= 0.5 + 1e-9


def test_users_outside_the_covered_disc_are_refused():
    with pytest.raises(CsisimError, match="smaller half_side_m"):
        channel(half_side_m=25.0)


def test_users_who_see_nothing_have_no_channel(tmp_path):
    """Without local clusters a user outside of all regions has no path at all."""
    indoor = yaml.safe_load((SETS / "indoor_hall_5ghz.yaml").read_text(encoding="utf-8"))
    lonely = indoor | {"num_far": 0.2, "num_far_poisson": False, "local_bs": False, "local_ms": False}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(lonely), encoding="utf-8")
    with pytest.raises(CsisimError, match=r"users see no cluster in superframe 0.*num_far") as caught:
        channel(parameters=str(tmp_path / "mine.yaml")).begin_superframe(0)
    assert caught.value.field == "parameters"


def test_scenarios_keep_environments():
    with pytest.raises(ValueError, match="needs_a_cluster"):
        Cost2100Config(peculiarities={"needs_a_cluster": True})


def test_number_of_subcarriers_must_be_the_links():
    with pytest.raises(CsisimError, match="subcarriers"):
        Cost2100(Cost2100Config(num_subcarriers=2), DIMS, Streams(1), 1e-3)


def test_a_position_may_be_a_list_as_in_yaml():
    config = Cost2100Config.model_validate({"kind": "cost2100", "bs_m": [1, 2.0, 3.0]})
    assert config.bs_m == (1.0, 2.0, 3.0)
    assert Cost2100Config.model_validate(config.model_dump(mode="json")) == config


def test_expected_paths_are_about_those_that_are_built():
    c = channel(Dims(**{**DIMS.__dict__, "drops": 64}))
    c.begin_superframe(0)
    assert 0.6 < c.config.expected_paths / c.scatterers.num_paths.max() < 1.6
