"""Rayleigh fading: independent and Kronecker-correlated entries."""

import numpy as np
import pytest

from csisim.channel.rayleigh import Rayleigh, RayleighConfig, exponential_correlation_sqrt
from csisim.errors import CsisimError
from csisim.phy.dims import Dims
from csisim.random import Streams

DIMS = Dims(drops=200, num_users=2, num_rx=3, num_tx=4, num_rx_rf=2, num_rf=2, num_streams=1)
AR1 = {"kind": "ar1", "correlation": 0.8}


def build(dims=DIMS, **settings):
    channel = Rayleigh(RayleighConfig.model_validate(settings), dims, Streams(1), 1e-3)
    channel.begin_superframe(0)
    return channel


def of(dims, **changes):
    return Dims(**{**{name: getattr(dims, name) for name in dims.__dataclass_fields__}, **changes})


def matrices(channel, slots):
    return np.stack([channel.step(slot).matrix() for slot in range(slots)])


@pytest.mark.parametrize(("normalisation", "mean_power"), [("unit", 1.0), ("kang", 0.1), ("hu", 2.0)])
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_mean_power(normalisation, mean_power, correlation):
    h = matrices(build(normalisation=normalisation, tx_correlation=correlation, rx_correlation=correlation), 10)
    power = (np.abs(h) ** 2).sum(axis=(-2, -1)).ravel() / (DIMS.num_rx * DIMS.num_tx)
    assert abs(power.mean() - mean_power) < 4 * power.std() / np.sqrt(power.size)


def test_per_drop_normalisation_is_exact():
    h = matrices(build(normalisation="per_drop", tx_correlation=0.5), 2)
    np.testing.assert_allclose((np.abs(h) ** 2).sum(axis=(-2, -1)).mean(axis=(2, 3)), 12, rtol=1e-5)


def test_kronecker_covariance():
    """E[H H^H] = N_t R_r and E[H^T H*] = N_r R_t with [R]_ij = rho^|i-j|."""
    h = matrices(build(tx_correlation=0.7, rx_correlation=0.4), 25).reshape(-1, 3, 4)
    lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    margin = 4 * 2 / np.sqrt(len(h))
    rx = np.einsum("nrt,nst->rs", h, h.conj()) / len(h) / 4
    tx = np.einsum("nrt,nru->tu", h, h.conj()) / len(h) / 3
    assert np.abs(rx - 0.4 ** lag[:3, :3]).max() < margin
    assert np.abs(tx - 0.7**lag).max() < margin


def test_the_root_squares_to_the_correlation():
    root = exponential_correlation_sqrt(0.9, 5)
    np.testing.assert_allclose((root @ root)[0], 0.9 ** np.arange(5))


def test_entries_fade_as_configured():
    channel = build(fading=AR1, tx_correlation=0.5)
    a, b = (channel.step(slot).matrix().ravel() for slot in range(2))
    assert abs(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) - 0.8) < 4 / np.sqrt(a.size)


def test_subcarriers_are_independent():
    h = build(of(DIMS, num_subcarriers=2), num_subcarriers=2).step(0).matrix()
    assert h.shape == (200, 2, 2, 3, 4)
    assert abs((h[:, :, 0] * h[:, :, 1].conj()).mean()) < 4 / np.sqrt(h[:, :, 0].size)
    with pytest.raises(CsisimError, match="2 subcarriers configured"):
        build(num_subcarriers=2)


@pytest.mark.parametrize("settings", [{}, {"fading": AR1, "rx_correlation": 0.3}, {"fading": {"kind": "jakes", "doppler_hz": 9.0}}])
def test_users_are_a_prefix_and_samples_disturb_nothing(settings):
    few, many = build(of(DIMS, drops=3), **settings), build(of(DIMS, drops=3, num_users=4), **settings)
    first = few.step(0).matrix()
    one, again = ([s.matrix() for s in few.samples(2, "a")] for _ in range(2))
    assert np.array_equal(one, again)
    assert one[0].shape == (1, 2, 1, 3, 4)
    both = np.stack([first, few.step(1).matrix()])
    assert (both == matrices(many, 2)[:, :, :2]).all()
    few.begin_superframe(1)
    assert not np.allclose(few.step(0).matrix(), first)
