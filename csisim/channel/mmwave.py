"""Clustered millimetre-wave channels: a few rays between two arrays (Kang 2022, eq. 45-46)."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from csisim.channel.base import FactoredState, Paths
from csisim.channel.fading import Fading, Iid, blocks, innovations
from csisim.channel.normalisation import MEAN_POWER, Normalisation, per_drop_scale
from csisim.channel.steering import RayGeometry, RayState
from csisim.errors import CsisimError
from csisim.phy.arrays import AntennaArray, Ula, phase_steps
from csisim.phy.dims import Dims
from csisim.random import Streams
from csisim.registry import Component


class MmwaveClustersConfig(Component):
    """Clustered rays; angles in degrees from broadside, uniform within plus or minus the given maximum."""

    kind: Literal["mmwave_clusters"] = "mmwave_clusters"
    num_clusters: int = Field(4, ge=1, description="Clusters N_c")
    num_rays: int = Field(2, ge=1, description="Rays per cluster N_ray")
    statistics: Literal["fixed_clusters", "iid_angles"] = Field(
        "fixed_clusters", description="Angles fixed in a superframe, or all redrawn in every slot (the papers' experiment)"
    )
    angular_spread_deg: float = Field(5.0, ge=0, description="Rms Laplace spread of the rays about their cluster's centre (fixed_clusters)")
    max_angle_deg: float = Field(60.0, gt=0, le=90, description="Largest azimuth")
    max_elevation_deg: float = Field(30.0, ge=0, le=90, description="Largest elevation (planar arrays)")
    k_factor_db: float | None = Field(None, description="Rician K factor: adds one line-of-sight path of constant modulus")
    fading: Fading = Field(Iid(), description="How the gains evolve from slot to slot (fixed_clusters)")
    normalisation: Normalisation | Literal["none"] = Field(
        "unit",
        description="Mean of ||H||_F^2 / (N_r N_t): unit 1, kang 0.1, hu 2, none gain_variance; per_drop scales every realisation to 1, "
        "averaged over a drop's users",
    )
    gain_variance: float | None = Field(None, gt=0, description="Variance of the path gains (normalisation: none); 1 when left out")
    tx_array: AntennaArray = Field(Ula(), description="Transmit array")
    rx_array: AntennaArray = Field(Ula(), description="Receive array")

    @model_validator(mode="after")
    def _consistent(self) -> "MmwaveClustersConfig":
        if self.statistics == "iid_angles" and self.fading.kind != "iid":
            raise ValueError(f"iid_angles redraws every path in every slot: fading {self.fading.kind} needs statistics: fixed_clusters")
        if self.gain_variance is not None and self.normalisation != "none":
            raise ValueError(f"gain_variance is what normalisation: none leaves free; normalisation {self.normalisation} sets it")
        return self


class MmwaveClusters:
    r"""Rays between uniform arrays, :math:`H = \sqrt{N_t N_r / (N_c N_{ray})} \sum \alpha a_r a_t^H` (Kang 2022, eq. 45).

    The state stays factored. With a K factor the rays share 1 / (1 + K) of the power, and a line-of-sight path of constant modulus
    and random phase has the rest.
    """

    Config = MmwaveClustersConfig

    def __init__(self, config: MmwaveClustersConfig, dims: Dims, streams: Streams, slot_s: float):
        if dims.num_subcarriers != 1:
            raise CsisimError(f"mmwave_clusters is narrowband: num_subcarriers must be 1, not {dims.num_subcarriers}")
        self.config, self.dims, self.streams, self.slot_s = config, dims, streams, slot_s
        self.grids = config.rx_array.grid(dims.num_rx), config.tx_array.grid(dims.num_tx)
        self.shared_statistics = config.statistics == "iid_angles"

    def begin_superframe(self, index: int) -> None:
        """Draw new cluster angles and start the fading anew."""
        self.superframe = index
        if not self.shared_statistics:
            steps, self._line_of_sight = self._clusters()
            self._geometry = self._geometry_of(steps)
        self._slots = self._run("channel.fading", self.dims.drops, 1)

    def step(self, slot: int) -> FactoredState:
        """The next slot's state."""
        return next(self._slots)

    def samples(self, count: int, name: str, spacing: int = 1) -> Iterator[FactoredState]:
        """``count`` states of another run of the same fading, ``spacing`` slots apart."""
        run = self._run(f"channel.samples.{name}", 1 if self.shared_statistics else self.dims.drops, spacing)
        return (next(run) for _ in range(count))

    @cached_property
    def _amplitudes(self) -> np.ndarray:
        """Amplitudes (P,) of unit-variance gains."""
        config, dims = self.config, self.dims
        num_rays = config.num_clusters * config.num_rays
        mean_power = MEAN_POWER.get(config.normalisation, config.gain_variance or 1.0)
        shares = np.full(num_rays, 1.0 / num_rays)
        if config.k_factor_db is not None:
            k_factor = 10 ** (config.k_factor_db / 10)
            shares = np.append(shares, k_factor) / (1 + k_factor)
        return np.sqrt(dims.num_tx * dims.num_rx * mean_power * shares).astype(dims.real_dtype)

    def _rngs(self, name: str) -> list[np.random.Generator]:
        return [self.streams(name, self.superframe, user) for user in range(self.dims.num_users)]

    def _clusters(self) -> tuple[list[np.ndarray], np.ndarray | None]:
        """Phase steps (2, D, K, P) of both ends' rays, and the line-of-sight path's phasor (D, K, 1)."""
        config, drops = self.config, self.dims.drops
        shape = (2, drops, config.num_clusters, 1)
        spread = np.radians(config.angular_spread_deg) / np.sqrt(2)

        def angles(kind: str, largest_deg: float) -> np.ndarray:
            rngs = self._rngs(f"channel.{kind}")
            rays = [
                np.radians(largest_deg) * rng.uniform(-1, 1, shape) + rng.laplace(0, spread, (*shape[:-1], config.num_rays)) for rng in rngs
            ]
            paths = np.stack(rays, axis=2).reshape(2, drops, len(rngs), -1)
            if config.k_factor_db is None:
                return paths
            direct = [np.radians(largest_deg) * rng.uniform(-1, 1, (2, drops, 1)) for rng in self._rngs(f"channel.line_of_sight.{kind}")]
            return np.concatenate([paths, np.stack(direct, axis=2)], axis=-1)

        azimuth = angles("azimuth", config.max_angle_deg)
        elevation = angles("elevation", config.max_elevation_deg)
        steps = [phase_steps(array, azimuth[end], elevation[end]) for end, array in enumerate((config.rx_array, config.tx_array))]
        if config.k_factor_db is None:
            return steps, None
        phases = [rng.uniform(0, 2 * np.pi, (drops, 1)) for rng in self._rngs("channel.line_of_sight.phase")]
        return steps, np.exp(1j * np.stack(phases, axis=1)).astype(self.dims.complex_dtype)

    def _geometry_of(self, steps: Sequence[np.ndarray]) -> RayGeometry:
        return RayGeometry((steps[0], steps[1]), self.grids, self.dims.complex_dtype)

    def _run(self, name: str, drops: int, spacing: int) -> Iterator[FactoredState]:
        return self._fresh_angles(name, drops) if self.shared_statistics else self._fixed_angles(name, drops, spacing)

    def _fixed_angles(self, name: str, drops: int, spacing: int) -> Iterator[FactoredState]:
        """Slots whose gains fade over this superframe's geometry."""
        config, dims = self.config, self.dims
        geometry, direct = self._geometry, self._line_of_sight
        shape = (drops, config.num_clusters * config.num_rays)
        for gains in config.fading.run(self._rngs(name), shape, dims.complex_dtype, self.slot_s, spacing):
            yield self._state(geometry, gains if direct is None else np.concatenate([gains, direct], axis=-1))

    def _fresh_angles(self, name: str, drops: int) -> Iterator[FactoredState]:
        """Slots in which every path is new."""
        config, dims = self.config, self.dims
        shape = (drops, len(self._amplitudes))
        draws = innovations(self._rngs(name), shape, dims.complex_dtype)
        for steps in self._fresh_steps(name, shape):
            gains = next(draws)
            if config.k_factor_db is not None:
                gains[..., -1] /= np.abs(gains[..., -1])
            yield self._state(self._geometry_of(steps), gains)

    def _fresh_steps(self, name: str, shape: tuple[int, int]) -> Iterator[list[np.ndarray]]:
        """Both ends' phase steps (2, D, K, P), slot after slot, for uniform angles."""
        config = self.config
        arrays = (config.rx_array, config.tx_array)
        ends = (shape[0], 2, shape[1])  # one draw serves both ends

        def angles(kind: str, largest_deg: float) -> Iterator[np.ndarray]:
            largest = np.radians(largest_deg)
            return blocks(self._rngs(f"{name}.{kind}"), ends, lambda rng, size: rng.uniform(-largest, largest, size))

        for azimuth, elevation in zip(angles("azimuth", config.max_angle_deg), angles("elevation", config.max_elevation_deg)):
            steps = [phase_steps(array, azimuth[..., end, :], elevation[..., end, :]) for end, array in enumerate(arrays)]
            for slot in range(len(azimuth)):
                yield [of_end[:, slot] for of_end in steps]

    def _state(self, geometry: RayGeometry, gains: np.ndarray) -> FactoredState:
        gains = (gains * self._amplitudes)[:, :, None]
        if self.config.normalisation == "per_drop":
            gains *= per_drop_scale(geometry.power(gains), self.dims.num_tx * self.dims.num_rx)
        return RayState(Paths(geometry, gains))
