"""What the fields of a scenario must satisfy together: one small function per rule, each yields what it finds wrong.

A rule that is broken refuses the scenario before anything is computed. A warning names something legal that rarely means well.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from csisim.acquisition import long_term
from csisim.acquisition.long_term import LongTermConfig
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.beamforming.base import AnalogDesigner
from csisim.errors import CsisimError, PilotError, Problem
from csisim.random import Streams
from csisim.registry import TABLE, Component, build, component, configure
from csisim.scenario.feedback_rules import (
    budget_carries_a_report,
    codecs_suit_the_channel,
    delay_needs_correlation,
    feedback_is_fdd,
    prediction_is_possible,
    reports_arrive,
)
from csisim.scenario.memory import memory_suffices
from csisim.scenario.schema import TIMESCALE_FIELDS, Scenario
from csisim.scenario.suggest import did_you_mean
from csisim.scheme import SchemeConfig
from csisim.training import native
from csisim.training.data import circumstances, narrowband
from csisim.training.supply import dead_ends
from csisim.weights import UNTRAINED, Learned, WeightsError, read_header

Rule = Callable[[Scenario], Iterator[Problem]]

#: Products in a decomposition of the pilots that takes about a second; beyond that, only a run tells what an estimator makes of them.
_QUICK = 2**30


def _scheme(index: int, *field: str | int) -> tuple[str | int, ...]:
    return ("schemes", index, *field)


def _analog(scheme: SchemeConfig) -> type[AnalogDesigner]:
    designer: type[AnalogDesigner] = component("analog", scheme.analog.kind)
    return designer


def _piloted(scenario: Scenario) -> list[SchemeConfig]:
    """The schemes that send pilots."""
    return [scheme for scheme in scenario.schemes if component("estimator", scheme.estimator.kind).uses_pilots]


# -- antennas, chains and streams ----------------------------------------------------------------------------------------


def streams_fit_the_user(scenario: Scenario) -> Iterator[Problem]:
    s = scenario.system
    if s.num_streams > s.num_rx_rf:
        message = f"{s.num_rx_rf} RF chains cannot carry {s.num_streams} streams per user (num_streams <= num_rx_rf)"
        yield Problem(("system", "num_rx_rf"), message)


def streams_fit_the_base_station(scenario: Scenario) -> Iterator[Problem]:
    s = scenario.system
    if s.num_streams > s.num_rf:
        message = f"{s.num_rf} RF chains cannot carry {s.num_streams} streams to even one user (num_streams <= num_rf)"
        yield Problem(("system", "num_rf"), message)


def chains_have_antennas(scenario: Scenario) -> Iterator[Problem]:
    s = scenario.system
    if s.num_rf > s.num_tx:
        yield Problem(("system", "num_rf"), f"{s.num_rf} RF chains for {s.num_tx} transmit antennas (num_rf <= num_tx)")
    if s.num_rx_rf > s.num_rx:
        yield Problem(("system", "num_rx_rf"), f"{s.num_rx_rf} RF chains for {s.num_rx} receive antennas (num_rx_rf <= num_rx)")


def channel_suits_the_antennas(scenario: Scenario) -> Iterator[Problem]:
    """What only the channel knows: shapes of planar arrays, antennas and rows of a trace, whether its file is there."""
    if any(memory_suffices(scenario)):
        return
    try:
        build("channel", scenario.channel, scenario.dims(1), Streams(scenario.seed), scenario.clock.slot_s)
    except CsisimError as error:
        field = getattr(error, "field", None)  # what it is about, where the channel knows
        yield Problem(("channel",) if field is None else ("channel", field), str(error))
    except OSError as error:
        yield Problem(("channel",), f"cannot be read: {error}")
    except ArithmeticError as error:
        yield Problem(("channel",), f"a number is too large or too small for this channel ({error})")


# -- time ----------------------------------------------------------------------------------------------------------------


def there_are_frames(scenario: Scenario) -> Iterator[Problem]:
    if scenario.clock.frames == 0:
        message = "a superframe of 0 frames has no slot to measure and no frame's end to learn at (frames >= 1)"
        yield Problem(("clock", "frames"), message)


def samples_fit_the_frame(scenario: Scenario) -> Iterator[Problem]:
    slots = scenario.clock.slots_per_frame
    for index, scheme in enumerate(scenario.schemes):
        if scheme.timescale == "online" and scheme.samples_per_frame > slots:
            message = f"{scheme.samples_per_frame} samples need as many slots, a frame has {slots} (samples_per_frame <= slots_per_frame)"
            yield Problem(_scheme(index, "samples_per_frame"), message)


def sampling_fits_the_superframe(scenario: Scenario) -> Iterator[Problem]:
    slots = scenario.clock.slots
    for index, scheme in enumerate(scenario.schemes):
        if scheme.timescale == "offline" and scheme.sampling != "before" and scheme.num_samples > slots:
            message = f"{scheme.num_samples} samples inside a superframe of {slots} slots (num_samples <= frames * slots_per_frame)"
            yield Problem(_scheme(index, "num_samples"), message)


def evaluated_frames_exist(scenario: Scenario) -> Iterator[Problem]:
    last, frames = scenario.evaluation.last_frames, scenario.clock.frames
    if last is not None and last > frames:
        yield Problem(("evaluation", "last_frames"), f"the last {last} of {frames} frames (last_frames <= frames)")


def superframe_fits_the_channel(scenario: Scenario) -> Iterator[Problem]:
    """A channel whose superframe has a length of its own is not known beyond it."""
    known = getattr(scenario.channel, "superframe_s", None)
    lasts = scenario.clock.slots * scenario.clock.slot_s
    if known is not None and lasts > known * (1 + 1e-9):
        told = f"{known:g} s is shorter than the clock's superframe of {lasts:g} s"
        yield Problem(("channel", "superframe_s"), f"{told} (frames * slots_per_frame * slot_s <= superframe_s)")


# -- pilots --------------------------------------------------------------------------------------------------------------


def pilots_fit_the_slot(scenario: Scenario) -> Iterator[Problem]:
    needed, symbols = scenario.pilot_symbols, scenario.clock.symbols_per_slot
    if needed > symbols and _piloted(scenario):
        users = f" ({scenario.system.num_users} users in turn)" if scenario.pilots.access == "tdma" else ""
        yield Problem(("pilots", "length"), f"{needed} pilot symbols{users} in a slot of {symbols} (pilots <= symbols_per_slot)")


def pilots_identify_the_channel(scenario: Scenario) -> Iterator[Problem]:
    """What only the estimator knows: least squares needs as many pilots as RF chains, others can do with less."""
    if any(pilots_fit_the_slot(scenario)) or any(memory_suffices(scenario)):
        return
    system = scenario.system
    if scenario.pilot_length >= system.num_rf and system.num_rf**2 * scenario.pilot_length > _QUICK:
        return
    estimators = [scheme.estimator for scheme in _piloted(scenario)]
    if scenario.full_csi.kind == "beam_sweep":
        estimators.append(configure("estimator", "ls"))  # a sweep estimates every one of its blocks by least squares
    complaints = (_complaint(estimator, scenario.pilots, system.num_rf, system.num_users, scenario.seed) for estimator in estimators)
    for complaint in dict.fromkeys(filter(None, complaints)):
        yield Problem(("pilots", "length"), complaint)


@lru_cache(maxsize=256)  # most cells of a sweep share their pilots
def _complaint(estimator: Component, pilots: PilotConfig, num_rf: int, num_users: int, seed: int) -> str | None:
    """What an estimator has to say against these pilots; nothing where its weights will be found or trained later."""
    if isinstance(estimator, Learned) and estimator.weights != UNTRAINED:
        return None
    if getattr(component("estimator", estimator.kind), "needs_sounding", False):
        return None  # beams are not there yet, and sparse estimates put up with any pilots
    asked, sent = build("estimator", estimator), pilot_matrix(pilots, num_rf, num_users, Streams(seed)("pilots"))
    covariance = np.eye(num_rf, dtype=np.complex128)[None, None] if asked.needs_covariance else None
    try:
        asked.init(sent, 1.0, covariance)
    except PilotError as error:
        return str(error)
    return None


# -- schemes -------------------------------------------------------------------------------------------------------------


def names_differ(scenario: Scenario) -> Iterator[Problem]:
    names = [scheme.name for scheme in scenario.schemes]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem(_scheme(index, "name"), f"another scheme is called {name!r} already")


def fields_belong_to_the_timescale(scenario: Scenario) -> Iterator[Problem]:
    for index, scheme in enumerate(scenario.schemes):
        for name, timescale in TIMESCALE_FIELDS.items():
            if name in scheme.model_fields_set and scheme.timescale != timescale:
                yield Problem(_scheme(index, name), f"belongs to timescale {timescale}, this scheme is {scheme.timescale}")


def memory_holds_a_sample(scenario: Scenario) -> Iterator[Problem]:
    for index, scheme in enumerate(scenario.schemes):
        if scheme.memory != "all" and scheme.memory < 1:
            yield Problem(_scheme(index, "memory"), f"{scheme.memory} samples leave nothing to learn from (memory >= 1, or all)")


def designer_suits_the_timescale(scenario: Scenario) -> Iterator[Problem]:
    suited = {"slot": ("single",), "statistics": ("offline", "online"), "fixed": ("offline",)}
    why = {"slot": "designs in every slot", "statistics": "designs from samples of the statistics", "fixed": "needs no CSI"}
    for index, scheme in enumerate(scenario.schemes):
        if scheme.timescale not in suited[scheme.cadence]:
            allowed = " or ".join(suited[scheme.cadence])
            message = f"{scheme.analog.kind} {why[scheme.cadence]}: it needs timescale {allowed}, this scheme is {scheme.timescale}"
            yield Problem(_scheme(index, "analog"), message)


def designer_has_samples(scenario: Scenario) -> Iterator[Problem]:
    for index, scheme in enumerate(scenario.schemes):
        if scheme.timescale != "offline" or "num_samples" not in scheme.model_fields_set:
            continue
        if scheme.cadence == "fixed" and scheme.num_samples > 0:
            yield Problem(_scheme(index, "num_samples"), f"{scheme.analog.kind} looks at no sample (num_samples: 0)")
        if scheme.cadence == "statistics" and scheme.num_samples == 0 and not _analog(scheme).designs_without_samples:
            yield Problem(_scheme(index, "num_samples"), f"{scheme.analog.kind} cannot design from 0 samples (num_samples >= 1)")


def bound_is_perfect(scenario: Scenario) -> Iterator[Problem]:
    for index, scheme in enumerate(scenario.schemes):
        if not _analog(scheme).phase_shifters and component("estimator", scheme.estimator.kind).uses_pilots:
            message = f"the fully digital bound has perfect CSI, this is {scheme.estimator.kind} (estimator: perfect)"
            yield Problem(_scheme(index, "estimator"), message)


def single_user_designer_has_one_user(scenario: Scenario) -> Iterator[Problem]:
    users = scenario.system.num_users
    for index, scheme in enumerate(scenario.schemes):
        if users > 1 and component("digital", scheme.digital.kind).single_user:
            several = ", ".join(kind for kind in TABLE["digital"] if not component("digital", kind).single_user)
            yield Problem(_scheme(index, "digital"), f"{scheme.digital.kind} serves one user, there are {users} ({several} serve several)")


def every_user_has_a_priority(scenario: Scenario) -> Iterator[Problem]:
    users = scenario.system.num_users
    for index, scheme in enumerate(scenario.schemes):
        given = getattr(scheme.digital, "user_weights", None)
        if given is not None and (len(given) != users or min(given) <= 0.0):
            message = f"{given} for {users} users: a positive number for each of them"
            yield Problem(_scheme(index, "digital", "user_weights"), message)


def each_subcarrier_sees_a_channel_to_train_on(scenario: Scenario) -> Iterator[Problem]:
    """Networks serve every subcarrier by itself and are trained on one."""
    trained = any(config.weights != UNTRAINED for scheme in scenario.schemes for *_, config in native.learned(scheme))
    if not trained and getattr(scenario.full_csi, "weights", None) is None:
        return
    try:
        narrowband(scenario.channel)
    except CsisimError as error:
        yield Problem(("channel", "num_subcarriers"), str(error))


def _can_be_trained_on(scenario: Scenario) -> bool:
    return not any(channel_suits_the_antennas(scenario)) and not any(each_subcarrier_sees_a_channel_to_train_on(scenario))


def weights_fit(scenario: Scenario) -> Iterator[Problem]:
    """Files of weights that a scheme names are there and made for it; recipes that it names can be trained on its link."""
    learned = [(index, *found) for index, scheme in enumerate(scenario.schemes) for found in native.learned(scheme)]
    named = [item for item in learned if item[-1].weights not in (None, UNTRAINED)]
    if not named or not _can_be_trained_on(scenario):
        return
    for index, place, seen, config in named:
        try:
            if config.recipe is not None:
                native.check(scenario, seen, str(place[0]), config.recipe)
                continue
            need = config.need(circumstances(scenario.system, scenario.channel, scenario.pilots))
            # what it was trained on is its author's business: a mismatch of statistics is an experiment
            complaint = None if need is None else replace(need, statistics=None).complaint(read_header(str(config.weights)))
            if complaint is not None:
                yield Problem(_scheme(index, *place, "weights"), f"{config.weights}: these weights do not fit: {complaint}")
        except WeightsError as error:
            yield Problem(_scheme(index, *place, "weights"), str(error))


def networks_can_be_had(scenario: Scenario) -> Iterator[Problem]:
    """Learned components that name no weights find some, or are of a kind that is trained before a run."""
    learned = any(config.weights is None for scheme in scenario.schemes for *_, config in native.learned(scheme))
    if learned and _can_be_trained_on(scenario):
        yield from (Problem(_scheme(index, room), message) for index, room, message in dead_ends(scenario))


def full_csi_weights_fit(scenario: Scenario) -> Iterator[Problem]:
    """The network that acquires full CSI is there and has this link's sizes."""
    config = scenario.full_csi
    if not isinstance(config, LongTermConfig) or config.weights is None or not _can_be_trained_on(scenario):
        return
    try:
        here = circumstances(scenario.system, scenario.channel, scenario.pilots)
        complaint = long_term.need(config, here.dims).complaint(read_header(config.weights))
        if complaint is not None:
            yield Problem(("full_csi", "weights"), f"{config.weights}: these weights do not fit: {complaint}")
    except WeightsError as error:
        yield Problem(("full_csi", "weights"), str(error))


def pictures_show_schemes(scenario: Scenario) -> Iterator[Problem]:
    names = [scheme.name for scheme in scenario.schemes]
    for index, plot in enumerate(scenario.plots):
        for field, shown in (("schemes", plot.schemes or []), ("relative_to", [plot.relative_to] if plot.relative_to else [])):
            for name in shown:
                if name not in names:
                    message = f"no scheme is called {name!r}{did_you_mean(name, names)}; schemes: {', '.join(names)}"
                    yield Problem(("plots", index, field), message)


RULES: tuple[Rule, ...] = (
    streams_fit_the_user,
    streams_fit_the_base_station,
    chains_have_antennas,
    channel_suits_the_antennas,
    there_are_frames,
    samples_fit_the_frame,
    sampling_fits_the_superframe,
    evaluated_frames_exist,
    reports_arrive,
    superframe_fits_the_channel,
    pilots_fit_the_slot,
    pilots_identify_the_channel,
    names_differ,
    fields_belong_to_the_timescale,
    memory_holds_a_sample,
    designer_suits_the_timescale,
    designer_has_samples,
    bound_is_perfect,
    single_user_designer_has_one_user,
    every_user_has_a_priority,
    each_subcarrier_sees_a_channel_to_train_on,
    weights_fit,
    networks_can_be_had,
    full_csi_weights_fit,
    pictures_show_schemes,
    feedback_is_fdd,
    codecs_suit_the_channel,
    budget_carries_a_report,
    memory_suffices,
)


# -- warnings ------------------------------------------------------------------------------------------------------------


def streams_share_chains(scenario: Scenario) -> Iterator[Problem]:
    s = scenario.system
    streams = s.num_users * s.num_streams
    hybrid = any(_analog(scheme).phase_shifters for scheme in scenario.schemes)
    if streams > s.num_rf and hybrid and s.num_streams <= s.num_rf:
        cause = f"{s.num_users} users x {s.num_streams} streams = {streams} > {s.num_rf} RF chains"
        yield Problem(("system", "num_rf"), f"{cause}: digital designers switch streams off")
        for index, scheme in enumerate(scenario.schemes):
            if scheme.digital.kind == "zf" and _analog(scheme).phase_shifters:
                yield Problem(_scheme(index, "digital"), f"{cause}: zero forcing cannot separate them, expect rates near 0")


def fresh_angles_need_many_samples(scenario: Scenario) -> Iterator[Problem]:
    if getattr(scenario.channel, "statistics", None) != "iid_angles":
        return
    for index, scheme in enumerate(scenario.schemes):
        if scheme.timescale == "online" and scheme.analog.kind == "ssca" and scheme.samples_per_frame < 20:
            message = (
                f"{scheme.samples_per_frame} samples per frame with iid_angles over-fit: online falls below random phases (20 or more work)"
            )
            yield Problem(_scheme(index, "samples_per_frame"), message)


def a_band_has_subcarriers(scenario: Scenario) -> Iterator[Problem]:
    channel = scenario.channel
    if channel.kind == "mmwave_clusters" and getattr(channel, "num_subcarriers", None) == 1:
        for field in ("bandwidth_hz", "delay_spread_s"):
            if field in channel.model_fields_set:
                yield Problem(("channel", field), "without effect: one subcarrier sees neither band nor delays (num_subcarriers > 1)")


def users_pilots_alias(scenario: Scenario) -> Iterator[Problem]:
    pilots, needed = scenario.pilots, scenario.system.num_users * scenario.system.num_rf
    if pilots.access == "kang_eq4" and pilots.kind != "identical" and scenario.pilot_length < needed and scenario.system.num_users > 1:
        message = f"{scenario.pilot_length} symbols cannot keep the users' pilots orthogonal (kang_eq4 needs num_users * num_rf = {needed})"
        yield Problem(("pilots", "length"), message)


def pictures_have_an_axis(scenario: Scenario, axes: Any) -> Iterator[Problem]:
    """Pictures over an axis that is not swept."""
    for index, plot in enumerate(scenario.plots):
        if plot.x is not None and plot.x not in axes:
            swept = f"swept: {', '.join(axes)}" if axes else "nothing is swept"
            yield Problem(("plots", index, "x"), f"{plot.x} is not swept, this picture is left out ({swept})")


WARNINGS: tuple[Rule, ...] = (
    streams_share_chains,
    fresh_angles_need_many_samples,
    delay_needs_correlation,
    prediction_is_possible,
    a_band_has_subcarriers,
    users_pilots_alias,
)
