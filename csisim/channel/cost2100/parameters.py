"""Parameter sets of the COST 2100 model: data with units and source, checked before anything is computed."""

import warnings
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from csisim.errors import CsisimError
from csisim.registry import Settings

#: The model's speed of light in m/s, exactly.
SPEED_OF_LIGHT = 3.0e8

SETS = Path(__file__).parent / "sets"

#: The correlated large-scale parameters of a cluster, in the order in which they are drawn.
LARGE_SCALE = ("shadowing", "delay", "elevation_bs", "azimuth_bs", "elevation_ms", "azimuth_ms")

#: Visibility regions of a cell that are drawn for every environment.
MOST_REGIONS = 1_000_000

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class ParameterError(CsisimError):
    """A parameter set that is not there, or is none."""

    field = "parameters"


class Lognormal(Settings):
    """A lognormal quantity, by its median and spread in dB, or by its mean and standard deviation."""

    median: float | None = Field(None, gt=0, description="median, in the unit of the field")
    sigma_db: float | None = Field(None, ge=0, description="standard deviation of 10 log10 of the quantity")
    mean: float | None = Field(None, gt=0, description="mean, instead of the median")
    std: float | None = Field(None, ge=0, description="standard deviation, instead of sigma_db")

    @model_validator(mode="after")
    def _one_way(self) -> "Lognormal":
        if (self.median is None) != (self.sigma_db is None) or (self.mean is None) != (self.std is None):
            raise ValueError("a lognormal has either median and sigma_db, or mean and std")
        if (self.median is None) == (self.mean is None):
            raise ValueError("a lognormal has either median and sigma_db, or mean and std, not both")
        return self

    @property
    def law(self) -> tuple[float, float]:
        """Median and sigma in dB."""
        if self.mean is not None and self.std is not None:
            variance = np.log1p((self.std / self.mean) ** 2)
            return self.mean * float(np.exp(-variance / 2)), 10 * float(np.log10(np.e) * np.sqrt(variance))
        assert self.median is not None
        assert self.sigma_db is not None
        return self.median, self.sigma_db


class Normal(Settings):
    """A normal quantity in degrees."""

    mean_deg: float
    std_deg: float = Field(ge=0)


class Visibility(Settings):
    """Visibility regions: discs from which a cluster is seen."""

    radius_m: float = Field(gt=0, description="radius r_C")
    transition_m: float = Field(gt=0, description="width l_C of the rim in which a cluster fades in")
    extra_per_cluster: float = Field(0, ge=0, le=100, description="mean of the Poisson number of further regions that a cluster has")

    @model_validator(mode="after")
    def _has_a_core(self) -> "Visibility":
        if self.transition_m >= self.radius_m:
            raise ValueError(f"transition_m ({self.transition_m}) must be smaller than radius_m ({self.radius_m})")
        return self


class LineOfSight(Settings):
    """The direct path: where it is seen, and how strong it is."""

    cutoff_m: NonNegative = Field(description="no line of sight beyond this distance d_co")
    radius_m: NonNegative = Field(description="radius of its visibility region; 0: there never is one")
    k_factor: NonNegative = Field(description="median power over that of all other paths, linear")
    k_factor_db: NonNegative = Field(description="spread of the K factor in dB")


class PathLoss(Settings):
    """Loss = slope log10(d) + 20 log10(f) + offset in dB, d in m and f in Hz."""

    slope_db: float = Field(20, gt=0)
    offset_db: float = Field(-147.56, description="20 log10(4 pi / c)")
    floors: int = Field(0, ge=0, description="floors in between, 30 dB each")


class ParameterSet(Settings):
    """One environment of the model; lengths in m, angles in degrees, delays in ns unless the name says otherwise."""

    name: str
    source: str = Field(min_length=1, description="where the numbers come from")
    validated: bool = Field(False, description="compared with the output of the reference code")
    not_modelled: tuple[str, ...] = Field((), description="what the reference has for this set and csisim has not")
    band_mhz: tuple[Positive, Positive] = Field(description="first and last frequency")
    cell_radius_m: float = Field(gt=0, description="visibility regions are drawn within this radius")
    visibility: Visibility
    num_far: float = Field(gt=0, le=500, description="mean number of clusters seen (before the rims are counted in)")
    num_far_poisson: bool = Field(False, description="draw the number of far clusters per environment, at least 1")
    single_fraction: float = Field(ge=0, le=1, description="share of clusters that are one body; the others are twins")
    num_mpcs: int = Field(ge=1, description="multipath components per cluster")
    local_bs: bool = Field(description="a cluster around the base station")
    local_ms: bool = Field(description="a cluster around every user")
    decay_per_us: float = Field(ge=0, description="k_tau of the cluster attenuation exp(-k_tau excess), natural units")
    cutoff_us: float = Field(gt=0, description="excess delay tau_B at which the attenuation stops")
    line_of_sight: LineOfSight
    shadowing_db: NonNegative
    delay_spread_ns: Lognormal
    azimuth_spread_bs_deg: Lognormal
    elevation_spread_bs_deg: Lognormal
    azimuth_spread_ms_deg: Lognormal
    elevation_spread_ms_deg: Lognormal
    correlations: tuple[tuple[str, str, float], ...] = Field((), description=f"pairs of {', '.join(LARGE_SCALE)}; others are uncorrelated")
    bearing: Normal = Field(description="azimuth of a cluster from the direction of its visibility region")
    elevation: Normal = Field(description="elevation of a cluster")
    range_m: tuple[NonNegative, NonNegative] = Field(description="distance of a cluster from the base station, uniform")
    link_mean_ns: NonNegative = Field(description="mean of the exponential part of a twin's link delay")
    link_min_ns: NonNegative = Field(description="its least value")
    path_loss: PathLoss = PathLoss()
    intended: dict[str, Any] = Field(
        {}, description="fields as they were meant, where the reference slips a unit; see the switch unit_slips"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "ParameterSet":
        for name in ("band_mhz", "range_m"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: {low} is larger than {high}")
        core = self.visibility.radius_m - self.visibility.transition_m
        if core > self.cell_radius_m:
            raise ValueError(f"visibility regions with a core of {core:g} m do not fit a cell of {self.cell_radius_m:g} m")
        if (regions := self.num_regions(self.num_far)) > MOST_REGIONS:
            raise ValueError(f"{regions} visibility regions in a cell, at most {MOST_REGIONS} (a smaller cell_radius_m, or larger regions)")
        return self

    @model_validator(mode="after")
    def _correlations_exist(self) -> "ParameterSet":
        eigenvalues = np.linalg.eigvalsh(self.correlation)
        if eigenvalues.min() <= 1e-9:
            raise ValueError(f"correlations: the matrix of {', '.join(LARGE_SCALE)} is not positive definite "
                             f"(smallest eigenvalue {eigenvalues.min():.3g})")  # fmt: skip
        return self

    @model_validator(mode="after")
    def _intended_is_valid(self) -> "ParameterSet":
        if self.intended:
            _ = self.mended
        return self

    @property
    def mended(self) -> "ParameterSet":
        """The set without slips of units."""
        return ParameterSet.model_validate(self.model_dump() | self.intended | {"intended": {}})

    @property
    def correlation(self) -> np.ndarray:
        """Correlation matrix (6, 6) of the large-scale parameters in the order of ``LARGE_SCALE``."""
        matrix = np.eye(len(LARGE_SCALE))
        for one, other, value in self.correlations:
            for name in (one, other):
                if name not in LARGE_SCALE:
                    raise ValueError(f"correlations: unknown parameter {name!r}; parameters: {', '.join(LARGE_SCALE)}")
            if one == other or abs(value) > 1:
                raise ValueError(f"correlations: {one}, {other} = {value} is no correlation of two parameters")
            row, column = LARGE_SCALE.index(one), LARGE_SCALE.index(other)
            matrix[row, column] = matrix[column, row] = value
        return matrix

    @property
    def carrier_hz(self) -> float:
        """Centre of the band."""
        return 0.5e6 * (self.band_mhz[0] + self.band_mhz[1])

    def num_regions(self, num_far: float) -> int:
        """Visibility regions in the cell for ``num_far`` clusters per point: density times area."""
        return round(num_far * (self.cell_radius_m / (self.visibility.radius_m - self.visibility.transition_m)) ** 2)

    @property
    def expected_visible_regions(self) -> float:
        """Mean number of regions that cover a point (1.1): n_far (r_C / (r_C - l_C))^2."""
        radius = self.visibility.radius_m
        return self.num_far * (radius / (radius - self.visibility.transition_m)) ** 2


class Peculiarities(Settings):
    """What the reference code does and a clean model would not, one switch each; what is left open, the version decides."""

    bearing_degrees_as_radians: bool | None = Field(None, description="2017: a cluster's bearing in degrees is added to radians")
    regions_around_base_station: bool | None = Field(None, description="2017: regions around the base station; 2018: around the origin")
    shared_height: bool | None = Field(None, description="2017: a twin's height at the user is that at the base station")
    coherent_k_factor: bool | None = Field(None, description="2017: the K factor refers to the coherent sum of the other paths")
    carrier_phase_twice: bool | None = Field(None, description="2017: amplitudes carry the phase of the carrier a further time")
    needs_a_cluster: bool | None = Field(
        None, description="2018: an environment in which a user sees no cluster is drawn again (in traces; scenarios keep it)"
    )
    sight_in_first_quadrant: bool = Field(True, description="the line of sight's region lies to the north-east of the base station")
    sight_in_the_plane: bool = Field(True, description="the delay of the line of sight is that of its way in the plane, heights left out")
    unit_slips: bool = Field(True, description="parameters as the reference uses them, slips of units included")


class Reference(Peculiarities):
    """The reference code: a version and its peculiarities.

    The 2018 version corrected most of what the 2017 version (with which the public CsiNet data were made) has.
    """

    version: Literal[2018, 2017] = Field(2018, description="version of the public MATLAB code")

    def __call__(self, switch: str) -> bool:
        """The switch as it stands: as it was set, or as the version has it."""
        value = getattr(self, switch)
        return _VERSION_OF[switch] == self.version if value is None else bool(value)


#: The version that has each behaviour.
_VERSION_OF = {
    "bearing_degrees_as_radians": 2017,
    "regions_around_base_station": 2017,
    "shared_height": 2017,
    "coherent_k_factor": 2017,
    "carrier_phase_twice": 2017,
    "needs_a_cluster": 2018,
}


def available() -> tuple[str, ...]:
    """Names of the packaged sets."""
    return tuple(sorted(path.stem for path in SETS.glob("*.yaml")))


def parameter_set(name: str) -> ParameterSet:
    """A packaged set by name, or one's own by the path of its YAML file; a packaged one that is unvalidated warns, once.

    Raises
    ------
    ParameterError
        If there is none, or it is no set; the message says what is wrong.
    """
    path = SETS / f"{name}.yaml" if name in available() else Path(name)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise ParameterError(f"{name}: no such COST 2100 parameter set; sets: {', '.join(available())}, or the path of a .yaml file")
    return _load(name, path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _load(name: str, path: Path, modified_ns: int) -> ParameterSet:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: not YAML: {error}") from error
    try:
        loaded = ParameterSet.model_validate(_tuples(document))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc'])) or 'set'}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors()]
        raise ParameterError(f"{path.name}: " + "; ".join(lines)) from error
    if name in available() and not loaded.validated:
        lacking = f"; not modelled: {', '.join(loaded.not_modelled)}" if loaded.not_modelled else ""
        warnings.warn(f"{name} is unvalidated: none of its drops have been compared with the reference code{lacking}", stacklevel=3)
    return loaded


def _tuples(value: Any) -> Any:
    """YAML's lists as tuples, which strict models want."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
