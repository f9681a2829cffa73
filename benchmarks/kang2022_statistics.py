"""What does training lose that knows no more than samples (Kang 2022, Sec. VIII-B)? ``python benchmarks/kang2022_statistics.py``.

Stage one (phases and digital layers, K = 4, 10 dB) from fresh draws of the true statistics (genie), from N samples that were acquired
with an error of -10 dB, and from rays that were fitted to these samples. Beside them SSCA, which needs no training, from the same N
samples, or from 400 channels of the truth or of the fit. Rates with SCA's 70 iterations (phases alone) and with the layers, on 2000
channels that nothing was chosen on, mean and range of three seeds of phases and steps; the samples are the same, and the iterate is
chosen on a validation set of the true statistics.
"""

import time

import numpy as np

from csisim.beamforming.analog.projection import project
from csisim.beamforming.analog.random_phases import draw_phases
from csisim.beamforming.base import Occasion
from csisim.channel.base import PathSamples
from csisim.random import Streams
from csisim.registry import build, configure
from csisim.training.base import Schedule
from csisim.training.loop import TRAINING, train
from csisim.training.tasks.hybrid import Hybrid, HybridConfig, digital_rates, sca_rate

#: root of the test channels
TEST = 2**61
LINK = {"system": {"num_users": 4}, "channel": {"kind": "mmwave_clusters", "statistics": "iid_angles", "normalisation": "kang"}}
SCHEDULE = Schedule(steps=150, learning_rate=0.005, rates={"phi_f": 0.1, "phi_w": 0.1}, validate_every=25)


def settings(samples: int | None, fitted: bool) -> HybridConfig:
    """The link and what training knows of its channel."""
    known = {} if samples is None else {"samples": samples, "fitted": fitted, "full_csi": {"kind": "noisy", "nmse_db": -10.0}}
    return HybridConfig.model_validate(LINK | known)


def learned(config: HybridConfig, seed: int) -> tuple[float, float]:
    """Mean test rates of trained phases with SCA and with the trained layers."""
    task = Hybrid(config, {}, seed)
    known = train(task, SCHEDULE.model_copy(update={"seed": seed})).parameters
    channel = project(known["phi_f"], known["phi_w"], *config.paths(2000, TEST, 0))
    return sca_rate(channel, channel, config.system), float(np.mean(digital_rates(known, channel, channel, config)))


def ssca(config: HybridConfig, count: int, seed: int) -> float:
    """Mean test rate with SCA behind phases that SSCA designs from ``count`` training channels."""
    dims, streams = config.system.dims(1), Streams(seed)
    designer = build("analog", configure("analog", "ssca"))
    samples = PathSamples(*(a[:, None] for a in config.paths(count, TRAINING, seed)))
    occasion = Occasion(config.system.noise_power, config.system.power, streams("analog.minibatch"), 70)
    phases = designer.update(samples, designer.init(dims, draw_phases(dims, streams, 0)), occasion)
    channel = project(phases.phi_f[0], phases.phi_w[0], *config.paths(2000, TEST, 0)).astype(np.complex64)
    return sca_rate(channel, channel, config.system)


def main() -> None:
    """One line for each kind of knowledge."""
    print("training knows         phases + SCA            phases + layers         SSCA + SCA              CPU-s")
    for samples, fitted in ((None, False), (50, False), (50, True), (200, False), (200, True)):
        config = settings(samples, fitted)
        began = time.process_time()
        count = 400 if samples is None or fitted else samples
        rates = np.array([(*learned(config, seed), ssca(config, count, seed)) for seed in (7, 8, 9)])
        name = "genie" if samples is None else f"{samples} samples, {'fitted' if fitted else 'direct'}"
        told = "   ".join(f"{column.mean():.2f} ({column.min():.2f} to {column.max():.2f})" for column in rates.T)
        print(f"{name:20s}   {told}   {time.process_time() - began:.1f}", flush=True)


if __name__ == "__main__":
    main()
