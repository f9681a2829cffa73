"""Both ends of one scheme's feedback: what users send, when their budget lets them, and what the base station makes of it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from csisim.acquisition.base import Sounding
from csisim.feedback.report import Codec, Report


@dataclass(frozen=True, eq=False)
class Sent:
    """A report on its way: through which beams and when it was measured, and who sent it."""

    report: Report
    version: int
    slot: int
    senders: np.ndarray  # (D, K) bool

    @property
    def bits(self) -> np.ndarray:
        """Bits on the air, (D, K): nothing from who stayed silent."""
        return np.where(self.senders, self.report.booked, 0)


class Budget:
    """Bits that every user may report in a superframe, spent evenly over its reports.

    A drop's users send their first reports at once, and others when none has spent more than its even share of the slots gone by, as
    long as everybody's report fits into the rest. So long reports come rarely, and none of the budget is exceeded. They send
    together because beams are not used before all users' reports through them have come.

    Parameters
    ----------
    bits : int
    reports : int
        Slots of a superframe in which a report may be sent.
    users : (D, K)
    """

    def __init__(self, bits: int, reports: int, users: tuple[int, int]):
        self.bits, self.reports, self.users = bits, reports, users
        self.refill()

    def refill(self) -> None:
        """A new superframe."""
        self.spent = np.zeros(self.users)
        self.asked = 0

    @property
    def share(self) -> np.ndarray:
        """What is left for each of the reports to come, (D, K)."""
        return (self.bits - self.spent) / max(self.reports - self.asked, 1)

    def spend(self, lengths: np.ndarray) -> np.ndarray:
        """Who sends a report of these ``lengths`` (D, K) now, (D, K) bool."""
        due = self.spent <= self.bits * self.asked / self.reports
        together = (due & (self.spent + lengths <= self.bits)).all(axis=1, keepdims=True)
        senders = np.broadcast_to(together, self.users)
        self.spent += np.where(senders, lengths, 0)
        self.asked += 1
        return senders


class Exchange:
    """A codec at both ends.

    Parameters
    ----------
    codec : Codec
    budget : Budget, optional
        Without one everybody sends every report.
    """

    def __init__(self, codec: Codec, budget: Budget | None = None):
        self.codec, self.budget = codec, budget
        self.remembers, self.looks = hasattr(codec, "acknowledge"), getattr(codec, "needs_sounding", False)
        self._users: dict[int, Any] = {}  # states by version of the beams, of codecs for which beams are all alike one for all
        self._station: dict[int, Any] = {}

    def begin_superframe(self) -> None:
        """The budget is there again."""
        if self.budget is not None:
            self.budget.refill()

    def report(self, csi: np.ndarray, version: int, slot: int, sounding: Sounding) -> Sent:
        """The users' report of ``csi`` (D, K, S, R, T), measured in ``slot`` through beams ``version`` (``sounding``)."""
        key = self._key(version)
        if key not in self._users:
            through = (sounding,) if self.looks else ()
            self._users[key], self._station[key] = (self.codec.init(csi.shape, csi.dtype, *through) for _ in range(2))
        if self.budget is not None and hasattr(self.codec, "allow"):
            self._users[key] = self.codec.allow(self.budget.share, self._users[key])
        report, self._users[key] = self.codec.encode(csi, self._users[key])
        if self.budget is None:
            return Sent(report, version, slot, np.ones(csi.shape[:2], bool))
        senders = self.budget.spend(report.booked)
        if self.remembers:
            self._users[key] = self.codec.sent(senders, self._users[key])  # type: ignore[attr-defined]
        return Sent(report, version, slot, senders)

    def receive(self, sent: Sent, arrived: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the base station decodes, and whose part of it is to be used, (D, K) bool; ``arrived`` (D, K) were not lost."""
        key, report = self._key(sent.version), replace(sent.report, arrived=arrived & sent.senders)
        value, self._station[key] = self.codec.decode(report, self._station[key])
        intact = report.arrived & np.isfinite(value).all(axis=(2, 3, 4))  # wrong bits may spell numbers that no channel has
        if self.remembers:
            intact &= self.codec.intact(self._station[key])  # type: ignore[attr-defined]
            self._users[key] = self.codec.acknowledge(report, intact, self._users[key])  # type: ignore[attr-defined]
        return value, intact

    def forget(self, version: int) -> None:
        """Beams that nobody will report through any more."""
        if self._key(version) == version:
            self._users.pop(version, None)
            self._station.pop(version, None)

    def _key(self, version: int) -> int:
        return version if self.remembers or self.looks else -1
