"""Linear MMSE: theory, limits, and the sample covariance."""

import numpy as np
import pytest

from csisim.acquisition.ls import least_squares, least_squares_mse
from csisim.acquisition.mmse import Mmse, MmseConfig, mmse_error, mmse_map, sample_covariance
from csisim.acquisition.observe import observe
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.random import complex_normal

D, K, R, T = 2, 2, 4, 8


def covariances(rng, decay=1.0):
    """Covariances (D, K, T, T) of unit mean power with exponentially falling eigenvalues."""
    bases, _ = np.linalg.qr(complex_normal(rng, (D, K, T, T), np.complex128))
    values = np.exp(-decay * np.arange(T))
    values *= T / values.sum()
    return (bases * values) @ bases.conj().swapaxes(-1, -2)


def draw(rng, covariance, count):
    """Channels (count, D, K, 1, R, T) whose rows have this covariance E[c^H c]."""
    factor = np.linalg.cholesky(covariance).conj().swapaxes(-1, -2)
    return complex_normal(rng, (count, D, K, 1, R, T), np.complex128) @ factor[:, :, None]


@pytest.mark.parametrize("length", [4, 8, 24])
@pytest.mark.parametrize("kind", ["dft", "gaussian"])
def test_error_is_the_theoretical_one(length, kind):
    rng = np.random.default_rng(1)
    covariance = covariances(rng)
    x = pilot_matrix(PilotConfig(kind=kind, length=length), T, K, rng)
    channel = draw(rng, covariance, 500)
    noise = complex_normal(rng, (500, D, K, 1, R, length), np.complex128)
    received = np.stack([observe(c, x, z, 0.5) for c, z in zip(channel, noise, strict=True)])
    estimator = Mmse(MmseConfig())
    state = estimator.init(x, 0.5, covariance)
    errors = np.stack(
        [np.mean(np.abs(estimator.update(y, state)[0].value - c) ** 2, axis=(2, 3, 4)) for y, c in zip(received, channel, strict=True)]
    )
    standard_error = errors.std(axis=0, ddof=1) / np.sqrt(500)
    assert state.error_variance.shape == (D, K)
    assert np.all(np.abs(errors.mean(axis=0) - state.error_variance) < 4 * standard_error)
    assert np.all(standard_error < 0.05 * state.error_variance)


def test_the_t_by_t_form_is_the_textbook_one():
    rng = np.random.default_rng(2)
    covariance = covariances(rng)
    x = pilot_matrix(PilotConfig(kind="gaussian", length=5), T, K, rng)
    xh = x.conj().swapaxes(-1, -2)
    textbook = np.linalg.inv(xh @ covariance @ x + 0.3 * np.eye(5)) @ xh @ covariance
    np.testing.assert_allclose(mmse_map(x, covariance, 0.3), textbook, atol=1e-12)


@pytest.mark.parametrize("noise_power", [0.01, 1.0, 100.0])
def test_it_is_never_worse_than_least_squares_nor_than_guessing_zero(noise_power):
    rng = np.random.default_rng(3)
    covariance = covariances(rng)
    x = pilot_matrix(PilotConfig(kind="gaussian", length=12), T, K, rng)
    error = mmse_error(x, covariance, noise_power)
    assert np.all(error < least_squares_mse(x, noise_power))
    assert np.all(error < 1)


def test_with_a_sample_covariance_it_still_beats_least_squares_at_low_snr():
    rng = np.random.default_rng(4)
    covariance = covariances(rng)
    x = pilot_matrix(PilotConfig(), T, K, rng)
    learned = sample_covariance(draw(rng, covariance, MmseConfig().num_samples))
    channel = draw(rng, covariance, 200)
    noise = complex_normal(rng, (200, D, K, 1, R, T), np.complex128)
    received = np.stack([observe(c, x, z, 4.0) for c, z in zip(channel, noise, strict=True)])
    error = np.mean(np.abs(received @ mmse_map(x, learned, 4.0)[:, :, None] - channel) ** 2)
    ls_error = np.mean(np.abs(least_squares(received, x[0]) - channel) ** 2)
    assert error < 0.6 * ls_error


def test_without_noise_it_becomes_least_squares():
    rng = np.random.default_rng(5)
    covariance = covariances(rng, decay=0.2)
    x = pilot_matrix(PilotConfig(), T, K, rng)
    received = observe(draw(rng, covariance, 1)[0], x, np.zeros((D, K, 1, R, T)), 0.0)
    estimator = Mmse(MmseConfig())
    result, _ = estimator.update(received, estimator.init(x, 1e-9, covariance))
    np.testing.assert_allclose(result.value, least_squares(received, x[0]), atol=1e-7)


def test_sample_covariance_is_the_mean_over_samples_subcarriers_and_receive_rows():
    rng = np.random.default_rng(6)
    samples = complex_normal(rng, (3, D, K, 5, R, T), np.complex128)
    expected = np.einsum("ndksri,ndksrj->dkij", samples.conj(), samples) / (3 * 5 * R)
    np.testing.assert_allclose(sample_covariance(samples), expected, atol=1e-12)
    np.testing.assert_allclose(sample_covariance(samples[:, :, :, 0]), sample_covariance(samples[:, :, :, :1]))
    many = sample_covariance(draw(rng, covariances(np.random.default_rng(7)), 4000))
    np.testing.assert_allclose(many, covariances(np.random.default_rng(7)), atol=0.15)


def test_a_missing_covariance_is_refused():
    with pytest.raises(ValueError, match="covariance"):
        Mmse(MmseConfig()).init(np.eye(T)[None], 0.1)
