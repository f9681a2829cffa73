"""Channels in orthonormal beam coordinates and the rate of a design on them."""

import numpy as np
import pytest

from csisim.phy.beams import Beams
from csisim.phy.dims import PowerBudget
from csisim.phy.power import constant_modulus
from csisim.phy.rates import mmse_combiner, rate_per_user


def rayleigh(batch, users, num_rx, num_tx, seed=0, power=1.0):
    """(B, K, R, T) complex128, entries of the given mean power."""
    draws = np.random.default_rng(seed).standard_normal((2, batch, users, num_rx, num_tx))
    return np.sqrt(power / 2) * (draws[0] + 1j * draws[1])


def kang(batch, users=4, num_streams=4, num_tx=64, num_rx=32, num_rf=16, paths=8, seed=5):
    """Kang's mmWave channels (gain variance 0.1, angles in +-60 degrees) behind random phases, (B, K, n, T) complex128."""
    rng = np.random.default_rng(seed)

    def responses(antennas):
        angles = rng.uniform(-np.pi / 3, np.pi / 3, (batch, users, 1, paths))
        return np.exp(1j * np.pi * np.arange(antennas)[:, None] * np.sin(angles)) / np.sqrt(antennas)

    def phases(*shape):
        return constant_modulus(rng.uniform(0.0, 2 * np.pi, shape))

    a_t, a_r = responses(num_tx), responses(num_rx)
    gains = rng.standard_normal((2, batch, users, 1, paths)) * np.sqrt(0.05 * num_tx * num_rx / paths)
    channel = (a_r * (gains[0] + 1j * gains[1])) @ a_t.conj().swapaxes(-1, -2)
    beams = Beams.of(phases(batch, num_tx, num_rf), phases(batch, users, num_rx, num_streams))
    return beams.w_orthonormal.conj().swapaxes(-1, -2) @ channel @ beams.f_orthonormal[:, None]


def rates(channel, precoder, noise_power, kind="per_stream"):
    """Sum rate (B,) in bit/s/Hz with MMSE combiners; channel (B, K, R, T), precoder (B, K, T, n)."""
    channel, precoder = channel[:, :, None], precoder[:, :, None]
    return rate_per_user(channel, precoder, mmse_combiner(channel, precoder, noise_power), noise_power, kind).sum(axis=1)


@pytest.fixture(scope="session")
def make():
    """``make.rayleigh``, ``make.kang``, ``make.rates`` and the budgets that the papers use."""

    class Make:
        rayleigh = staticmethod(rayleigh)
        kang = staticmethod(kang)
        rates = staticmethod(rates)

        @staticmethod
        def budget(constraint, users, num_streams):
            return PowerBudget(constraint, float(users * num_streams))

    return Make
