"""Weights for the schemes of a scenario: shipped, cached, or trained now."""

from collections.abc import Iterator
from typing import Any

from csisim.feedback.nested import with_leaves
from csisim.training.data import circumstances, narrowband
from csisim.training.native import ROOMS, with_networks
from csisim.training.recipe import Recipe, Told, run_recipe
from csisim.weights import Learned, Need, WeightsError, find, read_header


def supplied(scenario: Any) -> Any:
    """The scenario with the weights that its learned components will run with named in it, as far as there are any.

    A record's key follows from the content of these files (:mod:`csisim.records.identity`).
    """
    scenario = with_networks(scenario)
    schemes = [_with_codec(scenario, _supplied(scenario, scheme)) for scheme in scenario.schemes]
    if all(new is old for new, old in zip(schemes, scenario.schemes, strict=True)):
        return scenario
    return scenario.model_copy(update={"schemes": schemes})


def missing(scenario: Any) -> list[tuple[Any, Need]]:
    """What there are no weights for: the scheme and its need."""
    wanted = [(scheme, need) for scheme in scenario.schemes for _, _, need in _needs(scenario, scheme)]
    return [(scheme, need) for scheme, need in wanted if find(need) is None]


def dead_ends(scenario: Any) -> Iterator[tuple[int, str, str]]:
    """Components that there are no weights for, and that nothing trains for their scheme: its number, their room, and what would help."""
    for index, scheme in enumerate(scenario.schemes):
        unknown = _untrained(scheme)
        for room, config, need in _needs(scenario, scheme) if unknown else ():
            if config.kind in unknown and find(need) is None:
                yield index, room, f"no weights for {config.kind}; {_remedy([config.kind])}"


def train_missing(scenario: Any, device: str = "cpu", budget_s: float | None = None, told: Told | None = None) -> None:
    """Train what the scenario's schemes lack, and keep it in the cache.

    Raises
    ------
    WeightsError
        If there is no way to train one of them here.
    """
    while lacking := missing(scenario):
        scheme, need = lacking[0]
        run_recipe(recipe_for(scenario, scheme), device=device, budget_s=budget_s or budget(scheme), told=told)
        if find(need) is None:
            raise WeightsError(f"schemes.{scheme.name}: {need.component}: no weights, and nothing that trains them for this scheme")


def budget(scheme: Any) -> float:
    """Seconds of training that the learned components of a scheme declare."""
    return max(config.budget_s for room in ROOMS if isinstance(config := getattr(scheme, room), Learned))


def recipe_for(scenario: Any, scheme: Any) -> Recipe:
    """The training of a scheme's learned components on the scenario's link.

    Raises
    ------
    WeightsError
        If its components are trained by a recipe of their own only.
    """
    kinds = {room: getattr(scheme, room).kind for room in ROOMS}
    if _precodes_alone(scheme):
        link = {"system": scenario.system, "channel": narrowband(scenario.channel), "pilots": scenario.pilots}
        known = {name: value.model_dump(mode="json") for name, value in link.items()}
        network = scheme.digital.model_dump(mode="json", exclude={"weights"})
        return Recipe.model_validate({"link": known | {"digital": network}, "stages": precoder_stages(scheme.digital)})
    if unknown := _untrained(scheme):
        raise WeightsError(f"schemes.{scheme.name}: no weights for {', '.join(unknown)}; {_remedy(unknown)}")
    shared = circumstances(scenario.system, scenario.channel, scenario.pilots).shared_statistics
    stages: list[dict[str, Any]] = []
    link = {"system": scenario.system, "channel": narrowband(scenario.channel), "pilots": scenario.pilots}
    if kinds["digital"] == "hbdun":
        link["digital"] = scheme.digital.model_copy(update={"training": "separate", "weights": None})
    if kinds["estimator"] == "cedun":
        link["estimator"] = scheme.estimator.model_copy(update={"training": "separate", "weights": None})
        stages.append(SEPARATE)
        if scheme.estimator.training == "joint":
            stages.append(JOINT)
    start = _first_stage(scenario, link.get("digital"), shared)
    if not start:
        stages.insert(0, HYBRID if shared else DIGITAL)
    plain = {name: value.model_dump(mode="json") for name, value in link.items()}
    return Recipe.model_validate({"link": plain, "stages": stages, "start": start if stages else []})


def _precodes_alone(scheme: Any) -> bool:
    return scheme.digital.kind in PRECODERS and not any(room != "digital" for room, _ in _open_rooms(scheme))


def _untrained(scheme: Any) -> list[str]:
    """Kinds of a scheme's learned components that look for weights and that no training here is for."""
    return [] if _precodes_alone(scheme) else [config.kind for _, config in _open_rooms(scheme) if config.kind not in _STAGED]


def _open_rooms(scheme: Any) -> list[tuple[str, Learned]]:
    """Rooms of a scheme whose learned component names no weights."""
    return [(room, config) for room in ROOMS if isinstance(config := getattr(scheme, room), Learned) and config.weights is None]


def _remedy(kinds: list[str]) -> str:
    named = [f"weights: {NATIVE[kind]}" for kind in kinds if kind in NATIVE]
    return f"name a recipe ({', '.join(named)})" if named else "train them with `csisim train RECIPE`"


def _first_stage(scenario: Any, digital: Any, shared: bool) -> list[str]:
    """Files of what the first stage would lead to, if they are there already: digital layers and, where they are shared, phases."""
    from csisim.beamforming.analog.learned_phases import LearnedPhasesConfig
    from csisim.beamforming.digital.hbdun import HbdunConfig

    here = circumstances(scenario.system, scenario.channel, scenario.pilots)
    layers = find((digital or HbdunConfig()).need(here))
    if layers is None or not shared:
        return [] if layers is None else [str(layers)]
    behind = read_header(layers).recipe.get("family")
    wanted = LearnedPhasesConfig().need(here)
    phases = None if wanted is None else find(wanted, behind)
    same = phases is not None and read_header(phases).recipe.get("family") == behind
    return [str(layers), str(phases)] if same else []


#: The stages of Kang 2022, Sec. III-A, with the settings that work.
HYBRID: dict[str, Any] = {
    "task": "hybrid",
    "schedule": {"steps": 300, "learning_rate": 0.005, "rates": {"phi_f": 0.1, "phi_w": 0.1}},
}
DIGITAL: dict[str, Any] = {"task": "digital", "schedule": {"steps": 300, "learning_rate": 0.005}}
SEPARATE: dict[str, Any] = {"task": "separate", "schedule": {"steps": 300, "learning_rate": 0.003}}
JOINT: dict[str, Any] = {
    "task": "joint",
    "schedule": {"steps": 300, "learning_rate": 0.001, "warm_up": 20, "rates": {"digital/log_noise": 0.01, "digital/log_v": 0.01}},
}
#: Networks that learn the digital precoder alone (Hu 2021).
PRECODERS = ("iaidnn", "cnn")


def precoder_stages(config: Any) -> list[dict[str, Any]]:
    """The stages that suit a precoder of Hu 2021."""
    if config.kind == "cnn":
        schedule = {"learning_rate": 0.001, "validate_every": 20}
        return [
            {"task": "cnn_supervised", "schedule": schedule | {"steps": 60}},
            {"task": "cnn", "schedule": schedule | {"steps": 600}},
        ]
    if config.structure == "plain":
        return [{"task": "iaidnn", "schedule": {"steps": 1000, "learning_rate": 0.1, "validate_every": 50}, "settings": {"batch": 10}}]
    rate = 0.01 if config.tied else 0.003
    return [{"task": "iaidnn", "schedule": {"steps": 800, "learning_rate": rate, "warm_up": 50, "validate_every": 50}}]


#: Codecs that are trained with their link, by a recipe that ``weights`` names.
NATIVE = {"learned_paths": "kang2022_fdd", "beam_crnet": "kang2022_fdd_black_box"}
_STAGED = ("hbdun", "cedun", "learned_phases")


def _needs(scenario: Any, scheme: Any) -> list[tuple[str, Learned, Need]]:
    """Rooms of a scheme whose component looks for weights, and what it needs."""
    open_rooms = _open_rooms(scheme)
    if not open_rooms:
        return []
    here = circumstances(scenario.system, scenario.channel, scenario.pilots)
    needs = ((room, config, config.need(here)) for room, config in open_rooms)
    return [(room, config, need) for room, config, need in needs if need is not None]


def _supplied(scenario: Any, scheme: Any) -> Any:
    """The scheme with files of weights, all from one training if there is one: the estimator's, else the digital layers'."""
    found: dict[str, Any] = {}
    family = None
    for room, config, need in sorted(_needs(scenario, scheme), key=lambda item: ("estimator", "digital", "analog", "codec").index(item[0])):
        path = find(need, family)
        if path is not None:
            found[room] = config.model_copy(update={"weights": str(path)})
            family = family or read_header(path).recipe.get("family")
    return scheme.model_copy(update=found) if found else scheme


def _with_codec(scenario: Any, scheme: Any) -> Any:
    """The scheme with the files that its neural codecs will find for their images; whose size follows from what is reported."""
    if scenario.duplex != "fdd":
        return scheme
    system = scenario.system
    sizes = (system.num_rx, system.num_tx) if scheme.analog.kind == "none" else (system.num_rx_rf, system.num_rf)
    shape = (scenario.dims(1).num_subcarriers, *sizes)
    codec = with_leaves(scheme.codec, lambda place, leaf: _supplied_codec(leaf, shape))
    return scheme if codec is scheme.codec else scheme.model_copy(update={"codec": codec})


def _supplied_codec(config: Any, sizes: tuple[int, int, int]) -> Any:
    """A codec with the file that is found for CSI of these subcarriers, receive and transmit chains."""
    if isinstance(config, Learned) or getattr(config, "weights", "") is not None:
        return config
    path = find(config.need(*config.image_size(*sizes)))
    return config if path is None else config.model_copy(update={"weights": str(path)})
