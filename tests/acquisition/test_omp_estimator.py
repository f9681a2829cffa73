"""Sparse estimation: exact where the model is, better than least squares where paths are few, never better than knowing the angles."""

import numpy as np
import pytest

from csisim.acquisition.base import Sounding
from csisim.acquisition.ls import least_squares_mse
from csisim.acquisition.omp import OmpEstimator, OmpEstimatorConfig, angular_dictionary, unit_norm
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.phy.arrays import CrossPolarised, Ula, Upa
from csisim.phy.linalg import adjoint
from csisim.random import complex_normal

D, K, N_R, N_T, R, T = 3, 2, 8, 16, 2, 6
ARRAYS = {"line": (Ula(), Ula()), "plane": (Ula(), Upa(rows=4, columns=4)), "polarised": (Ula(), CrossPolarised(rows=2, columns=4))}


def sounding(rng, arrays=ARRAYS["line"]):
    f = np.linalg.qr(complex_normal(rng, (D, N_T, T), np.complex128))[0]
    w = np.linalg.qr(complex_normal(rng, (D, K, N_R, R), np.complex128))[0]
    return Sounding(f, w, arrays[1], arrays[0])


def on_grid(rng, through, paths, subcarriers=1):
    """Channels between the beams (D, K, S, R, T) of random paths from the undersampled dictionary."""
    ends = [(through.rx_array, N_R), (through.tx_array, N_T)]
    rx, tx = (angular_dictionary(array, n, 1, np.dtype(complex)) for array, n in ends)
    i, j = (rng.integers(0, a.shape[1], (D, K, paths)) for a in (rx, tx))
    left = adjoint(through.w)[:, :, None] @ rx.T[i][..., None]  # (D, K, P, R, 1)
    right = tx.T[j].conj()[..., None, :] @ through.f[:, None, None]  # (D, K, P, 1, T)
    gains = complex_normal(rng, (D, K, subcarriers, paths), np.complex128)
    return np.einsum("dkpro,dkpot,dksp->dksrt", left, right, gains)


def estimate(channel, through, pilots, noise_power, rng=None, **settings):
    received = channel @ pilots
    if rng is not None:
        received = received + np.sqrt(noise_power) * complex_normal(rng, received.shape, np.complex128)
    estimator = OmpEstimator(OmpEstimatorConfig(**settings))
    return estimator.update(received, estimator.init(pilots[None], noise_power, None, through))[0]


def nmse(estimated, channel):
    return np.sum(np.abs(estimated - channel) ** 2) / np.sum(np.abs(channel) ** 2)


@pytest.mark.parametrize("arrays", ARRAYS.values(), ids=ARRAYS)
def test_fewer_pilots_than_chains_find_a_path_on_the_grid(arrays):
    rng = np.random.default_rng(1)
    through = sounding(rng, arrays)
    channel = on_grid(rng, through, paths=1, subcarriers=2)
    pilots = pilot_matrix(PilotConfig(length=T - 2), T, K, rng)[0]
    found = estimate(channel, through, pilots, 1e-10, oversampling=1)
    assert nmse(found.value, channel) < 1e-8
    assert found.error_variance.max() < 1e-8


def test_several_paths_are_told_apart_by_more_subcarriers():
    rng = np.random.default_rng(2)
    through = sounding(rng)
    channel = on_grid(rng, through, paths=2, subcarriers=32)
    pilots = pilot_matrix(PilotConfig(length=T - 1), T, K, rng)[0]
    assert nmse(estimate(channel, through, pilots, 1e-10, oversampling=1).value, channel) < 1e-8


def test_the_wrong_array_finds_nothing():
    """A planar array's paths are not those of a line."""
    rng = np.random.default_rng(3)
    plane = sounding(rng, ARRAYS["plane"])
    channel = on_grid(rng, plane, paths=1)
    pilots = pilot_matrix(PilotConfig(length=T - 2), T, K, rng)[0]
    line = Sounding(plane.f, plane.w, Ula(), Ula())
    assert nmse(estimate(channel, line, pilots, 1e-10, oversampling=1).value, channel) > 0.01


def test_noise_alone_is_seldom_a_path():
    rng = np.random.default_rng(4)
    through = sounding(rng)
    pilots = pilot_matrix(PilotConfig(), T, K, rng)[0]
    nothing = np.zeros((D, K, 1, R, T), complex)
    taken = [np.abs(estimate(nothing, through, pilots, 0.3, rng, false_alarm=0.05).value).max(axis=(2, 3, 4)) > 0 for _ in range(60)]
    assert np.mean(taken) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / (60 * D * K))


def test_between_least_squares_and_known_angles():
    """A path in noise: better than least squares, not better than the MMSE estimate of the gain of a path of known angles."""
    rng = np.random.default_rng(5)
    through = sounding(rng)
    pilots, noise_power = pilot_matrix(PilotConfig(), T, K, rng)[0], 0.1
    error, predicted, bound = [], [], []
    for _ in range(40):
        channel = on_grid(rng, through, paths=1)
        found = estimate(channel, through, pilots, noise_power, rng, oversampling=2)
        error.append(np.mean(np.abs(found.value - channel) ** 2))
        predicted.append(found.error_variance.mean())
        # orthogonal pilots: an error of the gain, sigma^2 / (L ||path||^2), and a channel of R T entries
        power = np.sum(np.abs(channel) ** 2, axis=(2, 3, 4))
        bound.append(np.mean(1 / (1 / power + T / noise_power)) / (R * T))
    assert np.mean(bound) < np.mean(error) < 0.7 * float(least_squares_mse(pilots, noise_power))
    assert 0.3 * np.mean(error) < np.mean(predicted) < 3 * np.mean(error)


def off_grid(rng, through, paths):
    """Channels between the beams of unit mean power per entry, of paths from anywhere."""
    rx, tx = (np.exp(2j * np.pi * rng.random((D, K, paths, 1)) * np.arange(n)) for n in (N_R, N_T))
    left = np.einsum("dkra,dkpr->dkpa", through.w.conj(), rx)
    right = np.einsum("dkpt,dta->dkpa", tx.conj(), through.f)
    gains = complex_normal(rng, (D, K, 1, paths), np.complex128) / np.sqrt(paths * R * T)
    return np.einsum("dkpr,dkpt,dksp->dksrt", left, right, gains)


def predicted_share(paths, noise_power, length):
    """Predicted over actual error of off-grid paths."""
    rng = np.random.default_rng(1)
    actual, predicted = 0.0, 0.0
    for _ in range(25):
        through = sounding(rng)
        pilots = pilot_matrix(PilotConfig(length=length), T, K, rng)[0]
        channel = off_grid(rng, through, paths)
        found = estimate(channel, through, pilots, noise_power, rng)
        actual += np.mean(np.abs(found.value - channel) ** 2)
        predicted += found.error_variance.mean()
    return predicted / actual


@pytest.mark.parametrize("paths", [2, 8])
@pytest.mark.parametrize("noise_power", [0.1, 0.01])
@pytest.mark.parametrize("length", [T, 2 * T])
def test_the_predicted_error_knows_that_angles_are_fitted_too(paths, noise_power, length):
    """Gains alone would predict less than half of it."""
    assert 0.55 < predicted_share(paths, noise_power, length) < 1.1


def test_the_predicted_error_does_not_know_of_wrong_paths():
    assert predicted_share(4, 0.01, T // 2) < 0.2


@pytest.mark.parametrize("array", [Ula(spacing=0.25), Upa(rows=4, columns=4), CrossPolarised(rows=2, columns=4)], ids=lambda a: a.kind)
def test_the_dictionary_has_what_the_array_sees(array):
    dictionary = angular_dictionary(array, N_T, 2, np.dtype(complex))
    np.testing.assert_allclose(np.linalg.norm(dictionary, axis=0), 1)
    assert dictionary.shape[1] < 4 * N_T
    if array.kind == "cross_polarised":
        halves = np.abs(dictionary).reshape(2, N_T // 2, -1).sum(axis=1)
        assert (np.min(halves, axis=0) == 0).all()


def test_it_needs_its_beams():
    with pytest.raises(ValueError, match="beams"):
        OmpEstimator(OmpEstimatorConfig()).init(np.eye(T)[None], 0.1)


def test_a_users_directions_are_its_own():
    """Whether its beams see a direction is no matter of how much others see."""
    rng = np.random.default_rng(6)
    vectors = complex_normal(rng, (2, 1, 3, 8), np.complex128)
    loud = vectors * np.array([1.0, 1e6])[:, None, None, None]
    np.testing.assert_allclose(unit_norm(loud, -2), unit_norm(vectors, -2))
    np.testing.assert_array_equal(unit_norm(vectors * np.array([1.0, 0.0])[:, None, None, None], -2)[1], 0)
