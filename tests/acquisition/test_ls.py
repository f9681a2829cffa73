"""Least squares: exactness, theory, and the interference floor of Kang's eq. (4)."""

import numpy as np
import pytest

from csisim.acquisition.ls import LeastSquares, LeastSquaresConfig, least_squares, least_squares_mse
from csisim.acquisition.observe import observe
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.errors import PilotError
from csisim.phy.metrics import nmse
from csisim.random import complex_normal

D, K, R, T = 200, 4, 4, 16


def estimate(config, noise_power, drops=D, seed=0):
    """Channel (unit variance entries) and its estimate from one observation."""
    rng = np.random.default_rng(seed)
    x = pilot_matrix(config, T, K, rng)
    channel = complex_normal(rng, (drops, K, 1, R, T), np.complex128)
    noise = complex_normal(rng, (drops, K, 1, R, x.shape[-1]), np.complex128)
    estimator = LeastSquares(LeastSquaresConfig())
    result, _ = estimator.update(observe(channel, x, noise, noise_power, config.access), estimator.init(x, noise_power))
    return channel, result


def error_db(config, noise_power, **kwargs):
    channel, result = estimate(config, noise_power, **kwargs)
    return 10 * np.log10(nmse(result.value, channel).mean())


@pytest.mark.parametrize("kind", ["dft", "gaussian", "orthogonal"])
def test_without_noise_the_channel_is_found_exactly(kind):
    channel, result = estimate(PilotConfig(kind=kind, length=24), 0.0)
    np.testing.assert_allclose(result.value, channel, atol=1e-10)


@pytest.mark.parametrize("kind", ["dft", "gaussian"])
@pytest.mark.parametrize("power", ["per_rf_chain", "per_column"])
def test_error_variance_is_the_theoretical_one(kind, power):
    channel, result = estimate(PilotConfig(kind=kind, length=40, power=power), 0.1)
    errors = np.mean(np.abs(result.value - channel) ** 2, axis=(1, 2, 3, 4))  # one independent value per drop
    standard_error = errors.std(ddof=1) / np.sqrt(D)
    assert result.error_variance.shape == (1, 1)
    assert errors.mean() == pytest.approx(result.error_variance.item(), abs=3 * standard_error)
    assert standard_error < 0.02 * errors.mean()


@pytest.mark.parametrize("length", [16, 32, 64, 80])
@pytest.mark.parametrize(("power", "gain"), [("per_rf_chain", 1.0), ("per_column", 1 / T)])
def test_orthogonal_pilots_follow_the_law_of_length(length, power, gain):
    # Law of orthogonal pilots: sigma^2 / (L P) per RF chain, sigma^2 N_RF / (L P) per column
    law = 10 * np.log10(0.1 / (length * gain))
    assert error_db(PilotConfig(length=length, power=power), 0.1) == pytest.approx(law, abs=0.2)


def eq_4_db(length, noise_power):
    return error_db(PilotConfig(length=length, access="kang_eq4", power="per_column"), noise_power)


def test_eq_4_has_a_floor_until_the_users_pilots_are_orthogonal():
    # Kang's 10 dB: entries of the equivalent channel have variance 0.147 there and 1 here
    assert eq_4_db(40, 0.1 / 0.147) == pytest.approx(0.0, abs=1.0)
    assert eq_4_db(16, 1e-9) == pytest.approx(10 * np.log10((K - 1) ** 2), abs=0.1)  # all pilots alias: the estimate is K C
    assert eq_4_db(64, 1e-9) < -80
    assert eq_4_db(90, 1e-9) < -80


def test_the_floor_of_eq_4_is_the_share_of_aliased_rows():
    channel, result = estimate(PilotConfig(length=40, access="kang_eq4"), 1e-9)
    per_user = nmse(np.moveaxis(result.value, 1, 0), np.moveaxis(channel, 1, 0))
    np.testing.assert_allclose(per_user, [8 / 16 + 8 / 16, 8 / 16, 8 / 16, 8 / 16 + 8 / 16], rtol=0.05)


def test_eq_4_with_gaussian_pilots_follows_its_interference_law():
    # (K - 1) T / (L - T) for independent pilots; columns of fixed power fluctuate a little less than Gaussian ones
    levels = [error_db(PilotConfig(kind="gaussian", length=80, access="kang_eq4"), 1e-9, drops=20, seed=s) for s in range(10)]
    assert np.mean(levels) == pytest.approx(10 * np.log10((K - 1) * T / (80 - T)), abs=0.7)


def test_identical_pilots_of_eq_4_return_the_channel_and_not_k_times_it():
    config = PilotConfig(kind="identical", access="kang_eq4")
    channel, result = estimate(config, 0.0)
    np.testing.assert_allclose(result.value, channel, atol=1e-10)
    law = 10 * np.log10(0.1 / (K**2 * T))  # coherent: K^2 times the power
    assert error_db(config, 0.1) == pytest.approx(law, abs=0.2)


def test_estimates_keep_the_precision_of_what_was_received():
    x = pilot_matrix(PilotConfig(), T, K, np.random.default_rng(0))
    estimator = LeastSquares(LeastSquaresConfig())
    result, _ = estimator.update(np.ones((1, K, 1, R, T), np.complex64), estimator.init(x, 0.1))
    assert result.value.dtype == np.complex64


def test_pilots_that_cannot_identify_the_channel_are_refused():
    rng = np.random.default_rng(0)
    estimator = LeastSquares(LeastSquaresConfig())
    with pytest.raises(PilotError, match=r"pilots\.length >= 16"):
        estimator.init(pilot_matrix(PilotConfig(length=15), T, K, rng), 0.1)
    deficient = pilot_matrix(PilotConfig(length=32), T, K, rng)
    deficient[:, 3] = deficient[:, 2]
    with pytest.raises(PilotError, match="rank deficient"):
        estimator.init(deficient, 0.1)
    with pytest.raises(PilotError):
        least_squares(np.ones((R, 32)), deficient[0])


def test_theory_is_the_trace_of_the_inverse_gram_matrix():
    x = pilot_matrix(PilotConfig(kind="gaussian", length=20), T, 1, np.random.default_rng(2))[0]
    trace = np.trace(np.linalg.inv(x @ x.conj().T)).real
    assert least_squares_mse(x, 0.3) == pytest.approx(0.3 * trace / T, rel=1e-10)
