"""Every network has a recipe that its task accepts, and published schedules are the published ones."""

from pathlib import Path

import pytest

from csisim.registry import TABLE
from csisim.training.recipe import PACKAGED, read_recipe

KINDS = [kind for kind, (address, _) in TABLE["codec"].items() if ".nets." in address]
PUBLISHED = ("csinet", "crnet", "acrnet", "transnet", "deq", "tilista", "ms4l2o", "csi_l2o")


def settings(name):
    recipe = read_recipe(name)
    recipe.check()
    return recipe._config(recipe._kind(0), 0), recipe.stages[0].schedule


@pytest.mark.parametrize("kind", KINDS)
def test_every_network_has_a_short_recipe(kind):
    task, schedule = settings(f"codec_{kind}")
    assert task.codec.kind == kind
    assert (task.codec.scaling, task.loss) == ("unit", "nmse")
    network = task.codec.network(32, task.codec.delays or 32)
    names = {name.replace(".", "/") for name, _ in network.named_parameters()}
    assert all(any(name == rate or name.startswith(f"{rate}/") for name in names) for rate in schedule.rates)
    assert schedule.steps * task.batch < 1e6  # a hundredth of the published


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_schedules(kind):
    task, schedule = settings(f"codec_{kind}_published")
    assert task.codec.kind == kind
    assert (task.batch, task.loss, task.drops, task.rotate, task.linear_start) == (200, "mse", 100_000, False, False)
    epochs, rate = {"crnet": (2500, 2e-3), "acrnet": (2500, 4e-3), "csinet": (1000, 1e-3), "deq": (1000, 1e-3)}.get(kind, (1000, 1e-4))
    assert (schedule.steps * task.batch / task.drops, schedule.learning_rate) == (epochs, rate)
    assert schedule.warm_up == (30 * 500 if epochs == 2500 else 0)


def test_no_recipe_is_for_something_else():
    named = {Path(file).stem.removeprefix("codec_") for file in PACKAGED.glob("codec_*.yaml")}
    assert named == {*KINDS, *(f"{kind}_published" for kind in PUBLISHED)}
