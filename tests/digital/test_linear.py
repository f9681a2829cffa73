"""Zero forcing, regularised zero forcing, singular vectors, and what all digital designers promise."""

import numpy as np
import pytest

from csisim.beamforming.digital.linear import effective_channel, singular_directions, start_precoder
from csisim.beamforming.digital.rzf import RegularisedZeroForcing, RegularisedZeroForcingConfig
from csisim.beamforming.digital.svd import Svd, SvdConfig, waterfilling
from csisim.beamforming.digital.zf import ZeroForcing, ZeroForcingConfig
from csisim.errors import CsisimError
from csisim.phy.dims import PowerBudget
from csisim.phy.rates import mmse_combiner, rate_per_user
from csisim.registry import TABLE, component
from csisim.weights import UNTRAINED, Learned

NOISE = 0.1


def rzf(channel, power, num_streams, loading=None):
    config = RegularisedZeroForcingConfig(loading=loading)
    return RegularisedZeroForcing(config).design(channel[:, :, None], NOISE, power, num_streams)[0][:, :, 0]


def zf(channel, power, num_streams):
    return ZeroForcing(ZeroForcingConfig()).design(channel[:, :, None], NOISE, power, num_streams)[0][:, :, 0]


@pytest.mark.parametrize("num_streams", [4, 2])
def test_zero_forcing_leaves_no_interference(make, num_streams):
    channel = make.rayleigh(10, 3, 4, 16)
    precoder = zf(channel, make.budget("per_user", 3, num_streams), num_streams)
    received = np.einsum("bknt,bmtl->bknml", effective_channel(channel, num_streams), precoder)
    power = np.abs(received) ** 2
    own = np.einsum("bknkn->bkn", power)
    assert np.all((power.sum(axis=(3, 4)) - own) < 1e-10 * own)


def test_regularised_zero_forcing_lies_between_its_limits(make):
    channel, power = make.rayleigh(40, 4, 2, 8), make.budget("per_user", 4, 2)
    np.testing.assert_allclose(rzf(channel, power, 2, loading=1e-12), zf(channel, power, 2), atol=1e-6)
    matched = start_precoder(channel, 2, power, "mrt")
    np.testing.assert_allclose(rzf(channel, power, 2, loading=1e9), matched, atol=1e-6)
    best, forced, filtered = (make.rates(channel, f, NOISE).mean() for f in (rzf(channel, power, 2), zf(channel, power, 2), matched))
    assert best > 1.1 * max(forced, filtered)
    assert best > max(make.rates(channel, rzf(channel, power, 2, loading=loading), NOISE).mean() for loading in (0.01, 1.0, 10.0))


def test_zero_forcing_of_dependent_users_stays_finite(make):
    channel = make.rayleigh(4, 3, 2, 8)
    channel[:, 1] = channel[:, 0]  # in the same place
    channel[:, 2, 1] = 0.0  # a single path
    for precoder in (zf(channel, make.budget("total", 3, 2), 2), zf(make.rayleigh(4, 6, 4, 16), make.budget("total", 6, 4), 4)):
        assert np.all(np.isfinite(precoder))
        np.testing.assert_allclose((np.abs(precoder) ** 2).sum(axis=(1, 2, 3)), precoder.shape[1] * precoder.shape[3])


def test_singular_directions_are_those_of_lapack(make):
    channel = make.rayleigh(5, 2, 3, 7)
    left, values, right = singular_directions(channel, 2)
    np.testing.assert_allclose(values, np.linalg.svd(channel, compute_uv=False)[..., :2])
    np.testing.assert_allclose(channel @ right, left * values[..., None, :], atol=1e-12)
    np.testing.assert_allclose(right.conj().swapaxes(-1, -2) @ right, np.broadcast_to(np.eye(2), (5, 2, 2, 2)), atol=1e-12)


def test_svd_reaches_capacity_and_refuses_several_users(make):
    channel, power = make.rayleigh(10, 1, 4, 8)[:, :, None], PowerBudget("total", 1.0)
    gains = np.linalg.svd(channel[:, 0, 0], compute_uv=False) ** 2
    for noise_power in (0.01, 1.0, 30.0):
        precoder, combiner = Svd(SvdConfig()).design(channel, noise_power, power, 4)
        rate = rate_per_user(channel, precoder, combiner, noise_power)[:, 0]
        capacity = np.log2(1.0 + gains / noise_power * waterfilling(gains / noise_power, 1.0)).sum(axis=-1)
        np.testing.assert_allclose(rate, capacity)
        equal = Svd(SvdConfig(allocation="equal")).design(channel, noise_power, power, 4)
        assert np.all(rate_per_user(channel, *equal, noise_power)[:, 0] <= rate * (1 + 1e-12))
    with pytest.raises(CsisimError, match="single user"):
        Svd(SvdConfig()).design(make.rayleigh(1, 2, 4, 8)[:, :, None], 0.1, power, 4)


@pytest.mark.parametrize("total", [1e-3, 1.0, 1e3])
def test_waterfilling_satisfies_its_conditions(total):
    gains = np.sort(np.random.default_rng(3).exponential(size=(50, 6)), axis=-1)[:, ::-1].copy()
    gains[0, 3:] = 0.0
    powers = waterfilling(gains, total)
    np.testing.assert_allclose(powers.sum(axis=-1), total)
    level = (powers + 1.0 / np.maximum(gains, 1e-30)).min(axis=-1, keepdims=True)  # used channels fill up to one level,
    np.testing.assert_allclose(np.where(powers > 0, powers + 1.0 / np.maximum(gains, 1e-30), level), np.broadcast_to(level, powers.shape))


def built(kind):
    """A designer with its default settings; a learned one before any training."""
    designer = component("digital", kind)
    return designer(designer.Config(**({"weights": UNTRAINED} if issubclass(designer.Config, Learned) else {})))


@pytest.mark.parametrize("kind", TABLE["digital"])
@pytest.mark.parametrize("constraint", ["per_user", "total"])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_every_designer_keeps_shape_type_and_power(make, kind, constraint, dtype):
    designer = built(kind)
    users = 1 if designer.single_user else 3
    channel = np.stack([make.rayleigh(2, users, 4, 12, seed=s) for s in range(2)], axis=2).astype(dtype)  # two subcarriers
    for num_streams in (1, 3, 4):
        power = PowerBudget(constraint, 2.5)
        precoder, combiner = designer.design(channel, NOISE, power, num_streams)
        assert precoder.shape == (2, users, 2, 12, num_streams)
        assert precoder.dtype == dtype
        assert combiner is None or combiner.shape == (2, users, 2, 4, num_streams)
        radiated = (np.abs(precoder.astype(np.complex128)) ** 2).sum(axis=(3, 4))
        if constraint == "total":
            radiated = radiated.sum(axis=1) / users
        np.testing.assert_allclose(radiated, 2.5 / users, rtol=1e-6 if dtype == np.complex64 else 1e-12)
        assert np.all(np.isfinite(mmse_combiner(channel, precoder, NOISE)))


@pytest.mark.parametrize("kind", TABLE["digital"])
@pytest.mark.parametrize("constraint", ["per_user", "total"])
def test_a_dead_channel_gets_a_finite_precoder(make, kind, constraint):
    designer = built(kind)
    channel = make.rayleigh(2, 1 if designer.single_user else 3, 2, 8)[:, :, None].astype(np.complex64)
    channel[0] = 0.0  # nobody is reached
    channel[1, -1] = 0.0  # one user is not
    precoder, _ = designer.design(channel, NOISE, PowerBudget(constraint, 1.0), 2)
    assert np.all(np.isfinite(precoder))
    assert np.all(np.isfinite(rate_per_user(channel, precoder, mmse_combiner(channel, precoder, NOISE), NOISE)))
