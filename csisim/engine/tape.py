"""The tape: what one scheme did in every slot of one superframe."""

import numpy as np

#: Columns with one value per drop and slot, NaN for null.
PER_DROP = ("sum_rate_bps_hz", "net_rate_bps_hz", "nmse_estimate", "nmse_csi", "nmse_full", "sgcs", "csi_age_slots")


class Tape:
    """Arrays (drop, slot) that the engine fills slot by slot and hands on after each superframe."""

    def __init__(self, drops: int, num_users: int, slots: int) -> None:
        self.per_drop = {name: np.full((drops, slots), np.nan) for name in PER_DROP}
        self.rate_user = np.zeros((drops, slots, num_users), dtype=np.float32)
        self.analog_updated = np.zeros(slots, dtype=bool)
        self.feedback_bits = np.zeros((drops, slots))  # mean over users

    def columns(
        self, first_drop: int, superframe: int, slots_per_frame: int, slot_s: float, pilot_bits: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Flat columns, drop by drop; ``signaling_bits`` runs from the superframe's start."""
        drops, slots, num_users = self.rate_user.shape
        slot = np.arange(slots)
        per_slot = {
            "superframe": np.full(slots, superframe),
            "frame": slot // slots_per_frame,
            "slot": slot,
            "time_s": (superframe * slots + slot) * slot_s,
            "pilot_bits": pilot_bits,
            "analog_updated": self.analog_updated,
        }
        columns: dict[str, np.ndarray] = {"drop": np.repeat(np.arange(first_drop, first_drop + drops), slots)}
        columns |= {name: np.tile(values, drops) for name, values in per_slot.items()}
        columns |= {name: values.reshape(-1) for name, values in self.per_drop.items()}
        columns["feedback_bits"] = self.feedback_bits.reshape(-1)
        columns["signaling_bits"] = np.cumsum(pilot_bits + self.feedback_bits, axis=1).reshape(-1)
        columns["rate_user"] = self.rate_user.reshape(-1, num_users)
        return columns
