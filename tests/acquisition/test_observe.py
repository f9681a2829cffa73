"""The observation: who hears which pilots, and through which noise."""

import numpy as np
import pytest

from csisim.acquisition.observe import UnitNoise, combine_noise, observe
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.phy.beams import Beams
from csisim.phy.dims import Dims
from csisim.random import Streams, complex_normal

D, K, R, T = 8, 3, 2, 4
DIMS = Dims(D, K, num_rx=6, num_tx=8, num_rx_rf=R, num_rf=T, num_streams=2)


def random_beams(rng):
    phases = [rng.uniform(0, 2 * np.pi, shape) for shape in ((D, DIMS.num_tx, T), (D, K, DIMS.num_rx, R))]
    return Beams.of(*(np.exp(1j * p) / np.sqrt(p.shape[-2]) for p in phases))


def test_a_shorter_pilot_sees_a_prefix_whatever_is_asked_for_first():
    long_first, short_first = UnitNoise(Streams(3), DIMS), UnitNoise(Streams(3), DIMS)
    long = long_first.block(1, 5, 9)
    short = short_first.block(1, 5, 3)
    np.testing.assert_array_equal(short, long[:3])
    np.testing.assert_array_equal(short_first.block(1, 5, 9), long)
    np.testing.assert_array_equal(long_first.block(1, 5, 3), short)


def test_schemes_of_a_slot_share_the_noise_and_slots_do_not():
    noise = UnitNoise(Streams(3), DIMS)
    first = noise.block(0, 0, 4)
    assert noise.block(0, 0, 4).base is first.base
    for superframe, slot in [(0, 1), (1, 0)]:
        assert not np.any(noise.block(superframe, slot, 4) == first)
    np.testing.assert_array_equal(noise.block(0, 0, 4), first)


def test_noise_of_the_first_users_does_not_depend_on_how_many_follow():
    few = UnitNoise(Streams(3), Dims(D, 1, 6, 8, R, T, 2)).block(0, 0, 4)
    np.testing.assert_array_equal(few[:, :, 0], UnitNoise(Streams(3), DIMS).block(0, 0, 4)[:, :, 0])


def test_noise_has_unit_variance_and_the_precision_of_the_run():
    z = UnitNoise(Streams(3), DIMS).block(0, 0, 400)
    assert z.dtype == np.complex64
    assert np.mean(np.abs(z) ** 2) == pytest.approx(1, abs=4 / np.sqrt(z.size))
    double = Dims(D, K, 6, 8, R, T, 2, precision="double")
    assert UnitNoise(Streams(3), double).block(0, 0, 2).dtype == np.complex128


def sample_covariance(noise):
    """(D, K, R, R) over subcarriers and time."""
    z = np.moveaxis(noise, 2, 3).reshape(*noise.shape[:2], noise.shape[3], -1)
    return z @ z.conj().swapaxes(-1, -2) / z.shape[-1]


def test_physical_noise_is_white_in_orthonormal_and_coloured_in_paper_coordinates():
    beams = random_beams(np.random.default_rng(0))
    z = UnitNoise(Streams(3), DIMS).block(0, 0, 20_000)
    noise = combine_noise(z, beams.w_orthonormal)
    np.testing.assert_allclose(sample_covariance(noise), np.broadcast_to(np.eye(R), (D, K, R, R)), atol=0.06)
    paper = sample_covariance(beams.r_w[:, :, None] @ noise)
    np.testing.assert_allclose(paper, beams.w.conj().swapaxes(-1, -2) @ beams.w, atol=0.12)


def test_white_noise_is_white_in_paper_coordinates():
    beams = random_beams(np.random.default_rng(0))
    z = UnitNoise(Streams(3), DIMS).block(0, 0, 20_000)
    noise = combine_noise(z, beams.w_orthonormal, "white", beams.q_w)
    np.testing.assert_allclose(sample_covariance(beams.r_w[:, :, None] @ noise), np.broadcast_to(np.eye(R), (D, K, R, R)), atol=0.06)
    with pytest.raises(ValueError, match="q_w"):
        combine_noise(z, beams.w_orthonormal, "white")


def test_under_eq_4_every_users_pilots_pass_through_the_own_channel():
    rng = np.random.default_rng(1)
    channel = complex_normal(rng, (D, K, 1, R, T), np.complex128)
    x = pilot_matrix(PilotConfig(kind="gaussian", length=5, access="kang_eq4"), T, K, rng)
    silence = np.zeros((D, K, 1, R, 5))
    expected = np.einsum("dksrt,utl->dksrl", channel, x)
    np.testing.assert_allclose(observe(channel, x, silence, 0.1, "kang_eq4"), expected, atol=1e-12)
    own = np.einsum("dksrt,ktl->dksrl", channel, x)
    np.testing.assert_allclose(observe(channel, x, silence, 0.1), own, atol=1e-12)


def test_noise_arrives_with_its_power_in_the_dtype_of_the_channel():
    rng = np.random.default_rng(1)
    channel = np.zeros((D, K, 1, R, T), np.complex64)
    noise = complex_normal(rng, (D, K, 1, R, 500))
    received = observe(channel, pilot_matrix(PilotConfig(length=500), T, K, rng), noise, 0.25)
    assert received.dtype == np.complex64
    np.testing.assert_allclose(received, 0.5 * noise, rtol=1e-6)
