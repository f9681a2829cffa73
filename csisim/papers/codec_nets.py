"""Short trainings for the tables of codec papers: packaged recipes on the public data's geometry, kept in the cache.

Published networks saw 1e8 images. ``quick`` takes a tenth of the packaged recipe's steps (about a minute of one core each), ``full``
all of them (about ten): what comes out says how far minutes go, not what the network can do. Short trainings see the first 16 of 32
taps, where all but -26.6 dB of these images' energy is; what they leave out counts as error.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csisim.papers.base import Conditions, Effort
from csisim.training.recipe import Recipe, made_by, read_recipe, run_recipe
from csisim.weights import cache_folder, read_header

IMAGES = "indoor_public"  # the base station in a corner, as in the public data
_QUICK = 10  # times fewer steps


@dataclass(frozen=True)
class Short:
    """A packaged recipe with changed fields, at 1/16 of 32 x 32 unless it serves several rates."""

    recipe: str
    sets: tuple[str, ...] = ()


_UNSTARTED = ("link.linear_start=false", "stages.0.schedule.rates={}")
_RANDOM = (*_UNSTARTED, "stages.0.schedule.learning_rate=0.004")
SHORT = {
    "CsiNet": Short("csinet"),
    "CRNet": Short("crnet"),
    "ACRNet-1x": Short("acrnet"),
    "BACRNet-1x": Short("bacrnet"),
    "TransNet": Short("transnet"),
    "DEQ": Short("deq"),
    "DEQ, random start": Short("deq", _RANDOM),
    "TiLISTA": Short("tilista"),
    "TiLISTA, random start": Short("tilista", _UNSTARTED),
    "TiLISTA, 20 iterations": Short("tilista", (*_UNSTARTED, "link.codec.iterations=20")),
    "MS4L2O": Short("ms4l2o"),
    "Csi-L2O": Short("csi_l2o"),
}


def recipe_of(name: str, effort: Effort) -> Recipe:
    """The training behind one of :data:`SHORT`."""
    short = SHORT[name]
    recipe = read_recipe(f"codec_{short.recipe}", (f"link.images={IMAGES}", *short.sets))
    schedule = recipe.stages[0].schedule
    steps = schedule.steps // (_QUICK if effort == "quick" else 1)
    shrunk = schedule.model_copy(
        update={"steps": steps, "validate_every": max(steps // 10, 1), "warm_up": min(schedule.warm_up, steps // 10)}
    )
    return recipe.model_copy(update={"stages": [recipe.stages[0].model_copy(update={"schedule": shrunk})]})


def trained(name: str, conditions: Conditions) -> dict[str, Any]:
    """Settings of a codec with its weights, trained now if it is not in the cache."""
    recipe = recipe_of(name, conditions.effort)
    there = made_by(recipe, _folder())
    if not there:
        conditions.told(f"training {name}: {recipe.stages[0].schedule.steps} steps")
        there = run_recipe(recipe, _folder())
    return dict(recipe.link["codec"]) | {"weights": str(there[0])}


def curve(name: str, conditions: Conditions) -> list[float]:
    """Validation NMSE in dB after every tenth of the training."""
    history = read_header(trained(name, conditions)["weights"]).recipe["history"]
    points = {step: -float(score) for step, score in history}
    schedule = recipe_of(name, conditions.effort).stages[0].schedule
    return [points[step] for step in range(schedule.validate_every, schedule.steps + 1, schedule.validate_every)][:10]


def _folder() -> Path:
    """Of their own, lest a scenario without ``weights`` takes what a minute made for trained."""
    return cache_folder() / "short"
