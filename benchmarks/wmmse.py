"""Reduced WMMSE against a plain per-user loop, at equal accuracy: ``python benchmarks/wmmse.py``.

One thread, CPU time per channel and iteration, complex128, zero-forcing start, 20 dB, Hu's channels (E|h|^2 = 2, two receive
antennas and streams per user). The three take turns, round after round, and a speed-up is the median over the rounds of the
ratio within a round (its quartiles in brackets): what slows the machine down for a while slows all three. Expected: NumPy at
least 80 times, Numba at least 200 times faster than the plain loop. The rate difference is the largest over the channels that
the loop has done, in nats.
"""

import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.alternating import alternate
from csisim.beamforming.digital.linear import start_precoder
from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint

NOISE_POWER, TOTAL = 0.01, 1.0
POWER = PowerBudget("total", TOTAL)
ITERATIONS = 50


def plain(channel: np.ndarray, start: np.ndarray, iterations: int) -> np.ndarray:
    """Weighted MMSE for one channel (K, R, T) as Algorithm 1 of Hu 2021 (eq. 16a-16c) is read out: one user after the other."""
    users, num_rx, num_tx = channel.shape
    v = list(start)
    for _ in range(iterations):
        u, w = [], []
        for k in range(users):
            a = NOISE_POWER / TOTAL * sum(np.trace(v[n] @ v[n].conj().T) for n in range(users)) * np.eye(num_rx)
            for m in range(users):
                a = a + channel[k] @ v[m] @ v[m].conj().T @ channel[k].conj().T
            u.append(np.linalg.inv(a) @ channel[k] @ v[k])
            w.append(np.linalg.inv(np.eye(num_rx) - u[k].conj().T @ channel[k] @ v[k]))
        for k in range(users):
            b = NOISE_POWER / TOTAL * sum(np.trace(u[m] @ w[m] @ u[m].conj().T) for m in range(users)) * np.eye(num_tx)
            for m in range(users):
                b = b + channel[m].conj().T @ u[m] @ w[m] @ u[m].conj().T @ channel[m]
            v[k] = np.linalg.inv(b) @ channel[k].conj().T @ u[k] @ w[k]
    return oracle.normalise(np.stack(v), POWER)


def rate(channel: np.ndarray, precoder: np.ndarray) -> np.ndarray:
    """Sum over users of -log det(I - U^H H V) in nats."""
    combiner = oracle.mmse_combiner(channel, precoder, NOISE_POWER)
    errors = np.eye(precoder.shape[-1]) - adjoint(combiner) @ channel @ precoder
    return -np.linalg.slogdet(errors)[1].sum(axis=-1)


def cpu_seconds(contenders: list[Callable[[], object]], rounds: int = 31) -> np.ndarray:
    """CPU times (rounds, contenders); a first round, which compiles, is left out."""
    times = np.empty((rounds + 1, len(contenders)))
    for row in times:
        for i, run in enumerate(contenders):
            start = time.process_time()
            run()
            row[i] = time.process_time() - start
    return times[1:]


def main() -> None:
    """Print one line per size."""
    print(f"{'(N_t, K)':>10} | {'plain':>9} {'NumPy':>8} {'Numba':>8} us/iteration |     NumPy x          Numba x     | rate difference")
    for num_tx, users, batch, looped in ((8, 4, 256, 4), (16, 8, 64, 2), (32, 16, 32, 1)):
        rng = np.random.default_rng(100 + num_tx + users)
        draws = rng.standard_normal((2, batch, users, 2, num_tx))
        channel = draws[0] + 1j * draws[1]
        start = start_precoder(channel, 2, POWER, "zf")

        def looping(channel=channel, start=start, looped=looped):
            return np.stack([plain(channel[b], start[b], ITERATIONS) for b in range(looped)])

        def batched(channel=channel, start=start):
            return oracle.wmmse_reduced(channel, start, NOISE_POWER, TOTAL, ITERATIONS)

        def compiled(channel=channel, start=start):
            return alternate(channel, start, NOISE_POWER, POWER, joint=True, iterations=ITERATIONS)

        us = 1e6 * cpu_seconds([looping, batched, compiled]) / np.array([looped, batch, batch]) / ITERATIONS
        faster = np.quantile(us[:, :1] / us[:, 1:], (0.25, 0.5, 0.75), axis=0).T
        best = us.min(axis=0)
        reference = rate(channel[:looped], looping())
        off = max(np.abs(rate(channel[:looped], f()[:looped]) - reference).max() for f in (batched, compiled))
        ratios = "  ".join(f"{median:4.0f} ({low:3.0f} to {high:3.0f})" for low, median, high in faster)
        print(f"{f'({num_tx}, {users})':>10} | {best[0]:9.1f} {best[1]:8.2f} {best[2]:8.2f}              | {ratios} | {off:.1e}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
