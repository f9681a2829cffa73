"""How much memory a scenario takes, estimated before anything is allocated."""

import os
from pathlib import Path

from csisim.scenario.schema import Scenario
from csisim.scheme import SchemeConfig

_BLOCK = 16  # drops of one batch
_COPIES = 2  # intermediate results beside the arrays counted here
_LIMIT_FILE = Path("/sys/fs/cgroup/memory.max")


def working_set(scenario: Scenario) -> int:
    """Bytes of the large arrays of one block of drops: channels, samples, noise, beams and the tape of one superframe."""
    system, clock = scenario.system, scenario.clock
    item = 16 if scenario.precision == "double" else 8
    users = min(scenario.drops, _BLOCK) * system.num_users
    subcarriers = scenario.dims(1).num_subcarriers
    dense = users * subcarriers * system.num_rx * system.num_tx
    paths = getattr(scenario.channel, "num_clusters", 0) * getattr(scenario.channel, "num_rays", 0)
    responses = users * paths * (system.num_rx + system.num_tx)
    factored = paths > 0 and scenario.full_csi.kind == "genie"
    fresh = getattr(scenario.channel, "statistics", None) == "iid_angles"
    sample = (users * subcarriers * paths + fresh * responses) if factored else dense
    channel = (responses if paths else dense) + users * subcarriers * system.num_rx * scenario.pilot_length
    beams = min(scenario.drops, _BLOCK) * (system.num_tx * system.num_rf + system.num_users * system.num_rx * system.num_rx_rf)
    wide = min(system.num_tx, system.num_users * paths) if paths else system.num_tx
    bound = min(scenario.drops, _BLOCK) * subcarriers * wide * wide
    total = channel
    for scheme in scenario.schemes:
        total += sample * samples_kept(scheme, scenario) + (bound if scheme.analog.kind == "none" else 2 * beams)
    tape = min(scenario.drops, _BLOCK) * clock.slots * (20 + system.num_users) * len(scenario.schemes)
    return _COPIES * (total * item + tape * 8)


def samples_kept(scheme: SchemeConfig, scenario: Scenario) -> int:
    """Full-CSI samples that a scheme holds at once."""
    if scheme.timescale == "single":
        return 1
    if scheme.timescale == "offline":
        return scheme.num_samples if scheme.cadence != "fixed" else 0
    most = scenario.clock.frames * scheme.samples_per_frame
    return most if scheme.memory == "all" else min(most, scheme.memory)


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
