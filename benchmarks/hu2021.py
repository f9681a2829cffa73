"""IAIDNN against the targets of Hu 2021: ``python benchmarks/hu2021.py [step] [train] [equal] [robust]``.

One thread (set OMP_NUM_THREADS=1), CPU seconds, 20 dB, two antennas and streams per user, E |h|^2 = 2. Percentages are of WMMSE (zero
forcing start, 300 iterations) on 1000 channels that no training has seen.

step    one training step of batch 10 at (8, 4): expected at most 5 ms
train   three seeds of the tables' networks: improved (8, 4) >= 97.5 % in 30 s, plain (8, 2) >= 99.0 %, (16, 4) >= 98.6 %,
        plain (32, 8) >= 98.8 %, plain (8, 4) > 88.5 % (the paper prints 91.35 %)
equal   tied networks of few layers, the best of three seeds on the validation set, against WMMSE-7: rate and time side by side
robust  (16, 4) under CSI errors: tied networks trained with them, from zero forcing or from where WMMSE ends, against 300 iterations of
        WMMSE, all told that the error adds to the noise
"""

import sys
import time

import numpy as np

from csisim.beamforming.digital.alternating import alternate
from csisim.beamforming.digital.iaidnn import IaidnnConfig, iaidnn, scaled, weighted_rate, zf_start
from csisim.beamforming.digital.iaidnn_tied import tied
from csisim.beamforming.digital.wmmse import wmmse
from csisim.papers.hu2021_nets import Net, recipe
from csisim.papers.precoding import Size
from csisim.phy.dims import PowerBudget, System
from csisim.registry import configure
from csisim.training.base import Schedule, Trained
from csisim.training.loop import train
from csisim.training.tasks.iaidnn import IaidnnTask, IaidnnTaskConfig, wmmse_of

POWER, NOISE = PowerBudget("total", 1.0), 0.01


def task(num_tx: int, users: int, seed: int, batch: int, error_variance: float = 0.0, **network: object) -> IaidnnTask:
    """The training of a network at (num_tx, users)."""
    system = System(
        num_tx=num_tx, num_rf=num_tx, num_rx=2, num_rx_rf=2, num_users=users, num_streams=2, snr_db=20.0,
        snr_definition="total", power_constraint="total", rate="logdet",
    )  # fmt: skip
    channel = configure("channel", {"kind": "rayleigh", "normalisation": "hu"})
    digital = IaidnnConfig(**network)
    return IaidnnTask(
        IaidnnTaskConfig(system=system, channel=channel, digital=digital, batch=batch, error_variance=error_variance), {}, seed
    )


def learn(work: IaidnnTask, steps: int, rate: float, warm_up: int = 50) -> tuple[Trained, float]:
    """A trained network and its CPU seconds."""
    began = time.process_time()
    schedule = Schedule(steps=steps, learning_rate=rate, warm_up=warm_up, validate_every=max(20, steps // 20), seed=work.seed)
    return train(work, schedule), time.process_time() - began


def channels(num_tx: int, users: int, count: int = 1000, seed: int = 98765) -> np.ndarray:
    """Test channels (B, K, 2, N_t)."""
    draws = np.random.default_rng(seed).standard_normal((2, count, users, 2, num_tx))
    return draws[0] + 1j * draws[1]


def percent(h: np.ndarray, precoder: np.ndarray, reference: np.ndarray) -> float:
    """Mean rate in percent of the reference's."""
    return 100.0 * float(weighted_rate(h, precoder, NOISE).mean() / weighted_rate(h, reference, NOISE).mean())


def step() -> None:
    """Time of one training step."""
    work = task(8, 4, 0, 10, tied=False)
    stepper = work.stepper()
    batch, taken = work.batch(np.random.default_rng(0)), []
    for _ in range(300):
        began = time.process_time()
        stepper.step(batch, dict.fromkeys(stepper.values, 1e-6), 1.0, np.inf)
        taken.append(time.process_time() - began)
    print(f"one step at (8, 4), batch 10: median {1e3 * np.median(taken[1:]):.2f} ms, best {1e3 * min(taken):.2f} ms")


def training() -> None:
    """Three seeds of each network with a target, trained as for the paper's tables."""
    for row, num_tx, users in (("improved IAIDNN", 8, 4), ("IAIDNN", 8, 2), ("IAIDNN", 8, 4), ("IAIDNN", 16, 4), ("IAIDNN", 32, 8)):
        h = channels(num_tx, users, 1000 if num_tx < 32 else 200)
        reference = wmmse(h, NOISE, 2, POWER, iterations=300)
        for seed in range(3):
            plan = recipe(Net(row, Size(num_tx, users)), "quick", seed)
            work, began = plan.task(0, {}), time.process_time()
            result = train(work, plan.stages[0].schedule.model_copy(update={"seed": plan.seed}))
            seconds = time.process_time() - began
            share = percent(h, iaidnn(h, NOISE, 2, POWER, result.parameters, work.config.digital.structure), reference)
            print(
                f"{row:<15} ({num_tx}, {users}) seed {seed}: {share:6.2f} % in {seconds:5.1f} s, validation {result.score:.3f} bit/s/Hz",
                flush=True,
            )


def cpu_us(run: object, count: int, rounds: int = 8) -> float:
    """Best CPU time per channel in microseconds."""
    times = []
    for _ in range(rounds + 1):
        began = time.process_time()
        run()  # type: ignore[operator]
        times.append(time.process_time() - began)
    return 1e6 * min(times[1:]) / count


def equal() -> None:
    """Rate and time of tied networks and of WMMSE iterations, from the same zero forcing start, compiled kernels alike."""
    for num_tx, users in ((8, 4), (16, 8)):
        h = channels(num_tx, users, 1000 if num_tx == 8 else 300)
        reference = wmmse(h, NOISE, 2, POWER, iterations=300)
        start = zf_start(h, 2, POWER)
        print(f"({num_tx}, {users}): design after the start, CPU us per channel, and % of WMMSE-300")
        for iterations in (3, 4, 7, 12):

            def classical(h=h, start=start, iterations=iterations):
                return alternate(h, start, NOISE, POWER, joint=True, iterations=iterations)

            print(f"  WMMSE-{iterations:<12} {cpu_us(classical, len(h)):8.1f} us  {percent(h, classical(), reference):6.2f} %", flush=True)
        for layers in (3, 4, 5):
            seeds = [task(num_tx, users, seed, 50 if num_tx == 8 else 20, layers=layers) for seed in range(3)]
            results = [learn(work, 300, 0.01) for work in seeds]
            best = max((result for result, _ in results), key=lambda result: result.score)
            spread = ", ".join(f"{result.score:.2f}" for result, _ in results)
            scale, ratio = scaled(h, NOISE)

            def learned(h=scale, start=start, ratio=ratio, theta=best.parameters, users=users):
                return tied(theta, h, start, ratio, np.ones(users))

            us = cpu_us(learned, len(h))
            print(
                f"  tied, {layers} layers      {us:8.1f} us  {percent(h, learned(), reference):6.2f} %  (validation of the seeds "
                f"{spread} bit/s/Hz, {sum(seconds for _, seconds in results):.0f} s)",
                flush=True,
            )


class AfterWmmse(IaidnnTask):
    """Training of a network whose first precoders are those of 60 iterations of WMMSE instead of zero forcing."""

    def _with_start(self, seen: np.ndarray, true: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, ...]:
        return seen, true, ratio, wmmse_of(seen, ratio, 2, iterations=60)


def robust() -> None:
    """Networks trained with the error that they are tested with."""
    for variance in (0.01, 0.05, 0.2):
        h = channels(16, 4)
        draws = np.random.default_rng(4242).standard_normal((2, *h.shape))
        seen = h + np.sqrt(variance / 2.0) * (draws[0] + 1j * draws[1])
        plain = weighted_rate(h, wmmse(seen, NOISE, 2, POWER, iterations=300), NOISE)
        aware = weighted_rate(h, wmmse(seen, NOISE + variance, 2, POWER, iterations=300), NOISE)
        print(f"error {variance:<5}: WMMSE {plain.mean():.3f}, told of the error {aware.mean():.3f} nat/s/Hz", flush=True)
        after = AfterWmmse(task(16, 4, 0, 60, variance, layers=6).config, {}, 0)
        for name, work, steps, rate in (
            ("6 layers after 60 iterations of WMMSE", after, 240, 0.01),
            ("15 layers after zero forcing", task(16, 4, 0, 40, variance, layers=15), 400, 0.004),
        ):
            result, seconds = learn(work, steps, rate)
            told, ratio = scaled(seen, NOISE + variance)
            first = wmmse(seen, NOISE + variance, 2, POWER, iterations=60) if work is after else zf_start(told, 2, POWER)
            net = weighted_rate(h, tied(result.parameters, told, first, ratio, np.ones(4)), NOISE)
            gain = net - aware
            half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
            print(f"  {name:<38} {gain.mean():+.4f} +- {half:.4f} nat/s/Hz ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or ("step", "train", "equal", "robust"):
        {"step": step, "train": training, "equal": equal, "robust": robust}[name]()
