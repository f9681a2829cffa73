"""Metrics: NMSE and its three averages, similarity of directions."""

import numpy as np
import pytest

from csisim.phy.metrics import aggregate_db, cosine_similarity, dominant_direction, nmse, precoder_sgcs, sgcs
from csisim.random import complex_normal

D, K, S, R, T = 3, 2, 2, 4, 6


def channel(seed=0):
    return complex_normal(np.random.default_rng(seed), (D, K, S, R, T), np.complex128)


def test_nmse_is_a_ratio_of_sums_per_drop():
    h = channel()
    h[:, 1] *= 10  # the strong user decides
    estimate = h.copy()
    estimate[:, 0] = 0
    strong = np.sum(np.abs(h[:, 1]) ** 2, axis=(1, 2, 3))
    weak = np.sum(np.abs(h[:, 0]) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(nmse(estimate, h), weak / (weak + strong))
    np.testing.assert_allclose(nmse(0 * h, h), 1)
    np.testing.assert_allclose(nmse(h * 1.1, h), 0.01)


def test_the_three_averages_in_decibels():
    ratios, energies = np.array([0.1, 0.001]), np.array([1.0, 9.0])
    assert aggregate_db(ratios) == pytest.approx(10 * np.log10(0.0505))
    assert aggregate_db(ratios, "mean_of_db") == pytest.approx(-20)
    assert aggregate_db(ratios, "ratio_of_sums", energies) == pytest.approx(10 * np.log10((0.1 + 0.009) / 10))
    with pytest.raises(ValueError, match="energy"):
        aggregate_db(ratios, "ratio_of_sums")


def test_ratio_of_sums_over_drops_is_the_nmse_of_all_drops_together():
    h, estimate = channel(), channel(1)
    h[1] *= 5
    energies = np.sum(np.abs(h) ** 2, axis=(1, 2, 3, 4))
    together = nmse(estimate.reshape(1, -1), h.reshape(1, -1)).item()
    assert aggregate_db(nmse(estimate, h), "ratio_of_sums", energies) == pytest.approx(10 * np.log10(together))


def test_cosine_similarity_ignores_phase_and_length():
    v = channel()[0, 0, 0]
    np.testing.assert_allclose(cosine_similarity(v * 3j, v), 1)
    weak = np.full(2, 1e-13, np.complex64)  # whose energies multiply to less than single precision holds
    np.testing.assert_allclose(cosine_similarity(weak, weak), 1, rtol=1e-5)
    np.testing.assert_array_equal(cosine_similarity(0 * v, v), 0)
    assert cosine_similarity(np.array([1, 0]), np.array([0, 1j])) == 0
    assert cosine_similarity(np.array([1.0, 0]), np.array([1, 1j])) == pytest.approx(np.sqrt(0.5))


def test_dominant_direction_is_the_first_right_singular_vector():
    h = channel()
    _, _, vh = np.linalg.svd(h)
    np.testing.assert_allclose(cosine_similarity(dominant_direction(h), vh[..., 0, :].conj()), 1)


def test_sgcs_compares_directions_and_not_sizes():
    h = channel()
    np.testing.assert_allclose(sgcs(2j * h, h), 1)
    unrelated = sgcs(
        complex_normal(np.random.default_rng(9), (2000, 1, 1, R, T), np.complex128), np.tile(channel()[:1, :1, :1], (2000, 1, 1, 1, 1))
    )
    assert unrelated.mean() == pytest.approx(1 / T, abs=0.02)  # a random direction in T dimensions
    assert sgcs(h, h).shape == (D,)


def test_precoder_sgcs_pairs_layers_with_singular_directions():
    h = channel()
    right = np.linalg.svd(h)[2].conj().swapaxes(-1, -2)
    np.testing.assert_allclose(precoder_sgcs(3j * right[..., :2], h), 1)
    np.testing.assert_allclose(precoder_sgcs(right[..., 1::-1], h), 0, atol=1e-12)  # the right plane, the wrong layers
    np.testing.assert_allclose(precoder_sgcs(right[..., :1], h), sgcs(h, h))
    assert np.isfinite(precoder_sgcs(right[..., :2], h[..., :1, :] * np.ones((2, 1)))).all()  # one direction, two layers
