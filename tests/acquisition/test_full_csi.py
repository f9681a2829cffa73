"""Full CSI: the genie, its errors, the price of a beam sweep; and the perfect estimator."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from csisim.acquisition.full_csi import BeamSweep, FullCsiConfig, Genie, Noisy, acquire, full_csi_symbols
from csisim.acquisition.ls import least_squares, least_squares_mse
from csisim.acquisition.perfect import Perfect, PerfectConfig
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.channel.base import DenseState
from csisim.phy.dims import Dims
from csisim.random import complex_normal

DIMS = Dims(drops=4, num_users=3, num_rx=8, num_tx=16, num_rx_rf=2, num_rf=4, num_streams=2)


def state(seed=0, users=3):
    h = complex_normal(np.random.default_rng(seed), (4, users, 2, 8, 16))
    return DenseState(h * np.array([1, 3, 10], np.float32)[:users, None, None, None])  # users at different distances


def test_the_genie_knows_the_channel_itself():
    truth = state()
    assert acquire(truth, Genie(), np.random.default_rng(1)) is truth


@pytest.mark.parametrize("nmse_db", [-20.0, -5.0])
def test_noisy_csi_has_its_nmse_for_every_user(nmse_db):
    truth = state()
    seen = acquire(truth, Noisy(nmse_db=nmse_db), np.random.default_rng(1))
    error = np.sum(np.abs(seen.matrix() - truth.h) ** 2, axis=(2, 3, 4)) / np.sum(np.abs(truth.h) ** 2, axis=(2, 3, 4))
    assert seen.matrix().dtype == np.complex64
    np.testing.assert_allclose(10 * np.log10(error), nmse_db, atol=1.3)  # 256 entries: 4 standard deviations
    assert 10 * np.log10(error.mean()) == pytest.approx(nmse_db, abs=0.35)


def test_the_error_of_the_first_users_does_not_depend_on_how_many_follow():
    few, many = (acquire(state(users=k), Noisy(), np.random.default_rng(1)).matrix() - state(users=k).h for k in (2, 3))
    # state() draws users together, so compare error shapes up to each user's power
    scale = lambda e: e / np.sqrt(np.mean(np.abs(e) ** 2, axis=(2, 3, 4), keepdims=True))  # noqa: E731
    np.testing.assert_allclose(scale(few), scale(many)[:, :2], atol=1e-4)


def test_a_beam_sweep_errs_like_block_by_block_least_squares():
    rng = np.random.default_rng(3)
    truth, noise_power = state().h.astype(np.complex128), 0.5
    x = pilot_matrix(PilotConfig(), DIMS.num_rf, DIMS.num_users, rng)[0]
    rx, tx = (np.fft.fft(np.eye(n)) / np.sqrt(n) for n in (8, 16))
    beamspace = np.zeros_like(truth)
    for i in range(0, 8, 2):
        for j in range(0, 16, 4):
            z = complex_normal(rng, (4, 3, 2, 8, x.shape[-1]), np.complex128) * np.sqrt(noise_power)
            w, f = rx[:, i : i + 2], tx[:, j : j + 4]
            beamspace[..., i : i + 2, j : j + 4] = least_squares(w.conj().T @ (truth @ f @ x + z), x)
    swept = rx @ beamspace @ tx.conj().T
    drawn = acquire(DenseState(truth), BeamSweep(), np.random.default_rng(4), least_squares_mse(x, noise_power)).matrix()
    for seen in (swept, drawn):
        error = seen - truth
        variance = np.mean(np.abs(error) ** 2)
        assert variance == pytest.approx(noise_power / 4, rel=4 / np.sqrt(error.size))
        assert abs(np.mean(error[..., 1:].conj() * error[..., :-1])) < 5 * variance / np.sqrt(error.size)  # white


def test_a_beam_sweep_must_know_its_pilots():
    with pytest.raises(ValueError, match="pilot"):
        acquire(state(), BeamSweep(), np.random.default_rng(0))


def test_air_time_is_one_pilot_block_per_pair_of_beam_groups():
    base = Dims(16, 4, num_rx=32, num_tx=64, num_rx_rf=4, num_rf=16, num_streams=4)
    assert full_csi_symbols(base, 16) == 512
    assert full_csi_symbols(base, 16, "cedun") == 16
    ragged = Dims(16, 4, num_rx=9, num_tx=17, num_rx_rf=4, num_rf=16, num_streams=4)
    assert full_csi_symbols(ragged, 10) == 3 * 2 * 10


def test_the_kind_picks_the_configuration():
    adapter = TypeAdapter(FullCsiConfig)
    assert adapter.validate_python({"kind": "noisy", "nmse_db": -3}).nmse_db == -3
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "genie", "nmse_db": -3})


def test_perfect_csi_is_the_channel_with_no_error():
    estimator = Perfect(PerfectConfig())
    channel = state().h
    result, _ = estimator.update(channel, estimator.init(np.eye(4)[None], 0.1))
    assert result.value is channel
    assert not estimator.uses_pilots
    assert np.all(result.error_variance == 0)
