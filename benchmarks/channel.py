"""How fast are channels made? ``python benchmarks/channel.py`` measures everything in one run, on one thread, in CPU seconds.

The subject is what a run does in every slot that somebody wants dense: ``MmwaveClusters.step().matrix()`` with fresh angles in every
slot, draws included. Beside it, in turns, so that a busy machine slows them alike: the same channels in vectorised NumPy, and the
machine's own single-precision matrix product. Best of several rounds.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from csisim.channel.mmwave import MmwaveClusters, MmwaveClustersConfig
from csisim.channel.rayleigh import Rayleigh, RayleighConfig
from csisim.phy.dims import Dims
from csisim.phy.linalg import adjoint
from csisim.random import Streams, complex_normal

DIMS = Dims(drops=16, num_users=4, num_rx=32, num_tx=64, num_rx_rf=4, num_rf=16, num_streams=4)
BATCH = DIMS.drops * DIMS.num_users
SGEMM_SIZE = 768


def csisim_dense(num_clusters: int, num_rays: int) -> Callable[[], object]:
    """One slot of 64 dense channels as a run makes them."""
    config = MmwaveClustersConfig(statistics="iid_angles", num_clusters=num_clusters, num_rays=num_rays)
    channel = MmwaveClusters(config, DIMS, Streams(1), 1e-3)
    channel.begin_superframe(0)
    return lambda: channel.step(0).matrix()


def exponentials(phases: np.ndarray) -> np.ndarray:
    """exp(-j phase) by the complex exponential."""
    return np.exp(-1j * phases)


def cosines(phases: np.ndarray) -> np.ndarray:
    """exp(-j phase) by cosine and sine, which NumPy vectorises in single precision."""
    z = np.empty(phases.shape, np.result_type(phases, np.complex64))
    np.cos(phases, out=z.real)
    np.sin(-phases, out=z.imag)
    return z


def numpy_dense(num_paths: int, dtype: type, phasors: Callable[[np.ndarray], np.ndarray]) -> Callable[[], object]:
    """The same by broadcasting: a phasor per antenna and path, then a batched matrix product."""
    rng = np.random.default_rng(1)
    largest = np.pi / 3
    real = np.empty(0, dtype).real.dtype

    def responses(num_elements: int) -> np.ndarray:
        steps = np.pi * np.sin(rng.uniform(-largest, largest, (BATCH, 1, num_paths)))
        phases = (steps * np.arange(num_elements)[:, None]).astype(real)
        return phasors(phases) * real.type(num_elements**-0.5)

    def draw() -> np.ndarray:
        gains = complex_normal(rng, (BATCH, 1, num_paths), dtype) * real.type((DIMS.num_rx * DIMS.num_tx / num_paths) ** 0.5)
        h = (responses(DIMS.num_rx) * gains) @ adjoint(responses(DIMS.num_tx))
        assert h.dtype == dtype
        return h

    return draw


def stepping(fading: dict) -> Callable[[], object]:
    """One slot of fixed clusters, kept as paths."""
    channel = MmwaveClusters(MmwaveClustersConfig.model_validate({"fading": fading}), DIMS, Streams(1), 1e-3)
    channel.begin_superframe(0)
    return lambda: channel.step(0)


def rayleigh() -> Callable[[], object]:
    """One slot of 64 i.i.d. Rayleigh channels."""
    channel = Rayleigh(RayleighConfig(), DIMS, Streams(1), 1e-3)
    channel.begin_superframe(0)
    return lambda: channel.step(0).matrix()


def sgemm() -> Callable[[], object]:
    """A matrix product large enough to reach the machine's rate."""
    a = np.random.default_rng(1).standard_normal((SGEMM_SIZE, SGEMM_SIZE), dtype=np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)


def measure(subjects: dict[str, Callable[[], object]], rounds: int, round_s: float) -> dict[str, float]:
    """Best CPU seconds per call of each subject; the subjects take turns."""
    repeats = {}
    for name, call in subjects.items():
        call()  # compiles
        start = time.process_time()
        for _ in range(64):  # several blocks of draws
            call()
        repeats[name] = max(1, int(64 * round_s / max(time.process_time() - start, 1e-6)))
    best = dict.fromkeys(subjects, np.inf)
    for _ in range(rounds):
        for name, call in subjects.items():
            start = time.process_time()
            for _ in range(repeats[name]):
                call()
            best[name] = min(best[name], (time.process_time() - start) / repeats[name])
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--round-s", type=float, default=0.05, help="CPU seconds per subject and round")
    arguments = parser.parse_args()
    clusters = {8: (4, 2), 24: (12, 2), 100: (20, 5)}
    subjects = {"sgemm": sgemm()}
    for num_paths, shape in clusters.items():
        subjects[f"csisim {num_paths}"] = csisim_dense(*shape)
        subjects[f"exp c64 {num_paths}"] = numpy_dense(num_paths, np.complex64, exponentials)
        subjects[f"exp c128 {num_paths}"] = numpy_dense(num_paths, np.complex128, exponentials)
        subjects[f"cos c64 {num_paths}"] = numpy_dense(num_paths, np.complex64, cosines)
    subjects["rayleigh"] = rayleigh()
    for fading in ({"kind": "static"}, {"kind": "ar1", "correlation": 0.9}, {"kind": "jakes", "doppler_hz": 100.0}):
        subjects[f"step {fading['kind']}"] = stepping(fading)
    with threadpool_limits(1):
        seconds = measure(subjects, arguments.rounds, arguments.round_s)

    flops = 2 * SGEMM_SIZE**3 / seconds["sgemm"]
    print(f"sgemm {flops / 1e9:.1f} GFLOP/s, one thread; {DIMS.num_tx} x {DIMS.num_rx} antennas, batches of {BATCH}, draws included\n")
    print("dense channels with fresh angles, realisations per CPU second; share of 8 P r t flops at the sgemm rate")
    print("paths     csisim  share   NumPy exp c64  exp c128  cos/sin c64   csisim / exp  csisim / (cos, sin)")
    for num_paths in clusters:
        ours, c64, c128, cos = (BATCH / seconds[f"{name} {num_paths}"] for name in ("csisim", "exp c64", "exp c128", "cos c64"))
        share = 8 * num_paths * DIMS.num_rx * DIMS.num_tx * ours / flops
        ratios = f"{ours / max(c64, c128):12.1f} x {ours / cos:18.1f} x"
        print(f"{num_paths:5d} {ours:10.0f} {100 * share:4.0f} % {c64:15.0f} {c128:9.0f} {cos:12.0f} {ratios}")
    print(f"\ni.i.d. Rayleigh: {BATCH / seconds['rayleigh']:.0f} realisations per CPU second")
    print("fixed clusters, 8 paths: " + ", ".join(f"{name[5:]} {1e6 * s:.0f} us" for name, s in seconds.items() if "step" in name))
    print(f"per slot of {BATCH} factored channels (no matrix is formed)")


if __name__ == "__main__":
    main()
