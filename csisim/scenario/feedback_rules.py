"""What reports and the link that carries them must satisfy: rules and warnings as in :mod:`csisim.scenario.rules`."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from csisim.acquisition.base import Sounding
from csisim.errors import CsisimError, Problem
from csisim.feedback.adaptive import Adaptive
from csisim.feedback.differential import Differential
from csisim.feedback.image_codec import ImageReports
from csisim.feedback.report import Codec
from csisim.phy.arrays import Ula
from csisim.registry import Component, build, component
from csisim.scenario.memory import beams_in_turn, equivalent_chains, memory_suffices, num_paths
from csisim.scenario.schema import Scenario
from csisim.scheme import SchemeConfig
from csisim.training.data import circumstances
from csisim.training.supply import NATIVE
from csisim.weights import Learned, find

Path = tuple[str | int, ...]


def reporting(scenario: Scenario) -> list[tuple[int, SchemeConfig]]:
    """The schemes whose users report, with their places."""
    fdd = scenario.duplex == "fdd"
    return [(index, scheme) for index, scheme in enumerate(scenario.schemes) if fdd and not scheme.reciprocity]


def opened(scenario: Scenario, scheme: SchemeConfig, codec: Codec) -> tuple[tuple[int, ...], Any]:
    """Shape (1, K, S, R, T) of the CSI that a scheme's users report, and an end of the codec for it.

    Raises
    ------
    CsisimError
        If the codec does not suit the CSI, or lacks something.
    """
    dims = scenario.dims(1)
    rx, tx = equivalent_chains(scenario, scheme, num_paths(scenario))
    shape = (1, dims.num_users, dims.num_subcarriers, rx, tx)
    through = []
    if getattr(codec, "needs_sounding", False):  # what it reports is as long through any beams
        ends = ((1, dims.num_tx, tx), (1, dims.num_users, dims.num_rx, rx))
        f, w = (np.ones(end, dims.complex_dtype) for end in ends)
        through.append(Sounding(f, w, *(getattr(scenario.channel, array, Ula()) for array in ("tx_array", "rx_array"))))
    return shape, codec.init(shape, dims.complex_dtype, *through)


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
        for field, config in _codecs(scheme.codec):
            place = ("schemes", index, "codec", *field)
            if _untrained_yet(config):
                yield from _without_weights(scenario, config, place)
                continue
            codec = build("codec", config)
            if codec.content == "precoder":
                wrong = list(_unsuited_codebook(scenario, scheme, config, index, place))
                yield from wrong
                if wrong:
                    continue
            try:
                opened(scenario, scheme, codec)
            except CsisimError as error:
                yield Problem(place, str(error))
            except OSError as error:
                yield Problem(place, f"{config.kind}: cannot be read: {error}")


def _codecs(config: Component) -> Iterator[tuple[Path, Component]]:
    """The codecs that write bits by themselves, with their places in ``config``."""
    within: dict[Path, Component] = {("ladder", rung): inner for rung, inner in enumerate(getattr(config, "ladder", ()))}
    if hasattr(config, "inner"):
        within["inner",] = config.inner
    if not within:
        yield (), config
    for place, part in within.items():
        yield from (((*place, *field), leaf) for field, leaf in _codecs(part))


def _untrained_yet(config: Component) -> bool:
    """Whether a run finds or trains the weights first."""
    return getattr(config, "recipe", None) is not None or (isinstance(config, Learned) and config.weights is None)


def _without_weights(scenario: Scenario, config: Any, place: Path) -> Iterator[Problem]:
    """A codec of the link that names no weights finds some that are there; only a recipe that is named trains it."""
    if config.recipe is not None or config.kind not in NATIVE:
        return
    try:
        need = config.need(circumstances(scenario.system, scenario.channel, scenario.pilots))
    except CsisimError:  # a channel of other antennas: its own rule tells
        return
    if find(need) is None:
        yield Problem((*place, "weights"), f"no weights for {config.kind} are there; a recipe trains them (weights: {NATIVE[config.kind]})")


def _fits(scenario: Scenario) -> bool:
    """Whether reports of this size can be made, to see how long they are."""
    return not any(memory_suffices(scenario)) and not any(codecs_suit_the_channel(scenario))


def _trained(scheme: SchemeConfig) -> bool:
    """Whether all that the scheme's reports are made of is there."""
    return not any(_untrained_yet(config) for _, config in _codecs(scheme.codec))


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
    return _shortest(scenario, scheme, build("codec", scheme.codec))


def _shortest(scenario: Scenario, scheme: SchemeConfig, codec: Any) -> int:
    """Of a codec or one within it; one beam of one polarisation leaves a codebook nothing more to say."""
    if isinstance(codec, Differential | Adaptive):
        within = codec.rungs if isinstance(codec, Adaptive) else [codec.inner]
        return codec.header_bits + min(_shortest(scenario, scheme, inner) for inner in within)
    shape, state = opened(scenario, scheme, codec)
    if isinstance(codec, ImageReports):  # all of a length, known before anything is fitted
        return codec.booked_bits(state)
    plain = np.zeros(shape, scenario.dims(1).complex_dtype)
    for row in range(shape[3]):  # a layer each, the strongest first
        half = row % 2 if scenario.system.num_streams > 1 else 0
        plain[..., row, half * (shape[4] // 2) : (half + 1) * (shape[4] // 2) or 1] = 1 / (1 + row)
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
