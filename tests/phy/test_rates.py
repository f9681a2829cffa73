"""Combiners, SINR and rates."""

import numpy as np
import pytest

from csisim.beamforming.digital import oracle
from csisim.phy.rates import mmse_combiner, rate_per_user, stream_sinr

NOISE = 0.3


def draw(*shape, seed=0):
    draws = np.random.default_rng(seed).standard_normal((2, *shape))
    return draws[0] + 1j * draws[1]


@pytest.fixture
def link():
    """Channel (D, K, S, R, T) and precoder (D, K, S, T, n)."""
    return draw(3, 4, 2, 3, 8), draw(3, 4, 2, 8, 2, seed=1)


def by_subcarrier(a):
    return a.swapaxes(1, 2)


def test_sinr_is_signal_over_interference_and_noise(link):
    channel, precoder = link
    combiner = draw(3, 4, 2, 3, 2, seed=2)
    sinr = stream_sinr(channel, precoder, combiner, NOISE)
    d, k, s, n = 1, 2, 0, 1
    w = combiner[d, k, s, :, n]
    power = [[abs(w.conj() @ channel[d, k, s] @ precoder[d, m, s, :, p]) ** 2 for p in range(2)] for m in range(4)]
    expected = power[k][n] / (np.sum(power) - power[k][n] + NOISE * np.linalg.norm(w) ** 2)
    np.testing.assert_allclose(sinr[d, k, s, n], expected)


def test_running_path_equals_oracle(link):
    channel, precoder = link
    combiner = mmse_combiner(channel, precoder, NOISE)
    h, f, w = (by_subcarrier(a) for a in (channel, precoder, combiner))
    np.testing.assert_allclose(w, oracle.mmse_combiner(h, f, NOISE), rtol=1e-10)
    np.testing.assert_allclose(by_subcarrier(stream_sinr(channel, precoder, combiner, NOISE)), oracle.stream_sinr(h, f, w, NOISE))
    rate = rate_per_user(channel, precoder, combiner, NOISE).sum(axis=1)
    np.testing.assert_allclose(rate, oracle.sum_rate(h, f, w, NOISE).mean(axis=1))
    single = rate_per_user(*(a.astype(np.complex64) for a in (channel, precoder, combiner)), NOISE).sum(axis=1)
    np.testing.assert_allclose(single, rate, rtol=1e-4)


def test_mmse_combiner_is_the_best_combiner(link):
    channel, precoder = link
    combiner = mmse_combiner(channel, precoder, NOISE)
    sinr = stream_sinr(channel, precoder, combiner, NOISE)
    for seed in range(5):
        other = combiner + 0.05 * draw(*combiner.shape, seed=seed)
        assert np.all(stream_sinr(channel, precoder, other, NOISE) < sinr)
    h, f, w = (by_subcarrier(a) for a in (channel, precoder, combiner))
    np.testing.assert_allclose(oracle.stream_mse(h, f, w, NOISE), 1.0 / (1.0 + by_subcarrier(sinr)))


def test_joint_decoding_is_mutual_information(link):
    channel, precoder = link
    rate = rate_per_user(channel, precoder, mmse_combiner(channel, precoder, NOISE), NOISE, "logdet")
    for k in range(4):
        own = channel[:, k] @ precoder[:, k]
        noise = NOISE * np.eye(3) + sum(
            (channel[:, k] @ precoder[:, m]) @ (channel[:, k] @ precoder[:, m]).conj().swapaxes(-1, -2) for m in range(4) if m != k
        )
        information = np.linalg.slogdet(noise + own @ own.conj().swapaxes(-1, -2))[1] - np.linalg.slogdet(noise)[1]
        np.testing.assert_allclose(rate[:, k], information.mean(axis=1) / np.log(2.0))


def test_joint_decoding_is_never_worse_and_equal_for_uncorrelated_errors(link):
    channel, precoder = link
    for combiner in (mmse_combiner(channel, precoder, NOISE), draw(3, 4, 2, 3, 2, seed=2)):
        joint, single = (rate_per_user(channel, precoder, combiner, NOISE, kind) for kind in ("logdet", "per_stream"))
        assert np.all(joint > single)
    # rotating the streams of each user into the eigenvectors of its error matrix makes the errors uncorrelated
    combiner = mmse_combiner(channel, precoder, NOISE)
    rotation = np.linalg.eigh(combiner.conj().swapaxes(-1, -2) @ channel @ precoder)[1]
    precoder, combiner = precoder @ rotation, combiner @ rotation
    joint, single = (rate_per_user(channel, precoder, combiner, NOISE, kind) for kind in ("logdet", "per_stream"))
    np.testing.assert_allclose(joint, single)


@pytest.mark.parametrize("kind", ["per_stream", "logdet"])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_streams_switched_off_carry_nothing(link, kind, dtype):
    channel, precoder = (a.astype(dtype) for a in link)
    one = precoder[..., :1]
    silent = np.concatenate([one, 0.0 * one], axis=-1)
    faint = np.concatenate([one, 1e-25 * precoder[..., 1:]], axis=-1)
    twin = np.concatenate([one, one], axis=-1) / np.sqrt(2).astype(dtype)  # the same beam twice: collinear combiners
    expected = rate_per_user(channel, one, mmse_combiner(channel, one, NOISE), NOISE, kind)
    for dropped in (silent, faint):
        combiner = mmse_combiner(channel, dropped, NOISE)
        assert combiner.dtype == dtype
        np.testing.assert_allclose(rate_per_user(channel, dropped, combiner, NOISE, kind), expected, rtol=1e-5)
    joint = rate_per_user(channel, twin, mmse_combiner(channel, twin, NOISE), NOISE, kind)
    assert np.all(joint <= expected * (1 + 1e-5))
    if kind == "logdet":
        np.testing.assert_allclose(joint, expected, rtol=1e-5)
    nothing = rate_per_user(channel, 0.0 * precoder, 0.0 * combiner, NOISE, kind)
    np.testing.assert_array_equal(nothing, 0.0)


def test_rate_does_not_see_the_scale_of_a_combiner(link):
    channel, precoder = link
    combiner = mmse_combiner(channel, precoder, NOISE)
    for kind in ("per_stream", "logdet"):
        rate = rate_per_user(channel, precoder, combiner, NOISE, kind)
        np.testing.assert_allclose(rate_per_user(channel, precoder, 1e-9 * combiner, NOISE, kind), rate)
