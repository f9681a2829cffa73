"""Networks that a scenario has trained for its own link: ``weights`` of a component names a recipe (:class:`csisim.weights.Learned`).

Such a recipe says only what it fixes. System, channel, pilots and the settings of the scheme's components come from the scenario, so
one recipe serves every cell of a sweep, and a field that the recipe does fix (``link: {system: {snr_db: 10}}``) makes one network serve
them all. ``start`` lists recipes whose networks it goes on from, on the same link; a recipe that has a start and no stages means the
networks of that one, on the link as it fixes it. What a training led to is known by the digest of all that it depended on: nothing
else that lies in the cache is ever taken for it. It lies in a folder of its own there: no component that does not name it finds it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from csisim.errors import CsisimError
from csisim.feedback.nested import Place, leaves, with_leaves
from csisim.registry import Component, Settings
from csisim.training.data import narrowband
from csisim.training.recipe import TASKS, Recipe, Stage, made_by
from csisim.weights import RECIPES, Learned, WeightsError, cache_folder, read_header

ROOMS = ("estimator", "analog", "digital", "codec")
#: tasks that never hear pilots: what they lead to is the same whatever pilots a scenario has
_UNHEARD = {"hybrid", "digital"}


class NativeRecipe(Settings):
    """What a recipe for the links of scenarios says."""

    description: str = Field("", description="free text")
    seed: int = Field(Recipe.model_fields["seed"].default, ge=0, lt=2**60, description="seed of phases and training data")
    link: dict[Literal["system", "channel", "pilots", "estimator", "digital", "samples"], Any] = Field(
        default_factory=dict,
        description="what it fixes of a scenario's link, and how many channels training knows of it, in all stages that draw any",
    )
    start: list[str] = Field(
        default_factory=list, description="recipes whose networks it goes on from: by name, or YAML files relative to this one"
    )
    stages: list[Stage] = Field(default_factory=list, description="trainings, one after the other")

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "NativeRecipe":
        if not self.stages and len(self.start) != 1:
            raise ValueError("it has neither stages nor one recipe to start from")
        return self


@dataclass(frozen=True, eq=False)
class Order:
    """A training on the link of one scheme in one cell.

    Attributes
    ----------
    path : path
        Of the recipe.
    fields : dict
        The recipe without its start.
    before : list of Order
        Trainings that it goes on from.
    """

    path: Path
    fields: dict[str, Any]
    before: "list[Order]"

    @property
    def name(self) -> str:
        """Of the recipe."""
        return self.path.stem

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
        return [] if recipe is None else made_by(recipe, folder())


def folder() -> Path:
    """Where the weights from such recipes are kept."""
    return cache_folder() / "native"


def learned(scheme: Any) -> Iterator[tuple[Place, Any, Learned]]:
    """Learned components of a scheme, those within a codec too: places, the scheme as their training sees it, their settings.

    A learned codec within another is trained as if it stood alone, and all rooms are trained with it if it is the only one.
    """
    codecs = [(place, codec) for place, codec in leaves(scheme.codec) if isinstance(codec, Learned)]
    alone = [scheme.model_copy(update={"codec": codec}) for _, codec in codecs]
    of_rooms = alone[0] if len(alone) == 1 else scheme
    for room in ROOMS[:-1]:
        if isinstance(config := getattr(scheme, room), Learned):
            yield (room,), of_rooms, config
    for (place, codec), seen in zip(codecs, alone, strict=True):
        yield ("codec", *place), seen, codec


def orders(scenario: Any, seed: int = 0) -> dict[tuple[str, str], Order]:
    """What the components of a scenario's schemes ask for, by the names of scheme and place (``digital``, ``codec.ladder.0``).

    Parameters
    ----------
    scenario : Scenario
        Of one cell.
    seed : int
        Added to their seeds.

    Raises
    ------
    WeightsError
        If a recipe cannot be read, or says what makes no sense.
    """
    asked = ((scheme.name, *found) for scheme in scenario.schemes for found in learned(scheme))
    return {
        (name, _dotted(place)): _Link(scenario, seen, seed).order(config.recipe)
        for name, place, seen, config in asked
        if config.recipe is not None
    }


def _dotted(place: Place) -> str:
    return ".".join(map(str, place))


def check(scenario: Any, scheme: Any, room: str, path: Path) -> None:
    """Look at all trainings that a recipe takes for a room of a scheme (of :func:`learned`), before the first one begins.

    Raises
    ------
    WeightsError
        If a recipe cannot be read, its tasks or fields are wrong, or none trains what is asked for where it will work.
    """
    link = _Link(scenario, scheme)
    chain = list(link.order(path).chain())
    reported = any("codec" in _task(stage["task"]).Config.model_fields for order in chain for stage in order.fields["stages"])
    several = sum(isinstance(codec, Learned) for _, codec in leaves(scheme.codec)) > 1
    if room != "codec" and reported and several:
        wrong = f"recipe {path.stem} trains {room} with the scheme's codec, of which several are learned"
        raise WeightsError(f"{wrong} (one learned codec, or a recipe without: kang2022_pair)")
    if room == "codec":
        if not reported:
            raise WeightsError(f"recipe {path.stem} trains no codec")
        phases = getattr(scheme.analog, "recipe", None)
        told = str(getattr(scheme.analog, "weights", None)).endswith(".safetensors")  # a file is its author's business
        if not told and (phases is None or link.order(phases).path not in [order.path for order in chain]):
            raise WeightsError(
                f"recipe {path.stem} trains the codec behind its own phases (analog: learned_phases, weights: {chain[0].name})"
            )
    for order in chain:
        try:
            Recipe.model_validate(order.fields).check()
        except CsisimError as error:
            raise WeightsError(f"{order.path}: {error}") from error


def due(wanted: Iterable[Order]) -> dict[str, tuple[Order, Recipe]]:
    """Trainings by their digest that can begin now and are not there."""
    ready = ((order, order.recipe()) for one in wanted for order in one.chain() if not order.files())
    return {recipe.digest: (order, recipe) for order, recipe in ready if recipe is not None}


def with_networks(scenario: Any, seed: int = 0) -> Any:
    """The scenario with the files of weights that its recipes led to, as far as they are there."""
    there = {asked: order for asked, order in orders(scenario, seed).items() if order.files()}
    if not there:
        return scenario

    return scenario.model_copy(update={"schemes": [_with_files(scheme, there) for scheme in scenario.schemes]})


def _with_files(scheme: Any, there: Mapping[tuple[str, str], Order]) -> Any:
    def fitted(place: Place, config: Component) -> Component:
        order = there.get((scheme.name, _dotted(place)))
        if order is None or not isinstance(config, Learned):
            return config
        return config.model_copy(update={"weights": str(_made_for(order, f"{place[0]}/{config.kind}", config))})

    rooms = {room: fitted((room,), getattr(scheme, room)) for room in ROOMS[:-1]}
    codec = with_leaves(scheme.codec, lambda place, leaf: fitted(("codec", *place), leaf))
    return scheme.model_copy(update=rooms | {"codec": codec})


def _made_for(order: Order, component: str, config: Learned) -> Path:
    """The file for a component among all that a training and those before it have made; the latest one."""
    for path in reversed([path for one in order.chain() for path in one.files()]):
        header = read_header(path)
        if header.component == component and all(header.architecture.get(name) == value for name, value in config.architecture.items()):
            return path
    raise WeightsError(f"weights: recipe {order.name} makes nothing for {component} with {config.architecture}")


@dataclass(frozen=True, eq=False)
class _Link:
    """The link of a scheme in a scenario, and how its networks are trained beside what recipes say."""

    scenario: Any
    scheme: Any
    seed: int = 0

    def order(self, path: Path, fixed: Mapping[str, Any] | None = None, after: tuple[Path, ...] = ()) -> Order:
        """The order of a recipe, on a link of which those ``after`` it, that go on from it, have ``fixed`` a part."""
        if path in after:
            raise WeightsError(f"{path}: start: it goes on from itself")
        recipe = _parsed(path, _text(path))
        link = _merged(recipe.link, fixed or {})
        places = [(path.parent / name).resolve() if name.endswith(".yaml") else RECIPES / f"{name}.yaml" for name in recipe.start]
        before = [self.order(place, link, (*after, path)) for place in places]
        if not recipe.stages:
            (same,) = before
            return same
        try:
            own = self._known({stage.task for stage in recipe.stages})
        except CsisimError as error:
            raise WeightsError(f"{path}: {error}") from error
        fields = {
            "description": recipe.description,
            "seed": recipe.seed + self.seed,
            "link": _merged(own, {name: value for name, value in link.items() if name in own or name == "samples"}),
            "stages": [self._longer(stage) for stage in recipe.stages],
        }
        return Order(path, fields, before)

    def _known(self, tasks: set[str]) -> dict[str, Any]:
        """What a recipe with such tasks can learn of the link; how the channel evolves from slot to slot no training sees."""
        scenario = self.scenario
        channel = narrowband(scenario.channel).model_dump(mode="json", exclude={"fading"})
        link = {"system": scenario.system.model_dump(mode="json"), "channel": channel}
        if not tasks <= _UNHEARD:
            link["pilots"] = scenario.pilots.model_dump(mode="json") | {"length": scenario.pilot_length}
        fields = {name: field for task in tasks for name, field in _task(task).Config.model_fields.items()}
        for room in ("digital", "estimator", "codec"):
            if room in fields:
                usual, own = fields[room].get_default(call_default_factory=True), getattr(self.scheme, room)
                fits = isinstance(own, get_args(fields[room].annotation) or type(usual))
                known = (own if fits else usual).model_dump(mode="json", exclude={"weights", "budget_s"})
                link[room] = known | ({"training": "separate"} if "training" in known else {})  # the task says for what
        return link

    def _longer(self, stage: Stage) -> dict[str, Any]:
        told = stage.model_dump(mode="json")
        return {**told, "schedule": told["schedule"] | {"steps": max(1, round(self.scenario.training_effort * stage.schedule.steps))}}


def _merged(base: Mapping[Any, Any], over: Mapping[Any, Any]) -> dict[str, Any]:
    """Nested mappings, ``over`` where both say something."""
    both = {name: _merged(base[name], over[name]) for name in base.keys() & over.keys() if _nested(base[name], over[name])}
    return {**base, **over, **both}


def _nested(*values: Any) -> bool:
    return all(isinstance(value, Mapping) for value in values)


def _task(name: str) -> Any:
    from importlib import import_module

    if name not in TASKS:
        raise WeightsError(f"unknown task {name!r}; tasks: {', '.join(TASKS)}")
    module, kind = TASKS[name].split(":")
    return getattr(import_module(module), kind)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: not a recipe ({error})") from error


@lru_cache(maxsize=256)  # every cell of a sweep asks; whoever changes a file changes its text
def _parsed(path: Path, text: str) -> NativeRecipe:
    import yaml

    try:
        return NativeRecipe.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise WeightsError(f"{path}: not a recipe ({' '.join(str(error).split())})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "[key]")
        told = f"{place}: {first['msg']}" if place else f"not a recipe: {first['msg'].removeprefix('Value error, ')}"
        raise WeightsError(f"{path}: {told}") from error
