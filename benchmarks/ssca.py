"""Time of one SSCA gradient per sample and drop: ``python benchmarks/ssca.py``."""

import time

import numpy as np

from csisim.beamforming.analog.random_phases import draw_phases
from csisim.beamforming.analog.ssca_gradient import gradient
from csisim.channel.base import stack
from csisim.channel.mmwave import MmwaveClusters, MmwaveClustersConfig
from csisim.phy.dims import Dims, PowerBudget
from csisim.phy.power import constant_modulus
from csisim.random import Streams


def microseconds(drops: int, samples: int, inner_iterations: int, statistics: str) -> float:
    """CPU time of a gradient at 64 x 32 antennas, 16 / 4 RF chains and four users, divided by samples x drops."""
    dims, streams = Dims(drops, 4, 32, 64, 4, 16, 4), Streams(1)
    channel = MmwaveClusters(MmwaveClustersConfig(statistics=statistics, normalisation="kang"), dims, streams, 1e-3)
    channel.begin_superframe(0)
    drawn = stack(list(channel.samples(samples, "benchmark")))
    f, w = (constant_modulus(phases[: drawn.gains.shape[1]], np.complex64) for phases in draw_phases(dims, streams, 0))
    times = []
    for _ in range(7):
        start = time.process_time()
        gradient(drawn, f, w, 0.1, PowerBudget("per_user", 16.0), 4, inner_iterations)
        times.append(time.process_time() - start)
    return 1e6 * min(times[1:]) / drawn.gains[..., 0, 0].size


if __name__ == "__main__":
    print("statistics       drops  samples   J   us per sample and drop")
    for statistics, drops, samples in (
        ("fixed_clusters", 1, 16),
        ("fixed_clusters", 1, 64),
        ("fixed_clusters", 16, 8),
        ("iid_angles", 16, 16),
        ("iid_angles", 16, 64),
    ):
        for inner in (3, 10):
            print(f"{statistics:15s} {drops:6d} {samples:8d} {inner:3d} {microseconds(drops, samples, inner, statistics):10.1f}")
