"""Engines for the runner's tests: numbers from seeded streams without any physics, and the ways in which a cell can go wrong."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from csisim.random import Streams

#: A folder where engines leave marks that outlive the process they ran in.
MARKS = "CSISIM_TEST_MARKS"


def run_cell(scenario, schemes, replica, sink, progress=None):
    """What a scheme does depends on its own settings, the physics and the streams alone."""
    clock, num_users = scenario.clock, scenario.system.num_users
    slots = clock.frames * clock.slots_per_frame
    for block in range(-(-scenario.drops // 16)):
        drops = min(16, scenario.drops - 16 * block)
        for superframe in range(clock.superframes):
            unit = Streams(scenario.seed, replica, block)("fake", superframe).random((slots, num_users, 16))
            shared = unit[..., :drops].transpose(2, 0, 1).reshape(drops * slots, num_users)
            for config in scenario.schemes:
                if config.name in schemes:
                    sink(config.name, superframe, _columns(scenario, config, 16 * block, drops, superframe, shared))
        if progress is not None:
            progress((block + 1) * 16 / scenario.drops)
    return dict.fromkeys(schemes, 0.25)


def _columns(scenario, config, first_drop, drops, superframe, shared):
    clock = scenario.clock
    slots = clock.frames * clock.slots_per_frame
    slot = np.tile(np.arange(slots), drops)
    gain = 1 + config.num_samples / 16 + (config.timescale == "online")
    rate_user = gain * np.log2(1 + 10 ** (scenario.system.snr_db / 10) * shared)
    rows = len(slot)
    return {
        "drop": np.repeat(np.arange(first_drop, first_drop + drops), slots),
        "superframe": np.full(rows, superframe),
        "frame": slot // clock.slots_per_frame,
        "slot": slot,
        "time_s": (superframe * slots + slot) * clock.slot_s,
        "sum_rate_bps_hz": rate_user.sum(axis=1),
        "net_rate_bps_hz": 0.9 * rate_user.sum(axis=1),
        "rate_user": rate_user,
        "nmse_estimate": shared[:, 0],
        "nmse_csi": shared[:, 0] * 2,
        "nmse_full": np.full(rows, np.nan),
        "sgcs": np.full(rows, np.nan),
        "pilot_bits": np.full(rows, 16),
        "feedback_bits": np.zeros(rows, dtype=np.int64),
        "signaling_bits": 16 * (slot + 1),
        "csi_age_slots": np.where(slot == 0, np.nan, 1.0),
        "analog_updated": slot % clock.slots_per_frame == 0,
    }


def _mark(kind, scenario, schemes):
    marks = Path(os.environ[MARKS])
    (marks / f"{kind}-{scenario.system.snr_db:g}-{'+'.join(schemes)}-{time.monotonic_ns()}").touch()
    return len(list(marks.glob(f"{kind}-{scenario.system.snr_db:g}-*")))


def counted_run_cell(scenario, schemes, replica, sink, progress=None):
    """Leaves a mark for every call."""
    _mark("call", scenario, schemes)
    return run_cell(scenario, schemes, replica, sink, progress)


def slow_run_cell(scenario, schemes, replica, sink, progress=None):
    """Takes its time in the middle, with half of the rows written."""
    first = []

    def half(scheme, superframe, columns):
        sink(scheme, superframe, columns)
        if not first:
            first.append(scheme)
            _mark("begun", scenario, schemes)
            time.sleep(0.12)

    return run_cell(scenario, schemes, replica, half, progress)


def failing_run_cell(scenario, schemes, replica, sink, progress=None):
    """Scheme b cannot run at 10 dB, and says so late."""
    seconds = run_cell(scenario, schemes, replica, sink, progress)
    if "b" in schemes and scenario.system.snr_db == 10:
        raise ZeroDivisionError("the covariance has no inverse at 10 dB")
    return seconds


def poisoned_run_cell(scenario, schemes, replica, sink, progress=None):
    """Scheme b kills its process at 10 dB, every time."""
    seconds = counted_run_cell(scenario, schemes, replica, sink, progress)
    if "b" in schemes and scenario.system.snr_db == 10:
        os.kill(os.getpid(), signal.SIGKILL)
    return seconds


def unlucky_run_cell(scenario, schemes, replica, sink, progress=None):
    """The first process that comes to 10 dB dies there; the next ones do not."""
    seconds = run_cell(scenario, schemes, replica, sink, progress)
    if scenario.system.snr_db == 10 and _mark("unlucky", scenario, schemes) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return seconds


def hanging_run_cell(scenario, schemes, replica, sink, progress=None):
    """Never ends at 10 dB."""
    if scenario.system.snr_db == 10:
        time.sleep(600)
    return run_cell(scenario, schemes, replica, sink, progress)


def interrupting_run_cell(scenario, schemes, replica, sink, progress=None):
    """Ctrl-C arrives in the middle of the third cell."""
    if _mark("interrupting", scenario, schemes) and len(list(Path(os.environ[MARKS]).glob("interrupting-*"))) == 3:
        raise KeyboardInterrupt
    return run_cell(scenario, schemes, replica, sink, progress)
