"""What a data set is made of: a preset, a seed, a number of drops, and everything these mean."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

import csisim
from csisim.channel.cost2100.parameters import Peculiarities, Reference, available, parameter_set
from csisim.channel.cost2100.presets import PRESETS, Preset, preset
from csisim.channel.cost2100.transfer import PUBLIC, REFERENCE
from csisim.errors import CsisimError
from csisim.records.identity import MODEL_VERSION
from csisim.registry import Settings
from csisim.scenario.yaml import read

DELAYS = ANTENNAS = 32


class TracePreset(Settings):
    """A preset of one's own, as its YAML file says it."""

    name: str = Field(pattern=r"^[a-z0-9_-]+$", description="begins with outdoor: .mat files are named ...out.mat, else ...in.mat")
    parameters: str = Field(description="a packaged parameter set, or a .yaml file, its path relative to this file")
    reference_version: Literal[2018, 2017] = Field(2018, description="version of the public MATLAB code that is followed")
    peculiarities: Peculiarities = Field(Peculiarities(), description="what that code does and a clean model would not; see each")
    bs_m: tuple[float, float, float] = Field((0.0, 0.0, 0.0), strict=False, description="position of the base station")
    half_side_m: float = Field(gt=0, description="users are uniform in a square of twice this side around the origin")
    grid: Literal[1024, 257] = Field(1024, description="frequencies: 1024 in the band, or 257 from its first to its last")
    orientation: Literal["paper", "public"] = Field(
        "paper", description="paper: exp(-j pi k cos AoD); public: exp(+j pi k cos AoD), angle axis fftshifted"
    )
    seed: int = Field(1, ge=0)
    note: str = Field("", description="goes into every file")

    def build(self, folder: Path) -> Preset:
        """The preset; ``folder`` is where relative paths begin."""
        parameters = self.parameters if self.parameters in available() else str(folder / self.parameters)
        convention = PUBLIC if self.orientation == "public" else REFERENCE
        steering = f"exp({'+' if convention.sign > 0 else '-'}j pi k cos AoD), {'angle axis' if convention.centred else 'no'} fftshift"
        return Preset(
            name=self.name,
            parameters=parameters,
            reference=Reference(version=self.reference_version, **self.peculiarities.model_dump()),
            bs=self.bs_m,
            half_side_m=self.half_side_m,
            grid=str(self.grid),
            convention=convention,
            seed=self.seed,
            note=self.note or f"COST 2100 drops, {parameter_set(parameters).name}; {steering}; {self.grid} frequencies",
        )


def load_preset(name: str, seed: int | None = None) -> Preset:
    """A named preset, or that of a YAML file, with another seed if one is given.

    Raises
    ------
    CsisimError
        If there is none, if its file is not valid, or if its users leave the disc that the parameter set covers.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if name not in PRESETS:
            raise CsisimError(f"--preset {name}: no such preset; presets: {', '.join(PRESETS)}, or a FILE.yaml")
        return preset(name, seed)
    document = read(path).plain()
    try:
        own = TracePreset.model_validate(document if seed is None else document | {"seed": seed}).build(path.parent)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc'])) or 'preset'}: {item['msg']}" for item in error.errors()]
        raise CsisimError(f"{path}: " + "; ".join(lines)) from error
    _check_sight(own, path)
    return own


def _check_sight(config: Preset, path: Path) -> None:
    """Users within the disc that visibility regions cover, and a path for everybody: environments without any are drawn again."""
    parameters, centre = parameter_set(config.parameters), config.law.cell_centre
    corner = float(np.hypot(*(config.half_side_m + np.abs(centre))))
    if corner > parameters.cell_radius_m:
        raise CsisimError(
            f"{path}: users up to {corner:.0f} m away leave the {parameters.cell_radius_m:g} m disc that {parameters.name} covers; "
            f"choose a smaller half_side_m ({config.half_side_m:g}) or move the base station"
        )
    if not (config.reference("needs_a_cluster") or parameters.local_bs or parameters.local_ms):
        raise CsisimError(
            f"{path}: {parameters.name} has no local clusters, so users who see no cluster have no channel; "
            "choose peculiarities: {needs_a_cluster: true}, or local_bs or local_ms"
        )
    seen = min(parameters.expected_visible_regions, parameters.num_regions(parameters.num_far))
    if config.reference("needs_a_cluster") and seen < 0.01:
        raise CsisimError(
            f"{path}: users of {parameters.name} see {seen:.2g} clusters on average, but every drop needs one; "
            "choose a larger num_far, or peculiarities: {needs_a_cluster: false}"
        )


@dataclass(frozen=True)
class Recipe:
    """A preset (its seed included) and how many drops of it."""

    preset: Preset
    count: int

    @property
    def splits(self) -> dict[str, range]:
        """Drops of each part, one after the other, 10 : 3 : 2 as in the public CsiNet data; drops are independent."""
        test, validation = 2 * self.count // 15, self.count // 5
        train = self.count - validation - test
        return {
            "train": range(train),
            "validation": range(train, train + validation),
            "test": range(train + validation, self.count),
        }

    def split_of(self, drops: np.ndarray) -> np.ndarray:
        """Names of the parts that drops (n,) belong to."""
        splits = self.splits
        ends = [part.stop for part in splits.values()]
        return np.array(list(splits))[np.searchsorted(ends, drops, side="right")]

    def document(self) -> dict[str, Any]:
        """Everything that decides the numbers, resolved, as JSON values."""
        config = self.preset
        points, reference = config.points, config.reference
        return {
            "preset": config.name,
            "seed": config.seed,
            "count": self.count,
            "splits": {name: [part.start, part.stop] for name, part in self.splits.items()},
            "bs_m": list(config.bs),
            "half_side_m": config.half_side_m,
            "frequencies": {"count": points.num_points, "first_hz": points.first_hz, "spacing_hz": points.spacing_hz},
            "delays": DELAYS,
            "angles": {"count": ANTENNAS, "steering_sign": config.convention.sign, "centred": config.convention.centred},
            "reference": {"version": reference.version, **{name: reference(name) for name in Peculiarities.model_fields}},
            "parameters": parameter_set(config.parameters).model_dump(mode="json"),
            "note": config.note,
            "csisim": csisim.__version__,
            "model": MODEL_VERSION,
        }

    def text(self) -> str:
        """The document as JSON."""
        return json.dumps(self.document(), allow_nan=False)


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Which fields of two documents differ; ``seed: 1 there, 2 asked for``."""
    told = []
    for name in dict.fromkeys([*wanted, *there]):
        old, new = there.get(name), wanted.get(name)
        if old != new:
            short = all(not isinstance(value, dict | list) and len(str(value)) < 40 for value in (old, new))
            told.append(f"{name}: {old} there, {new} asked for" if short else name)
    return "; ".join(told)
