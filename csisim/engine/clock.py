"""The clock: superframes (statistics constant) of frames of slots (instantaneous CSI constant), as a SimPy process.

Within a slot, event priorities name the order: channel, pilots, report sent, report arrives, payload, frame end.
Time is counted in whole slots. A slot is entered by a plain timeout, whose priority comes before all of ours, so that a
report due in it never overtakes the new channel.
"""

from collections.abc import Callable, Generator
from enum import IntEnum
from time import thread_time

import numpy as np
import simpy
from pydantic import Field

from csisim.channel.base import Channel
from csisim.engine.ledger import SlotCosts, pilot_share
from csisim.engine.link import FeedbackLink
from csisim.engine.tape import Tape
from csisim.registry import Settings
from csisim.scheme import Scheme


class Clock(Settings):
    """Timescales (``clock:`` in a scenario)."""

    slot_s: float = Field(0.125e-3, gt=0, description="slot duration in seconds")
    symbols_per_slot: int = Field(1024, ge=1, description="channel uses per slot, shared by pilots and payload")
    slots_per_frame: int = Field(8, ge=1, description="slots per frame, T_s")
    frames: int = Field(16, ge=0, description="frames per superframe, T_f")
    superframes: int = Field(1, ge=1, description="superframes per run; each draws new channel statistics")

    @property
    def slots(self) -> int:
        """Slots per superframe."""
        return self.frames * self.slots_per_frame


class Step(IntEnum):
    """Order of events within a slot; SimPy's own events (priorities 0 and 1) come before all of them."""

    CHANNEL = 10
    PILOTS = 11
    SEND = 12
    ARRIVE = 13
    PAYLOAD = 14
    FRAME_END = 15


class Lane:
    """One scheme beside the others, with its costs and its tape."""

    def __init__(self, scheme: Scheme, costs: SlotCosts, clock: Clock) -> None:
        self.scheme, self.costs = scheme, costs
        self.full_csi = scheme.config.full_csi_slots(clock.frames, clock.slots_per_frame)
        self.silent = scheme.config.silent_slots(clock.frames, clock.slots_per_frame)
        self.payload_share = 1.0 - pilot_share(costs, clock.symbols_per_slot)
        self.slots = clock.slots
        self.estimate = np.empty(0)  # what the users hold until they report it
        self.seconds = 0.0
        self.rewind()

    def rewind(self) -> None:
        """A fresh tape for the next superframe."""
        dims = self.scheme.link.dims
        self.tape = Tape(dims.drops, dims.num_users, self.slots)


class Superframes:
    """All superframes of one block of drops, every scheme side by side on one channel."""

    def __init__(
        self, clock: Clock, channel: Channel, lanes: list[Lane], feedback: FeedbackLink | None, on_superframe: Callable[[int], None]
    ) -> None:
        self.clock, self.channel, self.lanes = clock, channel, lanes
        self.feedback, self.on_superframe = feedback, on_superframe
        self.env = simpy.Environment()

    def run(self) -> None:
        """Run to the end; reports still in flight then are dropped."""
        self.env.run(until=self.env.process(self._superframes()))

    def _superframes(self) -> Generator:
        for index in range(self.clock.superframes):
            self.superframe = index
            self.channel.begin_superframe(index)
            self._each(lambda lane: lane.scheme.begin_superframe(self.superframe, self.channel))
            for frame in range(self.clock.frames):
                yield from self._frame(frame)
            self.on_superframe(index)

    def _frame(self, frame: int) -> Generator:
        for slot in range(frame * self.clock.slots_per_frame, (frame + 1) * self.clock.slots_per_frame):
            yield from self._slot(slot)
            yield self.env.timeout(1) if (slot + 1) % self.clock.slots_per_frame else self._at(Step.FRAME_END)
        self._each(lambda lane: lane.scheme.end_frame(frame))
        yield self.env.timeout(1)

    def _slot(self, slot: int) -> Generator:
        yield self._at(Step.CHANNEL)
        self.state = self.channel.step(slot)
        yield self._at(Step.PILOTS)
        self._each(lambda lane: self._sense(lane, slot))
        if self.feedback is not None:
            yield self._at(Step.SEND)
            arrived = self.feedback.arrivals(self.superframe, slot)
            self._each(lambda lane: self._send(lane, slot, arrived))
        yield self._at(Step.PAYLOAD)
        self._each(lambda lane: self._payload(lane, slot))

    def _sense(self, lane: Lane, slot: int) -> None:
        lane.tape.analog_updated[slot] = lane.scheme.begin_slot(self.state, slot, bool(lane.full_csi[slot]))
        lane.tape.per_drop["nmse_full"][:, slot] = lane.scheme.full_csi_error
        if lane.silent[slot]:
            return
        estimate, lane.tape.per_drop["nmse_estimate"][:, slot] = lane.scheme.sense(self.state, slot)
        if not lane.scheme.reports:
            lane.scheme.learn(estimate, lane.scheme.version, int(self.env.now))
        else:
            lane.estimate = estimate

    def _send(self, lane: Lane, slot: int, arrived: np.ndarray) -> None:
        if self.feedback is None or not lane.scheme.reports or lane.silent[slot]:
            return
        sent = lane.scheme.report(lane.estimate, int(self.env.now))
        lane.tape.feedback_bits[:, slot] = sent.bits.mean(axis=1)

        def arrive(_: simpy.Event) -> None:
            start = thread_time()
            lane.scheme.receive(sent, arrived)
            lane.seconds += thread_time() - start

        self._at(Step.ARRIVE, self.feedback.config.delay_slots).callbacks.append(arrive)

    def _payload(self, lane: Lane, slot: int) -> None:
        if not lane.silent[slot]:
            earned = lane.scheme.payload(self.state, int(self.env.now))
            lane.tape.rate_user[:, slot] = earned.rate_user
            lane.tape.per_drop["nmse_csi"][:, slot] = earned.nmse_csi
            lane.tape.per_drop["sgcs"][:, slot] = earned.sgcs
            lane.tape.per_drop["csi_age_slots"][:, slot] = earned.age_slots
        sum_rate = lane.tape.rate_user[:, slot].sum(axis=-1, dtype=np.float64)
        lane.tape.per_drop["sum_rate_bps_hz"][:, slot] = sum_rate
        lane.tape.per_drop["net_rate_bps_hz"][:, slot] = sum_rate * lane.payload_share[slot]
        lane.scheme.end_slot(slot)

    def _at(self, phase: Step, delay: int = 0) -> simpy.Event:
        """An event that happens ``delay`` slots from now, in the given phase of that slot."""
        event = simpy.Event(self.env)
        event._ok, event._value = True, None
        self.env.schedule(event, priority=phase, delay=delay)  # type: ignore[arg-type]  # SimPy names two priorities, its heap takes any
        return event

    def _each(self, action: Callable[[Lane], None]) -> None:
        for lane in self.lanes:
            start = thread_time()
            action(lane)
            lane.seconds += thread_time() - start
