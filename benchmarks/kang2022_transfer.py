"""Do the shipped networks follow new statistics (Kang 2022, Fig. 15 and 16)? ``python benchmarks/kang2022_transfer.py [users ...]``.

From 4 clusters of 2 rays within 60 degrees to 3 clusters of 3 rays within 90: the shipped networks as they are (mismatch), the packaged
recipe that goes on from them (transfer), the two-stage recipe on the new statistics (native). Rates on 1000 channels that no training
and no choice of an iterate has seen; one training each.
"""

import sys
import time

import lightning_fabric  # noqa: F401  (importing it is no training)
import numpy as np

from csisim.random import complex_normal, stream
from csisim.training.base import Schedule
from csisim.training.loop import train
from csisim.training.recipe import Recipe, read_recipe
from csisim.training.tasks.estimation import Estimation

#: root of the test channels
TEST = 2**61
COUNT = 1000


def judge(native: Recipe, parameters: dict[str, np.ndarray]) -> tuple[float, float]:
    """Mean sum rate on the test channels in bit/s/Hz, with half the width of its 95 % interval."""
    task: Estimation = native.task(len(native.stages) - 1, parameters)
    channel = task.source.channels(COUNT, TEST, 0)
    noise = complex_normal(stream(TEST, 0, "noise"), (*channel.shape[:-1], parameters["estimator/pilots"].shape[-1]))
    rates = np.asarray(task.rates(task.initial(), (channel, noise)))
    return float(rates.mean()), 1.96 * float(rates.std()) / COUNT**0.5


def trained(recipe: Recipe) -> tuple[dict[str, np.ndarray], float, list[tuple[int, float]]]:
    """What all stages of a recipe have learned, in how many CPU seconds, and the last stage's validation scores."""
    known, seconds, history = recipe.learned_before(), 0.0, []
    for index, stage in enumerate(recipe.stages):
        task = recipe.task(index, known)
        schedule: Schedule = stage.schedule.model_copy(update={"seed": recipe.seed + index})
        began = time.process_time()
        result = train(task, schedule)
        seconds += time.process_time() - began
        known, history = known | result.parameters, result.history
    return known, seconds, history


def compare(users: int) -> None:
    """One line for each of the three."""
    few = f"link.system.num_users={users}"
    transfer = read_recipe("kang2022_transfer", [few])
    channel = transfer.link["channel"]
    native = read_recipe("kang2022_joint", [few, *(f"link.channel.{name}={value}" for name, value in channel.items())])
    mismatch = judge(native, transfer.learned_before())
    followed, seconds, curve = trained(transfer)
    own, native_seconds, _ = trained(native)
    reference = judge(native, own)
    for name, (rate, ci), spent in (
        ("mismatch", mismatch, 0.0),
        ("transfer", judge(native, followed), seconds),
        ("native", reference, native_seconds),
    ):
        share, time_share = 100 * rate / reference[0], 100 * spent / native_seconds
        print(f"K = {users}  {name:8s} {rate:6.2f} +- {ci:.2f} bit/s/Hz  {share:5.1f} %  {spent:6.1f} CPU-s  {time_share:5.1f} %")
    print(f"K = {users}  validation after the change: " + "  ".join(f"{step}: {rate:.1f}" for step, rate in curve))


if __name__ == "__main__":
    for number in map(int, sys.argv[1:] or ("4", "6")):
        compare(number)
