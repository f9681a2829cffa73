"""COST 2100 as a process: users walk through visibility regions, superframes change what they see, slots fade."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from csisim.channel.base import FactoredState, Paths
from csisim.channel.cost2100.draws import keys
from csisim.channel.cost2100.kernels import follow
from csisim.channel.cost2100.law import law
from csisim.channel.cost2100.parameters import ParameterError, Peculiarities, Reference, parameter_set
from csisim.channel.cost2100.paths import PathList, Scatterers, local_clusters, path_list, scatterers
from csisim.channel.normalisation import MEAN_POWER, Normalisation, per_drop_scale
from csisim.channel.steering import RayGeometry
from csisim.errors import CsisimError
from csisim.phy.arrays import AntennaArray, Ula, phase_steps
from csisim.phy.dims import Dims
from csisim.random import Streams
from csisim.registry import Component


class Cost2100Config(Component):
    """Users of one drop share an environment; they walk straight on and turn at the edges of their square."""

    kind: Literal["cost2100"] = "cost2100"
    parameters: str = Field("indoor_hall_5ghz", description="a packaged parameter set, or the path of one's own .yaml file")
    reference_version: Literal[2018, 2017] = Field(2018, description="version of the public MATLAB code that is followed")
    peculiarities: Peculiarities = Field(Peculiarities(), description="what that code does and a clean model would not; see each")
    num_subcarriers: int = Field(1, ge=1, description="subcarriers, evenly spaced over the set's band")
    bs_m: tuple[float, float, float] = Field((0.0, 0.0, 0.0), strict=False, description="position of the base station")
    half_side_m: float = Field(10.0, gt=0, description="users stay within a square of twice this side around the origin")
    speed_mps: float = Field(1.0, ge=0, description="speed of the users")
    superframe_s: float = Field(1.0, gt=0, description="time from the beginning of a superframe to that of the next")
    normalisation: Normalisation = Field(
        "unit",
        description="mean of ||H||_F^2 / (N_r N_t): unit 1, kang 0.1, hu 2 for every user in every superframe, so no path loss is left; "
        "per_drop: 1 in every realisation, averaged over a drop's users and subcarriers, so users differ by their path losses",
    )
    tx_array: AntennaArray = Field(Ula(), description="transmit array; a line lies along the x axis")
    rx_array: AntennaArray = Field(Ula(), description="receive array; a line lies along the x axis")

    @model_validator(mode="after")
    def _keeps_environments(self) -> "Cost2100Config":
        if self.peculiarities.needs_a_cluster:
            raise ValueError("needs_a_cluster: a scenario keeps every environment, so that users' channels do not depend on each other")
        return self

    @property
    def expected_paths(self) -> int:
        """About how many paths a user has in the longest list of a block: mean of visible clusters and three deviations."""
        parameters = parameter_set(self.parameters)
        walk = 1 + 0.5 * self.speed_mps * self.superframe_s / parameters.visibility.radius_m
        mean = parameters.expected_visible_regions * walk**2
        return parameters.num_mpcs * round(mean + 3 * mean**0.5 + parameters.local_bs + parameters.local_ms)


class CoverageError(CsisimError):
    """Users who leave the disc that visibility regions cover."""

    field = "half_side_m"


class Cost2100:
    """The COST 2100 model; angles and clusters in reach stand still in a superframe, delays and visibility follow the users.

    An environment in which a user sees no far cluster is kept (2018's redrawing would tie users' channels to each other).
    """

    Config = Cost2100Config
    shared_statistics = False

    def __init__(self, config: Cost2100Config, dims: Dims, streams: Streams, slot_s: float):
        if dims.num_subcarriers != config.num_subcarriers:
            raise CsisimError(f"cost2100: {config.num_subcarriers} subcarriers configured, but the link has {dims.num_subcarriers}")
        parameters = parameter_set(config.parameters)
        self.config, self.dims, self.streams, self.slot_s = config, dims, streams, slot_s
        reference = Reference(version=config.reference_version, **config.peculiarities.model_dump())
        self.law = law(parameters, reference, np.array(config.bs_m))
        corner = np.hypot(*(config.half_side_m + np.abs(self.law.cell_centre)))
        if corner > parameters.cell_radius_m:
            raise CoverageError(
                f"cost2100: users up to {corner:.0f} m away leave the {parameters.cell_radius_m:g} m disc that {parameters.name} covers; "
                f"choose a smaller half_side_m ({config.half_side_m:g}) or move the base station"
            )
        self.grids = config.rx_array.grid(dims.num_rx), config.tx_array.grid(dims.num_tx)
        first, last = (1e6 * edge for edge in parameters.band_mhz)
        self.spacing_hz = (last - first) / dims.num_subcarriers
        self.first_hz = first + self.spacing_hz / 2
        self._begin()

    def _begin(self) -> None:
        """Draw the environments, and where users start and go."""
        drops, config = self.dims.drops, self.config
        self.keys = keys(self.streams("channel.environment"), np.arange(drops))
        rngs = [self.streams("channel.users", user) for user in range(self.dims.num_users)]
        draws = np.stack([rng.random((drops, 3)) for rng in rngs], axis=1)
        self.user_keys = np.stack([keys(rng, np.arange(drops)) for rng in rngs], axis=1)
        self._start = config.half_side_m * (2 * draws[..., :2] - 1)
        heading = 2 * np.pi * draws[..., 2]
        self._velocity = config.speed_mps * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
        self._local = local_clusters(self.user_keys, self.law, self.users(0.0))
        self.superframe = -1

    def users(self, time_s: float) -> np.ndarray:
        """Positions (D, K, 3) at a time; the walk is folded at the edges of the square."""
        side = self.config.half_side_m
        turn = (self._start + self._velocity * time_s + side) % (4 * side)
        flat = np.where(turn > 2 * side, 4 * side - turn, turn) - side
        return np.concatenate([flat, np.zeros_like(flat[..., :1])], axis=-1)

    def begin_superframe(self, index: int) -> None:
        """Build what users may see in this superframe; clusters around users follow them.

        Raises
        ------
        ParameterError
            If somebody sees no cluster and the set has no local ones: a user without a path has no channel.
        """
        if index <= self.superframe:
            self._begin()
        points, gains, radii = self._local
        for passed in range(self.superframe + 1, index + 1):
            if self.law.local_ms and passed:
                fresh = keys(np.uint64(passed), self.user_keys)
                follow(fresh, self.users(passed * self.config.superframe_s), radii, points)
        self.superframe = index
        middle = self.users((index + 0.5) * self.config.superframe_s)
        # the walk may turn at an edge on the way, but never goes farther from its middle than straight on
        reach = np.full(middle.shape[:2], 0.5 * self.config.speed_mps * self.config.superframe_s)
        self._seen, _, _ = scatterers(self.keys, self.law, middle, reach, (points, gains), False)
        there = self._paths(0)
        self._geometry = self._responses(there)
        self._scale = self._amplitude(self._with_paths(path_list(self.keys, self.law, middle, self._seen)))

    @property
    def scatterers(self) -> Scatterers:
        """What is in reach of the users in this superframe."""
        return self._seen

    def step(self, slot: int) -> FactoredState:
        """The state of a slot.

        Raises
        ------
        CsisimError
            If the superframe has more slots than ``superframe_s`` has room for: what users would see then has not been built.
        """
        if slot * self.slot_s >= self.config.superframe_s * (1 - 1e-9):
            raise CsisimError(
                f"cost2100: slot {slot} of {self.slot_s:g} s begins after the superframe's end; "
                f"superframe_s ({self.config.superframe_s:g}) must be at least as long as the clock's superframe"
            )
        return self._state(slot)

    def samples(self, count: int, name: str, spacing: int = 1) -> Iterator[FactoredState]:
        """``count`` states of the same walk, ``spacing`` slots apart, with other phases of the paths.

        A walk that would leave the superframe begins again with yet other phases, and so does one of users who stand: any number of
        slots of a constant channel would be one realisation.
        """
        slots = max(1, round(self.config.superframe_s / self.slot_s)) if self.config.speed_mps > 0 else 1
        current, phasors = -1, np.empty(0)
        for sample in range(count):
            walk, slot = divmod(sample * spacing, slots)
            if walk != current:
                current, phasors = walk, self._phasors(name, walk)
            yield self._state(slot, phasors)

    def _phasors(self, name: str, walk: int) -> np.ndarray:
        """Phases (D, K, P) of the paths in one walk of ``samples``."""
        rngs = [self.streams(f"channel.samples.{name}", self.superframe, walk, user) for user in range(self.dims.num_users)]
        most = self._geometry.steps[0].shape[-1]
        turns = np.stack([rng.random((most, self.dims.drops)).T for rng in rngs], axis=1)  # paths first: padding changes no number
        return np.exp(2j * np.pi * turns)

    def _paths(self, slot: int, angles: bool = True) -> PathList:
        time_s = self.superframe * self.config.superframe_s + slot * self.slot_s
        return self._with_paths(path_list(self.keys, self.law, self.users(time_s), self._seen, angles))

    def _with_paths(self, paths: PathList) -> PathList:
        """The paths, if everybody has one."""
        if not (self.law.local_bs or self.law.local_ms or paths.num_visible.all()):
            raise ParameterError(
                f"cost2100: {np.count_nonzero(paths.num_visible == 0)} of {paths.num_visible.size} users see no cluster in superframe "
                f"{self.superframe}, so they have no channel; {self.config.parameters} needs a larger num_far, local_bs or local_ms"
            )
        return paths

    def _responses(self, paths: PathList) -> RayGeometry:
        """Array responses; the transmit side's phase is exp(-j 2 pi d/lambda n cos AoD), as the reference writes it."""
        config = self.config
        rx = phase_steps(config.rx_array, np.pi / 2 - paths.aoa, paths.eoa)
        tx = -phase_steps(config.tx_array, np.pi / 2 - paths.aod, paths.eod)
        return RayGeometry((rx, tx), self.grids, self.dims.complex_dtype)

    def _amplitude(self, paths: PathList) -> np.ndarray:
        """Factor (D, K, 1, 1) that gives the users' paths the mean power that the normalisation says."""
        antennas = self.dims.num_rx * self.dims.num_tx
        power = (np.abs(paths.amplitude) ** 2).sum(axis=-1)[..., None, None]
        if self.config.normalisation == "per_drop":
            power = np.broadcast_to(power.mean(axis=1, keepdims=True), power.shape)
        return np.sqrt(antennas * MEAN_POWER[self.config.normalisation] / power)

    def _state(self, slot: int, phasors: np.ndarray | None = None) -> FactoredState:
        """The state of a slot over the superframe's geometry; ``phasors`` (D, K, P) turn the paths."""
        gains = self._scale * self._gains(self._paths(slot, angles=False), phasors)
        if self.config.normalisation == "per_drop":
            gains *= per_drop_scale(self._geometry.power(gains), self.dims.num_tx * self.dims.num_rx)
        return FactoredState(Paths(self._geometry, gains.astype(self.dims.complex_dtype)))

    def _gains(self, paths: PathList, phasors: np.ndarray | None) -> np.ndarray:
        """Gains (D, K, S, P): amplitudes turned by exp(-j 2 pi f tau), subcarrier after subcarrier."""
        turns = self.first_hz * paths.delay
        first = paths.amplitude * np.exp(-2j * np.pi * (turns - np.rint(turns)))
        if phasors is not None:
            first *= phasors
        gains = np.empty((*first.shape[:2], self.dims.num_subcarriers, first.shape[-1]), complex)
        gains[:, :, 0] = first
        if self.dims.num_subcarriers > 1:
            step = np.exp(-2j * np.pi * self.spacing_hz * paths.delay)
            for subcarrier in range(1, self.dims.num_subcarriers):
                np.multiply(gains[:, :, subcarrier - 1], step, out=gains[:, :, subcarrier])
        return gains
