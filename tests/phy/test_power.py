"""Power constraint and phase shifters."""

import numpy as np
import pytest

from csisim.phy.dims import PowerBudget
from csisim.phy.power import constant_modulus, normalise, quantise_phases
from csisim.random import complex_normal


@pytest.mark.parametrize("shape", [(3, 2, 5, 4), (3, 2, 6, 5, 4)])
def test_constraints_hold_on_every_subcarrier(shape):
    precoder = complex_normal(np.random.default_rng(0), shape, np.complex128)
    per_user = normalise(precoder, PowerBudget("per_user", 7.0))
    np.testing.assert_allclose((np.abs(per_user) ** 2).sum(axis=(-2, -1)), 3.5)
    total = normalise(precoder, PowerBudget("total", 7.0))
    np.testing.assert_allclose((np.abs(total) ** 2).sum(axis=(1, -2, -1)), 7.0)
    ratio = np.abs(total) / np.abs(precoder)
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, ..., :1, :1], shape))  # one factor for all users


def test_silent_user_stays_silent():
    precoder = complex_normal(np.random.default_rng(0), (2, 2, 3, 4))
    precoder[:, 0] = 0.0
    scaled = normalise(precoder, PowerBudget("per_user", 2.0))
    assert scaled.dtype == np.complex64
    assert np.all(scaled[:, 0] == 0.0)


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_quantised_phases_are_the_nearest_levels(bits):
    phases = np.random.default_rng(0).uniform(-10.0, 10.0, (4, 2000))
    quantised = quantise_phases(phases, bits)
    assert np.abs(quantised - phases).max() <= np.pi / 2**bits * (1 + 1e-12)
    levels = quantised / (2 * np.pi / 2**bits)
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-9)
    np.testing.assert_array_equal(np.unique(np.round(levels) % 2**bits), np.arange(2**bits))  # all are used, 0 among them
    assert quantise_phases(phases, None) is phases


def test_every_antenna_has_the_same_modulus():
    phases = np.random.default_rng(0).uniform(-4.0, 4.0, (3, 16, 2))
    beamformer = constant_modulus(phases)
    assert beamformer.dtype == np.complex128
    np.testing.assert_allclose(np.abs(beamformer), 0.25)
    np.testing.assert_allclose(np.exp(1j * np.angle(beamformer)), np.exp(1j * phases))
    assert constant_modulus(phases, np.complex64).dtype == np.complex64
    assert constant_modulus(phases.astype(np.float32)).dtype == np.complex64
