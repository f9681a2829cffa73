"""Channels to train and to validate on, and the sizes they have."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from pydantic import Field

from csisim.acquisition.pilots import PilotConfig, pilot_length
from csisim.beamforming.analog.projection import project
from csisim.beamforming.analog.random_phases import draw_phases
from csisim.beamforming.base import Occasion
from csisim.channel.base import stack
from csisim.phy.beams import Beams
from csisim.phy.dims import System
from csisim.random import Streams, stream
from csisim.registry import ChannelField, Component, Settings, build, configure
from csisim.training.base import Array, Parameters, Product
from csisim.weights import Circumstances, Learned

#: Duration of a slot; a single one of each realisation is ever looked at.
_SLOT_S = 1e-3
#: Drops that are made at once.
BLOCK = 16


class LinkSettings(Settings):
    """The link that a network is trained for, with the fields of a scenario."""

    system: System = Field(default_factory=System, description="antennas, users and the link budget")
    channel: ChannelField = Field(description="the channel")
    pilots: PilotConfig = Field(default_factory=PilotConfig, description="pilots of the equivalent channel")

    @property
    def dims(self) -> dict[str, int]:
        """Sizes by their names in a scenario."""
        return dict(circumstances(self.system, self.channel, self.pilots).dims)

    @property
    def shared_statistics(self) -> bool:
        """Whether one analog beamformer serves every realisation."""
        return circumstances(self.system, self.channel, self.pilots).shared_statistics

    def product(self, config: Learned, parameters: Parameters) -> Product:
        """Trained parameters of a component of this link."""
        here = circumstances(self.system, self.channel, self.pilots)
        need = config.need(here)
        if need is None:
            raise ValueError(f"{config.kind} needs no weights here")
        statistics = here.statistics if need.statistics is None else need.statistics
        return Product(need.component, need.architecture, need.dims, statistics, here.snr_db, parameters)


def circumstances(system: System, channel: Component, pilots: PilotConfig) -> Circumstances:
    """Where learned components work on a link. How the channel evolves from slot to slot is left out: training never sees it."""
    dims: dict[str, int] = {name: value for name, value in vars(system.dims(1)).items() if name not in ("drops", "precision")}
    shared = build("channel", channel, system.dims(1, dims["num_subcarriers"]), Streams(0), _SLOT_S).shared_statistics
    length = pilot_length(pilots, system.num_rf)
    statistics = channel.model_dump(mode="json", exclude={"fading"})
    heard = {"power": pilots.power, "add_up": pilots.access == "kang_eq4"}
    return Circumstances(dims | {"pilot_length": length}, statistics, system.snr_db, bool(shared), heard)


class PathBatch(NamedTuple):
    """Independent channels as paths: rx (B, K, r, P), tx (B, K, t, P), gains (B, K, P), complex64."""

    rx: Array
    tx: Array
    gains: Array


def draw_paths(link: LinkSettings, count: int, root: int, index: int = 0) -> PathBatch:
    """``count`` channels with statistics of their own, decided by ``root`` and ``index``."""
    dims = link.system.dims(count)
    channel = build("channel", link.channel, dims, Streams(root, 0, index), _SLOT_S)
    channel.begin_superframe(0)
    samples = stack([channel.step(0)])
    shape = (len(samples), *samples.gains.shape[1:3])
    rx, tx = (np.broadcast_to(a, (*shape, *a.shape[3:])).reshape(-1, *a.shape[2:]) for a in (samples.rx, samples.tx))
    return PathBatch(np.ascontiguousarray(rx), np.ascontiguousarray(tx), samples.gains.reshape(-1, *samples.gains.shape[2:]))


class Source(Protocol):
    """Equivalent channels (B, K, R, T) in orthonormal beam coordinates, decided by ``root`` and ``index``."""

    def channels(self, count: int, root: int, index: int) -> np.ndarray:
        """``count`` of them."""


class BehindPhases:
    """Fresh channels behind one pair of analog beamformers, phases (t, T) and (K, r, R)."""

    def __init__(self, link: LinkSettings, phi_f: np.ndarray, phi_w: np.ndarray) -> None:
        self.link, self.phases = link, (phi_f, phi_w)

    def channels(self, count: int, root: int, index: int) -> np.ndarray:
        channel: np.ndarray = project(*self.phases, *draw_paths(self.link, count, root, index))
        return channel


class BehindDesigns:
    """Channels of many drops, each behind analog beamformers that SSCA designed from samples of that drop.

    A quarter of the drops keeps random phases: an online scheme starts there. Drops are made once and drawn from again and again.
    """

    def __init__(self, link: LinkSettings, drops: int = 96, realisations: int = 24) -> None:
        self.link, self.drops, self.realisations = link, drops, realisations
        self.pools: dict[int, np.ndarray] = {}

    def channels(self, count: int, root: int, index: int) -> np.ndarray:
        if root not in self.pools:
            blocks = range(0, self.drops, BLOCK)
            self.pools[root] = np.concatenate([self._block(root, block) for block in range(len(blocks))])
        pool = self.pools[root]
        return pool[stream(root, 0, "training.pool", index).choice(len(pool), count, replace=count > len(pool))]

    def _block(self, root: int, block: int) -> np.ndarray:
        system = self.link.system
        dims, streams = system.dims(BLOCK), Streams(root, 0, block)
        channel = build("channel", self.link.channel, dims, streams, _SLOT_S)
        channel.begin_superframe(0)
        designer = build("analog", configure("analog", "ssca"))
        initial = draw_phases(dims, streams, 0)
        samples = stack(list(channel.samples(16, "training.design")))
        state = designer.init(dims, initial)
        if block % 4:
            state = designer.update(samples, state, Occasion(system.noise_power, system.power, streams("training.minibatch")))
        beams = Beams.of(*designer.beams(state))
        seen = channel.samples(self.realisations, "training.channels", spacing=1000)
        return np.concatenate([state.project(beams.w_orthonormal, beams.f_orthonormal)[:, :, 0] for state in seen])


def source_of(link: LinkSettings, start: Mapping[str, np.ndarray]) -> Source:
    """Channels behind the phases that training starts with, or behind designs for every drop if there are none."""
    if "phi_f" in start:
        return BehindPhases(link, start["phi_f"], start["phi_w"])
    return BehindDesigns(link)
