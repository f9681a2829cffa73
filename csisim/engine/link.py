"""The feedback link: a report leaves a user, takes its time, and may be lost."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from csisim.random import Streams
from csisim.registry import Settings


class FeedbackConfig(Settings):
    """The uplink that carries reports in FDD (``feedback:`` in a scenario)."""

    delay_slots: int = Field(0, ge=0, le=10_000, description="slots from the measurement to the report's arrival")
    loss: float = Field(0.0, ge=0, le=1, description="probability that one user's report of one slot is lost")
    budget_bits: int | None = Field(
        None,
        ge=1,
        description="bits that a user may report in a superframe: codec adaptive chooses reports that use it up evenly, of other codecs "
        "only as many reports are sent as fit, evenly spaced; null is no limit",
    )


@dataclass(frozen=True)
class FeedbackLink:
    """Delay and losses, the same for every scheme of a cell."""

    config: FeedbackConfig
    streams: Streams
    drops: int
    num_users: int

    def arrivals(self, superframe: int, slot: int) -> np.ndarray:
        """Which users' reports of this slot are not lost, (D, K) bool."""
        draws = [self.streams("feedback.loss", superframe, slot, user).random(self.drops) for user in range(self.num_users)]
        return np.stack(draws, axis=1) >= self.config.loss
