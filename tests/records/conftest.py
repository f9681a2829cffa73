"""Columns as the engine hands them over, made of random numbers."""

import numpy as np
import pytest

from csisim.records.schema import METRICS


@pytest.fixture
def columns():
    """Rows of one superframe of some drops."""

    def make(seed=0, first_drop=0, drops=5, frames=3, slots_per_frame=4, superframe=0, num_users=2):
        rng = np.random.default_rng(seed)
        slots = frames * slots_per_frame
        slot = np.tile(np.arange(slots), drops)
        rows = len(slot)
        values = {name: rng.random(rows) for name in METRICS}
        values["nmse_full"] = np.full(rows, np.nan)
        values["csi_age_slots"][slot < 2] = np.nan
        return values | {
            "drop": np.repeat(np.arange(first_drop, first_drop + drops), slots),
            "superframe": np.full(rows, superframe),
            "frame": slot // slots_per_frame,
            "slot": slot,
            "time_s": (superframe * slots + slot) * 1e-3,
            "rate_user": rng.random((rows, num_users)),
            "pilot_bits": np.full(rows, 10),
            "feedback_bits": rng.integers(0, 5, rows),
            "signaling_bits": 12 * (slot + 1),
            "analog_updated": slot % slots_per_frame == 1,
        }

    return make
