"""Clustered mmWave channels: power, statistics, time."""

import numpy as np
import pytest
from pydantic import ValidationError

from csisim.channel.base import stack
from csisim.channel.mmwave import MmwaveClusters, MmwaveClustersConfig
from csisim.errors import CsisimError
from csisim.phy.dims import Dims
from csisim.random import Streams, complex_normal

DIMS = Dims(drops=4, num_users=2, num_rx=4, num_tx=8, num_rx_rf=2, num_rf=3, num_streams=1)
MANY = Dims(drops=100, num_users=2, num_rx=4, num_tx=8, num_rx_rf=2, num_rf=3, num_streams=1)
AR1 = {"kind": "ar1", "correlation": 0.9}
SETTINGS = [
    {},
    {"fading": AR1},
    {"fading": {"kind": "jakes", "doppler_hz": 50.0}, "k_factor_db": 6.0},
    {"tx_array": {"kind": "upa", "rows": 2, "columns": 4}, "fading": "static"},
    {"statistics": "iid_angles"},
    {"statistics": "iid_angles", "k_factor_db": 0.0, "rx_array": {"kind": "upa", "rows": 2, "columns": 2}},
]


def build(settings=(), dims=DIMS, seed=1):
    channel = MmwaveClusters(MmwaveClustersConfig.model_validate(dict(settings)), dims, Streams(seed), 1e-3)
    channel.begin_superframe(0)
    return channel


def matrices(channel, slots):
    return np.stack([channel.step(slot).matrix() for slot in range(slots)])


def of_users(dims, num_users):
    return Dims(dims.drops, num_users, dims.num_rx, dims.num_tx, dims.num_rx_rf, dims.num_rf, dims.num_streams)


@pytest.mark.parametrize("statistics", ["fixed_clusters", "iid_angles"])
@pytest.mark.parametrize("k_factor_db", [None, 3.0])
@pytest.mark.parametrize(
    ("normalisation", "mean_power"),
    [
        ({"normalisation": "unit"}, 1.0),
        ({"normalisation": "kang"}, 0.1),
        ({"normalisation": "hu"}, 2.0),
        ({"normalisation": "none"}, 1.0),
        ({"normalisation": "none", "gain_variance": 0.5}, 0.5),
    ],
)
def test_mean_power(statistics, k_factor_db, normalisation, mean_power):
    """E ||H||_F^2 = N_r N_t times what the normalisation says, within four standard errors over independent drops and users."""
    h = matrices(build({"statistics": statistics, "k_factor_db": k_factor_db, **normalisation}, MANY), 20)
    power = (np.abs(h) ** 2).sum(axis=(-2, -1)).mean(axis=(0, 3)).ravel() / (MANY.num_rx * MANY.num_tx)
    error = power.std(ddof=1) / np.sqrt(power.size)
    assert error < 0.04 * mean_power
    assert abs(power.mean() - mean_power) < 4 * error


@pytest.mark.parametrize("statistics", ["fixed_clusters", "iid_angles"])
def test_per_drop_normalisation_is_exact(statistics):
    h = matrices(build({"statistics": statistics, "normalisation": "per_drop"}), 5)
    power = (np.abs(h) ** 2).sum(axis=(-2, -1)).mean(axis=(2, 3))
    np.testing.assert_allclose(power, DIMS.num_rx * DIMS.num_tx, rtol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
def test_factored_equals_dense(settings):
    dims = Dims(4, 2, 4, 8, 2, 3, 1, precision="double")
    state = build(settings, dims).step(0)
    w = complex_normal(np.random.default_rng(1), (1, 2, 4, 2), np.complex128)
    f = complex_normal(np.random.default_rng(2), (4, 8, 3), np.complex128)
    direct = w.conj().swapaxes(-1, -2)[:, :, None] @ state.matrix() @ f[:, None, None]
    assert state.matrix().dtype == np.complex128
    np.testing.assert_allclose(state.project(w, f), direct, atol=1e-12)
    geometry, gains = state.paths.geometry, state.paths.gains
    summed = np.einsum("dkrp,dksp,dktp->dksrt", geometry.rx, gains, geometry.tx.conj())
    np.testing.assert_allclose(state.matrix(), summed, atol=1e-12)


def test_single_precision_is_single_throughout():
    state = build({"fading": AR1, "k_factor_db": 3.0}).step(0)
    assert {state.matrix().dtype, state.paths.gains.dtype, state.paths.geometry.rx.dtype} == {np.dtype(np.complex64)}


@pytest.mark.parametrize("settings", SETTINGS)
def test_users_are_a_prefix(settings):
    few, many = build(settings), build(settings, of_users(DIMS, 4))
    assert (matrices(few, 3) == matrices(many, 3)[:, :, :2]).all()
    for a, b in zip(few.samples(2, "a"), many.samples(2, "a"), strict=True):
        assert (a.matrix() == b.matrix()[:, :2]).all()


@pytest.mark.parametrize("settings", SETTINGS)
def test_samples_are_named_and_disturb_nothing(settings):
    channel, undisturbed = build(settings), build(settings)
    first = channel.step(0).matrix()
    one = [s.matrix() for s in channel.samples(3, "a")]
    again = [s.matrix() for s in channel.samples(3, "a")]
    other = [s.matrix() for s in channel.samples(3, "b")]
    second = channel.step(1).matrix()
    assert np.array_equal(one, again)
    assert not np.allclose(one[0], other[0])
    assert not np.allclose(one[0], first[: len(one[0])])
    assert np.array_equal([first, second], matrices(undisturbed, 2))


def test_samples_follow_the_fading():
    """Successive samples are successive slots of the same process, on the same angles."""
    channel = build({"fading": AR1}, MANY)
    geometry = channel.step(0).paths.geometry
    for spacing in (1, 3):
        samples = list(channel.samples(2, "a", spacing))
        assert samples[0].paths.geometry is geometry
        a, b = (s.paths.gains.ravel() for s in samples)
        correlation = np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
        assert abs(correlation - 0.9**spacing) < 4 / np.sqrt(a.size)


def test_fixed_clusters_stand_still_in_a_superframe_and_move_at_the_next():
    channel = build({"fading": AR1})
    states = [channel.step(slot) for slot in range(3)]
    assert all(state.paths.geometry is states[0].paths.geometry for state in states)
    assert not np.allclose(states[0].paths.gains, states[1].paths.gains)
    assert len(stack(states).rx) == 1
    channel.begin_superframe(1)
    later = channel.step(0)
    assert later.paths.geometry is not states[0].paths.geometry
    assert not np.allclose(later.paths.geometry.tx, states[0].paths.geometry.tx)
    assert not np.allclose(later.paths.gains, states[0].paths.gains)
    channel.begin_superframe(0)
    assert (channel.step(0).matrix() == states[0].matrix()).all()


def test_iid_angles_move_in_every_slot():
    channel = build({"statistics": "iid_angles"})
    a, b = channel.step(0), channel.step(1)
    assert channel.shared_statistics
    assert not np.allclose(a.paths.geometry.tx, b.paths.geometry.tx)
    assert next(channel.samples(1, "a")).matrix().shape == (1, 2, 1, 4, 8)
    assert len(stack([a, b]).rx) == 2
    channel.begin_superframe(1)
    assert not np.allclose(channel.step(0).matrix(), a.matrix())


def test_iid_angles_are_uniform_at_both_ends():
    channel = build({"statistics": "iid_angles", "max_angle_deg": 60.0}, MANY)
    geometry = channel.step(0).paths.geometry
    for steps in geometry.steps:
        degrees = np.degrees(np.arcsin(steps[0] / np.pi)).ravel()
        assert np.abs(degrees).max() <= 60
        assert abs(degrees.mean()) < 4 * 60 / np.sqrt(3 * degrees.size)
        assert degrees.std() == pytest.approx(60 / np.sqrt(3), rel=0.05)
    rx, tx = (steps[0].ravel() for steps in geometry.steps)
    assert abs(np.corrcoef(rx, tx)[0, 1]) < 4 / np.sqrt(rx.size)


def test_clusters_have_the_configured_spread_and_sector():
    settings = {"num_clusters": 2, "num_rays": 200, "max_angle_deg": 20.0, "angular_spread_deg": 5.0}
    geometry = build(settings, MANY).step(0).paths.geometry
    for steps in geometry.steps:
        degrees = np.degrees(np.arcsin(steps[0] / np.pi)).reshape(100, 2, 2, 200)
        centres = np.median(degrees, axis=-1)
        assert np.sqrt(((degrees - centres[..., None]) ** 2).mean()) == pytest.approx(5.0, rel=0.05)
        assert centres.std() == pytest.approx(20 / np.sqrt(3), rel=0.1)


def test_planar_elevations_keep_to_their_sector():
    channel = build({"tx_array": {"kind": "upa", "rows": 2, "columns": 4}, "statistics": "iid_angles", "max_elevation_deg": 10.0}, MANY)
    up = channel.step(0).paths.geometry.steps[1][1]
    largest = np.pi * np.sin(np.radians(10.0))
    assert 0.9 * largest < np.abs(up).max() <= largest


@pytest.mark.parametrize("statistics", ["fixed_clusters", "iid_angles"])
def test_line_of_sight_has_constant_modulus_and_its_share(statistics):
    channel = build({"statistics": statistics, "k_factor_db": 7.0, "num_clusters": 3}, MANY)
    gains = np.stack([channel.step(slot).paths.gains for slot in range(20)])
    direct, rays = np.abs(gains[..., -1]) ** 2, (np.abs(gains[..., :-1]) ** 2).sum(axis=-1)
    k_factor = 10**0.7
    np.testing.assert_allclose(direct, 32 * k_factor / (1 + k_factor), rtol=1e-5)
    assert direct.mean() / rays.mean() == pytest.approx(k_factor, rel=4 / np.sqrt(6 * 200 * 20))
    phasors = gains[..., -1] / np.abs(gains[..., -1])
    assert abs(phasors[0].mean()) < 4 / np.sqrt(200)  # each drop and user its own phase


def test_impossible_settings_are_refused():
    with pytest.raises(ValidationError, match="fading ar1 needs statistics: fixed_clusters"):
        MmwaveClustersConfig.model_validate({"statistics": "iid_angles", "fading": AR1})
    with pytest.raises(ValidationError, match="gain_variance"):
        MmwaveClustersConfig(gain_variance=0.1)
    with pytest.raises(CsisimError, match="rows \\* columns = 8"):
        build({"tx_array": {"kind": "upa", "rows": 3, "columns": 3}})
    with pytest.raises(CsisimError, match="1 subcarriers configured, but the link has 4"):
        build({}, Dims(4, 2, 4, 8, 2, 3, 1, num_subcarriers=4))
