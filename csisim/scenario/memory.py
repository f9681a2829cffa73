"""How much memory a scenario takes, estimated before anything is allocated."""

import os
from pathlib import Path

from csisim.engine.cell import BLOCK
from csisim.registry import component
from csisim.scenario.schema import Scenario
from csisim.scheme import SchemeConfig

_COPIES = 2  # intermediate results beside the arrays counted here
_TAPE_COLUMNS = 24  # numbers of a row of records, beside the users' rates
_LIMIT_FILE = Path("/sys/fs/cgroup/memory.max")


def working_set(scenario: Scenario) -> int:
    """Bytes of the large arrays of one block of drops: channels, samples, noise, beams and the tape of one superframe."""
    system, users = scenario.system, scenario.system.num_users
    drops = min(scenario.drops, BLOCK)
    subcarriers = scenario.dims(1).num_subcarriers
    dense = users * subcarriers * system.num_rx * system.num_tx  # complex numbers of a drop, as all counts below
    paths = getattr(scenario.channel, "num_clusters", 0) * getattr(scenario.channel, "num_rays", 0)
    paths = getattr(scenario.channel, "expected_paths", paths)
    responses = users * paths * (system.num_rx + system.num_tx)
    fresh = getattr(scenario.channel, "statistics", None) == "iid_angles"
    sample = users * subcarriers * paths + fresh * responses if paths and scenario.full_csi.kind == "genie" else dense
    channel = responses if paths else dense
    noise = users * subcarriers * system.num_rx * scenario.pilot_length
    pilots = 2 * system.num_rf * scenario.pilot_length * (users if scenario.pilots.access == "kang_eq4" else 1)  # in double precision
    beams = 2 * (system.num_tx * system.num_rf + users * system.num_rx * system.num_rx_rf)
    space = min(system.num_tx, users * paths) if paths else system.num_tx  # what fully digital design works in
    numbers = drops * (channel + noise) + pilots
    for scheme in scenario.schemes:
        numbers += sample * _sample_drops(scheme, scenario, drops)
        numbers += drops * (beams if component("analog", scheme.analog.kind).phase_shifters else subcarriers * space**2)
    tape = drops * scenario.clock.slots * (_TAPE_COLUMNS + users) * len(scenario.schemes)
    return _COPIES * (numbers * (16 if scenario.precision == "double" else 8) + tape * 8)


def _sample_drops(scheme: SchemeConfig, scenario: Scenario, drops: int) -> int:
    """Full-CSI samples that a scheme holds at once, times the drops each is taken for."""
    if scheme.timescale == "single":
        return drops
    if scheme.timescale == "online":
        most = scenario.clock.frames * scheme.samples_per_frame
        return drops * (most if scheme.memory == "all" else min(most, scheme.memory))
    channel = scenario.channel
    fresh = getattr(channel, "evolution", None) == "iid" or getattr(channel, "statistics", None) == "iid_angles"
    # one set of samples serves all drops; where that depends on the settings, only an instance would say
    shared = fresh or getattr(component("channel", channel.kind), "shared_statistics", False)
    return scheme.samples_before * (1 if shared else drops) if scheme.sampling == "before" else scheme.num_samples * drops


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
