"""Delay-angle and frequency-antenna domains."""

import numpy as np
import pytest

from csisim.phy.transforms import delay_angle_to_frequency, frequency_to_delay_angle
from csisim.random import complex_normal


@pytest.fixture
def channel():
    return complex_normal(np.random.default_rng(1), (3, 64, 8), np.complex128)


@pytest.mark.parametrize("centred", [False, True])
def test_round_trip_and_unitarity(channel, centred):
    delay_angle = frequency_to_delay_angle(channel, centred=centred)
    np.testing.assert_allclose(delay_angle_to_frequency(delay_angle, 64, centred=centred), channel, atol=1e-13)
    np.testing.assert_allclose(np.linalg.norm(delay_angle), np.linalg.norm(channel))


def test_a_plane_wave_on_the_grid_is_one_tap():
    frequency, antenna = np.arange(64)[:, None], np.arange(8)
    wave = np.exp(-2j * np.pi * frequency * 5 / 64) * np.exp(2j * np.pi * antenna * 3 / 8)
    for centred, angle in ((False, 3), (True, 7)):
        taps = np.abs(frequency_to_delay_angle(wave, 16, centred=centred))
        assert taps.shape == (16, 8)
        assert np.unravel_index(taps.argmax(), taps.shape) == (5, angle)
        np.testing.assert_allclose(np.linalg.norm(taps), taps.max())


def test_chosen_frequencies_are_those_of_the_full_band(channel):
    delay_angle = frequency_to_delay_angle(channel, 16)
    chosen = np.array([0, 7, 63])
    band = delay_angle_to_frequency(delay_angle, 64)
    np.testing.assert_allclose(delay_angle_to_frequency(delay_angle, 64, chosen), band[:, chosen], atol=1e-13)


def test_a_truncated_channel_keeps_the_energy_of_its_taps(channel):
    delay_angle = frequency_to_delay_angle(channel, 16)
    np.testing.assert_allclose(np.linalg.norm(delay_angle_to_frequency(delay_angle, 64)), np.linalg.norm(delay_angle))


def test_dtype_follows_the_input(channel):
    single = channel.astype(np.complex64)
    delay_angle = frequency_to_delay_angle(single, 16)
    assert delay_angle.dtype == np.complex64
    assert delay_angle_to_frequency(delay_angle, 64).dtype == np.complex64
    assert delay_angle_to_frequency(delay_angle, 64, np.arange(4)).dtype == np.complex64


def test_delays_must_fit_the_band(channel):
    with pytest.raises(ValueError, match="64 delays do not fit 32"):
        delay_angle_to_frequency(channel, 32)
