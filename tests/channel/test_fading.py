"""Fading processes: unit variance and the autocorrelation they promise."""

from itertools import islice

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy.special import j0

from csisim.channel.fading import Ar1, Fading, Iid, Jakes, Static, blocks, innovations

SHAPE = (50, 20)  # drops, paths: 2000 independent processes with two users
PROCESSES = 2 * SHAPE[0] * SHAPE[1]
MARGIN = 4 / np.sqrt(PROCESSES)  # four standard errors of a correlation

ALL = [Iid(), Static(), Ar1(correlation=0.9), Jakes(doppler_hz=100.0)]


def run(fading, slots, *, users=2, spacing=1, slot_s=1e-3, shape=SHAPE, dtype=np.complex128):
    rngs = [np.random.default_rng([3, user]) for user in range(users)]
    return np.stack(list(islice(fading.run(rngs, shape, np.dtype(dtype), slot_s, spacing), slots)))


def autocorrelation(gains):
    return (gains * gains[0].conj()).mean(axis=(1, 2, 3))


@pytest.mark.parametrize("fading", ALL, ids=lambda f: f.kind)
def test_gains_are_complex_normal(fading):
    last = run(fading, 8)[-1]
    assert last.shape == (50, 2, 20)
    power = np.abs(last) ** 2
    assert abs(power.mean() - 1) < MARGIN
    assert abs((power**2).mean() - 2) < 5 * MARGIN  # kurtosis of a complex normal; standard deviation of |g|^4 is sqrt(20)
    assert abs((last**2).mean()) < 2 * MARGIN  # circular
    assert abs(last.mean()) < MARGIN


def test_iid_and_static():
    assert np.abs(autocorrelation(run(Iid(), 8))[1:]).max() < MARGIN
    static = run(Static(), 8)
    assert (static == static[0]).all()


def test_ar1_autocorrelation_is_geometric():
    lags = np.arange(12)
    assert np.abs(autocorrelation(run(Ar1(correlation=0.9), 12)) - 0.9**lags).max() < 1.5 * MARGIN
    assert np.abs(autocorrelation(run(Ar1(correlation=0.9), 12, spacing=3)) - 0.9 ** (3 * lags)).max() < 1.5 * MARGIN


def test_jakes_autocorrelation_is_bessel():
    """R(tau) = J0(2 pi f_D tau), out to its third zero."""
    correlation = autocorrelation(run(Jakes(doppler_hz=100.0), 14))
    assert np.abs(correlation - j0(2 * np.pi * 0.1 * np.arange(14))).max() < 1.5 * MARGIN


def test_jakes_is_a_function_of_time():
    """Coarser slots, or skipped slots, sample the same realisation."""
    fine = run(Jakes(doppler_hz=30.0), 13)
    np.testing.assert_allclose(run(Jakes(doppler_hz=30.0), 5, spacing=3), fine[::3], atol=1e-12)
    np.testing.assert_allclose(run(Jakes(doppler_hz=30.0), 5, slot_s=3e-3), fine[::3], atol=1e-12)


def test_jakes_does_not_drift_in_single_precision(monkeypatch):
    """One sinusoid keeps its modulus; rotated in complex64 it would be off by 7e-5 after 10^4 slots."""
    monkeypatch.setattr("csisim.channel.fading.NUM_SINUSOIDS", 1)
    modulus = np.abs(run(Jakes(doppler_hz=100.0), 10_000, shape=(2, 3), dtype=np.complex64))
    assert modulus.dtype == np.float32
    np.testing.assert_allclose(modulus[-1], modulus[0], rtol=1e-6)


def test_doppler_from_speed():
    assert Jakes(speed_mps=10.0, carrier_hz=28e9).max_doppler_hz == pytest.approx(934.0, abs=0.1)


@pytest.mark.parametrize("fading", ALL, ids=lambda f: f.kind)
def test_users_are_a_prefix(fading):
    assert (run(fading, 4, users=4)[:, :, :2] == run(fading, 4, users=2)).all()


def test_numbers_do_not_depend_on_how_far_ahead_they_are_drawn():
    def draws(ahead):
        slots = blocks([np.random.default_rng(1)], (3, 5), lambda rng, size: rng.standard_normal(size), ahead)
        return np.concatenate(list(islice(slots, 12 // ahead)))

    assert (draws(1) == draws(4)).all()


def test_memory_stays_flat_for_large_slots():
    large = next(innovations([np.random.default_rng(1)], (16, 1, 64, 256), np.dtype(np.complex64)))
    assert large.base is not None
    assert large.base.size == large.size


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "jakes"},
        {"kind": "jakes", "speed_mps": 3.0},
        {"kind": "jakes", "doppler_hz": 10.0, "speed_mps": 3.0, "carrier_hz": 1e9},
        {"kind": "ar1"},
        {"kind": "ar1", "correlation": 1.1},
        {"kind": "static", "correlation": 0.5},
        "rician",
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        TypeAdapter(Fading).validate_python(wrong)


def test_a_bare_kind_will_do():
    assert TypeAdapter(Fading).validate_python("static") == Static()
