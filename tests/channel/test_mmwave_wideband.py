"""Clustered mmWave channels over a band: delays of clusters turn the gains of the narrowband channel."""

from dataclasses import replace

import numpy as np
import pytest

from csisim.channel.mmwave import MmwaveClusters, MmwaveClustersConfig, frequencies
from csisim.errors import CsisimError
from csisim.phy.dims import Dims
from csisim.random import Streams, complex_normal
from csisim.records.identity import plain
from csisim.scenario.load import load_scenario
from csisim.testing import check_channel

DIMS = Dims(drops=3, num_users=2, num_rx=4, num_tx=16, num_rx_rf=2, num_rf=3, num_streams=1)
AR1 = {"kind": "ar1", "correlation": 0.9}
PANEL = {"kind": "cross_polarised", "rows": 2, "columns": 4}
PAIRS = {"kind": "cross_polarised", "columns": 2}
BAND = {"bandwidth_hz": 20e6, "delay_spread_s": 50e-9}
SETTINGS = {
    "rays": {"fading": AR1},
    "line of sight": {"k_factor_db": 3.0, "fading": {"kind": "jakes", "doppler_hz": 50.0}},
    "fresh angles": {"statistics": "iid_angles", "tx_array": {"kind": "upa", "rows": 2, "columns": 8}},
    "fresh angles, line of sight": {"statistics": "iid_angles", "k_factor_db": 0.0},
    "panel": {"tx_array": PANEL},
    "panels": {"tx_array": PANEL, "rx_array": PAIRS, "statistics": "iid_angles"},
}
every_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
both_statistics = pytest.mark.parametrize("statistics", ["fixed_clusters", "iid_angles"])


def build(num_subcarriers, settings=(), dims=DIMS, **fields):
    config = MmwaveClustersConfig.model_validate(dict(settings) | BAND | fields | {"num_subcarriers": num_subcarriers})
    channel = MmwaveClusters(config, replace(dims, num_subcarriers=num_subcarriers), Streams(1), 1e-3)
    channel.begin_superframe(0)
    return channel


def states(channel, slots=2):
    """Slots, and samples outside time."""
    return [*(channel.step(slot) for slot in range(slots)), *channel.samples(2, "a")]


def turns(state):
    """Phasors that the path gains turn by from the first subcarrier to every other."""
    return state.paths.gains / state.paths.gains[:, :, :1]


@every_setting
def test_it_is_a_channel(settings):
    config = MmwaveClustersConfig.model_validate(settings | BAND | {"num_subcarriers": 5})
    check_channel(lambda *args: MmwaveClusters(config, *args), replace(DIMS, num_subcarriers=5))


@every_setting
@pytest.mark.parametrize("precision", ["single", "double"])
def test_without_delay_spread_every_subcarrier_is_the_narrowband_channel(settings, precision):
    dims = replace(DIMS, precision=precision)
    w = complex_normal(np.random.default_rng(1), (1, 2, 4, 2), dims.complex_dtype)
    f = complex_normal(np.random.default_rng(2), (1, 16, 3), dims.complex_dtype)
    flat, narrow = (states(build(count, settings, dims, delay_spread_s=0.0)) for count in (4, 1))
    for wide, one in zip(flat, narrow, strict=True):
        assert wide.matrix().dtype == dims.complex_dtype
        assert (wide.matrix() == one.matrix()).all()
        rounded = 100 * np.finfo(dims.complex_dtype).eps  # batches of other sizes may be
        np.testing.assert_allclose(wide.project(w, f), one.project(w, f).repeat(4, axis=2), rtol=rounded, atol=rounded)


@every_setting
def test_each_subcarrier_by_itself_has_the_power_and_the_peaks_of_the_narrowband_channel(settings):
    band = build(3, settings, replace(DIMS, drops=600), delay_spread_s=1e-6)
    narrow = MmwaveClusters(band.config.narrowband(), replace(DIMS, drops=600), Streams(2), 1e-3)
    narrow.begin_superframe(0)
    assert narrow.config == MmwaveClustersConfig.model_validate(settings)
    for moment in (2, 4):
        expected = (np.abs(narrow.step(0).matrix()) ** moment).mean()
        seen = (np.abs(band.step(0).matrix()) ** moment).mean(axis=(0, 1, 3, 4))
        np.testing.assert_allclose(seen, expected, rtol=0.1 * moment)


def test_what_the_whole_band_scales_is_no_narrowband_channel():
    assert build(3, normalisation="per_drop").config.narrowband() is None


@every_setting
def test_the_middle_of_the_band_is_the_narrowband_channel(settings):
    """So more subcarriers look at the same channel more finely; one alone sees no delays."""
    narrow, fine = states(build(1, settings)), states(build(5, settings))
    for one, wide, long in zip(narrow, fine, states(build(1, settings, delay_spread_s=1e-6)), strict=True):
        assert (one.matrix() == long.matrix()).all()
        np.testing.assert_array_equal(wide.matrix()[:, :, 2], one.matrix()[:, :, 0])
        assert not np.allclose(wide.matrix()[:, :, 1], one.matrix()[:, :, 0], atol=0.01)


@every_setting
def test_factored_equals_dense_on_every_subcarrier(settings):
    dims = replace(DIMS, precision="double")
    w = complex_normal(np.random.default_rng(1), (1, 2, 4, 2), np.complex128)
    f = complex_normal(np.random.default_rng(2), (3, 16, 3), np.complex128)
    state = build(5, settings, dims).step(0)
    geometry, gains = state.paths.geometry, state.paths.gains
    summed = np.einsum("dkrp,dksp,dktp->dksrt", geometry.rx, gains, geometry.tx.conj())
    np.testing.assert_allclose(state.matrix(), summed, atol=1e-12)
    np.testing.assert_allclose(state.project(w, f), w.conj().swapaxes(-1, -2)[:, :, None] @ summed @ f[:, None, None], atol=1e-12)


@every_setting
def test_numbers_depend_neither_on_other_users_nor_on_rf_chains(settings):
    few = build(4, settings)
    many = build(4, settings, replace(DIMS, num_users=3, num_rx_rf=4, num_rf=8, num_streams=4))
    for a, b in zip(states(few), states(many), strict=True):
        assert (a.matrix() == b.matrix()[:, :2]).all()


@both_statistics
@pytest.mark.parametrize("ends", [{}, {"k_factor_db": 3.0}, {"tx_array": PANEL}, {"tx_array": PANEL, "rx_array": PAIRS}], ids=str)
def test_the_mean_power_is_the_same_on_every_subcarrier(ends, statistics):
    channel = build(4, ends, replace(DIMS, drops=200), statistics=statistics, normalisation="kang")
    h = np.stack([channel.step(slot).matrix() for slot in range(10)])
    power = (np.abs(h) ** 2).mean(axis=(0, -2, -1)).reshape(-1, 4)  # drops and users are independent
    error = power.std(axis=0, ddof=1) / np.sqrt(len(power))
    assert (error < 0.06 * 0.1).all()
    assert (np.abs(power.mean(axis=0) - 0.1) < 4 * error).all()


@both_statistics
@pytest.mark.parametrize(
    "ends", [{}, {"k_factor_db": 3.0}, {"tx_array": PANEL, "rx_array": PAIRS}], ids=["rays", "line of sight", "panels"]
)
def test_the_frequency_correlation_is_that_of_exponential_delays(ends, statistics):
    """1 / (1 + j 2 pi df tau), a line of sight adding its share of the power; in slots and in samples."""
    channel = build(8, ends, replace(DIMS, drops=400), statistics=statistics)
    share = 0.0 if "k_factor_db" not in ends else 10**0.3 / (1 + 10**0.3)
    apart = frequencies(channel.config) - frequencies(channel.config)[0]
    expected = share + (1 - share) / (1 + 2j * np.pi * apart * BAND["delay_spread_s"])
    assert abs(expected[1]) > 0.7
    assert abs(expected[-1]) < 0.25 + share
    samples = [next(channel.samples(1, f"{name}")) for name in range(400 if channel.shared_statistics else 1)]
    for drawn in ([channel.step(0)], samples):
        h = np.concatenate([state.matrix() for state in drawn])
        inner = np.einsum("dksrt,dkrt->dks", h, h[:, :, 0].conj()).reshape(-1, 8)
        surplus = inner - expected * inner[:, :1].real  # zero in the mean
        error = surplus.std(axis=0, ddof=1) / np.sqrt(len(inner))
        assert (error < 0.05 * h.shape[-1] * h.shape[-2]).all()
        assert (np.abs(surplus.mean(axis=0))[1:] < 4 * error[1:]).all()


def test_rays_of_a_cluster_share_its_delay_and_a_line_of_sight_has_none():
    settings = {"num_clusters": 3, "num_rays": 2, "k_factor_db": 0.0}
    turn = turns(build(4, settings, replace(DIMS, precision="double")).step(0))
    clusters = turn[..., :6].reshape(*turn.shape[:3], 3, 2)
    np.testing.assert_allclose(clusters[..., 0], clusters[..., 1])
    assert not np.allclose(clusters[:, :, 1:, 0, 0], clusters[:, :, 1:, 1, 0], atol=1e-3)
    np.testing.assert_allclose(turn[..., 6], 1)


def test_pairs_of_polarisations_share_the_delay_and_not_the_gains():
    settings = {"num_clusters": 2, "num_rays": 2, "tx_array": PANEL, "rx_array": PAIRS}
    state = build(4, settings, replace(DIMS, precision="double")).step(0)
    turn = turns(state).reshape(3, 2, 4, 2, 8)
    np.testing.assert_allclose(turn, np.broadcast_to(turn[..., :1], turn.shape))
    assert not np.allclose(*state.paths.gains.reshape(3, 2, 4, 4, 4)[..., :2].transpose(4, 0, 1, 2, 3))


@pytest.mark.parametrize("xpr_db", [-3.0, 10.0])
def test_crossed_pairs_are_weaker_by_the_ratio_on_every_subcarrier(xpr_db):
    channel = build(3, {"tx_array": PANEL, "rx_array": PAIRS}, replace(DIMS, drops=600), statistics="iid_angles", xpr_db=xpr_db)
    h = channel.step(0).matrix().reshape(600, 2, 3, 2, 2, 2, 8)
    power = np.mean(np.abs(h) ** 2, axis=(0, 1, 4, 6))
    ratio = (power[:, 0, 0] + power[:, 1, 1]) / (power[:, 0, 1] + power[:, 1, 0])
    np.testing.assert_allclose(10 * np.log10(ratio), xpr_db, atol=0.4)


def test_delays_are_drawn_with_the_angles():
    fixed, fresh = build(4, {"fading": AR1}), build(4, {"statistics": "iid_angles"})
    first, later, sample = fixed.step(0), fixed.step(1), next(fixed.samples(1, "a"))
    for other in (later, sample):
        np.testing.assert_allclose(turns(first), turns(other), atol=1e-5)
    fixed.begin_superframe(1)
    assert not np.allclose(turns(first), turns(fixed.step(0)), atol=0.1)
    assert not np.allclose(turns(fresh.step(0)), turns(fresh.step(1)), atol=0.1)
    fixed.begin_superframe(0)
    assert (fixed.step(0).paths.gains == first.paths.gains).all()


@both_statistics
def test_per_drop_normalisation_averages_over_the_band(statistics):
    h = build(4, {"statistics": statistics, "normalisation": "per_drop"}).step(0).matrix()
    np.testing.assert_allclose((np.abs(h) ** 2).mean(axis=(1, 2, 3, 4)), 1, rtol=1e-5)
    assert np.ptp((np.abs(h) ** 2).mean(axis=(1, 3, 4))) > 0.05


def test_subcarriers_share_the_band_evenly():
    np.testing.assert_allclose(frequencies(build(4).config), [-7.5e6, -2.5e6, 2.5e6, 7.5e6])
    assert frequencies(build(1).config) == 0


def test_a_narrowband_channel_is_known_as_before():
    """Its records and trainings keep their keys; whatever is said of the band counts."""
    narrow, said = MmwaveClustersConfig(), MmwaveClustersConfig(num_subcarriers=1)
    band = {"num_subcarriers": 8, "bandwidth_hz": 20e6, "delay_spread_s": 1e-6}
    assert narrow.model_dump(mode="json") == said.model_dump(mode="json")
    assert not band.keys() & (narrow.model_dump().keys() | plain(narrow).keys())
    for name, value in band.items():
        other = MmwaveClustersConfig.model_validate({name: value})
        assert plain(other)[name] == other.model_dump()[name] == value
        assert MmwaveClustersConfig.model_validate(other.model_dump()) == other


def test_the_number_of_subcarriers_can_be_swept(tmp_path):
    path = tmp_path / "swept.yaml"
    path.write_text(
        "name: swept\nsystem: {num_tx: 8, num_rf: 4, num_rx: 4, num_rx_rf: 2, num_users: 2, num_streams: 2}\n"
        "channel: {kind: mmwave_clusters}\nsweep: {grid: {channel.num_subcarriers: [1, 4]}}\n"
        "schemes: [{name: a, timescale: offline, estimator: ls, analog: covariance, digital: zf}]\n"
    )
    loaded = load_scenario(path)
    assert [cell.scenario.dims(1).num_subcarriers for cell in loaded.cells] == [1, 4]
    assert "num_subcarriers" not in loaded.scenario.document()["channel"]


def test_subcarriers_are_those_of_the_link():
    with pytest.raises(CsisimError, match="4 subcarriers configured, but the link has 1"):
        MmwaveClusters(MmwaveClustersConfig(num_subcarriers=4), DIMS, Streams(1), 1e-3)
