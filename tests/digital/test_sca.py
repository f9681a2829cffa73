"""Successive convex approximation: physics, reference values and agreement of the running path with the oracle."""

import numpy as np
import pytest

from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.linear import start_precoder
from csisim.beamforming.digital.sca import Sca, ScaConfig, sca
from csisim.beamforming.digital.svd import waterfilling
from csisim.beamforming.digital.wmmse import wmmse

NOISE = 0.1
SIZES = [(4, 4, 16, 4), (3, 4, 16, 2), (6, 4, 16, 4), (4, 4, 8, 4), (1, 2, 6, 1)]


@pytest.fixture(scope="module")
def channel(make):
    return make.kang(60)


@pytest.fixture(scope="module")
def wmmse_rate(make, channel):
    power = make.budget("per_user", 4, 4)
    return make.rates(channel, wmmse(channel, NOISE, 4, power, iterations=300, start="svd"), NOISE, "logdet").mean()


@pytest.mark.parametrize(("users", "num_rx", "num_tx", "num_streams"), SIZES)
@pytest.mark.parametrize("constraint", ["per_user", "total"])
@pytest.mark.parametrize("weights", ["mmse", "recursion"])
def test_running_path_equals_oracle(make, users, num_rx, num_tx, num_streams, constraint, weights):
    channel = make.rayleigh(5, users, num_rx, num_tx)
    power = make.budget(constraint, users, num_streams)
    start = start_precoder(channel, num_streams, power, "svd")
    expected = make.rates(channel, oracle.sca(channel, start, NOISE, power, 8, weights), NOISE)
    double = sca(channel, NOISE, num_streams, power, iterations=8, weights=weights)
    single = sca(channel.astype(np.complex64), NOISE, num_streams, power, iterations=8, weights=weights)
    assert (double.dtype, single.dtype) == (np.complex128, np.complex64)
    np.testing.assert_allclose(make.rates(channel, double, NOISE), expected, rtol=1e-9)
    np.testing.assert_allclose(make.rates(channel, single, NOISE), expected, rtol=1e-3)


def test_single_precision_survives_a_high_snr(make):
    channel, power = make.kang(8), make.budget("per_user", 4, 4)
    double = sca(channel, 1e-4, 4, power, iterations=20)
    single = sca(channel.astype(np.complex64), 1e-4, 4, power, iterations=20)
    np.testing.assert_allclose(make.rates(channel, single, 1e-4), make.rates(channel, double, 1e-4), rtol=2e-3)


@pytest.mark.parametrize(
    ("start", "tau", "share"),
    [
        ("svd", "bisection", 0.995),
        ("svd", "closed", 0.99),  # the closed multiplier is up to 0.5 % behind the exact one
        ("mrt", "bisection", 0.98),
        ("mrt", "closed", 0.98),
        ("random", "bisection", 0.98),
        ("random", "closed", 0.98),
    ],
)
def test_seventy_iterations_come_close_to_wmmse(make, channel, wmmse_rate, start, tau, share):
    if start == "random":
        start = make.rayleigh(1, 4, 16, 4, seed=1)  # the same for every problem
    precoder = sca(channel, NOISE, 4, make.budget("per_user", 4, 4), iterations=70, start=start, tau=tau)
    assert share * wmmse_rate < make.rates(channel, precoder, NOISE).mean() < 1.005 * wmmse_rate


def test_weights_and_multiplier_rules_share_their_fixed_point(make, channel):
    power = make.budget("per_user", 4, 4)
    mean = [
        make.rates(channel[:30], sca(channel[:30], NOISE, 4, power, iterations=150, weights=weights, tau=tau), NOISE).mean()
        for weights, tau in (("mmse", "bisection"), ("mmse", "closed"), ("recursion", "closed"), ("recursion", "bisection"))
    ]
    assert max(mean) < 1.005 * min(mean)


@pytest.mark.parametrize(("constraint", "tau"), [("per_user", "bisection"), ("total", "closed")])
def test_exact_multipliers_never_lower_the_rate(make, constraint, tau):
    channel, power = make.kang(10), make.budget(constraint, 4, 4)
    precoder, before = start_precoder(channel, 4, power, "svd"), np.zeros(10)
    for _ in range(25):
        precoder = oracle.sca(channel, precoder, NOISE, power, 1, tau=tau)
        rate = make.rates(channel, precoder, NOISE)
        assert np.all(rate > before * (1 - 1e-9))
        before = rate


def test_printed_error_with_the_self_term_twice_loses_a_quarter(make, channel, monkeypatch):
    power = make.budget("per_user", 4, 4)
    start = start_precoder(channel, 4, power, "svd")
    right = make.rates(channel, oracle.sca(channel, start, NOISE, power, 60, "recursion"), NOISE).mean()
    corrected = oracle.stream_mse

    def literal_eq23(channel, precoder, combiner, noise_power):
        own = np.einsum("bkrl,bkrt,bktl->bkl", combiner.conj(), channel, precoder)
        return corrected(channel, precoder, combiner, noise_power) + np.abs(own) ** 2

    monkeypatch.setattr(oracle, "stream_mse", literal_eq23)
    literal = make.rates(channel, oracle.sca(channel, start, NOISE, power, 60, "recursion"), NOISE).mean()
    assert literal < 0.75 * right


@pytest.mark.parametrize("alpha", [1.5, 10.0])
def test_the_base_of_the_dual_variables_is_irrelevant(make, channel, alpha):
    channel, power = channel[:10], make.budget("per_user", 4, 4)
    start = start_precoder(channel, 4, power, "svd")
    precoder, t = start, np.zeros((10, 4, 4))
    for _ in range(15):  # Algorithm 2 with g(t) = alpha^t spelled out
        combiner = oracle.mmse_combiner(channel, precoder, NOISE)
        weights = alpha**t / np.log(alpha)
        backward = channel.conj().swapaxes(-1, -2) @ combiner
        weighted = backward * weights[:, :, None]
        curvature = (weighted @ backward.conj().swapaxes(-1, -2)).sum(axis=1, keepdims=True)
        tau = NOISE * (weights[:, :, None] * np.abs(combiner) ** 2).sum(axis=(1, 2, 3), keepdims=True) / power.total
        precoder = oracle.normalise(np.linalg.solve(curvature + tau * np.eye(16), weighted), power)
        t = t + (1.0 - oracle.stream_mse(channel, precoder, combiner, NOISE) * alpha**t) / np.log(alpha)
    expected = sca(channel, NOISE, 4, power, iterations=15, weights="recursion")
    np.testing.assert_allclose(make.rates(channel, precoder, NOISE), make.rates(channel, expected, NOISE), rtol=1e-3)


def test_single_user_approaches_capacity_and_never_exceeds_it(make):
    channel, power = make.rayleigh(20, 1, 4, 16), make.budget("total", 1, 4)
    gains = np.linalg.svd(channel[:, 0], compute_uv=False) ** 2 / NOISE
    capacity = np.log2(1.0 + gains * waterfilling(gains, power.total)).sum(axis=-1)
    for precoder in (sca(channel, NOISE, 4, power, iterations=200), wmmse(channel, NOISE, 4, power, iterations=200)):
        for kind in ("per_stream", "logdet"):
            rate = make.rates(channel, precoder, NOISE, kind)
            assert np.all(rate <= capacity * (1 + 1e-12))
            assert np.all(rate >= 0.998 * capacity)


@pytest.mark.parametrize("tau", ["closed", "bisection"])
def test_a_problem_does_not_depend_on_its_batch(make, tau):
    channel, power = make.kang(6).astype(np.complex64), make.budget("per_user", 4, 4)
    together = sca(channel, NOISE, 4, power, iterations=5, tau=tau)
    alone = np.concatenate([sca(channel[b : b + 1], NOISE, 4, power, iterations=5, tau=tau) for b in range(6)])
    np.testing.assert_array_equal(together, alone)


def test_only_the_ratio_of_channel_and_noise_matters(make):
    channel, power = make.kang(4), make.budget("per_user", 4, 4)
    weak = sca(1e-4 * channel, 1e-8 * NOISE, 4, power, iterations=10)
    np.testing.assert_allclose(weak, sca(channel, NOISE, 4, power, iterations=10), atol=1e-8)


def test_unreachable_user_leaves_the_others_alone(make):
    channel, power = make.rayleigh(3, 4, 4, 16), make.budget("per_user", 4, 4)
    channel[:, 2] = 0.0
    precoder = sca(channel, NOISE, 4, power, iterations=20)
    assert np.all(np.isfinite(precoder))
    others = np.delete(channel, 2, axis=1)
    alone = sca(others, NOISE, 4, make.budget("per_user", 3, 4), iterations=20)
    rate = make.rates(others, np.delete(precoder, 2, axis=1), NOISE)
    np.testing.assert_allclose(rate, make.rates(others, alone, NOISE), rtol=0.01)


def test_subcarriers_are_designed_one_by_one(make):
    channel, power = make.rayleigh(3, 2, 2, 8).reshape(1, 3, 2, 2, 8).swapaxes(1, 2), make.budget("total", 2, 2)
    designer = Sca(ScaConfig(iterations=4))
    together, combiner = designer.design(channel, NOISE, power, 2)
    assert combiner is None
    for s in range(3):
        np.testing.assert_array_equal(together[:, :, s : s + 1], designer.design(channel[:, :, s : s + 1], NOISE, power, 2)[0])


def test_a_design_that_reckons_with_more_noise_is_that_of_a_noisier_link(make):
    channel, power = make.rayleigh(4, 2, 2, 8)[:, :, None], make.budget("per_user", 2, 2)
    inflated, _ = Sca(ScaConfig(noise_factor=4.0)).design(channel, NOISE, power, 2)
    noisier, _ = Sca(ScaConfig()).design(channel, 4 * NOISE, power, 2)
    unmoved, _ = Sca(ScaConfig()).design(channel, NOISE, power, 2)
    assert np.array_equal(inflated, noisier)
    assert not np.allclose(inflated, unmoved, rtol=1e-2)
