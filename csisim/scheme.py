"""A scheme: one complete way of acquiring CSI and beamforming with it.

``sense`` (pilots -> estimate), ``report`` (bits over the feedback link), ``decide`` (analog and digital stage) and
``payload`` (what it earns on the true channel), for one block of drops at once. The engine says when.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from csisim.acquisition.base import Sounding
from csisim.acquisition.full_csi import FullCsiConfig, acquire
from csisim.acquisition.long_term import LongTermCedun, LongTermConfig
from csisim.acquisition.ls import least_squares_mse
from csisim.acquisition.mmse import sample_covariance
from csisim.acquisition.observe import UnitNoise, combine_noise, observe
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.beamforming.analog.random_phases import draw_phases
from csisim.beamforming.base import Occasion, Phases
from csisim.channel.base import Channel, ChannelState, stack
from csisim.feedback.exchange import Budget, Exchange, Sent
from csisim.phy.arrays import Ula
from csisim.phy.beams import Beams
from csisim.phy.dims import Dims, System
from csisim.phy.linalg import adjoint
from csisim.phy.metrics import nmse, precoder_sgcs, sgcs
from csisim.phy.power import constant_modulus, quantise_phases
from csisim.phy.rates import mmse_combiner, rate_per_user
from csisim.random import Streams
from csisim.registry import AnalogField, CodecField, DigitalField, EstimatorField, Settings, build, component, configure


class SchemeConfig(Settings):
    """One entry of ``schemes:``; fields that belong to another timescale may not be set."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", description="name of the scheme, by convention timescale_estimator_analog")
    timescale: Literal["single", "offline", "online"] = Field(description="when full CSI is acquired and the analog stage designed")
    estimator: EstimatorField = Field(
        default_factory=lambda: configure("estimator", "ls"), description="estimator of the equivalent channel"
    )
    codec: CodecField = Field(default_factory=lambda: configure("codec", "ideal"), description="feedback codec (FDD only)")
    analog: AnalogField = Field(description="analog beamformer")
    digital: DigitalField = Field(description="digital precoder")
    reciprocity: bool = Field(
        False, description="in fdd: this scheme's base station estimates by itself, as all do in tdd; nobody reports, nothing is late"
    )
    combiner_csi: Literal["estimate", "true_channel"] = Field(
        "estimate",
        description="CSI behind the digital combiners: the base station's, or the true channel of the payload's slot (always, "
        "where codebooks report precoders)",
    )
    num_samples: int = Field(16, ge=0, description="offline: full-CSI samples per superframe, N_sample")
    sampling: Literal["before", "inside_silent", "inside_random_phases"] = Field(
        "before", description="offline: samples before the superframe, or in its first slots with that payload meanwhile"
    )
    samples_per_frame: int = Field(1, ge=1, description="online: full-CSI samples in the last slots of each frame")
    update_every: int = Field(1, ge=1, description="online: frames from one analog update to the next, the first frame's being the first")
    steps_per_frame: int = Field(3, ge=1, description="online: analog gradient steps at each frame's end")
    memory: Literal["all"] | int = Field("all", description="online: how many of the superframe's newest samples are kept")
    initial: Literal["random_phases", "covariance"] = Field(
        "random_phases", description="online: start of the analog stage; covariance takes over at the first frame's end"
    )
    on_new_statistics: Literal["random", "keep", "restart"] = Field(
        "random", description="online: phases at a new superframe: new random ones, the present ones, or those of the first superframe"
    )

    @property
    def cadence(self) -> Literal["fixed", "statistics", "slot"]:
        """How often the analog designer wants samples."""
        cadence: Literal["fixed", "statistics", "slot"] = component("analog", self.analog.kind).cadence
        return cadence

    @property
    def samples_before(self) -> int:
        """Full-CSI samples bought before the superframe."""
        before = self.timescale == "offline" and self.sampling == "before" and self.cadence != "fixed"
        return self.num_samples if before else 0

    def full_csi_slots(self, frames: int, slots_per_frame: int) -> np.ndarray:
        """Slots of a superframe in which full CSI is acquired, (frames * slots_per_frame,) bool."""
        slot = np.arange(frames * slots_per_frame)
        if self.cadence == "fixed":
            return np.zeros(len(slot), dtype=bool)
        if self.timescale == "single":
            return np.ones(len(slot), dtype=bool)
        if self.timescale == "online":
            sampled = slot // slots_per_frame % self.update_every == 0
            return sampled & (slot % slots_per_frame >= slots_per_frame - self.samples_per_frame)
        return (slot < self.num_samples) if self.sampling != "before" else np.zeros(len(slot), dtype=bool)

    def silent_slots(self, frames: int, slots_per_frame: int) -> np.ndarray:
        """Slots without payload and without equivalent-CSI pilots: offline sampling in silence."""
        silent = self.timescale == "offline" and self.sampling == "inside_silent"
        return self.full_csi_slots(frames, slots_per_frame) & silent


@dataclass(frozen=True)
class Link:
    """What all schemes of a cell share, for one block of drops."""

    system: System
    dims: Dims
    pilots: PilotConfig
    full_csi: FullCsiConfig
    streams: Streams
    noise: UnitNoise
    fdd: bool
    budget_bits: int | None = None  # that a user may report in a superframe
    slots: tuple[int, int] = (1, 1)  # frames of a superframe, slots of a frame


@dataclass(eq=False)
class Known:
    """What the base station knows through one version of the beams.

    Attributes
    ----------
    value : (D, K, S, R, T) complex
        CSI in orthonormal beam coordinates. Of reported precoders their adjoints, with R = n: the users' channels behind receive
        filters of their own, as far as the reports tell.
    measured : (D, K) int
        Slot (since the start of the run) in which each user's part was measured, -1 for never.
    """

    value: np.ndarray
    measured: np.ndarray

    @property
    def complete(self) -> np.ndarray:
        """Drops (D,) of which every user's report has arrived."""
        return np.min(self.measured, axis=1) >= 0


@dataclass(frozen=True, eq=False)
class Payload:
    """What one slot's payload earned, NaN where the base station knows nothing yet."""

    rate_user: np.ndarray  # (D, K) bit/s/Hz
    nmse_csi: np.ndarray  # (D,), NaN also where precoders are reported
    sgcs: np.ndarray  # (D,), of the reported channel's dominant directions or of the reported layers; FDD only
    age_slots: np.ndarray  # (D,), mean over users


class Scheme:
    """One scheme on one block of drops."""

    def __init__(self, config: SchemeConfig, link: Link) -> None:
        self.config, self.link = config, link
        self.estimator = build("estimator", config.estimator)
        self.codec = build("codec", config.codec)
        self.exchange = Exchange(self.codec, self._budget())
        self.analog = build("analog", config.analog)
        self.digital = build("digital", config.digital)
        self.reports = link.fdd and not config.reciprocity
        self.told_precoders = self.reports and self.codec.content == "precoder"
        self.power, self.noise_power = link.system.power, link.system.noise_power
        self.pilots = pilot_matrix(link.pilots, link.dims.num_rf, link.dims.num_users, link.streams("pilots"))
        self.long_term: LongTermCedun | None = None
        if isinstance(link.full_csi, LongTermConfig):
            self.long_term = LongTermCedun(link.full_csi, link.dims, self.pilots, self.noise_power)
        if hasattr(self.estimator, "pilots"):  # trained ones, of the same power
            self.pilots = self.estimator.pilots(self.pilots)
        self.beams: dict[int, Beams] = {}
        self.known: dict[int, Known] = {}
        self.under_way: Counter[int] = Counter()  # reports by version
        self.version = -1  # of the beams that serve pilots
        self.in_force = np.full(link.dims.drops, -1)  # version of the beams that serve each drop's payload
        self.estimate_state: Any = None
        self.analog_state: Any = None
        self.memory: list[ChannelState] = []
        self.next_beams: tuple[np.ndarray, np.ndarray] | None = None
        self.designed: tuple[np.ndarray, np.ndarray] | None = None  # what the present beams were made of
        self.covariance_samples: list[ChannelState] = []
        self.full_csi_error = np.full(link.dims.drops, np.nan)
        self._true: tuple[int, np.ndarray] | None = None
        self.first_phases: Phases  # of the first superframe
        self.phases: Phases  # this superframe's start

    # -- analog stage ------------------------------------------------------------------------------------------------

    def begin_superframe(self, index: int, channel: Channel) -> None:
        """New statistics: forget the samples, decide the phases, and design the offline analog stage."""
        config, link = self.config, self.link
        self.superframe, self.channel = index, channel
        self.memory.clear()
        self.covariance_samples.clear()
        self.exchange.begin_superframe()
        phases = draw_phases(link.dims, link.streams, index)
        if index == 0:
            self.first_phases = phases
        elif config.timescale == "online" and config.on_new_statistics == "restart":
            phases = self.first_phases
        elif config.timescale == "online" and config.on_new_statistics == "keep":
            f, w = self.analog.beams(self.analog_state)  # the last frame's design, before any quantisation
            phases = np.angle(f), np.angle(w)
        self.phases = phases
        self.analog_state = self.analog.init(link.dims, phases)
        if config.cadence == "slot" or (config.timescale == "offline" and config.sampling == "inside_random_phases"):
            self.next_beams = constant_modulus(phases[0]), constant_modulus(phases[1])
        else:
            self.next_beams = self.analog.beams(self.analog_state)
        if config.samples_before:
            samples = enumerate(channel.samples(config.samples_before, "samples"))
            self._design([self._acquire(state, "full_csi.before", i) for i, state in samples])

    def begin_slot(self, state: ChannelState, slot: int, full_csi: bool) -> bool:
        """Acquire full CSI if it is due and put newly designed beams in force; True if there were any."""
        self._true = None
        self.full_csi_error = np.full(self.link.dims.drops, np.nan)
        if full_csi:
            if self.config.timescale == "single":
                self.memory.clear()
            self.memory.append(self._acquire(state, "full_csi", slot))
            if self.config.timescale == "single":
                self._design(self.memory)
            elif self.config.timescale == "online" and self.config.memory != "all":
                del self.memory[: -self.config.memory]
        return self._switch_beams()

    def end_slot(self, slot: int) -> None:
        """Offline, sampled inside the superframe: design once the last sample is there."""
        if (
            self.config.timescale == "offline"
            and self.config.sampling != "before"
            and slot + 1 == len(self.memory) == self.config.num_samples
        ):
            self._design(self.memory)

    def end_frame(self, frame: int) -> None:
        """Online: improve the analog stage with the samples of this superframe, for the next frame boundary."""
        if self.config.timescale != "online" or frame % self.config.update_every:
            return
        if frame == 0 and self.config.initial == "covariance":
            start = build("analog", configure("analog", "covariance"))
            fitted = start.update(stack(self.memory), start.init(self.link.dims, self.phases), self._occasion(frame))
            f, w = start.beams(fitted)
            self.analog_state = self.analog.init(self.link.dims, (np.angle(f), np.angle(w)))
        self._design(self.memory, frame, self.config.steps_per_frame)

    def _switch_beams(self) -> bool:
        if self.next_beams is None:
            return False
        designed, self.next_beams = self.next_beams, None
        if self.designed is not None and designed[0] is self.designed[0] and designed[1] is self.designed[1]:
            return False  # a designer that hands out the same arrays has not moved (the fully digital basis of fixed angles)
        f, w = self.designed = designed
        dtype = self.link.dims.complex_dtype
        self.version += 1
        if not self.analog.phase_shifters:
            self.beams[self.version] = Beams.orthonormal(f.astype(dtype), w.astype(dtype), self.version)
        else:
            bits = self.link.system.phase_bits
            if bits is not None:
                f, w = (np.abs(m) * np.exp(1j * quantise_phases(np.angle(m), bits)) for m in (f, w))
            self.beams[self.version] = Beams.of(f.astype(dtype), w.astype(dtype), self.version)
        self.estimate_state = None
        return True

    def _acquire(self, state: ChannelState, name: str, index: int) -> ChannelState:
        rng = self.link.streams(name, self.superframe, index)
        if self.long_term is not None:
            acquired = self.long_term.acquire(state, rng)
        else:
            sweep = self.link.full_csi.kind == "beam_sweep"
            error = float(least_squares_mse(self.pilots, self.noise_power).mean()) if sweep else None
            acquired = acquire(state, self.link.full_csi, rng, error)
        exact = acquired is state
        self.full_csi_error = np.zeros(self.link.dims.drops) if exact else nmse(acquired.matrix(), state.matrix())
        return acquired

    def _design(self, samples: list[ChannelState], frame: int = 0, steps: int | None = None) -> None:
        self.analog_state = self.analog.update(stack(samples), self.analog_state, self._occasion(frame, steps))
        self.next_beams = self.analog.beams(self.analog_state)

    def _occasion(self, frame: int, steps: int | None = None) -> Occasion:
        rng = self.link.streams("analog.minibatch", self.superframe, frame)
        return Occasion(self.noise_power, self.power, rng, steps, self.digital)

    # -- CSI ---------------------------------------------------------------------------------------------------------

    def sense(self, state: ChannelState, slot: int) -> tuple[np.ndarray, np.ndarray]:
        """Estimate the equivalent channel through the present beams.

        Returns
        -------
        estimate : (D, K, S, R, T) complex
            In orthonormal beam coordinates.
        error : (D,)
            NMSE of W^H H F (``nmse_estimate``).
        """
        beams = self.beams[self.version]
        true = state.project(beams.w_orthonormal, beams.f_orthonormal)
        self._true = (self.version, true)
        if not self.estimator.uses_pilots:
            return true, np.zeros(len(true))
        whitened = self.link.pilots.precoding == "whitened"
        if self.estimate_state is None:
            self.estimate_state = self._prepare_estimator(beams, whitened)
        length = self.pilots.shape[-1]
        noise = combine_noise(
            self.link.noise.block(self.superframe, slot, length), beams.w_orthonormal, self.link.pilots.combining_noise, beams.q_w
        )
        seen = true if whitened else true @ beams.r_f[:, None, None]
        received = observe(seen, self.pilots, noise, self.noise_power, self.link.pilots.access)
        estimated, self.estimate_state = self.estimator.update(received, self.estimate_state)
        estimate = estimated.value if whitened else estimated.value @ beams.q_f[:, None, None]
        estimate = beams.signal_part(estimate)
        return estimate, nmse(beams.equivalent(estimate), beams.equivalent(true))

    def _prepare_estimator(self, beams: Beams, whitened: bool) -> Any:
        f, w = beams.f_orthonormal if whitened else beams.f, beams.w_orthonormal
        covariance = None
        if self.estimator.needs_covariance:
            if not self.covariance_samples:
                self.covariance_samples.extend(
                    self.channel.samples(self.estimator.config.num_samples, "covariance", spacing=1000)
                )  # of the statistics, not of one fade
            covariance = sample_covariance(np.stack([state.project(w, f) for state in self.covariance_samples]))
        through = (self._sounding(f, w),) if getattr(self.estimator, "needs_sounding", False) else ()
        return self.estimator.init(self.pilots, self.noise_power, covariance, *through)

    def _sounding(self, f: np.ndarray, w: np.ndarray) -> Sounding:
        arrays = (getattr(getattr(self.channel, "config", None), end, Ula()) for end in ("tx_array", "rx_array"))
        return Sounding(f, w, *arrays)

    def report(self, estimate: np.ndarray, slot: int) -> Sent:
        """Encode the estimate at the users."""
        beams = self.beams[self.version]
        self.under_way[self.version] += 1
        return self.exchange.report(estimate, self.version, slot, self._sounding(beams.f_orthonormal, beams.w_orthonormal))

    def receive(self, sent: Sent, arrived: np.ndarray) -> None:
        """The base station decodes a report; ``arrived`` (D, K) says whose part was not lost."""
        self.under_way[sent.version] -= 1
        if sent.version not in self.beams or not sent.senders.any():
            return  # a straggler through beams that no drop uses any more, or nothing at all
        value, intact = self.exchange.receive(sent, arrived)
        if self.told_precoders:
            value = adjoint(value)
        self.learn(value, sent.version, sent.slot, intact)

    def _budget(self) -> Budget | None:
        link = self.link
        if link.budget_bits is None:
            return None
        return Budget(link.budget_bits, int((~self.config.silent_slots(*link.slots)).sum()), (link.dims.drops, link.dims.num_users))

    def learn(self, value: np.ndarray, version: int, slot: int, arrived: np.ndarray | None = None) -> None:
        """The base station's knowledge through beams ``version`` becomes ``value``, measured in ``slot``."""
        if arrived is None or arrived.all():
            self.known[version] = Known(value, np.full(value.shape[:2], slot))
        else:
            old = self.known.get(version)
            if old is None:
                old = Known(np.zeros_like(value), np.full(value.shape[:2], -1))
            newer = arrived & (slot > old.measured)
            self.known[version] = Known(np.where(newer[:, :, None, None, None], value, old.value), np.where(newer, slot, old.measured))
        self.in_force = np.where(self.known[version].complete, np.maximum(self.in_force, version), self.in_force)
        oldest, serving = self.in_force.min(), {self.version, *self.in_force.tolist()}
        # of no use: older ones than serve any drop, and those of which a report was lost for good
        for retired in [v for v in self.beams if v not in serving and (v < oldest or not self.under_way[v])]:
            del self.beams[retired]
            self.known.pop(retired, None)
            self.exchange.forget(retired)

    # -- payload -----------------------------------------------------------------------------------------------------

    def payload(self, state: ChannelState, slot: int) -> Payload:
        """Design the digital stage from what the base station knows and measure it on the true channel."""
        dims = self.link.dims
        nothing = np.full(dims.drops, np.nan)
        result = Payload(np.zeros((dims.drops, dims.num_users)), nothing.copy(), nothing.copy(), nothing)
        for version in np.unique(self.in_force[self.in_force >= 0]):
            here = self.in_force == version
            beams, known = self.beams[int(version)], self.known[int(version)]
            true = self._true_channel(state, int(version))
            precoder, combiner = self.digital.design(known.value, self.noise_power, self.power, dims.num_streams)
            # who reports directions keeps its receive filters to itself, and finds them with the precoded pilots
            at_users = self.told_precoders or self.config.combiner_csi == "true_channel"
            if combiner is None or at_users:
                csi = true if at_users else known.value
                combiner = mmse_combiner(csi, precoder, self.noise_power)
            result.rate_user[here] = rate_per_user(true, precoder, combiner, self.noise_power, self.link.system.rate)[here]
            if self.told_precoders:
                result.sgcs[here] = precoder_sgcs(adjoint(known.value[here]), true[here])
            else:
                result.nmse_csi[here] = nmse(beams.equivalent(known.value), beams.equivalent(true))[here]
                if self.reports:
                    result.sgcs[here] = sgcs(known.value[here], true[here])
            result.age_slots[here] = (slot - known.measured).mean(axis=1)[here]
        return result

    def _true_channel(self, state: ChannelState, version: int) -> np.ndarray:
        if self._true is not None and self._true[0] == version:
            return self._true[1]
        return state.project(self.beams[version].w_orthonormal, self.beams[version].f_orthonormal)
