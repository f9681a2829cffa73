"""One cell: every scheme side by side on one channel, block after block of drops."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from csisim.acquisition.full_csi import FullCsiConfig, Genie
from csisim.acquisition.observe import UnitNoise
from csisim.acquisition.pilots import PilotConfig
from csisim.engine.clock import Clock, Lane, Superframes
from csisim.engine.ledger import LedgerConfig, slot_costs
from csisim.engine.link import FeedbackConfig, FeedbackLink
from csisim.phy.dims import Dims, System
from csisim.random import Streams
from csisim.registry import ChannelField, Settings, build
from csisim.scheme import Link, Scheme, SchemeConfig

#: Drops of one block run as one batch; fixed, so that results do not depend on how drops are batched.
BLOCK = 16

Sink = Callable[[str, int, dict[str, np.ndarray]], None]


class Physics(Settings):
    """Everything of a scenario that can change a number: one operating point and the schemes compared on it."""

    seed: int = Field(1, ge=0, lt=2**63, description="root of all random streams")
    drops: int = Field(16, ge=1, description="independent superframe sequences, run in blocks of 16")
    precision: Literal["single", "double"] = Field("single", description="complex64 or complex128")
    duplex: Literal["tdd", "fdd"] = Field("tdd", description="who holds the estimate: the base station, or the user who reports it")
    system: System = Field(description="antennas, users and the link budget")
    channel: ChannelField = Field(description="the channel")
    clock: Clock = Field(default_factory=Clock, description="slots, frames and superframes")
    pilots: PilotConfig = Field(default_factory=PilotConfig, description="pilots of the equivalent channel")
    full_csi: FullCsiConfig = Field(default_factory=Genie, description="how full CSI is acquired")
    ledger: LedgerConfig = Field(default_factory=LedgerConfig, description="how signaling is booked")
    feedback: FeedbackConfig = Field(default_factory=FeedbackConfig, description="the link that carries reports (fdd)")
    schemes: list[SchemeConfig] = Field(min_length=1, description="the schemes, side by side on the same channel")

    def dims(self, drops: int) -> Dims:
        """Dimensions of a block of ``drops`` drops."""
        return self.system.dims(drops, getattr(self.channel, "num_subcarriers", 1), self.precision)


def run_cell(
    scenario: Physics,
    schemes: Sequence[str],
    replica: int,
    sink: Sink,
    progress: Callable[[float], None] | None = None,
) -> dict[str, float]:
    """Run the named schemes of one cell and hand their tapes to ``sink(scheme, superframe, columns)`` superframe by superframe.

    Returns
    -------
    dict
        CPU seconds per scheme.
    """
    chosen = [config for config in scenario.schemes if config.name in set(schemes)]
    seconds = dict.fromkeys((config.name for config in chosen), 0.0)
    blocks = range(0, scenario.drops, BLOCK)

    def run_block(block: int, first_drop: int) -> None:
        streams = Streams(scenario.seed, replica, block)
        dims = scenario.dims(min(BLOCK, scenario.drops - first_drop))
        clock = scenario.clock
        lanes = lanes_of(scenario, chosen, streams, dims)

        def flush(superframe: int) -> None:
            for lane in lanes:
                name, pilot_bits = lane.scheme.config.name, lane.costs.pilot_bits
                sink(name, superframe, lane.tape.columns(first_drop, superframe, clock.slots_per_frame, clock.slot_s, pilot_bits))
                lane.rewind()
            if progress is not None:
                progress((block + (superframe + 1) / clock.superframes) / len(blocks))

        channel = build("channel", scenario.channel, dims, streams, clock.slot_s)
        feedback = FeedbackLink(scenario.feedback, streams, dims.drops, dims.num_users) if scenario.duplex == "fdd" else None
        Superframes(clock, channel, lanes, feedback, flush).run()
        for lane in lanes:
            seconds[lane.scheme.config.name] += lane.seconds

    for block, first_drop in enumerate(blocks):
        run_block(block, first_drop)
    return seconds


def lanes_of(scenario: Physics, chosen: list[SchemeConfig], streams: Streams, dims: Dims) -> list[Lane]:
    """The schemes of a cell on one block of drops."""
    system, pilots, clock = scenario.system, scenario.pilots, scenario.clock
    noise, slots = UnitNoise(streams, dims), (clock.frames, clock.slots_per_frame)
    link = Link(system, dims, pilots, scenario.full_csi, streams, noise, scenario.duplex == "fdd", scenario.feedback.budget_bits, slots)
    kind = scenario.full_csi.kind
    costs = [slot_costs(config, system, pilots, scenario.ledger, clock.frames, clock.slots_per_frame, kind) for config in chosen]
    return [Lane(Scheme(config, link), cost, clock) for config, cost in zip(chosen, costs, strict=True)]
