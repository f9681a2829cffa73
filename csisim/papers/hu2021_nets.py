"""The networks of Hu 2021's tables: trained once with a recipe for their size, then found in the cache."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from csisim.papers.base import Effort, Told
from csisim.papers.precoding import Size
from csisim.training.base import Progress
from csisim.training.recipe import Recipe, run_recipe
from csisim.weights import cache_folder, read_header

#: row -> fields of ``digital`` that make it
KINDS: dict[str, dict[str, Any]] = {
    "IAIDNN": {"kind": "iaidnn", "structure": "plain", "tied": False},
    "improved IAIDNN": {"kind": "iaidnn", "structure": "improved", "tied": False},
    "robust IAIDNN": {"kind": "iaidnn", "structure": "improved", "tied": True, "layers": 15},
    "black box": {"kind": "cnn"},
}


def trained(row: str, size: Size, effort: Effort, told: Told) -> dict[str, Any]:
    """The settings of a designer with weights for this size, the best of the recipe's seeds on its validation set."""
    best, best_score = None, -np.inf
    for seed in range(_seeds(row, size, effort)):
        recipe = Recipe.model_validate({"seed": 7 + 100 * seed, **_recipe(row, size, effort)})
        there = sorted(cache_folder().glob(f"*{recipe.digest[:8]}.safetensors"))
        if not there:
            told(f"training {row} for {size.label()}, seed {seed}")
            there = run_recipe(recipe, told=_quiet)
        score = float(read_header(there[0]).score["trained"])
        if score > best_score:
            best, best_score = there[0], score
    return KINDS[row] | {"weights": str(best)}


def _seeds(row: str, size: Size, effort: Effort) -> int:
    return 3 if row == "IAIDNN" and (size.num_tx == 8 or effort == "full") else 1


def _recipe(row: str, size: Size, effort: Effort) -> dict[str, Any]:
    digital = {name: value for name, value in KINDS[row].items() if name != "kind"}
    shrink = size.num_tx // 8  # larger networks take fewer steps: their cost grows faster than their need
    if row == "black box":
        stages = [
            _stage("cnn_supervised", 60, 0.001, {"digital": digital}),
            _stage("cnn", 4000 if effort == "full" else 300, 0.001, {"digital": digital, "validation": 200}),
        ]
    elif row == "IAIDNN":
        loaded = 2 * size.users == size.num_tx  # there the authors' step stalls a point below Adam by matrices
        settings = {"digital": digital, "batch": 50 // shrink if loaded else 10, "validation": 300 // shrink}
        settings["rule"] = "adam" if loaded else "spectral"
        steps = 6000 if effort == "full" else 1000 // shrink
        stages = [_stage("iaidnn", steps, 0.03 if loaded else 0.1, settings, warm_up=50 if loaded else 0)]
    else:
        settings = {"digital": digital, "batch": 50 if size.num_tx == 8 else 20, "validation": 300 // shrink}
        steps = 3000 if effort == "full" else 800 // shrink
        if row == "robust IAIDNN":
            settings |= {"error_variance": float(size.error_variance or 0.0), "batch": 40, "validation": 300}
        stages = [_stage("iaidnn", steps, 0.003 / shrink, settings, warm_up=steps // 16)]
    system = {
        "num_tx": size.num_tx, "num_rf": size.num_tx, "num_rx": 2, "num_rx_rf": 2, "num_users": size.users, "num_streams": 2,
        "snr_db": size.snr_db, "snr_definition": "total", "power_constraint": "total", "rate": "logdet",
    }  # fmt: skip
    return {"link": {"system": system, "channel": {"kind": "rayleigh", "normalisation": "hu"}}, "stages": stages}


def _stage(task: str, steps: int, rate: float, settings: Mapping[str, Any], warm_up: int = 0) -> dict[str, Any]:
    schedule = {"steps": steps, "learning_rate": rate, "warm_up": warm_up, "validate_every": max(10, steps // 10)}
    return {"task": task, "schedule": schedule, "settings": dict(settings)}


def _quiet(stage: int, task: str, progress: Progress) -> None:
    """Trainings for a table are told of once, by their name."""
