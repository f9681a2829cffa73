"""The networks of Hu 2021's tables: each has a recipe of its own, several are trained side by side.

They have a folder of their own in the cache: some are trained badly on purpose, and no scenario is to find them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csisim.papers.base import Conditions, Effort
from csisim.papers.precoding import Size
from csisim.runner.effort import available_cores
from csisim.runner.networks import side_by_side
from csisim.training.recipe import Recipe, made_by
from csisim.weights import Header, WeightsError, cache_folder, read_header

#: row -> fields of ``digital`` that make it
KINDS: dict[str, dict[str, Any]] = {
    "IAIDNN": {"kind": "iaidnn", "structure": "plain", "tied": False},
    "improved IAIDNN": {"kind": "iaidnn", "structure": "improved", "tied": False},
    "robust IAIDNN": {"kind": "iaidnn", "structure": "improved", "tied": True, "layers": 15},
    "black box": {"kind": "cnn"},
    "black box, one stage": {"kind": "cnn"},
}


@dataclass(frozen=True)
class Net:
    """A network of a row, trained for a size; what is not None departs from the row's recipe.

    Attributes
    ----------
    layers : int, optional
        Of an unfolded network.
    samples : int, optional
        Channels that all steps are made of.
    batch : int, optional
    rate : float, optional
        Learning rate of the authors' step, which plain networks of (8, 4) otherwise leave for Adam's.
    """

    row: str
    size: Size
    layers: int | None = None
    samples: int | None = None
    batch: int | None = None
    rate: float | None = None

    @property
    def digital(self) -> dict[str, Any]:
        """Its designer, as a scenario has it, without weights."""
        return KINDS[self.row] | ({} if self.layers is None else {"layers": self.layers})

    def seeds(self) -> int:
        """How many seeds compete on the validation set: plain networks start at random."""
        return 3 if self.row == "IAIDNN" and self.size.num_tx == 8 else 1

    @property
    def loaded(self) -> bool:
        """As many streams as antennas."""
        return 2 * self.size.users == self.size.num_tx

    def label(self) -> str:
        """What it is called while it is trained."""
        departures = {"layers": self.layers, "samples": self.samples, "batch": self.batch, "rate": self.rate}
        return ", ".join([f"{self.row} for {self.size.label()}", *(f"{name} {value}" for name, value in departures.items() if value)])


def header(net: Net, effort: Effort, seed: int) -> Header:
    """What a trained network's file says; ``recipe["history"]`` has its validation scores."""
    return read_header(_file(net, effort, seed))


def designer(net: Net, effort: Effort) -> dict[str, Any]:
    """The settings of a digital designer with the weights of the seed that is best on the validation set, the same for all seeds."""
    files = [_file(net, effort, seed) for seed in range(net.seeds())]
    return net.digital | {"weights": str(max(files, key=lambda path: float(read_header(path).score["trained"])))}


def train(nets: Sequence[Net], conditions: Conditions, seeds: int | None = None) -> None:
    """Train what is not in the cache yet, with all seeds (or the first ``seeds``), in ``conditions.jobs`` processes of one thread.

    Every training depends on its recipe alone: the number of processes changes no result.
    """
    labels: dict[str, str] = {}
    recipes: dict[str, Recipe] = {}
    for net in sorted(nets, key=_cost, reverse=True):  # the longest first, so that no process is left alone with one
        for seed in range(seeds or net.seeds()):
            wanted = recipe(net, conditions.effort, seed)
            if not made_by(wanted, _folder()):
                labels.setdefault(wanted.digest, f"{net.label()}, seed {seed}")
                recipes.setdefault(wanted.digest, wanted)
    if not recipes:
        return
    conditions.told(f"training {len(recipes)} networks")
    trained: list[str] = []

    def ended(digest: str) -> None:
        trained.append(digest)
        conditions.told(f"trained {labels[digest]} ({len(trained)} of {len(recipes)})")

    def ready() -> dict[str, Recipe]:
        return {digest: one for digest, one in recipes.items() if not made_by(one, _folder())}

    side_by_side(ready, _folder(), min(conditions.jobs or available_cores(), len(recipes)), ended=ended)


def _file(net: Net, effort: Effort, seed: int) -> Path:
    files = made_by(recipe(net, effort, seed), _folder())
    if not files:
        raise WeightsError(f"{net.label()}, seed {seed}: its weights are not in {_folder()}")
    return files[-1]


def _folder() -> Path:
    return cache_folder() / "hu2021"


def _cost(net: Net) -> float:
    """Roughly how long a training takes beside others."""
    return net.size.users**2 * (100 if "black box" in net.row else net.size.num_tx)


def recipe(net: Net, effort: Effort, seed: int = 0) -> Recipe:
    """How a network is trained."""
    size = net.size
    rows = {"IAIDNN": _plain, "black box": _black_box, "black box, one stage": _black_box}
    stages = rows.get(net.row, _improved)(net, effort)
    departures = {name: value for name in ("samples", "batch") if (value := getattr(net, name)) is not None}
    for stage in stages:
        stage["settings"] |= {"digital": {name: value for name, value in net.digital.items() if name != "kind"}} | departures
        if net.rate is not None:
            stage["schedule"]["learning_rate"] = net.rate
    system = {
        "num_tx": size.num_tx, "num_rf": size.num_tx, "num_rx": 2, "num_rx_rf": 2, "num_users": size.users, "num_streams": 2,
        "snr_db": size.snr_db, "snr_definition": "total", "power_constraint": "total", "rate": "logdet",
    }  # fmt: skip
    link = {"system": system, "channel": {"kind": "rayleigh", "normalisation": "hu"}}
    return Recipe.model_validate({"seed": 7 + 100 * seed, "link": link, "stages": stages})


def _plain(net: Net, effort: Effort) -> list[dict[str, Any]]:
    """The authors' step; larger networks take fewer of them, because their cost grows faster than their need.

    At (8, 4) Adam by matrices ends at 88.5 % of WMMSE, where the best of six seeds of the authors' step (batch 20) ends at 87.7 %.
    """
    settings = {"batch": 10, "validation": 2400 // net.size.num_tx, "rule": "spectral"}
    if net.loaded and net.size.num_tx == 8 and net.rate is None:
        return [_stage("iaidnn", 6000 if effort == "full" else 1000, 0.03, settings | {"batch": 50, "rule": "adam"}, warm_up=50)]
    steps = 6000 if effort == "full" else {8: 500 if net.loaded else 1000, 16: 700}.get(net.size.num_tx, 200)
    return [_stage("iaidnn", steps, 0.1 if net.loaded else 0.2, settings)]


def _improved(net: Net, effort: Effort) -> list[dict[str, Any]]:
    """Adam by matrices, from WMMSE on; ``robust`` networks are told, as error-aware WMMSE is, that the error adds to the noise."""
    shrink = net.size.num_tx // 8
    steps = 3000 if effort == "full" else 800 // shrink
    settings: dict[str, Any] = {"batch": 50 if shrink == 1 else 20, "validation": 300 // shrink}
    if net.row == "robust IAIDNN":
        settings |= {"error_variance": float(net.size.error_variance or 0.0), "batch": 40, "validation": 300}
    return [_stage("iaidnn", steps, 0.003 / shrink, settings, warm_up=steps // 16)]


def _black_box(net: Net, effort: Effort) -> list[dict[str, Any]]:
    """The paper's two stages, or the second one alone."""
    sum_rate = _stage("cnn", 4000 if effort == "full" else 300, 0.001, {"validation": 300})
    return [sum_rate] if net.row.endswith("one stage") else [_stage("cnn_supervised", 60, 0.001, {"validation": 300}), sum_rate]


def _stage(task: str, steps: int, rate: float, settings: dict[str, Any], warm_up: int = 0) -> dict[str, Any]:
    schedule = {"steps": steps, "learning_rate": rate, "warm_up": warm_up, "validate_every": max(10, steps // 10)}
    return {"task": task, "schedule": schedule, "settings": settings}
