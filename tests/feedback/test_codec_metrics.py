"""Metrics of images: the aggregations by name, rho as public evaluators compute it, SGCS of subbands."""

import numpy as np
import pytest

from csisim.feedback.metrics import frequency_response, nmse_db, nmse_ratios, rho, subband_sgcs
from csisim.random import complex_normal

rng = np.random.default_rng(3)
TRUTH = rng.standard_normal((500, 2, 8, 6)) * rng.uniform(0.1, 3, (500, 1, 1, 1))
ESTIMATE = TRUTH + rng.standard_normal(TRUTH.shape) * rng.uniform(0.01, 1, (500, 1, 1, 1))


def public_rho(estimate, truth):
    """The public evaluators' arithmetic, loop by loop: real and imaginary cross terms of zero-padded spectra."""
    total = []
    for e, t in zip(estimate, truth, strict=True):
        spectra = [np.fft.fft(np.pad(x[0] + 1j * x[1], ((0, 0), (0, 257 - x.shape[-1]))), axis=1)[:, :125] for x in (e, t)]
        for k in range(125):
            a, b = spectra[0][:, k], spectra[1][:, k]
            real = (a.real * b.real + a.imag * b.imag).sum()
            imag = (a.real * b.imag - a.imag * b.real).sum()
            total.append(np.hypot(real, imag) / np.sqrt((np.abs(a) ** 2).sum() * (np.abs(b) ** 2).sum()))
    return np.mean(total)


def test_rho_is_that_of_the_public_evaluators():
    assert rho(ESTIMATE[:5], TRUTH[:5]) == pytest.approx(public_rho(ESTIMATE[:5], TRUTH[:5]), rel=1e-10)
    assert rho(ESTIMATE[:5], frequency_response(TRUTH[:5])) == pytest.approx(rho(ESTIMATE[:5], TRUTH[:5]))
    assert rho(3 * TRUTH, TRUTH) == pytest.approx(1)


def test_aggregations_by_their_names():
    ratios = nmse_ratios(ESTIMATE, TRUTH)
    assert nmse_db(ESTIMATE, TRUTH) == pytest.approx(10 * np.log10(ratios.mean()))
    batches = [10 * np.log10(ratios[i : i + 200].mean()) for i in (0, 200, 400)]
    assert nmse_db(ESTIMATE, TRUTH, "mean_of_batch_db") == pytest.approx(np.mean(batches))
    assert nmse_db(ESTIMATE, TRUTH, "mean_of_batch_db", batch=1) == pytest.approx(nmse_db(ESTIMATE, TRUTH, "mean_of_db"))
    whole = ((ESTIMATE - TRUTH) ** 2).sum() / (TRUTH**2).sum()
    assert nmse_db(ESTIMATE, TRUTH, "ratio_of_sums") == pytest.approx(10 * np.log10(whole))


def test_means_of_decibels_flatter():
    """Jensen: never above the dB of the mean, and lower the smaller the batches."""
    values = [nmse_db(ESTIMATE, TRUTH, "mean_of_batch_db", batch) for batch in (500, 100, 10, 1)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(nmse_db(ESTIMATE, TRUTH))


def test_sgcs_ignores_phase_and_length_but_not_direction():
    h = complex_normal(rng, (4, 3, 8, 2, 6), np.complex128)
    turned = h * np.exp(1j * rng.uniform(0, 6, (4, 3, 1, 1, 1))) * 7
    np.testing.assert_allclose(subband_sgcs(turned, h, 4, layers=2), 1)
    assert subband_sgcs(complex_normal(rng, h.shape, np.complex128), h, 4).max() < 0.6


def test_sgcs_of_one_antenna_and_one_subcarrier_is_the_squared_cosine():
    h, g = complex_normal(rng, (2, 5, 4, 1, 6), np.complex128)
    inner = np.abs((h.conj() * g).sum(axis=-1)) ** 2 / (np.abs(h) ** 2).sum(axis=-1) / (np.abs(g) ** 2).sum(axis=-1)
    assert subband_sgcs(g, h, 4)[0] == pytest.approx(inner.mean())


def test_subbands_must_divide_the_band():
    with pytest.raises(ValueError, match="3 subbands"):
        subband_sgcs(np.ones((1, 4, 1, 2)), np.ones((1, 4, 1, 2)), 3)
