"""How much memory a scenario takes, estimated before anything is allocated.

Everything is counted in complex numbers of the scenario's precision; what is computed in double precision whatever the scenario
says counts twice. The factors are numbers of copies, counted where the arrays are made and checked against measured peaks.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from csisim.channel.fading import NUM_SINUSOIDS, Jakes
from csisim.engine.cell import BLOCK
from csisim.engine.tape import PER_DROP
from csisim.errors import CsisimError, Problem
from csisim.feedback.learned_paths import LIKENESSES, LearnedPathsConfig
from csisim.feedback.nested import leaves
from csisim.phy.arrays import Ula, polarisations
from csisim.registry import Component, component
from csisim.scenario.schema import Scenario
from csisim.scheme import SchemeConfig

_LIMIT_FILE = Path("/sys/fs/cgroup/memory.max")

_COUPLINGS = 16  # pairs of beams whose couplings to standing responses are remembered (:meth:`csisim.channel.base.Geometry.couple`)
_PATH_WORK = 40  # numbers a geometry-based channel keeps for a path beside its responses: delays, angles, points, gains
_BIT_WORK = 16  # numbers a codec needs for a coefficient while it spells out its bits


@dataclass(frozen=True, eq=False)
class _Same:
    """A scenario that is equal to itself alone; what it says never changes."""

    scenario: Scenario

    def __hash__(self) -> int:
        return id(self.scenario)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.scenario is self.scenario


def working_set(scenario: Scenario) -> int:
    """Bytes of the large arrays of one block of drops, and of what is kept of all drops until a record is complete."""
    return _working_set(_Same(scenario))


@lru_cache(maxsize=1)  # many rules ask, one after the other
def _working_set(same: _Same) -> int:
    scenario = same.scenario
    link = _Link.of(scenario)
    lanes = [_Lane(scenario, scheme, link) for scheme in scenario.schemes]
    numbers = link.channel + link.noise + sum(lane.kept for lane in lanes) + max(lane.passing for lane in lanes)
    if link.paths and not link.fresh:
        numbers += min(_COUPLINGS, sum(lane.versions for lane in lanes)) * max(lane.coupling for lane in lanes)
    rows = link.drops * scenario.clock.slots
    tape = rows * (8 * len(PER_DROP) + 4 * link.users) * len(lanes) + rows * (30 * 8 + 16 * link.users)
    summaries = scenario.drops * len(PER_DROP) * (16 * len(lanes) + 100)
    return numbers * (16 if scenario.precision == "double" else 8) + tape + summaries


def memory_suffices(scenario: Scenario) -> Iterator[Problem]:
    """The rule that a block of drops fits into memory."""
    try:
        needed, present = working_set(scenario), physical_memory()
    except (CsisimError, OSError):  # a channel that is not there has no size; building it says so
        return
    if present is not None and needed > present:
        message = f"a block of drops needs about {readable(needed)} and this machine has {readable(present)}"
        yield Problem(("system",), f"{message} (fewer antennas, users, pilots, samples, slots per superframe or drops)")


def num_paths(scenario: Scenario) -> int:
    """Paths of a user's channel where all have equally many, else 0."""
    channel = scenario.channel
    rays: int = getattr(channel, "num_clusters", 0) * getattr(channel, "num_rays", 0)
    if not rays:
        return 0
    direct = getattr(channel, "k_factor_db", None) is not None
    pairs = polarisations(getattr(channel, "rx_array", Ula())) * polarisations(getattr(channel, "tx_array", Ula()))
    return (rays + direct) * pairs


def equivalent_chains(scenario: Scenario, scheme: SchemeConfig, paths: int) -> tuple[int, int]:
    """Sizes (R, T) of a scheme's equivalent channel: RF chains, or of fully digital ones the signal space of so many ``paths``."""
    system = scenario.system
    if component("analog", scheme.analog.kind).phase_shifters:
        return system.num_rx_rf, system.num_rf
    return _signal_space(scenario, paths)


def _signal_space(scenario: Scenario, paths: int) -> tuple[int, int]:
    """Dimensions that the channels of all users have at the receivers and at the transmitter."""
    system = scenario.system
    rx, tx, streams = system.num_rx, system.num_tx, system.num_streams
    columns = paths or max(rx, tx)
    return min(rx, max(columns, streams)), min(tx, max(system.num_users * columns, streams))


def beams_in_turn(scenario: Scenario, scheme: SchemeConfig) -> tuple[int, int]:
    """How many beams serve a superframe's pilots one after the other, and in how many slots at most users report through the same."""
    clock = scenario.clock
    if scheme.timescale == "single" and _new_in_every_slot(scenario, scheme):
        return clock.slots, 1
    if scheme.cadence == "statistics" and scheme.timescale == "online":  # new ones after frame 0, and then every so many frames
        later, every = max(clock.frames - 1, 0), scheme.update_every
        return 1 + -(-later // every), clock.slots_per_frame * max(min(every, later), 1)
    if scheme.cadence == "statistics" and scheme.timescale == "offline" and scheme.sampling != "before":
        first, then = scheme.num_samples, max(clock.slots - scheme.num_samples, 0)
        return 1 + (then > 0), then if scheme.sampling == "inside_silent" else max(first, then)
    return 1, clock.slots


def _new_in_every_slot(scenario: Scenario, scheme: SchemeConfig) -> bool:
    """Whether the beams follow the slot's channel; fully digital ones do while its angles change and do not span everything."""
    if component("analog", scheme.analog.kind).phase_shifters:
        return scheme.cadence == "slot"
    antennas = scenario.system.num_rx, scenario.system.num_tx
    return getattr(scenario.channel, "statistics", None) == "iid_angles" and _signal_space(scenario, num_paths(scenario)) != antennas


@dataclass(frozen=True)
class _Link:
    """Sizes that all schemes of a block share, the letters of docstrings spelled out.

    Attributes
    ----------
    paths : int
        Paths of a user's channel; 0 if it is a dense matrix.
    fresh : bool
        Every state has array responses of its own.
    sample_drops : int
        Drops that one set of samples outside time is drawn for.
    """

    drops: int
    users: int
    subcarriers: int
    rx: int
    tx: int
    paths: int
    fresh: bool
    sample_drops: int
    channel: int
    noise: int

    @classmethod
    def of(cls, scenario: Scenario) -> "_Link":
        system, channel = scenario.system, scenario.channel
        drops, users, subcarriers = min(scenario.drops, BLOCK), system.num_users, scenario.dims(1).num_subcarriers
        paths = num_paths(scenario)
        try:
            expected = int(getattr(channel, "expected_paths", None) or 0)
        except OverflowError:
            expected = 10**30  # more than anybody has memory for
        paths = expected or paths
        states = drops * users * subcarriers
        dense = states * system.num_rx * system.num_tx
        responses = 2 * drops * users * paths * (system.num_rx + system.num_tx)
        work = 6 * states * paths + responses if paths else 4 * dense
        if expected:
            work += _PATH_WORK * drops * users * paths
        if getattr(channel, "normalisation", None) == "per_drop":
            work += 3 * drops * users * paths**2  # overlaps of the paths
        if isinstance(getattr(channel, "fading", None), Jakes):
            work += NUM_SINUSOIDS * (8 * drops * users * paths if paths else 3 * dense)  # paths keep their delays
        work += getattr(channel, "constant_numbers", lambda num_rx, num_tx: 0)(system.num_rx, system.num_tx)
        if scenario.full_csi.kind != "genie":
            work += 4 * dense
        heard = states * scenario.pilot_length * (3 * system.num_rx // 2 + 3 * system.num_rx_rf)
        piloted = any(component("estimator", scheme.estimator.kind).uses_pilots for scheme in scenario.schemes)
        # one set of samples serves all drops; where that depends on the settings, only an instance would say
        fresh = getattr(channel, "statistics", None) == "iid_angles"
        shared = fresh or getattr(channel, "evolution", None) == "iid"
        shared = shared or getattr(component("channel", channel.kind), "shared_statistics", False) is True
        sample_drops = 1 if shared else drops
        return cls(drops, users, subcarriers, system.num_rx, system.num_tx, paths, fresh, sample_drops, work, heard if piloted else 0)


class _Lane:
    """What one scheme holds (``kept``), and what it takes for a moment (``passing``)."""

    def __init__(self, scenario: Scenario, scheme: SchemeConfig, link: _Link) -> None:
        self.scenario, self.scheme, self.link = scenario, scheme, link
        self.hybrid = component("analog", scheme.analog.kind).phase_shifters
        self.space, self.chains = _signal_space(scenario, link.paths), equivalent_chains(scenario, scheme, link.paths)
        self.sample_drops = link.sample_drops if scheme.samples_before else link.drops
        self.kept, self.passing = 0, 0
        self._csi()
        self._beams()
        self._samples()
        self._design()

    def _csi(self) -> None:
        """Pilots, estimates, reports and the digital stage."""
        link, scenario, (rx, tx) = self.link, self.scenario, self.chains
        equivalent = link.drops * link.users * link.subcarriers * rx * tx
        self.kept += 3 * equivalent
        coupled = 2 * link.drops * link.users * link.subcarriers * rx * link.paths
        passing = 4 * equivalent + coupled + self._digital(link.drops * link.subcarriers, rx, tx)
        estimator = component("estimator", self.scheme.estimator.kind)
        if estimator.uses_pilots:
            block = scenario.system.num_rf * scenario.pilot_length
            distinct = link.users if scenario.pilots.access == "kang_eq4" else 1
            self.kept += 2 * distinct * block
            maps = link.drops * link.users if estimator.needs_covariance else distinct
            self.kept += 2 * maps * block
            passing += 8 * distinct * block + 3 * maps * block
        if estimator.needs_covariance:
            count = getattr(self.scheme.estimator, "num_samples", 0) * link.sample_drops
            self.kept += count * self._sample
            passing += 6 * count * link.users * link.subcarriers * rx * tx
        codec = self.scheme.codec
        if scenario.duplex == "fdd" and any(getattr(codec, name, None) for name in ("bits", "inner", "ladder")):
            passing += _BIT_WORK * equivalent
        if scenario.duplex == "fdd":
            passing += max(self._pursuit(leaf) for _, leaf in leaves(codec))
        if scenario.duplex == "fdd":  # reports that later ones may build on, at both ends, and those under way: an ideal one is the CSI
            window, delay = getattr(codec, "window", 0), scenario.feedback.delay_slots
            self.kept += (window + delay * bool(window)) * equivalent + delay * equivalent // (1 if codec.kind == "ideal" else 4)
        for room, config in (("estimator", self.scheme.estimator), ("codec", codec)):
            if getattr(component(room, config.kind), "needs_sounding", False):
                directions = [self._directions_of(config, end, size) for end, size in (("rx_array", link.rx), ("tx_array", link.tx))]
                self.kept += link.drops * (link.users * rx * directions[0] + (tx + scenario.pilot_length) * directions[1])
                passing += 3 * link.drops * link.users * directions[0] * directions[1]  # correlations with every pair
        self.passing = max(self.passing, passing)

    def _pursuit(self, codec: Component) -> int:
        """Likenesses of channels with all pairs of trained directions, with their squares and those of real and imaginary parts."""
        if not isinstance(codec, LearnedPathsConfig):
            return 0
        pairs = self.link.users * 2 ** (codec.receive_bits + codec.transmit_bits)
        return 5 * min(self.link.drops * self.link.subcarriers * pairs, max(LIKENESSES, pairs)) // 2

    def _directions_of(self, config: Component, end: str, antennas: int) -> int:
        """Directions in the dictionary of an array, so many per antenna and axis."""
        own: int | None = getattr(config, "receive_oversampling", None) if end == "rx_array" else None
        per_axis: int = getattr(config, "oversampling", 1) if own is None else own
        return antennas * per_axis ** (1 if getattr(getattr(self.scenario.channel, end, None), "kind", "ula") == "ula" else 2)

    def _digital(self, problems: int, rx: int, tx: int) -> int:
        """Iterative digital design of ``problems`` channels at once, in double precision."""
        users, streams = self.link.users, self.link.users * self.scenario.system.num_streams
        return 4 * problems * (users * rx * tx + (users * rx) ** 2 + streams * (tx + users * rx))

    def _beams(self) -> None:
        link, (rx, tx) = self.link, self.chains
        entries = link.drops * (link.tx * tx + link.users * link.rx * rx)
        grams = link.drops * (tx**2 + link.users * rx**2) if self.hybrid else 0
        if self.hybrid:
            kept, passing = 5, 4
        else:
            kept, passing = (1, 0) if tx == link.tx else (2, 4)  # bases of everything are identities, which need no room
        self.kept += kept * entries + 4 * grams
        self.passing = max(self.passing, passing * entries + 10 * grams)
        feedback = self.scenario.feedback
        self.versions, stay = beams_in_turn(self.scenario, self.scheme)
        if self.scenario.duplex == "fdd" and (self.hybrid or link.fresh):
            # beams whose reports are under way, and those that drops with losses have not left yet
            waiting = -(-feedback.delay_slots // max(stay, 1)) + (link.drops - 1) * (feedback.loss > 0)
            equivalent = link.drops * link.users * link.subcarriers * rx * tx
            self.kept += min(waiting, self.versions) * (2 * entries + 2 * grams + equivalent)
        self.coupling = entries + link.drops * link.users * link.paths * (rx + tx)

    @property
    def _sample(self) -> int:
        """One full-CSI sample of one drop."""
        link = self.link
        if not link.paths or self.scenario.full_csi.kind != "genie":
            return link.users * link.subcarriers * link.rx * link.tx
        return link.users * link.paths * (link.subcarriers + link.fresh * (link.rx + link.tx))

    def _samples(self) -> None:
        """Full-CSI samples that the scheme remembers."""
        scheme = self.scheme
        if scheme.cadence == "fixed":
            self.count = 0
        elif scheme.timescale == "single":
            self.count = 1
        elif scheme.timescale == "online":
            most = -(-self.scenario.clock.frames // scheme.update_every) * scheme.samples_per_frame
            self.count = most if scheme.memory == "all" else min(most, scheme.memory)
        else:
            self.count = scheme.num_samples
        self.kept += self.count * self.sample_drops * self._sample

    def _design(self) -> None:
        """The analog designer at work on its samples, side by side."""
        link, drops, seen = self.link, self.sample_drops, self.count * self.link.subcarriers
        if not seen:
            return
        factored = link.paths > 0 and self.scenario.full_csi.kind == "genie"
        paths = link.paths if factored else link.rx
        own = seen if link.fresh or not factored else 1  # sets of responses
        passing = 3 * self.count * drops * self._sample
        beams = getattr(self.scheme.analog, "oversampling", 0)  # of a codebook, per antenna
        if self.scheme.cadence == "slot":
            passing += 4 * drops * link.tx * self.space[1] if factored else 0
            self.kept += drops * link.users * link.paths * sum(self.space)
            passing += self._digital(drops * link.subcarriers, *self.space)
            passing += 3 * drops * link.users * link.subcarriers * self.space[0] * self.space[1]
        elif hasattr(self.scheme.analog, "batch"):
            passing += self._gradient(min(self.scheme.analog.batch, seen), paths, own > 1)
        else:
            passing += drops * link.users * paths**2 * (3 * seen if own > 1 else 4)
            if not beams:
                passing += sum(self._directions(size, users, paths, own) for size, users in ((link.tx, 1), (link.rx, link.users)))
        passing += beams * (5 * (link.tx**2 + link.rx**2) + 3 * own * drops * link.users * paths * max(link.tx, link.rx))
        self.passing = max(self.passing, passing)

    def _gradient(self, batch: int, paths: int, own: bool) -> int:
        link, (rx, tx) = self.link, self.chains
        streams = link.users * self.scenario.system.num_streams
        responses = (3 * batch if own else 2) * link.users * paths * (link.tx + link.rx)
        small = batch * link.users * (paths * 3 * (tx + rx + streams) + 2 * rx * tx)
        return self.sample_drops * (responses + small) + self._digital(batch * self.sample_drops, rx, tx)

    def _directions(self, antennas: int, users: int, paths: int, own: int) -> int:
        """Dominant directions of ``users`` covariances, each a sum over what the other users and samples bring."""
        columns = own * (self.link.users // users) * paths
        matrices = columns // paths + 6 if columns >= antennas else 0  # all summands of a full covariance at once
        return self.sample_drops * users * antennas * (matrices * antennas or 5 * columns)


def physical_memory() -> int | None:
    """Bytes of memory this process may use, None where the system does not say."""
    try:
        present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        return min(present, int(_LIMIT_FILE.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return present


def readable(count: int) -> str:
    """Bytes for people: ``1.5 GB``."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count // (size // 10) / 10} {unit}" if count < 10**6 * size else f"more than 10^6 {unit}"
    return f"{count} bytes"
