"""Recipes: which tasks are trained one after the other on which link, and the weights that come out of it."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from csisim import weights
from csisim.acquisition import cedun
from csisim.beamforming.digital import hbdun
from csisim.errors import CsisimError
from csisim.registry import Settings, configure
from csisim.training.base import Parameters, Product, Progress, Schedule, Trained, prefixed
from csisim.training.data import LinkSettings
from csisim.training.loop import train, write_whole
from csisim.weights import Header, cache_folder

#: task -> "module:Class"; the class is built as ``Class(config, start, seed)`` from its ``Config``
TASKS = {
    "hybrid": "csisim.training.tasks.hybrid:Hybrid",
    "digital": "csisim.training.tasks.digital:Digital",
    "separate": "csisim.training.tasks.estimation:Estimation",
    "joint": "csisim.training.tasks.estimation:Estimation",
    "one_stage": "csisim.training.tasks.estimation:Estimation",
    "fdd_codec": "csisim.training.tasks.fdd:Fdd",
    "fdd_joint": "csisim.training.tasks.fdd:Fdd",
    "long_term": "csisim.training.tasks.long_term:LongTermTask",
    "fc_estimator": "csisim.training.tasks.black_box:BlackBox",
    "fc_supervised": "csisim.training.tasks.black_box:BlackBox",
    "fc_digital": "csisim.training.tasks.black_box:BlackBox",
    "fc_joint": "csisim.training.tasks.black_box:BlackBox",
    "iaidnn": "csisim.training.tasks.iaidnn:IaidnnTask",
    "cnn_supervised": "csisim.training.tasks.cnn:CnnTask",
    "cnn": "csisim.training.tasks.cnn:CnnTask",
    "codec": "csisim.training.tasks.codec:Codec",
}
PACKAGED = Path(__file__).parent / "recipes"

#: told while training: the stage's number and name, and its progress
Told = Callable[[int, str, Progress], None]


class Stage(Settings):
    """One training of a recipe; it begins with what the stages before it have learned."""

    task: str = Field(description="what is trained")
    schedule: Schedule = Field(default_factory=Schedule, description="how long and how fast")
    settings: dict[str, Any] = Field(default_factory=dict, description="fields of the task beside those of the link")


class Recipe(Settings):
    """A training from channels to weights."""

    description: str = Field("", description="free text")
    seed: int = Field(7, ge=0, lt=2**60, description="seed of phases and training data")
    link: dict[str, Any] = Field(description="fields that all stages share: system, channel, pilots, components")
    start: list[str] | Literal["shipped"] = Field(
        default_factory=list,
        description="weights that the first stage begins with (transfer learning): files, or shipped for the package's own of these sizes",
    )
    stages: list[Stage] = Field(min_length=1, description="trainings, one after the other")

    @property
    def digest(self) -> str:
        """A name for all that decides what the recipe leads to, the defaults of its tasks included.

        Raises
        ------
        CsisimError
            If there is no such task, or its fields are wrong.
        """
        stages = [
            {"schedule": stage.schedule.model_dump(mode="json"), **self._config(self._kind(index), index).model_dump(mode="json")}
            for index, stage in enumerate(self.stages)
        ]
        text = json.dumps({"version": weights.TRAINING_VERSION, "seed": self.seed, "stages": stages}, sort_keys=True)
        content = hashlib.sha256(text.encode())
        for path in self.start_files:
            content.update(Path(path).read_bytes())
        return content.hexdigest()[:16]

    @property
    def start_files(self) -> list[str]:
        """The files of ``start``; for ``shipped`` those that were trained behind one set of phases, best trained last.

        Raises
        ------
        CsisimError
            If nothing that is shipped has the sizes of this link.
        """
        if self.start != "shipped":
            return list(self.start)
        if "system" not in self.link:
            raise CsisimError("start: shipped are networks for a link with a system, which this recipe has not; name files")
        link, fitting = self._link, []
        for path in sorted(weights.SHIPPED.glob("*.safetensors")):
            header = weights.read_header(path)
            behind = header.recipe.get("family")
            alike = behind is not None and (behind != DESIGNED) == link.shared_statistics
            if header.component in _TRANSFERRED and alike and _misfit(header, link.dims) is None:
                joint = header.architecture.get("training") == "joint"
                fitting.append((header.dims["num_users"], behind, joint, str(path)))
        if not fitting:
            raise CsisimError("start: nothing that is shipped has the sizes of this link")
        best = min(fitting)[:2]
        return [path for *group, _, path in sorted(fitting, key=lambda item: item[2]) if tuple(group) == best]

    @property
    def _link(self) -> LinkSettings:
        return LinkSettings.model_validate({name: value for name, value in self.link.items() if name in LinkSettings.model_fields})

    def learned_before(self) -> Parameters:
        """The parameters in the files of ``start``, as stages name them.

        Raises
        ------
        CsisimError
            If a file is damaged, or for other sizes.
        """
        known: Parameters = {}
        for path in self.start_files:
            header, parameters = weights.read(path)
            if self.stages[0].task == "codec":  # which knows the sizes of its images
                _same_codec(path, header, configure("codec", self.link["codec"]))
                known |= {name.replace(".", "/"): value.astype(np.float32) for name, value in parameters.items()}
                continue
            misfit = _misfit(header, self._link.dims)
            if misfit is not None:
                raise CsisimError(f"start: {path}: {misfit}")
            known |= _of_first_users(header.component, parameters, self._link.system.num_users)
        return known

    def task(self, index: int, start: Mapping[str, np.ndarray]) -> Any:
        """The task of a stage.

        Raises
        ------
        CsisimError
            If there is no such task, or its fields are wrong.
        """
        kind = self._kind(index)
        return kind(self._config(kind, index), start, self.seed + index)

    def check(self) -> None:
        """Look at all stages before the first one is trained.

        Raises
        ------
        CsisimError
            If there is no such task, its fields are wrong, or the link has a field that no stage knows.
        """
        kinds = [self._kind(index) for index in range(len(self.stages))]
        for index, kind in enumerate(kinds):
            self._config(kind, index)
        known = {field for kind in kinds for field in kind.Config.model_fields}
        for field in self.link:
            if field not in known:
                raise CsisimError(f"link.{field}: no stage of this recipe has such a field")

    def _kind(self, index: int) -> Any:
        stage = self.stages[index]
        if stage.task not in TASKS:
            raise CsisimError(f"stages.{index}.task: unknown task {stage.task!r}; tasks: {', '.join(TASKS)}")
        module, name = TASKS[stage.task].split(":")
        return getattr(import_module(module), name)

    def _config(self, kind: Any, index: int) -> Any:
        stage = self.stages[index]
        known = {field: value for field, value in self.link.items() if field in kind.Config.model_fields}
        try:
            return kind.Config.model_validate(known | stage.settings | {"task": stage.task})
        except ValidationError as error:
            first = error.errors()[0]
            place = f"{'.'.join(map(str, first['loc']))}: " if first["loc"] else ""  # what fields mean together has no place
            raise CsisimError(f"stages.{index} ({stage.task}): {place}{first['msg'].removeprefix('Value error, ')}") from error


def _same_codec(path: str, header: Header, config: Any) -> None:
    """Weights to go on from are those of the same network; what its quantiser did to the code may differ."""
    wanted = {"kind": f"codec/{config.kind}"} | config.architecture
    found = {"kind": header.component} | header.architecture
    for name in wanted.keys() - {"sigmoid_code"}:
        if found.get(name) != wanted[name]:
            raise CsisimError(f"start: {path}: {name} is {found.get(name)}, the recipe's codec has {wanted[name]}")


def read_recipe(name: str, sets: Iterable[str] = ()) -> Recipe:
    """A packaged recipe by its name, or one from a YAML file.

    Parameters
    ----------
    name : name or path
    sets : ``link.system.num_rf=8`` as for ``--set``

    Raises
    ------
    CsisimError
        If there is none, or its fields are wrong.
    """
    import yaml

    path = PACKAGED / f"{name}.yaml" if "/" not in name and not name.endswith((".yaml", ".yml")) else Path(name)
    if not path.is_file():
        if path.parent == PACKAGED and (weights.RECIPES / path.name).is_file():
            raise CsisimError(f"{name}: it is trained for a scenario that names it in `weights`: csisim train SCENARIO")
        packaged = ", ".join(sorted(file.stem for file in PACKAGED.glob("*.yaml")))
        raise CsisimError(f"{name}: no such recipe; packaged ones: {packaged}, others by their path")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for given in sets:
            field, _, value = given.partition("=")
            _give(document, field.split("."), yaml.safe_load(value), given)
        return Recipe.model_validate(document)
    except yaml.YAMLError as error:
        raise CsisimError(f"{path}: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise CsisimError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _give(document: Any, path: list[str], value: Any, given: str) -> None:
    """Set a field of a document; elements of lists go by their number."""
    for part in path[:-1]:
        if isinstance(document, list):
            if not (part.isdigit() and int(part) < len(document)):
                raise CsisimError(f"--set {given}: {part} is not one of 0 to {len(document) - 1}")
            inside = document[int(part)]
        else:
            inside = document.setdefault(part, {})
        if not isinstance(inside, dict | list):
            raise CsisimError(f"--set {given}: {part} holds no fields")
        document = inside
    if isinstance(document, list):
        raise CsisimError(f"--set {given}: a whole element of a list cannot be set, only fields of it")
    document[path[-1]] = value


def run_recipe(
    recipe: Recipe,
    folder: str | Path | None = None,
    *,
    device: str = "cpu",
    budget_s: float | None = None,
    told: Told | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Path]:
    """Train all stages and write the weights of every component that was trained, in the cache if no folder is named.

    What is finished or half finished is kept until the end: the same call resumes a training that was killed. One of another budget,
    or of none, does not: by the time of the kill the learning rate had gone another way. Weights are written when the last stage has
    ended; without a budget all that is unfinished of the recipe is removed then, with one only what it has begun itself. A budget is
    for all of it, and what a stage leaves of its share goes to those after it; weights of the same recipe that are there and score
    higher than what it led to are left as they are, and ``say`` is told so.

    Returns
    -------
    list of paths
    """
    began = time.perf_counter()
    recipe.check()
    into, mark = Path(folder or cache_folder()), recipe.digest if budget_s is None else f"{recipe.digest}-{budget_s:g}s"
    unfinished = cache_folder() / "unfinished" / mark
    known = recipe.learned_before()
    made: dict[Path, tuple[Product, Header]] = {}
    score: dict[str, Any] = {}
    for index, stage in enumerate(recipe.stages):
        task = recipe.task(index, known)
        share = stage.schedule.steps / sum(later.schedule.steps for later in recipe.stages[index:])
        done = unfinished / f"{index}.safetensors"
        finished = _read_finished(done)
        if finished is None:
            seconds = None if budget_s is None else max(began + budget_s - time.perf_counter(), 0.0) * share
            result = _stage(task, recipe, index, done, device, seconds, told)
        else:
            result, began = finished, began - finished.seconds
        known |= result.parameters
        score = {"untrained": round(result.untrained, 4), "trained": round(result.score, 4), "unit": task.unit}
        if hasattr(task, "reference"):
            score |= {"reference": round(float(task.reference(known)), 4), "reference_is": task.reference_is}
        for product in task.products(known):
            made[into / file_name(product, recipe)] = product, _header(recipe, index, product, result, score, family(known))
    paths = [] if budget_s is None else _better(made_by(recipe, into), score["trained"], say)
    if not paths:
        for path, (product, header) in made.items():
            weights.write(path, product.parameters, replace(header, recipe=header.recipe | {"files": len(made)}))
        paths = list(made)
    # a budget is no more than a try: what a training without one has begun may yet be resumed
    for over in [unfinished] if budget_s is not None else unfinished.parent.glob(f"{recipe.digest}*"):
        shutil.rmtree(over, ignore_errors=True)
    return paths


def _better(there: list[Path], score: float, say: Callable[[str], None] | None) -> list[Path]:
    """Weights of a recipe that are there, if they score higher on the validation set than what was trained now; all or none."""
    before = weights.read_header(there[-1]).score["trained"] if there else score
    if before <= score:
        return []
    if say is not None:
        say(f"this training ends at {score:g}, the weights of this recipe that are there have {before:g}: they are left as they are")
    return there


def made_by(recipe: Recipe, folder: Path) -> list[Path]:
    """Weights in a folder from all stages of a recipe, the last stage's last; none as long as they are not all there."""
    found = [(weights.read_header(path).recipe, path) for path in folder.glob(f"*-{recipe.digest[:8]}.safetensors")]
    found.sort(key=lambda item: (len(item[0]["stages"]), item[1]))
    # a file from before headers told how many there are leaves it at that
    whole = found and len(found[-1][0]["stages"]) == len(recipe.stages) and len(found) == found[-1][0].get("files", len(found))
    return [path for _, path in found] if whole else []


#: family of what was trained behind phases that every drop had of its own
DESIGNED = "designed"
#: components that a training can go on from
_TRANSFERRED = ("analog/learned_phases", "digital/hbdun", "estimator/cedun")


def family(parameters: Parameters) -> str:
    """Which phases parameters were trained behind: a digest of them, or ``designed`` if every drop had its own."""
    if "phi_f" not in parameters:
        return DESIGNED
    return hashlib.sha256(np.ascontiguousarray(parameters["phi_f"], np.float32).tobytes()).hexdigest()[:16]


def file_name(product: Product, recipe: Recipe) -> str:
    """A readable name that differs for whatever needs other weights."""
    kind = product.component.replace("/", "_")
    told = [str(product.architecture[name]) for name in ("training", "inverse") if name in product.architecture]
    dims = [f"{short}{product.dims[name]}" for name, short in (("num_rf", "rf"), ("num_users", "k")) if name in product.dims]
    return f"{'-'.join([kind, *told, *dims, recipe.digest[:8]])}.safetensors"


def _misfit(header: Header, dims: Mapping[str, int]) -> str | None:
    """In which size a file does not suit a link of these sizes; fewer users than it has are served."""
    for name, size in header.dims.items():
        wanted = dims.get(name, size)
        if wanted > size or (wanted < size and name != "num_users"):
            return f"it is for {name} {size}, this recipe has {wanted}"
    return None


def _of_first_users(component: str, parameters: Parameters, users: int) -> Parameters:
    """Parameters from a file as stages name them, for the first users."""
    if component == "analog/learned_phases":
        return parameters | {"phi_w": parameters["phi_w"][:users]}
    if component == "estimator/cedun":
        return prefixed("estimator", cedun.truncated(parameters, users, parameters["gamma"].shape[-1]))
    if component.startswith("codec/"):
        own = {"receive": parameters["receive"][:users]} if "receive" in parameters else {}  # all else is the same for every user
        return prefixed("codec", parameters | own)
    return prefixed("digital", hbdun.first_users(parameters, users))


def _stage(task: Any, recipe: Recipe, index: int, done: Path, device: str, budget_s: float | None, told: Told | None) -> Trained:
    """Train a stage and keep what it led to, lest the training is killed in a later one."""
    stage = recipe.stages[index]
    result = train(
        task,
        stage.schedule.model_copy(update={"seed": recipe.seed + index}),
        device=device,
        budget_s=budget_s,
        checkpoint=done.with_name(f"{index}.half.safetensors"),
        report=None if told is None else lambda progress: told(index, stage.task, progress),
    )
    _write_finished(done, result)
    return result


_NUMBERS = ("untrained", "score", "steps", "skipped", "seconds", "history")


def _write_finished(path: Path, result: Trained) -> None:
    from safetensors.numpy import save

    told = {"numbers": json.dumps({name: getattr(result, name) for name in _NUMBERS})}
    write_whole(path, save({name: np.ascontiguousarray(value) for name, value in result.parameters.items()}, metadata=told))


def _read_finished(path: Path) -> Trained | None:
    from safetensors import safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Trained(parameters, **json.loads(file.metadata()["numbers"]))
    except FileNotFoundError:
        return None


def _header(recipe: Recipe, index: int, product: Product, result: Trained, score: dict[str, Any], behind: str) -> Header:
    stages: Sequence[Stage] = recipe.stages[: index + 1]
    trained = {
        "stages": [{"task": stage.task, "steps": stage.schedule.steps, "learning_rate": stage.schedule.learning_rate} for stage in stages],
        "steps": result.steps,
        "skipped": result.skipped,
        "family": behind,
        "history": [(step, round(score, 4)) for step, score in result.history],
    }
    return Header(
        product.component,
        dict(product.architecture),
        dict(product.dims),
        dict(product.statistics),
        product.snr_db,
        trained,
        recipe.seed,
        score,
    )
