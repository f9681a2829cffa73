"""Small links for the analog designers, and the sum rate behind their beams."""

from dataclasses import dataclass

import numpy as np
import pytest

from csisim.beamforming.analog.dft import dft_phases
from csisim.beamforming.analog.random_phases import draw_phases
from csisim.beamforming.base import Occasion, Phases
from csisim.beamforming.digital.sca import sca
from csisim.channel.base import ChannelState, FactoredState, Geometry, Paths, PathSamples, stack
from csisim.channel.mmwave import MmwaveClusters, MmwaveClustersConfig
from csisim.phy.beams import Beams
from csisim.phy.dims import Dims, PowerBudget
from csisim.phy.power import constant_modulus
from csisim.phy.rates import mmse_combiner, rate_per_user
from csisim.random import Streams

NOISE = 0.1  # 10 dB


@dataclass
class Link:
    """A channel with Kang's normalisation and the budget of his per-user power constraint."""

    dims: Dims
    channel: MmwaveClusters
    phases: Phases
    power: PowerBudget

    def slots(self, count: int) -> list[ChannelState]:
        return [self.channel.step(i) for i in range(count)]

    def samples(self, count: int) -> PathSamples:
        return stack(list(self.channel.samples(count, "test")))

    def occasion(self, seed: int = 0, steps: int | None = None) -> Occasion:
        return Occasion(NOISE, self.power, np.random.default_rng(seed), steps)

    def design(self, designer, samples: PathSamples | None, seed: int = 0, steps: int | None = None):
        """Beams of a designer after one update."""
        state = designer.init(self.dims, self.phases)
        if samples is not None:
            state = designer.update(samples, state, self.occasion(seed, steps))
        return designer.beams(state)

    def rate(self, states: list[ChannelState], f: np.ndarray, w: np.ndarray, iterations: int = 20) -> np.ndarray:
        """Sum rate of every drop, averaged over the slots, with perfect CSI and SCA."""
        beams = Beams.of(f, w)
        rates = []
        for state in states:
            g = state.project(beams.w_orthonormal, beams.f_orthonormal)
            precoder = sca(np.ascontiguousarray(g[:, :, 0]), NOISE, self.dims.num_streams, self.power, iterations=iterations)[:, :, None]
            rates.append(rate_per_user(g, precoder, mmse_combiner(g, precoder, NOISE), NOISE).sum(1))
        return np.mean(rates, axis=0)


@pytest.fixture(scope="session")
def make_link():
    def make(dims: Dims, statistics: str = "fixed_clusters", constraint: str = "per_user", seed: int = 1) -> Link:
        streams = Streams(seed)
        channel = MmwaveClusters(MmwaveClustersConfig(statistics=statistics, normalisation="kang"), dims, streams, 1e-3)
        channel.begin_superframe(0)
        power = PowerBudget(constraint, float(dims.num_users * dims.num_streams))
        return Link(dims, channel, draw_phases(dims, streams, 0), power)

    return make


@pytest.fixture(scope="session")
def paper_size():
    """Kang's 64 x 32 antennas, 16 / 4 RF chains, four users with four streams."""
    return lambda drops: Dims(drops, 4, 32, 64, 4, 16, 4)


@pytest.fixture(scope="session")
def small_size():
    """32 x 16 antennas, 8 / 2 RF chains, two users with two streams."""
    return lambda drops, precision="single": Dims(drops, 2, 16, 32, 2, 8, 2, 1, precision)


@pytest.fixture(scope="session")
def on_grid():
    """A state of one drop whose paths lie on orthogonal DFT beams: columns and gains have one row per user."""

    def make(columns_t, columns_r, gains, num_tx=32, num_rx=16) -> FactoredState:
        beams = [constant_modulus(dft_phases(n)) for n in (num_tx, num_rx)]
        tx, rx = (np.moveaxis(b[:, c], 0, 1)[None] for b, c in zip(beams, (columns_t, columns_r), strict=True))
        return FactoredState(Paths(Geometry(rx, tx), np.asarray(gains, complex)[None, :, None]))

    return make
