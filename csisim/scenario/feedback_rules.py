"""What reports and the link that carries them must satisfy: rules and warnings as in :mod:`csisim.scenario.rules`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from csisim.acquisition.base import Sounding
from csisim.errors import CsisimError, Problem
from csisim.feedback.adaptive import Adaptive
from csisim.feedback.differential import Differential
from csisim.feedback.image_codec import ImageReports
from csisim.feedback.nested import leaves
from csisim.feedback.report import Codec
from csisim.phy.arrays import PolarisedArray, Ula
from csisim.registry import Component, build, component
from csisim.scenario.memory import beams_in_turn, equivalent_chains, memory_suffices, num_paths
from csisim.scenario.schema import Scenario
from csisim.scheme import SchemeConfig
from csisim.weights import Learned

Path = tuple[str | int, ...]


def reporting(scenario: Scenario) -> list[tuple[int, SchemeConfig]]:
    """The schemes whose users report, with their places."""
    fdd = scenario.duplex == "fdd"
    return [(index, scheme) for index, scheme in enumerate(scenario.schemes) if fdd and not scheme.reciprocity]


@dataclass(frozen=True)
class _Csi:
    """All of a scenario that a codec of one of its schemes sees: shape (1, K, S, R, T) of the CSI, the antennas and their arrays."""

    shape: tuple[int, ...]
    dtype: np.dtype
    antennas: tuple[int, int]
    arrays: tuple[PolarisedArray, PolarisedArray]

    @classmethod
    def of(cls, scenario: Scenario, scheme: SchemeConfig) -> "_Csi":
        dims = scenario.dims(1)
        rx, tx = equivalent_chains(scenario, scheme, num_paths(scenario))
        arrays = getattr(scenario.channel, "tx_array", Ula()), getattr(scenario.channel, "rx_array", Ula())
        return cls((1, dims.num_users, dims.num_subcarriers, rx, tx), dims.complex_dtype, (dims.num_tx, dims.num_rx), arrays)

    def open(self, codec: Any) -> Any:
        """An end of the codec."""
        if not getattr(codec, "needs_sounding", False):
            return codec.init(self.shape, self.dtype)
        (tx, rx), (_, users, _, rows, columns) = self.antennas, self.shape
        f, w = np.ones((1, tx, columns), self.dtype), np.ones((1, users, rx, rows), self.dtype)
        return codec.init(self.shape, self.dtype, Sounding(f, w, *self.arrays))  # what it reports is as long through any beams


def opened(scenario: Scenario, scheme: SchemeConfig, codec: Codec) -> tuple[tuple[int, ...], Any]:
    """Shape (1, K, S, R, T) of the CSI that a scheme's users report, and an end of the codec for it.

    Raises
    ------
    CsisimError
        If the codec does not suit the CSI, or lacks something.
    """
    csi = _Csi.of(scenario, scheme)
    return csi.shape, csi.open(codec)


@dataclass(frozen=True)
class _Case:
    """A codec for some CSI, known by what its configuration says."""

    csi: _Csi
    config: Component = field(compare=False)  # may hold lists
    told: str

    @classmethod
    def of(cls, scenario: Scenario, scheme: SchemeConfig, config: Component) -> "_Case":
        return cls(_Csi.of(scenario, scheme), config, config.model_dump_json())


def forget() -> None:
    """Whatever is remembered of codecs: the files that they name may have changed."""
    _complaint.cache_clear()
    _shortest.cache_clear()


def feedback_is_fdd(scenario: Scenario) -> Iterator[Problem]:
    no_codec = SchemeConfig.model_fields["codec"].get_default(call_default_factory=True)
    for index, scheme in enumerate(scenario.schemes):
        if scheme.reciprocity and scenario.duplex == "tdd":
            message = "in tdd every base station estimates by itself (leave it out, or duplex: fdd)"
            yield Problem(("schemes", index, "reciprocity"), message)
        elif scheme.reciprocity and scheme.codec != no_codec:
            message = f"{scheme.codec.kind} with reciprocity, where nobody reports (reciprocity: false)"
            yield Problem(("schemes", index, "codec"), message)
    if scenario.duplex == "fdd":
        if scenario.feedback.budget_bits is not None and not reporting(scenario):
            message = f"{scenario.feedback.budget_bits} for reports where nobody reports (reciprocity: false)"
            yield Problem(("feedback", "budget_bits"), message)
        return
    for name in ("delay_slots", "loss", "budget_bits"):
        value = getattr(scenario.feedback, name)
        if value:
            yield Problem(("feedback", name), f"{value} in tdd, where the base station estimates and nobody reports (duplex: fdd)")
    for index, scheme in enumerate(scenario.schemes):
        if scheme.codec != no_codec:
            yield Problem(("schemes", index, "codec"), f"{scheme.codec.kind} in tdd, where nobody reports (duplex: fdd)")


def reports_arrive(scenario: Scenario) -> Iterator[Problem]:
    delay, slots = scenario.feedback.delay_slots, scenario.clock.slots
    if reporting(scenario) and 0 < slots <= delay:
        message = f"after {delay} slots no report arrives within a superframe of {slots} slots (delay_slots < frames * slots_per_frame)"
        yield Problem(("feedback", "delay_slots"), message)


def codecs_suit_the_channel(scenario: Scenario) -> Iterator[Problem]:
    """Every codec, those within others too, takes CSI of this size, and what it is made of is there."""
    if any(memory_suffices(scenario)):
        return
    for index, scheme in reporting(scenario):
        for path, config in leaves(scheme.codec):
            place = ("schemes", index, "codec", *path)
            if _untrained_yet(config):
                continue
            if component("codec", config.kind).content == "precoder":
                wrong = list(_unsuited_codebook(scenario, scheme, config, index, place))
                yield from wrong
                if wrong:
                    continue
            complaint = _complaint(_Case.of(scenario, scheme, config))
            if complaint is not None:
                yield Problem(place, complaint)


@lru_cache(maxsize=1024)  # most cells of a sweep share their codecs and sizes
def _complaint(case: _Case) -> str | None:
    """What is wrong with a codec for some CSI."""
    try:
        case.csi.open(build("codec", case.config))
    except CsisimError as error:
        return str(error)
    except OSError as error:
        return f"{case.config.kind}: cannot be read: {error}"
    return None


def _untrained_yet(config: Component) -> bool:
    """Whether a run finds or trains the weights first."""
    return getattr(config, "recipe", None) is not None or (isinstance(config, Learned) and config.weights is None)


def _fits(scenario: Scenario) -> bool:
    """Whether reports of this size can be made, to see how long they are."""
    return not any(memory_suffices(scenario)) and not any(codecs_suit_the_channel(scenario))


def _trained(scheme: SchemeConfig) -> bool:
    """Whether all that the scheme's reports are made of is there."""
    return not any(_untrained_yet(config) for _, config in leaves(scheme.codec))


def _unsuited_codebook(scenario: Scenario, scheme: SchemeConfig, config: Component, index: int, place: Path) -> Iterator[Problem]:
    """Who reports precoders does so for the RF chains, with a layer for every stream."""
    if not component("analog", scheme.analog.kind).phase_shifters:
        message = f"{config.kind} needs RF chains for ports, {scheme.analog.kind} has none (analog: ports)"
        yield Problem(("schemes", index, "analog"), message)
    streams = scenario.system.num_streams
    layers = getattr(config, "rank", streams)
    if layers != streams:
        yield Problem((*place, "rank"), f"{layers} layers for {streams} streams per user (rank = num_streams)")


def budget_carries_a_report(scenario: Scenario) -> Iterator[Problem]:
    """A user who can never afford the shortest report of its codec never reports."""
    budget = scenario.feedback.budget_bits
    if budget is None or not _fits(scenario):
        return
    needed = {scheme.name: shortest_report(scenario, scheme) for _, scheme in reporting(scenario) if _trained(scheme)}
    if beyond := {name: bits for name, bits in needed.items() if bits > budget}:
        names = ", ".join(f"{name} ({bits} bits)" for name, bits in beyond.items())
        message = f"{budget} bits a superframe carry not even the shortest report of {names} (budget_bits >= {max(beyond.values())})"
        yield Problem(("feedback", "budget_bits"), message)


def shortest_report(scenario: Scenario, scheme: SchemeConfig) -> int:
    """Bits of the shortest report there is."""
    return _shortest(_Case.of(scenario, scheme, scheme.codec), scenario.system.num_streams)


@lru_cache(maxsize=1024)
def _shortest(case: _Case, num_streams: int) -> int:
    """Of a codec for some CSI; one beam of one polarisation leaves a codebook nothing more to say."""
    csi, codec = case.csi, build("codec", case.config)
    if isinstance(codec, Differential | Adaptive):
        within = codec.config.ladder if isinstance(codec, Adaptive) else [codec.config.inner]
        return codec.header_bits + min(_shortest(_Case(csi, inner, inner.model_dump_json()), num_streams) for inner in within)
    state = csi.open(codec)
    if isinstance(codec, ImageReports):  # all of a length, known before anything is fitted
        return codec.booked_bits(state)
    plain = np.zeros(csi.shape, csi.dtype)
    for row in range(csi.shape[3]):  # a layer each, the strongest first
        half = row % 2 if num_streams > 1 else 0
        plain[..., row, half * (csi.shape[4] // 2) : (half + 1) * (csi.shape[4] // 2) or 1] = 1 / (1 + row)
    return int(codec.encode(plain, state)[0].booked.max())


def delay_needs_correlation(scenario: Scenario) -> Iterator[Problem]:
    fading = getattr(getattr(scenario.channel, "fading", None), "kind", None)
    if reporting(scenario) and scenario.feedback.delay_slots > 0 and fading == "iid":
        message = "with iid fading a delayed report knows nothing of the present channel (fading: ar1 or jakes)"
        yield Problem(("feedback", "delay_slots"), message)


def prediction_is_possible(scenario: Scenario) -> Iterator[Problem]:
    """Reports that build on acknowledged ones need an acknowledgement while it is of use: through the same beams, in the window."""
    wait = scenario.feedback.delay_slots + 1
    for index, scheme in reporting(scenario):
        window = getattr(scheme.codec, "window", None)
        if window is None:
            continue
        _, stay = beams_in_turn(scenario, scheme)
        until = f"{scheme.codec.kind} never predicts, it only costs its header: the first acknowledgement is there after {wait} slots"
        if wait >= stay > 0:
            message = f"{until}, and {scheme.analog.kind} designs new beams after {stay}"
            yield Problem(("schemes", index, "codec"), f"{message} (a plain codec, an analog stage that stays, or a shorter delay_slots)")
            continue
        pace = _pace(scenario, scheme)
        if pace is None:
            continue
        afforded, apart = pace
        later = int((wait - 1) / apart) + 1  # reports from one to the first that knows its acknowledgement
        if later >= window:
            message = f"{until}, the window is {window} (window > {later})"
            yield Problem(("schemes", index, "codec", "window"), message)
        elif later >= afforded or int(later * apart) >= stay > 0:
            message = f"{until}, and {scenario.feedback.budget_bits} bits carry too few reports through the same beams (a plain codec)"
            yield Problem(("feedback", "budget_bits"), message)


def _pace(scenario: Scenario, scheme: SchemeConfig) -> tuple[float, Fraction] | None:
    """The most reports that a superframe's budget carries, and the slots from one to the next; None where nobody can know."""
    budget = scenario.feedback.budget_bits
    if budget is None:
        return np.inf, Fraction(1)
    if not _fits(scenario) or not _trained(scheme):
        return None
    clock, shortest = scenario.clock, shortest_report(scenario, scheme)
    reports = clock.slots - int(scheme.silent_slots(clock.frames, clock.slots_per_frame).sum())
    return budget // max(shortest, 1), max(Fraction(shortest * reports, budget), Fraction(1))
