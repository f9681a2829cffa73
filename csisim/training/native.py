"""Networks that a scenario has trained for its own link: ``weights`` of a component names a recipe (:class:`csisim.weights.Learned`).

Such a recipe says only what it fixes. System, channel, pilots and the settings of the scheme's components come from the scenario, so
one recipe serves every cell of a sweep, and a field that the recipe does fix (``link: {system: {snr_db: 10}}``) makes one network serve
them all. ``start`` lists recipes whose networks it goes on from, on the same link; a recipe that has a start and no stages means the
networks of that one, on the link as it fixes it. What a training led to is known by the digest of all that it depended on: nothing
else that lies in the cache is ever taken for it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from csisim.training.recipe import TASKS, Recipe
from csisim.weights import RECIPES, Learned, WeightsError, cache_folder, read_header

ROOMS = ("estimator", "analog", "digital")
#: tasks that never hear pilots: what they lead to is the same whatever pilots a scenario has
_UNHEARD = {"hybrid", "digital"}


@dataclass(frozen=True, eq=False)
class Order:
    """A training on the link of one scheme in one cell.

    Attributes
    ----------
    name : str
        Of the recipe.
    fields : dict
        The recipe without its start.
    before : list of Order
        Trainings that it goes on from.
    """

    name: str
    fields: dict[str, Any]
    before: "list[Order]"

    def chain(self) -> "Iterator[Order]":
        """All trainings that it takes, each after those that it goes on from."""
        for order in self.before:
            yield from order.chain()
        yield self

    def recipe(self) -> Recipe | None:
        """What is to be trained; None as long as what it goes on from is not there."""
        start = [order.files() for one in self.before for order in one.chain()]
        if not all(start):
            return None
        return Recipe.model_validate({**self.fields, "start": [str(path) for files in start for path in files]})

    def files(self) -> list[Path]:
        """Weights from all its stages, the last stage's last; none as long as they are not all there."""
        recipe = self.recipe()
        if recipe is None or (cache_folder() / "unfinished" / recipe.digest).exists():
            return []
        found = [(len(read_header(path).recipe["stages"]), path) for path in cache_folder().glob(f"*-{recipe.digest[:8]}.safetensors")]
        return [path for _, path in sorted(found)] if max(found, default=(0,))[0] == len(recipe.stages) else []


def orders(scenario: Any, effort: float = 1.0, seed: int = 0) -> dict[tuple[str, str], Order]:
    """What the components of a scenario's schemes ask for, by the names of scheme and room.

    Parameters
    ----------
    scenario : Scenario
        Of one cell.
    effort : float
        Factor on the steps of all trainings.
    seed : int
        Added to their seeds.
    """
    asked = ((scheme, room, getattr(scheme, room)) for scheme in scenario.schemes for room in ROOMS)
    return {
        (scheme.name, room): _order(config.recipe, scenario, scheme, effort, seed)
        for scheme, room, config in asked
        if isinstance(config, Learned) and config.recipe is not None
    }


def due(wanted: Iterable[Order]) -> dict[str, tuple[Order, Recipe]]:
    """Trainings by their digest that can begin now and are not there."""
    ready = ((order, order.recipe()) for one in wanted for order in one.chain() if not order.files())
    return {recipe.digest: (order, recipe) for order, recipe in ready if recipe is not None}


def with_networks(scenario: Any, effort: float = 1.0, seed: int = 0) -> Any:
    """The scenario with the files of weights that its recipes led to, as far as they are there."""
    updates: dict[str, dict[str, Any]] = {}
    schemes = {scheme.name: scheme for scheme in scenario.schemes}
    for (name, room), order in orders(scenario, effort, seed).items():
        if order.files():
            config = getattr(schemes[name], room)
            updates.setdefault(name, {})[room] = config.model_copy(
                update={"weights": str(_made_for(order, f"{room}/{config.kind}", config))}
            )
    if not updates:
        return scenario
    return scenario.model_copy(update={"schemes": [scheme.model_copy(update=updates.get(name, {})) for name, scheme in schemes.items()]})


def _made_for(order: Order, component: str, config: Learned) -> Path:
    """The file for a component among all that a training and those before it have made; the latest one."""
    for path in reversed([path for one in order.chain() for path in one.files()]):
        header = read_header(path)
        if header.component == component and all(header.architecture.get(name) == value for name, value in config.architecture.items()):
            return path
    raise WeightsError(f"weights: recipe {order.name} makes nothing for {component} with {config.architecture}")


def _order(path: Path, scenario: Any, scheme: Any, effort: float, seed: int, fixed: Mapping[str, Any] | None = None) -> Order:
    """The order of a recipe, on a link of which those that go on from it have ``fixed`` a part."""
    document = {**_read(path)}
    link = _merged(document.pop("link", {}), fixed or {})
    before = [_order(RECIPES / f"{name}.yaml", scenario, scheme, effort, seed, link) for name in document.pop("start", [])]
    if "stages" not in document:
        (same,) = before
        return same
    own = _link_of(scenario, scheme, {stage["task"] for stage in document["stages"]})
    document["stages"] = [_longer(stage, effort) for stage in document["stages"]]
    document["seed"] = document.get("seed", Recipe.model_fields["seed"].default) + seed
    document["link"] = _merged(own, {name: value for name, value in link.items() if name in own})
    return Order(path.stem, document, before)


def _link_of(scenario: Any, scheme: Any, tasks: set[str]) -> dict[str, Any]:
    """What a recipe with such tasks can learn of a scheme's link; how the channel evolves from slot to slot no training sees."""
    link = {"system": scenario.system.model_dump(mode="json"), "channel": scenario.channel.model_dump(mode="json", exclude={"fading"})}
    if not tasks <= _UNHEARD:
        link["pilots"] = scenario.pilots.model_dump(mode="json") | {"length": scenario.pilot_length}
    fields = {name: field for task in tasks for name, field in _task(task).Config.model_fields.items()}
    for room in ("digital", "estimator"):
        if room in fields:
            usual, own = fields[room].get_default(call_default_factory=True), getattr(scheme, room)
            known = (own if isinstance(own, type(usual)) else usual).model_dump(mode="json", exclude={"weights", "budget_s"})
            link[room] = known | ({"training": "separate"} if "training" in known else {})  # the task says for what
    return link


def _longer(stage: Mapping[str, Any], effort: float) -> dict[str, Any]:
    schedule = dict(stage["schedule"])
    return {**stage, "schedule": schedule | {"steps": max(1, round(effort * schedule["steps"]))}}


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings, ``over`` where both say something."""
    both = {name: _merged(base[name], over[name]) for name in base.keys() & over.keys() if isinstance(over[name], Mapping)}
    return {**base, **over, **both}


def _task(name: str) -> Any:
    from importlib import import_module

    if name not in TASKS:
        raise WeightsError(f"unknown task {name!r}; tasks: {', '.join(TASKS)}")
    module, kind = TASKS[name].split(":")
    return getattr(import_module(module), kind)


@cache
def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise WeightsError(f"{path}: not a recipe ({' '.join(str(error).split())})") from error
    if not isinstance(document, dict) or not (document.get("stages") or len(document.get("start", [])) == 1):
        raise WeightsError(f"{path}: not a recipe: it has neither stages nor one recipe to start from")
    return document
