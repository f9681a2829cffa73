"""Are layers trained with erroneous CSI better at it (K = 4, 10 dB)? ``python benchmarks/kang2022_robust.py``.

One set of phases, trained with perfect CSI. Behind them, with CSI of a given NMSE: layers trained with perfect CSI, layers trained with
that error (the same number of further steps), 70 SCA iterations, and these with the noise power times the factor that was best on the
validation set. 2000 test channels that nothing was chosen on; three seeds of the layers' training, one of the phases.
"""

import numpy as np
import torch  # noqa: F401  (imported before anything is timed)

from csisim.beamforming.digital.oracle import mmse_combiner, sum_rate
from csisim.beamforming.digital.sca import sca
from csisim.training.base import Schedule
from csisim.training.loop import train
from csisim.training.tasks.digital import Digital, DigitalConfig
from csisim.training.tasks.hybrid import Hybrid, HybridConfig, digital_rates

#: root of the test channels
TEST = 2**61
LINK = {"system": {"num_users": 4}, "channel": {"kind": "mmwave_clusters", "statistics": "iid_angles", "normalisation": "kang"}}
FACTORS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)


def sca_rate(seen: np.ndarray, true: np.ndarray, config: DigitalConfig, factor: float) -> float:
    """Mean rate of SCA and MMSE combiners that expect ``factor`` times the noise."""
    s = config.system
    noise = s.noise_power * factor
    precoder = sca(seen, noise, s.num_streams, s.power, iterations=70)
    return float(np.mean(sum_rate(true, precoder, mmse_combiner(seen, precoder, noise), s.noise_power)))


def compare(stage_one: dict[str, np.ndarray], csi_error_db: float) -> None:
    """One line for an error."""
    config = DigitalConfig.model_validate(LINK | {"csi_error_db": csi_error_db, "batch": 48})
    perfect = config.model_copy(update={"csi_error_db": None})
    judge = Digital(config, stage_one, 7)
    true, noise = judge.source.channels(2000, TEST, 0), config.errors(2000, TEST, 0)
    rates: list[list[float]] = []
    for seed in (7, 8, 9):
        schedule = Schedule(steps=200, learning_rate=0.003, rates=dict.fromkeys(("digital/log_noise", "digital/log_v"), 0.03), seed=seed)
        rates.append([])
        for kind in (perfect, config):
            learned = train(Digital(kind, stage_one, seed), schedule).parameters
            rates[-1].append(float(np.mean(digital_rates(learned, config.seen(true, *noise), true, config))))
    validated = [sca_rate(config.seen(*judge.validation), judge.validation[0], config, factor) for factor in FACTORS]
    factor = FACTORS[int(np.argmax(validated))]
    plain, inflated = (sca_rate(config.seen(true, *noise), true, config, f) for f in (1.0, factor))
    told = "   ".join(f"{column.mean():.2f} ({column.min():.2f} to {column.max():.2f})" for column in np.array(rates).T)
    print(f"{csi_error_db:5.0f} dB   {told}   {plain:.2f}   {inflated:.2f} (x {factor:g})", flush=True)


def main() -> None:
    """A table in bit/s/Hz."""
    schedule = Schedule(steps=150, learning_rate=0.005, rates={"phi_f": 0.1, "phi_w": 0.1})
    stage_one = train(Hybrid(HybridConfig.model_validate(LINK), {}, 7), schedule).parameters
    print("error      trained with perfect CSI   trained with the error   SCA   SCA, inflated noise")
    for csi_error_db in (-10.0, -5.0):
        compare(stage_one, csi_error_db)


if __name__ == "__main__":
    main()
