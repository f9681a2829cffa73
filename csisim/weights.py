"""Parameters of networks on disk: safetensors with a header that says what they are for.

Nothing here executes what it reads: arrays and JSON only. A file that does not fit is refused with one sentence.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from csisim import __version__
from csisim.errors import CsisimError
from csisim.registry import Component, component

Parameters = dict[str, np.ndarray]
#: untrained parameters for given dims
Template = Callable[[Mapping[str, int]], Mapping[str, np.ndarray]]

#: weights that come with the package
SHIPPED = Path(__file__).parent / "data" / "weights"
#: Raised by hand whenever the same recipe would lead to other weights than before: what lies in the cache is then not taken for new.
TRAINING_VERSION = 1
#: key of a file's metadata for the header, and of the checksum of the parameters in there; older files have it beside the header, or none
_KEY, _CHECKSUM = "csisim", "sha256"

#: ``weights`` of a component that is meant to run as it is before any training
UNTRAINED = "untrained"
#: recipes that a scenario has its networks trained by, for its own link (:mod:`csisim.training.native`)
RECIPES = Path(__file__).parent / "training" / "recipes" / "native"


class WeightsError(CsisimError):
    """Weights that cannot be read, or that were made for something else."""


@dataclass(frozen=True)
class Header:
    """What a file of weights says about itself.

    Attributes
    ----------
    component : str
        Room and kind, e.g. ``digital/hbdun``.
    architecture : dict
        The settings that decide which parameters there are.
    dims : dict
        Sizes by their names in a scenario (``num_rf``, ``num_users``, ...). With ``num_users`` users trained, fewer can be served.
    statistics : dict
        The channel that it was trained on, as in a scenario.
    snr_db : float
    recipe : dict
        How it was trained.
    seed : int
    score : dict
        ``untrained``, ``trained``, ``reference`` (numbers) and ``unit``, on the validation set.
    version : str
        Of csisim.
    training_version : int
        :data:`TRAINING_VERSION` of who wrote it; 0 in files from before there was one.
    """

    component: str
    architecture: dict[str, Any]
    dims: dict[str, int]
    statistics: dict[str, Any]
    snr_db: float
    recipe: dict[str, Any]
    seed: int
    score: dict[str, Any]
    version: str = field(default=__version__)
    training_version: int = field(default_factory=lambda: TRAINING_VERSION)


@dataclass(frozen=True)
class Need:
    """What a component asks of weights; ``None`` asks nothing. ``num_users`` is the least number of users, all else is exact."""

    component: str
    architecture: Mapping[str, Any]
    dims: Mapping[str, int]
    statistics: Mapping[str, Any] | None = None
    snr_db: float | None = None

    def complaint(self, header: Header) -> str | None:
        """The first thing about a file that does not fit; any SNR does (:func:`find` prefers the nearest)."""
        if header.component != self.component:
            return f"it is for {header.component}, wanted is {self.component}"
        for name, wanted in self.architecture.items():
            if header.architecture.get(name) != wanted:
                return f"its {name} is {header.architecture.get(name)}, wanted is {wanted}"
        for name, wanted in self.dims.items():
            there = header.dims.get(name)
            if there is None or (there < wanted if name == "num_users" else there != wanted):
                return f"it was trained for {name} {there}, wanted is {wanted}"
        if self.statistics is None:
            return None
        trained, asked = _chosen(header.statistics), _chosen(self.statistics)
        changed = sorted(name for name in {*trained, *asked} if trained.get(name) != asked.get(name))
        return f"it was trained on a channel with other {', '.join(changed)}" if changed else None


#: a scenario's pilots, unless it asks for others
_PILOTS = {"power": "per_rf_chain", "add_up": False}


def _chosen(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Statistics without the fields at their defaults: weights from before a field was there were trained at its default."""
    defaults = _channel_defaults(str(statistics.get("kind"))) | {"pilots": _PILOTS}
    return {name: value for name, value in statistics.items() if name == "kind" or name not in defaults or defaults[name] != value}


@cache
def _channel_defaults(kind: str) -> dict[str, Any]:
    try:
        fields_of = component("channel", kind).Config
    except KeyError:  # a plugin that is not installed here
        return {}
    defaults: dict[str, Any] = fields_of.model_construct().model_dump(mode="json", warnings=False)
    return defaults


@dataclass(frozen=True)
class Circumstances:
    """What a scenario tells its learned components about where they will work.

    Attributes
    ----------
    dims : dict
        All sizes of the link by their names in a scenario, and ``pilot_length``.
    statistics : dict
        The channel, but for how it evolves from slot to slot.
    snr_db : float
    shared_statistics : bool
        Whether all drops have the same statistics.
    pilots : dict
        What decides the noise on an estimate beside the SNR: what has power P, and whether all users' pilots add up.
    """

    dims: Mapping[str, int]
    statistics: Mapping[str, Any]
    snr_db: float
    shared_statistics: bool
    pilots: Mapping[str, Any]

    def need(self, component: str, architecture: Mapping[str, Any], *sizes: str, pilots: bool = False) -> Need:
        """What a component needs that depends on these sizes and, if told so, on how strong pilots are received."""
        statistics = {**self.statistics, "pilots": dict(self.pilots)} if pilots else self.statistics
        return Need(component, architecture, {name: self.dims[name] for name in sizes}, statistics, self.snr_db)


class Learned(Component):
    """Settings of a component that is trained. All fields but these decide which parameters there are."""

    weights: str | None = Field(
        None,
        description="file of weights; a recipe that trains them for the scenario's own link and nothing else, by name or YAML file; "
        "untrained; null takes shipped ones even of more users, or cached ones, or trains",
    )
    budget_s: float = Field(120.0, gt=0, description="seconds of training if there are no weights that fit")

    @field_validator("weights")
    @classmethod
    def _is_a_file(cls, weights: str | None) -> str | None:
        """By its suffix a file is known: its path is then relative to the scenario, its content part of a record's key."""
        recipes = sorted(path.stem for path in RECIPES.glob("*.yaml"))
        if weights not in (None, UNTRAINED, *recipes) and not str(weights).endswith((".safetensors", ".yaml")):
            raise ValueError(
                f"{weights!r} is neither a .safetensors file, {UNTRAINED}, nor a recipe ({', '.join(recipes)}, or a .yaml file)"
            )
        return weights

    @property
    def recipe(self) -> Path | None:
        """The recipe that ``weights`` names."""
        if self.weights in (None, UNTRAINED) or str(self.weights).endswith(".safetensors"):
            return None
        return Path(str(self.weights)) if str(self.weights).endswith(".yaml") else RECIPES / f"{self.weights}.yaml"

    @property
    def architecture(self) -> dict[str, Any]:
        """The settings that weights must agree with."""
        return self.model_dump(mode="json", exclude={"kind", "weights", "budget_s"})

    def need(self, circumstances: Circumstances) -> Need | None:
        """The weights that are wanted there; None if it can do without (every learned component says for itself)."""
        raise NotImplementedError


def check_within(outer: str, config: Component) -> None:
    """Refuse a learned component within another one whose weights nobody would find or train.

    Raises
    ------
    ValueError
        If it names none.
    """
    if isinstance(config, Learned) and config.weights is None:
        names = "weights: FILE.safetensors, or a recipe that trains them"
        raise ValueError(f"{outer}: {config.kind} with no weights: within another codec it names them ({names})")


def parameters_of(config: Learned, room: str, dims: Mapping[str, int], template: Template) -> Parameters:
    """The parameters that a component runs with, for at least ``dims["num_users"]`` users.

    Raises
    ------
    WeightsError
        If the file that the configuration names does not fit, or if it names none and none is found.
    """
    if config.weights == UNTRAINED:
        return dict(template(dims))
    need = Need(f"{room}/{config.kind}", config.architecture, dims)
    if config.recipe is not None:  # what it has led to would be named in its place
        raise WeightsError(f"{need.component}: no networks by recipe {config.weights} yet; `csisim train SCENARIO` makes them")
    path = config.weights or find(need)
    if path is None:
        sizes = ", ".join(f"{name} {size}" for name, size in dims.items())
        raise WeightsError(
            f"{need.component}: no weights for {sizes}; `csisim train SCENARIO` makes them, weights: {UNTRAINED} does without"
        )
    return load(path, need, template)


def write(path: str | Path, parameters: Mapping[str, np.ndarray], header: Header) -> Path:
    """Write weights in one piece: the file is complete or not there."""
    from safetensors.numpy import save

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.ascontiguousarray(value if value.dtype == np.float16 else _narrow(value)) for name, value in parameters.items()}
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    told = json.dumps(asdict(header) | {_CHECKSUM: _checksum(arrays)}, sort_keys=True)
    unfinished.write_bytes(save(arrays, metadata={_KEY: told}))  # safetensors writes several keys in random order
    os.replace(unfinished, target)
    return target


def read_header(path: str | Path) -> Header:
    """What a whole file says about itself; remembered while the file stays the same.

    Raises
    ------
    WeightsError
        If it cannot be read, is damaged, or says nothing that csisim understands.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file of weights") from error
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}") from error
    return _read_header(str(path), status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _read_header(path: str, number: int, size: int, changed_ns: int) -> Header:
    return read(path)[0]


def read(path: str | Path) -> tuple[Header, Parameters]:
    """A file of weights, whatever it is for.

    Raises
    ------
    WeightsError
        If it cannot be read, is damaged, or says nothing that csisim understands.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        told = {"training_version": 0} | json.loads(metadata[_KEY])
        header = Header(**{item.name: told[item.name] for item in fields(Header)})
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file of weights") from error
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: not weights of csisim, or damaged ({error})") from error
    written = told.get(_CHECKSUM, metadata.get(_CHECKSUM))
    if written is not None and written != _checksum(arrays):
        raise WeightsError(f"{path}: damaged: its parameters are not those that were written")
    parameters = {name: _narrow(value) for name, value in arrays.items()}
    for name, value in parameters.items():
        if not np.isfinite(value).all():
            raise WeightsError(f"{path}: damaged: {name} is not finite")
    return header, parameters


def load(path: str | Path, need: Need, template: Template) -> Parameters:
    """Parameters from a file that fits.

    Parameters
    ----------
    path : path
    need : Need
        What the component wants.
    template : callable
        Untrained parameters for the file's dims: names and shapes must be the same.

    Raises
    ------
    WeightsError
        If the file is damaged, does not fit, or is from another version of csisim.
    """
    header, parameters = read(path)
    complaint = need.complaint(header)
    if complaint is not None:
        raise WeightsError(f"{path}: these weights do not fit: {complaint}")
    wanted = template(header.dims)
    if set(wanted) != set(parameters):
        there = f"its parameters are {', '.join(sorted(parameters))}, not {', '.join(sorted(wanted))}"
        raise WeightsError(f"{path}: made by another version of csisim: {there}")
    for name, value in parameters.items():
        if value.shape != np.shape(wanted[name]):
            there = f"{name} has shape {value.shape}, not {np.shape(wanted[name])}"
            raise WeightsError(f"{path}: made by another version of csisim: {there}")
    return parameters


def find(need: Need, family: str | None = None) -> Path | None:
    """Weights that fit; None if there are none.

    Shipped ones come first, whatever has been trained on this machine: a scenario gives the same numbers everywhere, and other
    weights are named in it. Then the nearest SNR, then those of the ``family`` asked for (parameters that were trained behind the
    same phases belong together, ``recipe["family"]`` in the header), then those for the fewest users, then the first by name. What was
    trained here by another :data:`TRAINING_VERSION` is passed over.
    """
    fitting = []
    for order, path in enumerate(_candidates()):
        try:
            header = read_header(path)
        except WeightsError:
            continue  # somebody else's file in the cache
        if path.parent != SHIPPED and header.training_version != TRAINING_VERSION:
            continue
        if need.complaint(header) is None:
            distance = 0.0 if need.snr_db is None else abs(header.snr_db - need.snr_db)
            stranger = family is not None and header.recipe.get("family") != family
            fitting.append((path.parent != SHIPPED, distance, stranger, header.dims.get("num_users", 0), order, path))
    return min(fitting)[-1] if fitting else None


def cache_folder() -> Path:
    """Where trained weights are kept: ``$CSISIM_CACHE``, or a folder ``csisim`` where the platform keeps such things."""
    if own := os.environ.get("CSISIM_CACHE"):
        return Path(own)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "csisim"


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of named arrays."""
    content = hashlib.sha256()
    for name in sorted(arrays):
        content.update(f"{name} {arrays[name].dtype} {arrays[name].shape} ".encode())
        content.update(np.ascontiguousarray(arrays[name]).tobytes())
    return content.hexdigest()


def _candidates() -> Iterator[Path]:
    for folder in (SHIPPED, cache_folder()):
        yield from sorted(folder.glob("*.safetensors"))


def _narrow(value: np.ndarray) -> np.ndarray:
    """Single precision: that is what networks are trained and run in; half precision on disk is what the writer asked for."""
    return np.asarray(value, np.complex64 if np.iscomplexobj(value) else np.float32)
