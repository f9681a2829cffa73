"""Channels to train and to validate on, and the sizes they have."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from pydantic import Field, field_validator, model_validator

from csisim.acquisition.full_csi import FullCsiConfig, Genie, acquire
from csisim.acquisition.ls import least_squares_mse
from csisim.acquisition.pilots import PilotConfig, pilot_length, pilot_matrix
from csisim.beamforming.analog.projection import project
from csisim.beamforming.analog.random_phases import draw_phases
from csisim.beamforming.base import Occasion
from csisim.channel.base import ChannelState, stack
from csisim.errors import CsisimError
from csisim.phy.beams import Beams
from csisim.phy.dims import System
from csisim.random import Streams, stream
from csisim.registry import ChannelField, Component, Settings, build, configure
from csisim.training.base import Array, Parameters, Product
from csisim.training.loop import TRAINING
from csisim.training.rays import fit_rays
from csisim.weights import Circumstances, Learned

#: Duration of a slot; a single one of each realisation is ever looked at.
_SLOT_S = 1e-3
#: Drops that are made at once.
BLOCK = 16
#: Index of the channels that training knows; those of its steps are below.
_KNOWN = 2**31


class LinkSettings(Settings):
    """The link that a network is trained for, with the fields of a scenario."""

    system: System = Field(default_factory=System, description="antennas, users and the link budget")
    channel: ChannelField = Field(description="the channel")
    pilots: PilotConfig = Field(default_factory=PilotConfig, description="pilots of the equivalent channel")

    @field_validator("channel")
    @classmethod
    def _each_subcarrier_alike(cls, channel: Component) -> Component:
        try:
            narrowband(channel)
        except CsisimError as error:
            raise ValueError(str(error)) from error
        return channel

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
        statistics = dict(here.statistics if need.statistics is None else need.statistics) | self.handicap
        return Product(need.component, need.architecture, need.dims, statistics, here.snr_db, parameters)

    @property
    def handicap(self) -> dict[str, Any]:
        """What training did not know of the channel: part of the statistics that weights are for, so that nobody finds them unasked."""
        return {}

    def paths(self, count: int, root: int, index: int) -> "PathBatch":
        """``count`` channels of a step (root ``TRAINING``) or of another set, decided by ``root`` and ``index``."""
        return draw_paths(self, count, root, index)


class SampledLink(LinkSettings):
    """A link of which training may know no more than samples (Kang 2022, Table II and Sec. VIII-B); all drops share its statistics.

    Batches are drawn from the samples again and again, or fresh from what was fitted to them; the noise on pilots is fresh in every
    step. The validation set, which chooses the best iterate, has fresh channels of the true statistics.
    """

    samples: int | None = Field(None, ge=1, description="channels that training knows, the same in all stages; null draws fresh ones")
    full_csi: FullCsiConfig = Field(default_factory=Genie, description="how these samples were acquired, as in a scenario")
    fitted: bool = Field(False, description="draw fresh channels from angles and gains fitted to the samples, in place of the samples")

    @model_validator(mode="after")
    def _samples_there(self) -> "SampledLink":
        if self.samples is None:
            if self.fitted or self.full_csi.kind != "genie":
                raise ValueError("full_csi and fitted are about a number of samples (samples: N)")
        elif self.full_csi.kind == "cedun":
            raise ValueError("samples: cedun sees a part of each only (full_csi: genie, noisy or beam_sweep)")
        elif not self.shared_statistics:
            raise ValueError("samples: every drop has statistics of its own (statistics: iid_angles)")
        return self

    @property
    def handicap(self) -> dict[str, Any]:
        known = {"samples": self.samples, "full_csi": self.full_csi.model_dump(mode="json"), "fitted": self.fitted}
        return {} if self.samples is None else {"training_data": known}

    @cached_property
    def known_channels(self) -> "PathBatch":
        """The samples, with the error that they were acquired with."""
        if self.full_csi.kind == "genie":
            return draw_paths(self, self.samples or 0, TRAINING, _KNOWN)
        s, rng = self.system, stream(TRAINING, 0, "training.full_csi")
        sent = pilot_matrix(self.pilots, s.num_rf, s.num_users, stream(TRAINING, 0, "training.pilots"))
        error = float(least_squares_mse(sent, s.noise_power).mean()) if self.full_csi.kind == "beam_sweep" else None
        return as_paths(acquire(draw_state(self, self.samples or 0, TRAINING, _KNOWN), self.full_csi, rng, error))

    @cached_property
    def fitted_rays(self) -> Any:
        """The distribution fitted to the samples."""
        return fit_rays(self.known_channels, self.channel)

    def paths(self, count: int, root: int, index: int) -> "PathBatch":
        if self.samples is None or root != TRAINING:
            return draw_paths(self, count, root, index)
        rng = stream(root, 0, "training.known", index)
        if self.fitted:
            return PathBatch(*self.fitted_rays.draw(count, rng))
        chosen = rng.choice(self.samples, count, replace=count > self.samples)
        return PathBatch(*(a[chosen] for a in self.known_channels))


class UsersLink(SampledLink):
    """A link whose networks may be trained for fewer users too: batches then have other numbers of them, the first ones."""

    serves: list[int] = Field(default_factory=list, description="numbers of users that are trained for in turn; empty is all users at once")

    @model_validator(mode="after")
    def _users_there(self) -> "UsersLink":
        if not all(1 <= users <= self.system.num_users for users in self.serves):
            raise ValueError(f"serves: {self.serves}, there are {self.system.num_users} users (1 <= serves <= num_users)")
        return self

    @property
    def users(self) -> list[int]:
        """Numbers of users that count for the score."""
        return self.serves or [self.system.num_users]

    def some_users(self, rng: np.random.Generator) -> int:
        """How many users a batch is for."""
        return int(rng.choice(self.users))


def of_first_users(batch: tuple[Any, ...], users: int) -> tuple[Any, ...]:
    """A batch for the first users alone; the second axis of every array is that of the users."""
    return tuple(item[:, :users] for item in batch)


def narrowband(channel: Component) -> Component:
    """What networks are trained on, who serve every subcarrier by itself: the channel that each subcarrier sees.

    Raises
    ------
    CsisimError
        If no channel of its kind on one subcarrier has the same statistics.
    """
    subcarriers = getattr(channel, "num_subcarriers", 1)
    if subcarriers == 1:
        return channel
    known = getattr(channel, "narrowband", None)
    alike: Component | None = None if known is None else known()
    if alike is None:
        told = f"networks are trained on one subcarrier, and no {channel.kind} channel on one is like each of these {subcarriers}"
        raise CsisimError(f"{told} (num_subcarriers: 1,{' normalisation: unit,' if known else ''} or weights: untrained)")
    return alike


def circumstances(system: System, channel: Component, pilots: PilotConfig) -> Circumstances:
    """Where learned components work on a link, on each subcarrier. How the channel evolves from slot to slot training never sees.

    Raises
    ------
    CsisimError
        Of :func:`narrowband`.
    """
    channel = narrowband(channel)
    dims: dict[str, int] = {name: value for name, value in vars(system.dims(1)).items() if name not in ("drops", "precision")}
    shared = build("channel", channel, system.dims(1), Streams(0), _SLOT_S).shared_statistics
    length = pilot_length(pilots, system.num_rf)
    statistics = channel.model_dump(mode="json", exclude={"fading"})
    heard = {"power": pilots.power, "add_up": pilots.access == "kang_eq4"}
    return Circumstances(dims | {"pilot_length": length}, statistics, system.snr_db, bool(shared), heard)


class PathBatch(NamedTuple):
    """Independent channels as paths: rx (B, K, r, P), tx (B, K, t, P), gains (B, K, P), complex64."""

    rx: Array
    tx: Array
    gains: Array


def draw_state(link: LinkSettings, count: int, root: int, index: int) -> ChannelState:
    """One slot of ``count`` drops, decided by ``root`` and ``index``."""
    channel = build("channel", narrowband(link.channel), link.system.dims(count), Streams(root, 0, index), _SLOT_S)
    channel.begin_superframe(0)
    state: ChannelState = channel.step(0)
    return state


def as_paths(state: ChannelState) -> PathBatch:
    """The drops and subcarriers of a slot one after the other."""
    samples = stack([state])
    shape = (len(samples), *samples.gains.shape[1:3])
    rx, tx = (np.broadcast_to(a, (*shape, *a.shape[3:])).reshape(-1, *a.shape[2:]) for a in (samples.rx, samples.tx))
    return PathBatch(np.ascontiguousarray(rx), np.ascontiguousarray(tx), samples.gains.reshape(-1, *samples.gains.shape[2:]))


def draw_paths(link: LinkSettings, count: int, root: int, index: int = 0) -> PathBatch:
    """``count`` channels with statistics of their own, decided by ``root`` and ``index``."""
    return as_paths(draw_state(link, count, root, index))


class Source(Protocol):
    """Equivalent channels (B, K, R, T) in orthonormal beam coordinates, decided by ``root`` and ``index``."""

    def channels(self, count: int, root: int, index: int) -> np.ndarray:
        """``count`` of them."""


class BehindPhases:
    """The link's channels behind one pair of analog beamformers, phases (t, T) and (K, r, R)."""

    def __init__(self, link: LinkSettings, phi_f: np.ndarray, phi_w: np.ndarray) -> None:
        self.link, self.phases = link, (phi_f, phi_w)

    def channels(self, count: int, root: int, index: int) -> np.ndarray:
        channel: np.ndarray = project(*self.phases, *self.link.paths(count, root, index))
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
        channel = build("channel", narrowband(self.link.channel), dims, streams, _SLOT_S)
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
