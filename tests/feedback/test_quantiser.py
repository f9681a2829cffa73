"""Lloyd-Max quantisers against Max's table and against each other."""

import numpy as np
import pytest

from csisim.feedback.quantiser import gaussian_quantiser, train_quantiser

# Max 1960, Table I: mean squared error of the optimum quantiser of a unit Gaussian
MAX_TABLE = {1: 0.3634, 2: 0.1175, 3: 0.03454, 4: 0.009497}


@pytest.fixture(scope="module")
def grid():
    """Points and weights that integrate against the unit Gaussian."""
    x = np.linspace(-9, 9, 1_800_001)
    weights = np.exp(-(x**2) / 2)
    return x, weights / weights.sum()


def distortion(quantiser, grid):
    x, weights = grid
    return np.sum(weights * (x - quantiser.decode(quantiser.encode(x))) ** 2)


@pytest.mark.parametrize(("bits", "published"), MAX_TABLE.items())
def test_distortion_is_the_published_one(bits, published, grid):
    assert distortion(gaussian_quantiser(bits), grid) == pytest.approx(published, rel=5e-4)


@pytest.mark.parametrize("bits", range(1, 9))
def test_levels_are_the_centroids_of_their_cells(bits, grid):
    quantiser = gaussian_quantiser(bits)
    x, weights = grid
    cell = quantiser.encode(x)
    mass = np.bincount(cell, weights, 2**bits)
    centroids = np.bincount(cell, weights * x, 2**bits) / mass
    np.testing.assert_allclose(quantiser.levels, centroids, atol=2e-5)
    assert np.all(np.diff(quantiser.levels) > 0)
    np.testing.assert_allclose(quantiser.levels, -quantiser.levels[::-1])


def test_many_bits_approach_the_high_rate_law(grid):
    # Panter and Dite: sqrt(3) pi / 2 * 4^-bits
    assert distortion(gaussian_quantiser(8), grid) == pytest.approx(np.sqrt(3) * np.pi / 2 * 4.0**-8, rel=0.02)


@pytest.mark.parametrize("bits", [1, 3])
def test_training_on_gaussian_samples_finds_the_gaussian_quantiser(bits):
    samples = np.random.default_rng(0).standard_normal(200_000)
    np.testing.assert_allclose(train_quantiser(samples, bits).levels, gaussian_quantiser(bits).levels, atol=0.04)


def test_training_on_another_distribution_beats_the_gaussian_quantiser_there():
    samples = np.random.default_rng(0).laplace(size=50_000) / np.sqrt(2)
    trained, gaussian = train_quantiser(samples, 3), gaussian_quantiser(3)
    errors = [np.mean((samples - q.decode(q.encode(samples))) ** 2) for q in (trained, gaussian)]
    assert errors[0] < 0.9 * errors[1]


def test_training_on_few_distinct_values_keeps_finite_levels():
    quantiser = train_quantiser(np.array([1.0, 1.0, 1.0, 2.0]), 3)
    assert np.all(np.isfinite(quantiser.levels))
    np.testing.assert_allclose(quantiser.decode(quantiser.encode(np.array([1.0, 2.0]))), [1.0, 2.0])
