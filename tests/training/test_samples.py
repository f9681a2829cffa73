"""Training that knows no more of the channel than samples: a fixed set, one with errors, one that a distribution is fitted to."""

import numpy as np
import pytest
from pydantic import ValidationError

from csisim import weights
from csisim.errors import CsisimError
from csisim.random import complex_normal
from csisim.training.data import SampledLink, circumstances, draw_paths
from csisim.training.loop import TRAINING, VALIDATION
from csisim.training.rays import find_rays, fit_rays
from csisim.training.recipe import Recipe, run_recipe
from csisim.training.tasks.digital import Digital, DigitalConfig
from csisim.training.tasks.estimation import Estimation, EstimationConfig
from csisim.training.tasks.hybrid import Hybrid, HybridConfig
from csisim.weights import find

SYSTEM = {"num_tx": 16, "num_rf": 4, "num_rx": 8, "num_rx_rf": 2, "num_users": 2, "num_streams": 2, "snr_db": 10.0}
IID = {"kind": "mmwave_clusters", "statistics": "iid_angles", "num_clusters": 3, "num_rays": 1}
LINK = {"system": SYSTEM, "channel": IID}


def matrices(paths):
    return (paths[0] * paths[2][..., None, :]) @ paths[1].conj().swapaxes(-1, -2)


def link(kind=SampledLink, **fields):
    return kind.model_validate(LINK | fields)


def test_every_step_draws_from_the_same_samples():
    known = link(samples=6)
    seen = np.concatenate([matrices(known.paths(4, TRAINING, index)) for index in range(20)])
    assert len(np.unique(np.abs(seen[:, 0, 0, 0]))) == 6
    assert not np.array_equal(seen[:4], seen[4:8])
    np.testing.assert_array_equal(matrices(known.paths(4, VALIDATION, 0)), matrices(draw_paths(known, 4, VALIDATION, 0)))
    assert len(known.paths(10, TRAINING, 0).gains) == 10  # a batch may be larger than the set


def test_all_stages_know_the_same_samples_under_fresh_noise():
    first, second = (kind.model_validate(LINK | {"samples": 3}) for kind in (HybridConfig, EstimationConfig))
    np.testing.assert_array_equal(matrices(first.known_channels), matrices(second.known_channels))
    phases = {"phi_f": np.zeros((16, 4), np.float32) + np.arange(4), "phi_w": np.ones((2, 8, 2), np.float32) * np.arange(2)}
    task = Estimation(second, phases, 7)
    noises = [task.batch(np.random.default_rng(seed))[-1] for seed in (0, 1)]
    assert not np.array_equal(*noises)


@pytest.mark.parametrize("nmse_db", [-10.0, 0.0])
def test_samples_have_the_error_that_they_are_acquired_with(nmse_db):
    exact, noisy = link(samples=200), link(samples=200, full_csi={"kind": "noisy", "nmse_db": nmse_db})
    true, seen = matrices(exact.known_channels), matrices(noisy.known_channels)
    assert 10 * np.log10(np.mean(np.abs(seen - true) ** 2) / np.mean(np.abs(true) ** 2)) == pytest.approx(nmse_db, abs=0.3)


def test_samples_of_a_beam_sweep_have_the_error_of_its_pilot_blocks():
    exact, swept = link(samples=100), link(samples=100, full_csi="beam_sweep")
    error = matrices(swept.known_channels) - matrices(exact.known_channels)
    assert np.mean(np.abs(error) ** 2) == pytest.approx(0.1 / 4, rel=0.05)  # sigma^2 / L


def test_samples_that_make_no_sense_are_refused():
    for wrong in (
        {"fitted": True},
        {"samples": 5, "full_csi": "cedun"},
        {"full_csi": {"kind": "noisy"}},
        {"samples": 5, "channel": IID | {"statistics": "fixed_clusters"}},
    ):
        with pytest.raises(ValidationError, match="samples"):
            link(**wrong)


def test_a_recipe_says_what_makes_no_sense_without_a_place_of_its_own():
    stage = {"task": "hybrid", "settings": {"fitted": True}}
    with pytest.raises(CsisimError, match=r"^stages\.0 \(hybrid\): full_csi and fitted are about"):
        Recipe.model_validate({"link": LINK, "stages": [stage]}).check()


def test_rays_apart_are_found():
    rng = np.random.default_rng(0)
    rx, tx = (np.array([-2.0, 0.1, 1.9]) + rng.uniform(-0.3, 0.3, (20, 3)) for _ in range(2))
    gains = np.exp(2j * np.pi * rng.random((20, 3))) * [3.0, 2.0, 1.0]
    h = ((np.exp(1j * np.arange(8)[:, None] * rx[:, None]) * gains[:, None]) @ np.exp(-1j * np.arange(16) * tx[..., None])) / np.sqrt(128)
    rays = find_rays(h)
    assert np.mean(rays.found[:, :3]) == 1.0
    np.testing.assert_allclose(rays.rx[:, :3], rx, atol=0.1)
    np.testing.assert_allclose(rays.tx[:, :3], tx, atol=0.1)
    np.testing.assert_allclose(np.abs(rays.gains[:, :3]), np.abs(gains), atol=0.3)
    np.testing.assert_allclose(rays.power, np.sum(np.abs(h) ** 2, axis=(1, 2)), rtol=0.03)


def test_fitted_channels_have_the_samples_angles_and_power():
    """Wider than the samples' angles is nothing, weaker users stay weaker, and errors of the samples are left behind."""
    channel = IID | {"max_angle_deg": 30}
    noisy = link(samples=400, full_csi={"kind": "noisy", "nmse_db": -5.0}, fitted=True, channel=channel)
    true = draw_paths(noisy, 400, VALIDATION)
    fresh = noisy.paths(400, TRAINING, 3)
    powers = [np.mean(np.sum(np.abs(matrices(paths)) ** 2, axis=(2, 3)), axis=0) for paths in (true, fresh)]
    np.testing.assert_allclose(powers[1], powers[0], rtol=0.15)
    steps = np.angle(fresh.tx[:, :, 1] / fresh.tx[:, :, 0])
    assert np.mean(np.abs(steps) < np.pi * np.sin(np.radians(30)) + 0.3) > 0.95
    covariances = [np.einsum("nkij,nkil->jl", h, h.conj()) for h in map(matrices, (true, fresh))]
    overlap = np.vdot(*covariances).real / np.prod([np.linalg.norm(c) for c in covariances])
    assert overlap > 0.95
    assert not np.array_equal(fresh.gains, noisy.paths(400, TRAINING, 4).gains)


def test_only_linear_arrays_have_rays_to_fit():
    channel = IID | {"tx_array": {"kind": "upa", "rows": 4, "columns": 4}}
    with pytest.raises(CsisimError, match="tx_array is upa"):
        link(samples=2, fitted=True, channel=channel).paths(2, TRAINING, 0)
    nothing = (np.zeros((2, 1, 4, 1)), np.zeros((2, 1, 4, 1)), np.zeros((2, 1, 1)))
    with pytest.raises(CsisimError, match="no rays"):
        fit_rays(nothing, link().channel)


def test_weights_trained_on_samples_are_found_by_nobody_who_does_not_name_them(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
    stage = {"task": "hybrid", "schedule": {"steps": 1}, "settings": {"batch": 2, "validation": 4, "samples": 3}}
    plain = Recipe.model_validate({"link": LINK, "stages": [stage]})
    need = HybridConfig.model_validate(LINK)
    wanted = need.digital.need(circumstances(need.system, need.channel, need.pilots))
    paths = run_recipe(plain)
    assert weights.read_header(paths[0]).statistics["training_data"]["samples"] == 3
    assert find(wanted) is None
    robust = {"task": "hybrid", "schedule": {"steps": 1}, "settings": {"batch": 2, "validation": 4, "csi_error_db": -10.0}}
    run_recipe(Recipe.model_validate({"link": LINK, "stages": [robust]}))
    assert find(wanted) is None
    fresh = stage | {"settings": {"batch": 2, "validation": 4}}
    run_recipe(Recipe.model_validate({"link": LINK, "stages": [fresh]}))
    assert find(wanted) is not None


def test_layers_see_csi_with_its_error_and_are_judged_on_the_truth():
    config = HybridConfig.model_validate(LINK | {"csi_error_db": -6.0})
    channel = complex_normal(np.random.default_rng(0), (300, 2, 2, 4)) * np.array([1, 5], np.float32)[:, None, None]
    error = config.seen(channel, *config.errors(300, TRAINING, 0)) - channel
    relative = np.mean(np.abs(error) ** 2, axis=(0, 2, 3)) / np.mean(np.abs(channel) ** 2, axis=(0, 2, 3))
    np.testing.assert_allclose(10 * np.log10(relative), -6.0, atol=0.4)
    rates = []
    for csi_error_db in (None, -6.0):
        task = Hybrid(config.model_copy(update={"csi_error_db": csi_error_db}), {}, 7)
        rates.append(task.score(task.initial()))
    assert 0.3 * rates[0] < rates[1] < 0.95 * rates[0]


@pytest.mark.parametrize("kind", [HybridConfig, DigitalConfig, EstimationConfig])
def test_batches_have_the_numbers_of_users_that_are_served(kind):
    config = kind.model_validate(LINK | {"serves": [1, 2], "batch": 2, "validation": 4})
    phases = {"phi_f": np.arange(64, dtype=np.float32).reshape(16, 4), "phi_w": np.arange(32, dtype=np.float32).reshape(2, 8, 2)}
    task = {HybridConfig: Hybrid, DigitalConfig: Digital, EstimationConfig: Estimation}[kind]
    made = task(config, phases, 7)
    sizes = {made.batch(np.random.default_rng(seed))[-1].shape[1] for seed in range(10)}
    assert sizes == {1, 2}
    alone = task(config.model_copy(update={"serves": [1]}), phases, 7)
    both = task(config.model_copy(update={"serves": [2]}), phases, 7)
    start = made.initial()
    if kind is not EstimationConfig:
        assert made.score(start) == pytest.approx((alone.score(start) + both.score(start)) / 2, rel=1e-5)
    with pytest.raises(ValidationError, match="serves"):
        kind.model_validate(LINK | {"serves": [3]})
