"""Networks of Kang 2022 over training seeds, and their speed: ``python benchmarks/kang2022.py [3] [QUESTION ...]``.

Networks of the quick recipes, trained on one thread; percentages are ratios of mean sum rates on the channels of the papers' scenarios,
which no training has seen. The number is that of seeds.

hbdun   five layers, exact inverse, perfect CSI: expected at least 98 % (K = 2) and 97 % (K = 4) of SSCA with 70 iterations
joint   16 pilots: separate expected at least 99 %, joint 101 % of RLS with as many pilots and 70 iterations, K = 2 and 4
eq4     identical pilots under eq. (4), K = 4: joint expected at least 100 % of RLS-SSCA with 90 pilots
column  pilots of the power of (7e), K = 4: joint expected 5 points above separate
speed   RLS(80) with 70 iterations over CEDUN and HBDUN: expected at least 4 in the same array operations; one thread
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from csisim.cli.shipped import shipped
from csisim.papers.kang2022_speed import testing
from csisim.records.load import load
from csisim.runner.networks import train_networks
from csisim.runner.sweep import run_sweep
from csisim.scenario.load import load_scenario

#: question -> (scenario, users, numerators, scenario and scheme of the denominator)
QUESTIONS = {
    "hbdun": ("inverse", (4, 2), ("exact",), ("table1", "perfect_ssca")),
    "joint": ("networks", (4, 2), ("separate", "joint"), ("networks", "rls_sca")),
    "eq4": ("eq4", (4,), ("separate", "joint"), ("table1", "rls_ssca")),
    "column": ("column", (4,), ("separate", "joint"), ("column_rls", "rls_ssca")),
}


def rates(scenario: str, users: int, seed: int, schemes: Sequence[str]) -> tuple[dict[str, float], float]:
    """Mean sum rates of schemes, and CPU seconds of training."""
    loaded = load_scenario(shipped() / "papers" / f"kang2022_{scenario}.yaml", [f"system.num_users={users}"])
    (cell,) = loaded.cells
    asked = cell.scenario.model_copy(update={"schemes": [scheme for scheme in cell.scenario.schemes if scheme.name in schemes]})
    began = time.process_time()
    trained = train_networks(replace(loaded, cells=[replace(cell, scenario=asked)]), 1, seed=1000 * seed)
    taken = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        run_sweep(trained, Path(folder) / "r")
        table = load(Path(folder) / "r", "cells", None)
    return dict(zip(table["scheme"], table["sum_rate_bps_hz_mean"], strict=True)), taken


def ask(question: str, seeds: int) -> None:
    """Print percentages for every number of users: of each seed, their mean and their range."""
    scenario, numbers, schemes, (other, reference) = QUESTIONS[question]
    for users in numbers:
        against = None if other == scenario else rates(other, users, 0, [reference])[0][reference]
        found, minutes = [], []
        for seed in range(seeds):
            mine, taken = rates(scenario, users, seed, [*schemes, reference])
            found.append([100 * mine[scheme] / (against or mine[reference]) for scheme in schemes])
            minutes.append(taken)
        for scheme, values in zip(schemes, np.transpose(found), strict=True):
            say(f"{question} K = {users} {scheme}", values, "% of " + reference)
        say(f"{question} K = {users} training", minutes, "CPU-s, what the cache has left out")


def say(what: str, values: Sequence[float] | np.ndarray, unit: str) -> None:
    """One line."""
    each = " ".join(f"{value:.2f}" for value in values)
    print(f"{what:<28} {each}  mean {np.mean(values):.2f}, {np.min(values):.2f} to {np.max(values):.2f} {unit}", flush=True)


def speed() -> None:
    """CPU seconds for a thousand slots at three sizes."""
    for size in ((8, 2), (16, 4), (32, 6)):
        for name, measured in testing(size).items():
            print(f"speed {size!s:<8} {name:<55} {measured.value:8.3f}")


if __name__ == "__main__":
    count, *asked = [*(sys.argv[1:] if sys.argv[1:2] and sys.argv[1].isdigit() else ["3", *sys.argv[1:]])]
    for one in asked or [*QUESTIONS, "speed"]:
        if one == "speed":
            speed()
        else:
            ask(one, int(count))
