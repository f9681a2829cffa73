"""Clustered millimetre-wave channels: a few rays between two arrays (Kang 2022, eq. 45-46)."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from csisim.channel.base import FactoredState, Paths
from csisim.channel.fading import AHEAD, Fading, Iid, blocks, statistics_of
from csisim.channel.normalisation import MEAN_POWER, Normalisation, per_drop_scale
from csisim.channel.steering import PolarisedGeometry, RayGeometry, RayState
from csisim.errors import CsisimError
from csisim.phy.arrays import PolarisedArray, Ula, phase_steps, polarisations
from csisim.phy.dims import Dims
from csisim.random import Streams
from csisim.registry import Component


class MmwaveClustersConfig(Component):
    """Clustered rays; angles in degrees from broadside, uniform within plus or minus the given maximum."""

    kind: Literal["mmwave_clusters"] = "mmwave_clusters"
    num_clusters: int = Field(4, ge=1, description="clusters N_c")
    num_rays: int = Field(2, ge=1, description="rays per cluster N_ray")
    statistics: Literal["fixed_clusters", "iid_angles"] = Field(
        "fixed_clusters", description="angles fixed in a superframe, or all redrawn in every slot (the papers' experiment)"
    )
    angular_spread_deg: float = Field(5.0, ge=0, description="rms Laplace spread of the rays about their cluster's centre (fixed_clusters)")
    max_angle_deg: float = Field(60.0, gt=0, le=90, description="largest azimuth")
    max_elevation_deg: float = Field(30.0, ge=0, le=90, description="largest elevation (planar arrays)")
    k_factor_db: float | None = Field(None, ge=-200, le=200, description="Rician K factor: adds one line-of-sight path of constant modulus")
    fading: Fading = Field(Iid(), description="how the gains evolve from slot to slot (fixed_clusters)")
    normalisation: Normalisation | Literal["none"] = Field(
        "unit",
        description="mean of ||H||_F^2 / (N_r N_t): unit 1, kang 0.1, hu 2, none gain_variance; per_drop scales every realisation to 1, "
        "averaged over a drop's users and subcarriers",
    )
    gain_variance: float | None = Field(None, gt=0, description="variance of the path gains (normalisation: none); 1 when left out")
    tx_array: PolarisedArray = Field(Ula(), description="transmit array")
    rx_array: PolarisedArray = Field(Ula(), description="receive array")
    xpr_db: float = Field(8.0, ge=-60, le=60, description="cross-polarisation ratio of a path's gains (both arrays cross-polarised)")
    num_subcarriers: int = Field(1, ge=1, description="subcarriers, evenly spaced over the bandwidth; one sees no delays")
    bandwidth_hz: float = Field(100e6, gt=0, description="bandwidth that the subcarriers share")
    delay_spread_s: float = Field(100e-9, ge=0, description="rms of the clusters' exponential excess delays over the line of sight")

    @model_validator(mode="after")
    def _consistent(self) -> "MmwaveClustersConfig":
        if self.statistics == "iid_angles" and self.fading.kind != "iid":
            raise ValueError(f"iid_angles redraws every path in every slot: fading {self.fading.kind} needs statistics: fixed_clusters")
        if self.k_factor_db is not None and "cross_polarised" in (self.tx_array.kind, self.rx_array.kind):
            raise ValueError("a line of sight (k_factor_db) has no polarisation here: cross_polarised arrays need rays alone")
        if self.gain_variance is not None and self.normalisation != "none":
            raise ValueError(f"gain_variance is what normalisation: none leaves free; normalisation {self.normalisation} sets it")
        return self

    def narrowband(self) -> "MmwaveClustersConfig | None":
        """The channel that each subcarrier sees by itself, since delays only turn circular gains; None where the whole band scales it."""
        if self.normalisation == "per_drop":
            return None
        return self.model_copy(update={name: type(self).model_fields[name].default for name in _BAND})

    @model_serializer(mode="wrap")
    def _without_defaults_of_the_band(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A narrowband channel is told, and its records and trainings are known, as they were before there was a band."""
        fields: dict[str, Any] = handler(self)
        if all(getattr(self, name) == type(self).model_fields[name].default for name in _BAND):
            return {name: value for name, value in fields.items() if name not in _BAND}
        return fields


#: Their defaults are part of what a narrowband record is known by: a new one needs a new MODEL_VERSION.
_BAND = ("num_subcarriers", "bandwidth_hz", "delay_spread_s")


class MmwaveClusters:
    r"""Rays between uniform arrays, :math:`H = \sqrt{N_t N_r / (N_c N_{ray})} \sum \alpha a_r a_t^H` (Kang 2022, eq. 45).

    The state stays factored. With a K factor the rays share 1 / (1 + K) of the power; the rest belongs to a line-of-sight path (the
    last one) whose phase is drawn with the angles and whose modulus is constant.

    Between cross-polarised arrays every ray has an independent gain for each pair of polarisations; between two such arrays the
    crossed pairs are weaker by ``xpr_db``, at a single-polarised array all are equal, as behind a slant of 45 degrees.

    On the subcarrier at frequency f from the band's centre a gain is :math:`\alpha e^{-j 2 \pi f \tau}`. The rays of a cluster, whatever
    their polarisations, share its delay; delays are exponential with rms ``delay_spread_s`` and drawn with the angles, a line of sight
    has none. Rays stay equally strong, so their power-delay profile is exponential: clusters as TR 38.901, eq. 7.5-1 and 7.5-5 draw them
    with r_tau = 1 and no shadowing, but not counted from the first of them. Rays :math:`\Delta f` apart in frequency correlate by
    :math:`1 / (1 + j 2 \pi \Delta f \tau_{rms})`.
    """

    Config = MmwaveClustersConfig

    def __init__(self, config: MmwaveClustersConfig, dims: Dims, streams: Streams, slot_s: float):
        if dims.num_subcarriers != config.num_subcarriers:
            raise CsisimError(f"mmwave_clusters: {config.num_subcarriers} subcarriers configured, but the link has {dims.num_subcarriers}")
        self.config, self.dims, self.streams, self.slot_s = config, dims, streams, slot_s
        self.shared_statistics = config.statistics == "iid_angles"
        self.grids = config.rx_array.grid(dims.num_rx), config.tx_array.grid(dims.num_tx)
        self.polarisations = polarisations(config.rx_array), polarisations(config.tx_array)
        rays = path_amplitudes(config, dims)
        self.num_rays = len(rays)
        self.amplitudes = (rays[:, None] * polarised_amplitudes(self.polarisations, config.xpr_db)).reshape(-1).astype(rays.dtype)

    def begin_superframe(self, index: int) -> None:
        """Draw new cluster angles (fixed_clusters) and start the fading anew."""
        self.superframe = index
        if not self.shared_statistics:
            self._geometry = next(self._geometries("channel.clusters", self.dims.drops))
            self._direct = next(self._direct_phasors("channel.clusters", self.dims.drops))
            self._turns = next(self._delay_phasors("channel.clusters", self.dims.drops))
        self._slots = self._run("channel.fading", self.dims.drops, 1, self.config.fading)

    def step(self, slot: int) -> FactoredState:
        """The next slot's state."""
        return next(self._slots)

    def samples(self, count: int, name: str, spacing: int = 1) -> Iterator[FactoredState]:
        """``count`` states of another run of the same fading, ``spacing`` slots apart (independent ones if it is constant)."""
        run = self._run(
            f"channel.samples.{name}", 1 if self.shared_statistics else self.dims.drops, spacing, statistics_of(self.config.fading)
        )
        return (next(run) for _ in range(count))

    def _run(self, name: str, drops: int, spacing: int, fading: Fading) -> Iterator[FactoredState]:
        """States slot after slot: gains that fade over the superframe's angles, or everything new in every slot."""
        config, dims = self.config, self.dims
        pairs = self.polarisations[0] * self.polarisations[1]
        shape = (drops, config.num_clusters * config.num_rays * pairs)
        gains = fading.run(self._rngs(name), shape, dims.complex_dtype, self.slot_s, spacing)
        if self.shared_statistics:
            geometries, direct, turns = self._geometries(name, drops), self._direct_phasors(name, drops), self._delay_phasors(name, drops)
        else:
            geometries, direct, turns = repeat(self._geometry), repeat(self._direct), repeat(self._turns)
        for geometry, of_rays, of_direct, turn in zip(geometries, gains, direct, turns, strict=False):
            paths = of_rays if of_direct is None else np.concatenate([of_rays, of_direct], axis=-1)
            paths = (paths * self.amplitudes)[:, :, None]
            yield self._state(geometry, paths if turn is None else paths * turn)

    def _state(self, geometry: RayGeometry, gains: np.ndarray) -> FactoredState:
        if self.config.normalisation == "per_drop":
            gains *= per_drop_scale(geometry.power(gains), self.dims.num_tx * self.dims.num_rx)
        state = FactoredState if isinstance(geometry, PolarisedGeometry) else RayState
        return state(Paths(geometry, gains))

    def _rngs(self, name: str) -> list[np.random.Generator]:
        return [self.streams(name, self.superframe, user) for user in range(self.dims.num_users)]

    def _geometries(self, name: str, drops: int) -> Iterator[RayGeometry]:
        """Geometries with independent angles."""
        config = self.config
        arrays = (config.rx_array, config.tx_array)
        shape = (drops, 2, self.num_rays)  # one draw serves both ends
        ahead = AHEAD if self.shared_statistics else 1

        def angles(kind: str, largest_deg: float) -> Iterator[np.ndarray]:
            return blocks(self._rngs(f"{name}.{kind}"), shape, lambda rng, size: self._angles(rng, size, largest_deg), ahead)

        azimuths = angles("azimuth", config.max_angle_deg)
        planar = any(array.kind != "ula" for array in arrays)
        elevations = angles("elevation", config.max_elevation_deg) if planar else repeat(None)
        for azimuth, elevation in zip(azimuths, elevations, strict=False):
            rx, tx = (
                phase_steps(array, azimuth[..., end, :], None if elevation is None else elevation[..., end, :])
                for end, array in enumerate(arrays)
            )
            for slot in range(len(azimuth)):
                yield self._geometry_of((rx[:, slot], tx[:, slot]))

    def _geometry_of(self, steps: tuple[np.ndarray, np.ndarray]) -> RayGeometry:
        if self.polarisations == (1, 1):
            return RayGeometry(steps, self.grids, self.dims.complex_dtype)
        return PolarisedGeometry(steps, self.grids, self.dims.complex_dtype, self.polarisations)

    def _angles(self, rng: np.random.Generator, size: tuple[int, ...], largest_deg: float) -> np.ndarray:
        """Angles of one user's paths in radians; ``size`` ends with the paths, the line of sight last."""
        config, largest = self.config, np.radians(largest_deg)
        if self.shared_statistics:
            return rng.uniform(-largest, largest, size)
        centres = rng.uniform(-largest, largest, (*size[:-1], config.num_clusters, 1))
        offsets = rng.laplace(0, np.radians(config.angular_spread_deg) / np.sqrt(2), (*size[:-1], config.num_clusters, config.num_rays))
        rays = (centres + offsets).reshape(*size[:-1], -1)
        direct = rng.uniform(-largest, largest, (*size[:-1], size[-1] - rays.shape[-1]))
        return np.concatenate([rays, direct], axis=-1)

    def _direct_phasors(self, name: str, drops: int) -> Iterator[np.ndarray | None]:
        """Phasors (D, K, 1) of the line of sight, if there is one."""
        if self.config.k_factor_db is None:
            yield from repeat(None)
        for block in blocks(self._rngs(f"{name}.line_of_sight"), (drops, 1), lambda rng, size: np.exp(2j * np.pi * rng.random(size))):
            yield from block.astype(self.dims.complex_dtype)

    def _delay_phasors(self, name: str, drops: int) -> Iterator[np.ndarray | None]:
        """Phasors (D, K, S, P) that the delays put on the paths; none at a single subcarrier, in the middle of the band."""
        config = self.config
        if config.num_subcarriers == 1:
            yield from repeat(None)
        ahead = AHEAD if self.shared_statistics else 1
        delays = blocks(
            self._rngs(f"{name}.delay"),
            (drops, config.num_clusters),
            lambda rng, size: config.delay_spread_s * rng.standard_exponential(size),
            ahead,
        )
        turns = -2j * np.pi * frequencies(config)[:, None]
        clusters = np.arange(config.num_clusters).repeat(config.num_rays * self.polarisations[0] * self.polarisations[1])
        if config.k_factor_db is not None:
            clusters = np.append(clusters, config.num_clusters)  # a further one without delay
        for block in delays:
            for excess in np.pad(block, [(0, 0)] * 3 + [(0, 1)]):
                yield np.exp(turns * excess[:, :, None]).astype(self.dims.complex_dtype)[..., clusters]


def frequencies(config: MmwaveClustersConfig) -> np.ndarray:
    """Frequencies (S,) of the subcarriers in Hz, from the centre of the band."""
    index = np.arange(config.num_subcarriers) - (config.num_subcarriers - 1) / 2
    return index * (config.bandwidth_hz / config.num_subcarriers)


def path_amplitudes(config: MmwaveClustersConfig, dims: Dims) -> np.ndarray:
    """Amplitudes (P,) of gains of unit variance, so that the mean of ||H||_F^2 is what the normalisation says."""
    num_rays = config.num_clusters * config.num_rays
    mean_power = (config.gain_variance or 1.0) if config.normalisation == "none" else MEAN_POWER[config.normalisation]
    shares = np.full(num_rays, 1 / num_rays)
    if config.k_factor_db is not None:
        k_factor = 10 ** (config.k_factor_db / 10)
        shares = np.append(shares, k_factor) / (1 + k_factor)
    return np.sqrt(dims.num_rx * dims.num_tx * mean_power * shares).astype(dims.real_dtype)


def polarised_amplitudes(polarisations: tuple[int, int], xpr_db: float) -> np.ndarray:
    """Amplitudes (pairs,) of a ray's pairs of polarisations, of unit total power; the transmit polarisation runs fastest."""
    if polarisations != (2, 2):
        pairs = polarisations[0] * polarisations[1]
        return np.full(pairs, pairs**-0.5)
    crossed = 10 ** (-xpr_db / 10)
    return np.sqrt(np.array([1, crossed, crossed, 1]) / (2 + 2 * crossed))
