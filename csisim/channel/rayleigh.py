"""Rayleigh fading: rich scattering at both ends, without or with (Kronecker) correlation."""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import Field

from csisim.channel.base import DenseState
from csisim.channel.fading import Fading, Iid, statistics_of
from csisim.channel.normalisation import MEAN_POWER, Normalisation, scaled_per_drop
from csisim.errors import CsisimError
from csisim.phy.dims import Dims
from csisim.random import Streams
from csisim.registry import Component


class RayleighConfig(Component):
    """Complex Gaussian entries; neighbouring antennas correlate by the given amount, antennas n apart by its n-th power."""

    kind: Literal["rayleigh"] = "rayleigh"
    tx_correlation: float = Field(0.0, ge=0, lt=1, description="correlation of neighbouring transmit antennas")
    rx_correlation: float = Field(0.0, ge=0, lt=1, description="correlation of neighbouring receive antennas")
    fading: Fading = Field(Iid(), description="how the entries evolve from slot to slot")
    num_subcarriers: int = Field(1, ge=1, description="subcarriers, independent of each other")
    normalisation: Normalisation = Field(
        "unit",
        description="mean of ||H||_F^2 / (N_r N_t): unit 1, kang 0.1, hu 2; per_drop scales every realisation to 1, "
        "averaged over a drop's users and subcarriers",
    )

    def narrowband(self) -> "RayleighConfig | None":
        """The channel that each subcarrier sees by itself; None where the whole band scales it."""
        return None if self.normalisation == "per_drop" else self.model_copy(update={"num_subcarriers": 1})

    def constant_numbers(self, num_rx: int, num_tx: int) -> int:
        """Complex numbers that a channel takes beside its states: the correlation matrices while their roots are computed."""
        return 5 * sum(size**2 for rho, size in ((self.rx_correlation, num_rx), (self.tx_correlation, num_tx)) if rho)


class Rayleigh:
    r"""Kronecker model :math:`H = R_r^{1/2} G R_t^{1/2}` with G i.i.d. CN(0, 1) and :math:`[R]_{ij} = \rho^{|i-j|}`."""

    Config = RayleighConfig
    shared_statistics = True  # the correlation is configured, not drawn

    def __init__(self, config: RayleighConfig, dims: Dims, streams: Streams, slot_s: float):
        if dims.num_subcarriers != config.num_subcarriers:
            raise CsisimError(f"rayleigh: {config.num_subcarriers} subcarriers configured, but the link has {dims.num_subcarriers}")
        self.config, self.dims, self.streams, self.slot_s = config, dims, streams, slot_s

    @cached_property
    def roots(self) -> tuple[np.ndarray | None, ...]:
        """Roots of the correlation matrices of both ends, None without correlation."""
        config, dims = self.config, self.dims
        return tuple(
            exponential_correlation_sqrt(rho, size).astype(dims.real_dtype) if rho else None
            for rho, size in ((config.rx_correlation, dims.num_rx), (config.tx_correlation, dims.num_tx))
        )

    def begin_superframe(self, index: int) -> None:
        """Start the fading anew."""
        self.superframe = index
        self._slots = self._run("channel.fading", self.dims.drops, 1, self.config.fading)

    def step(self, slot: int) -> DenseState:
        """The next slot's state."""
        return next(self._slots)

    def samples(self, count: int, name: str, spacing: int = 1) -> Iterator[DenseState]:
        """``count`` states (1, K, S, r, t) of another run of the same fading, ``spacing`` slots apart."""
        run = self._run(f"channel.samples.{name}", 1, spacing, statistics_of(self.config.fading))
        return (next(run) for _ in range(count))

    def _run(self, name: str, drops: int, spacing: int, fading: Fading) -> Iterator[DenseState]:
        dims, config = self.dims, self.config
        rngs = [self.streams(name, self.superframe, user) for user in range(dims.num_users)]
        shape = (drops, dims.num_subcarriers, dims.num_rx, dims.num_tx)
        amplitude = dims.real_dtype.type(np.sqrt(MEAN_POWER[config.normalisation]))
        rx_root, tx_root = self.roots
        for entries in fading.run(rngs, shape, dims.complex_dtype, self.slot_s, spacing):
            h = entries if amplitude == 1 else amplitude * entries
            h = h if rx_root is None else rx_root @ h
            h = h if tx_root is None else h @ tx_root
            if config.normalisation == "per_drop":
                h = scaled_per_drop(h, dims.num_rx * dims.num_tx)
            yield DenseState(h)


def exponential_correlation_sqrt(correlation: float, size: int) -> np.ndarray:
    """Symmetric square root (size, size) of the matrix with entries ``correlation ** |i - j|``."""
    index = np.arange(size)
    values, vectors = np.linalg.eigh(correlation ** np.abs(index[:, None] - index))
    return (vectors * np.sqrt(values)) @ vectors.T
