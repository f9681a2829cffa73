"""Weighted MMSE: monotone, exact in its reduced form, and at the published values."""

import numpy as np
import pytest

from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.linear import start_precoder
from csisim.beamforming.digital.rzf import RegularisedZeroForcing, RegularisedZeroForcingConfig
from csisim.beamforming.digital.sca import sca
from csisim.beamforming.digital.wmmse import Wmmse, WmmseConfig, wmmse
from csisim.errors import CsisimError
from csisim.phy.dims import PowerBudget
from csisim.phy.rates import mmse_combiner, rate_per_user
from csisim.random import complex_normal

NOISE, TOTAL = 0.01, PowerBudget("total", 1.0)


def test_published_rate_of_eight_antennas_and_four_users(make):
    channel = make.rayleigh(1000, 4, 2, 8, seed=112, power=2.0)
    nats = np.log(2.0) * make.rates(channel, wmmse(channel, NOISE, 2, TOTAL, iterations=300), NOISE, "logdet")
    assert abs(nats.mean() - 30.82) < 0.005 * 30.82  # Hu 2021, Table I prints 31.82: a misprint by all that was measured


@pytest.mark.parametrize("size", [(4, 2, 8, 2), (3, 4, 16, 2), (4, 4, 8, 4)])
@pytest.mark.parametrize("start", ["zf", "mrt", "svd", "random"])
def test_reduced_forms_equal_the_full_dimension(make, size, start):
    users, num_rx, num_tx, num_streams = size
    channel = make.rayleigh(6, users, num_rx, num_tx, power=2.0)
    if start == "zf" and users * num_streams > num_tx:
        start = "mrt"
    if start == "random":
        start = make.rayleigh(1, users, num_tx, num_streams, seed=1)
    first = start_precoder(channel, num_streams, TOTAL, start)
    full = make.rates(channel, oracle.wmmse(channel, first, NOISE, TOTAL, 60), NOISE, "logdet")
    batched = oracle.wmmse_reduced(channel, 7.0 * first, NOISE, 1.0, 60)  # the scale of the start is irrelevant
    compiled = wmmse(channel, NOISE, num_streams, TOTAL, iterations=60, start=start)
    for precoder in (batched, compiled):
        np.testing.assert_allclose(make.rates(channel, precoder, NOISE, "logdet"), full, rtol=1e-9)
    single = wmmse(channel.astype(np.complex64), NOISE, num_streams, TOTAL, iterations=60, start=start)
    np.testing.assert_allclose(make.rates(channel, single, NOISE, "logdet"), full, rtol=1e-3)


@pytest.mark.parametrize("constraint", ["total", "per_user"])
def test_no_iteration_lowers_the_rate(make, constraint):
    channel, power = make.rayleigh(10, 4, 2, 8, power=2.0), PowerBudget(constraint, 1.0)
    precoder, before = start_precoder(channel, 2, power, "zf"), np.zeros(10)
    for _ in range(40):
        precoder = oracle.wmmse(channel, precoder, NOISE, power, 1, "closed" if constraint == "total" else "bisection")
        rate = make.rates(channel, precoder, NOISE, "logdet")
        assert np.all(rate > before * (1 - 1e-9))
        before = rate


def test_compiled_iterations_are_monotone_too(make):
    channel = make.rayleigh(10, 4, 2, 8, power=2.0)
    rate = [make.rates(channel, wmmse(channel, NOISE, 2, TOTAL, iterations=i), NOISE, "logdet") for i in range(25)]
    assert np.all(np.diff(rate, axis=0) > -1e-9)


def test_one_iteration_from_zero_forcing_is_regularised_zero_forcing(make):
    """After zero forcing all streams arrive alike, so that all combiners and weights are one multiple of the identity."""
    channel = make.rayleigh(20, 4, 2, 8, power=2.0)
    once = wmmse(channel, NOISE, 2, TOTAL, iterations=1)
    rzf, _ = RegularisedZeroForcing(RegularisedZeroForcingConfig()).design(channel[:, :, None], NOISE, TOTAL, 2)
    expected = make.rates(channel, rzf[:, :, 0], NOISE, "logdet")
    np.testing.assert_allclose(make.rates(channel, once, NOISE, "logdet"), expected, rtol=1e-9)


def test_streams_can_be_decoded_one_by_one(make):
    for constraint in ("total", "per_user"):
        channel, power = make.kang(6), make.budget(constraint, 4, 4)
        precoder = wmmse(channel, 0.1, 4, power, iterations=15)
        joint = make.rates(channel, precoder, 0.1, "logdet")
        np.testing.assert_allclose(make.rates(channel, precoder, 0.1, "per_stream"), joint, rtol=1e-9)


def test_tolerance_stops_early_at_little_loss(make):
    channel = make.rayleigh(50, 4, 2, 8, power=2.0)
    long = make.rates(channel, wmmse(channel, NOISE, 2, TOTAL, iterations=600), NOISE, "logdet")
    short = make.rates(channel, wmmse(channel, NOISE, 2, TOTAL, iterations=600, tolerance=1e-5), NOISE, "logdet")
    twenty = make.rates(channel, wmmse(channel, NOISE, 2, TOTAL, iterations=20), NOISE, "logdet")
    assert 0.997 * long.mean() < short.mean() < long.mean()
    assert np.all(wmmse(channel, NOISE, 2, TOTAL, iterations=600, tolerance=1.0) == wmmse(channel, NOISE, 2, TOTAL, iterations=20))
    assert short.mean() > twenty.mean()


def test_more_power_of_one_user_cannot_help_more_than_sharing_it(make):
    channel = make.rayleigh(20, 3, 2, 8)
    shared = make.rates(channel, wmmse(channel, 0.1, 2, PowerBudget("total", 6.0), iterations=300), 0.1, "logdet")
    own = make.rates(channel, wmmse(channel, 0.1, 2, PowerBudget("per_user", 6.0), iterations=300), 0.1, "logdet")
    assert shared.mean() > own.mean()


@pytest.mark.parametrize("constraint", ["total", "per_user"])
def test_a_problem_does_not_depend_on_its_batch(make, constraint):
    channel, power = make.rayleigh(5, 4, 2, 8), PowerBudget(constraint, 1.0)
    together = wmmse(channel, NOISE, 2, power, iterations=12)
    alone = np.concatenate([wmmse(channel[b : b + 1], NOISE, 2, power, iterations=12) for b in range(5)])
    np.testing.assert_array_equal(together, alone)


def test_more_streams_than_transmit_chains(make):
    channel = make.rayleigh(10, 6, 4, 16)
    precoder, _ = Wmmse(WmmseConfig(iterations=50)).design(channel[:, :, None], 0.1, make.budget("total", 6, 4), 4)
    rate = make.rates(channel, precoder[:, :, 0], 0.1, "logdet")
    assert np.all(rate > make.rates(channel, start_precoder(channel, 4, make.budget("total", 6, 4), "mrt"), 0.1, "logdet"))


@pytest.mark.parametrize(("design", "snr_db"), [("wmmse", 10.0), ("wmmse", 20.0), ("sca", 0.0), ("sca", 10.0)])
def test_exact_multipliers_do_not_raise_silent_users(design, snr_db):
    """Five users on too few chains: users that the optimum silences stay silent, nothing overflows, and no budget is exceeded."""
    shape = (40, 5, 1, 2) if design == "wmmse" else (40, 5, 3, 4)
    h = complex_normal(np.random.default_rng(5), shape, np.complex128)
    noise_power, power, n = 10 ** (-snr_db / 10), PowerBudget("per_user", 5.0 * shape[2]), shape[2]
    if design == "wmmse":
        precoder = wmmse(h, noise_power, n, power, iterations=60, start="svd")
    else:
        precoder = sca(h, noise_power, n, power, iterations=60, tau="bisection")
    norms = (np.abs(precoder) ** 2).sum(axis=(-1, -2))
    assert np.isfinite(precoder).all()
    assert norms.max() < power.per_user(5) * (1 + 1e-6)
    assert (norms < 1e-3 * power.per_user(5)).any()
    spent = sca(h, noise_power, n, power, iterations=60)  # the closed rule spends every user's budget

    def rate(x):
        x = x[:, :, None]
        return rate_per_user(h[:, :, None], x, mmse_combiner(h[:, :, None], x, noise_power), noise_power).sum()

    assert rate(precoder) > rate(spent)


@pytest.mark.parametrize("constraint", ["total", "per_user"])
def test_priorities_move_rate_to_the_users_that_have_them(make, constraint):
    channel, power, priorities = make.rayleigh(20, 4, 2, 8, power=2.0), PowerBudget(constraint, 1.0), np.array([4.0, 1.0, 1.0, 1.0])

    def per_user(precoder):
        h, f = channel[:, :, None], precoder[:, :, None]
        return rate_per_user(h, f, mmse_combiner(h, f, NOISE), NOISE, "logdet").mean(axis=0)

    alike = per_user(wmmse(channel, NOISE, 2, power, iterations=60))
    one = per_user(wmmse(channel, NOISE, 2, power, iterations=60, user_weights=np.full(4, 3.0)))
    preferred = per_user(wmmse(channel, NOISE, 2, power, iterations=60, user_weights=priorities))
    np.testing.assert_allclose(one, alike, rtol=1e-6)  # only ratios of priorities matter
    assert preferred[0] > 1.05 * alike[0]
    assert priorities @ preferred > priorities @ alike
    with pytest.raises(CsisimError, match="one per user"):
        Wmmse(WmmseConfig(user_weights=[1.0, 2.0])).design(channel[:, :, None], NOISE, power, 2)


def test_restarts_keep_the_best_start_of_every_problem(make):
    channel = make.rayleigh(20, 4, 2, 8, power=2.0)
    once = make.rates(channel, wmmse(channel, NOISE, 2, TOTAL, iterations=100), NOISE, "logdet")
    often = make.rates(channel, wmmse(channel, NOISE, 2, TOTAL, iterations=100, restarts=4), NOISE, "logdet")
    assert np.all(often > once * (1 - 1e-9))
    assert often.mean() > 1.003 * once.mean()  # a loaded system has several optima
