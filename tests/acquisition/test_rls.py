"""Recursive least squares: the recursion, its closed form, and why the printed update is not run."""

import numpy as np
import pytest

from csisim.acquisition.ls import LeastSquares, LeastSquaresConfig, least_squares
from csisim.acquisition.observe import observe
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.acquisition.rls import Rls, RlsConfig, rls_map, rls_recursion
from csisim.errors import PilotError
from csisim.random import complex_normal

K, R, T = 2, 4, 16


def problem(length, kind="dft", noise_power=0.1, num_rf=T, drops=3, seed=0, **fields):
    """Received pilots (D, K, 1, R, L), pilots (K|1, T, L), channel; entries of the channel have variance 1."""
    rng = np.random.default_rng(seed)
    x = pilot_matrix(PilotConfig(kind=kind, length=length, **fields), num_rf, K, rng)
    channel = complex_normal(rng, (drops, K, 1, R, num_rf), np.complex128)
    noise = complex_normal(rng, (drops, K, 1, R, length), np.complex128)
    return observe(channel, x, noise, noise_power), x, channel


@pytest.mark.parametrize("length", [8, 16, 80, 320])
@pytest.mark.parametrize("forgetting", [1.0, 0.98])
@pytest.mark.parametrize("access", ["broadcast", "kang_eq4"])
def test_the_recursion_equals_its_closed_form_with_dft_pilots(length, forgetting, access):
    y, x, _ = problem(length, access=access)
    recursion = rls_recursion(y, x[:, None], forgetting)
    np.testing.assert_allclose(recursion, y @ rls_map(x, forgetting)[:, None], atol=1e-10)


@pytest.mark.parametrize(("forgetting", "loading"), [(0.9, 0.3), (1.0, 1e-4), (0.5, 0.01)])
def test_the_recursion_equals_its_closed_form_for_other_settings(forgetting, loading):
    y, x, _ = problem(24, kind="gaussian")
    np.testing.assert_allclose(rls_recursion(y, x[:, None], forgetting, loading), y @ rls_map(x, forgetting, loading), atol=1e-9)


def test_the_closed_form_is_the_weighted_ridge_regression():
    y, x, _ = problem(40)
    beta, delta = 0.97, 0.05 * T
    weights = beta ** (40 - np.arange(1, 41))
    x0 = x[0]
    normal = (x0 * weights) @ x0.conj().T + beta**40 * delta * np.eye(T)
    expected = (y * weights) @ x0.conj().T @ np.linalg.inv(normal)
    np.testing.assert_allclose(y @ rls_map(x, beta, 0.05), expected, atol=1e-11)


@pytest.mark.parametrize("kind", ["dft", "gaussian"])
def test_without_forgetting_and_loading_it_is_least_squares(kind):
    y, x, _ = problem(40, kind=kind)
    np.testing.assert_allclose(y @ rls_map(x, 1.0, 1e-9), least_squares(y, x[0]), atol=1e-6)


def test_the_printed_update_diverges_with_dft_pilots_and_the_symmetrised_one_does_not():
    y, x, _ = problem(80)
    exact = y @ rls_map(x)
    y, x = y.astype(np.complex64), x[0].astype(np.complex64)
    assert np.abs(rls_recursion(y, x, symmetrise=False) - exact).max() > 0.05
    assert np.abs(rls_recursion(y, x) - exact).max() < 1e-4
    gaussian_y, gaussian_x, _ = problem(80, kind="gaussian")  # where the printed one is fine: it is the pilots, not the precision
    printed = rls_recursion(gaussian_y.astype(np.complex64), gaussian_x[0].astype(np.complex64), symmetrise=False)
    assert np.abs(printed - gaussian_y @ rls_map(gaussian_x)).max() < 1e-3


@pytest.mark.parametrize(
    ("length", "loading", "forgetting", "noise_power"),
    [(16, 0.01, 1.0, 0.1), (80, 0.01, 0.98, 0.1), (32, 0.7, 1.0, 1.0), (8, 0.01, 1.0, 0.1)],
)
def test_error_variance_is_the_observed_one(length, loading, forgetting, noise_power):
    drops = 300
    y, x, channel = problem(length, noise_power=noise_power, drops=drops)
    estimator = Rls(RlsConfig(loading=loading, forgetting=forgetting))
    result, _ = estimator.update(y, estimator.init(x, noise_power))
    errors = np.mean(np.abs(result.value - channel) ** 2, axis=(1, 2, 3, 4))
    assert result.error_variance.shape == (drops, K)
    margin = 3 * errors.std(ddof=1) / np.sqrt(drops)
    assert errors.mean() == pytest.approx(result.error_variance.mean(), abs=margin)
    assert margin < 0.05 * errors.mean()


def test_a_generous_loading_helps_at_low_pilot_power():
    # MMSE loading: about sigma^2 over the channel's variance instead of 0.01
    errors = {}
    for loading in (0.01, 0.7):
        y, x, channel = problem(16, noise_power=0.7, drops=200, power="per_column")
        estimator = Rls(RlsConfig(loading=loading))
        result, _ = estimator.update(y, estimator.init(x, 0.7))
        errors[loading] = np.mean(np.abs(result.value - channel) ** 2)
    assert errors[0.7] < 0.7 * errors[0.01]


def test_forgetting_costs_accuracy_in_a_block_that_stands_still():
    _, x, _ = problem(80)
    forgetful, patient = (Rls(RlsConfig(forgetting=beta)).init(x, 0.1).linear_map.error_variance for beta in (0.9, 1.0))
    assert forgetful > 2 * patient


def test_identical_pilots_of_eq_4_return_the_channel_and_not_k_times_it():
    rng = np.random.default_rng(0)
    x = pilot_matrix(PilotConfig(kind="identical", access="kang_eq4"), T, K, rng)
    channel = complex_normal(rng, (3, K, 1, R, T), np.complex128)
    y = observe(channel, x, np.zeros((3, K, 1, R, T)), 0.1, "kang_eq4")
    estimator = Rls(RlsConfig(loading=1e-6))
    result, _ = estimator.update(y, estimator.init(x, 0.1))
    np.testing.assert_allclose(result.value, channel, atol=1e-5)


def test_least_squares_and_rls_agree_on_the_predicted_error():
    _, x, _ = problem(64)
    ls = LeastSquares(LeastSquaresConfig()).init(x, 0.1).error_variance
    rls = Rls(RlsConfig(loading=1e-8)).init(x, 0.1).linear_map.error_variance
    np.testing.assert_allclose(rls, ls, rtol=1e-6)


def test_a_forgetting_factor_that_forgets_the_channel_is_refused():
    x = pilot_matrix(PilotConfig(length=320), T, K, np.random.default_rng(0))
    with pytest.raises(PilotError, match="nearer to 1"):
        Rls(RlsConfig(forgetting=0.05)).init(x, 0.1)
