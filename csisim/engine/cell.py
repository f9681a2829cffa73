"""One cell: every scheme side by side on one channel, block after block of drops."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from csisim.acquisition.full_csi import FullCsiConfig, Genie
from csisim.acquisition.observe import UnitNoise
from csisim.acquisition.pilots import PilotConfig
from csisim.engine.clock import Clock, Run, Superframes
from csisim.engine.ledger import LedgerConfig, slot_costs
from csisim.engine.link import FeedbackConfig, FeedbackLink
from csisim.phy.dims import Dims, System
from csisim.random import Streams
from csisim.registry import ChannelField, Settings, build
from csisim.scheme import Link, Scheme, SchemeConfig

#: Drops of one block run as one batch; fixed, so that results do not depend on how drops are batched.
BLOCK = 16

Sink = Callable[[str, int, dict[str, np.ndarray]], None]


def _with_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


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
    full_csi: Annotated[FullCsiConfig, BeforeValidator(_with_kind)] = Field(default_factory=Genie, description="how full CSI is acquired")
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
    for block, first_drop in enumerate(blocks):
        runs, superframes = _set_up(scenario, chosen, Streams(scenario.seed, replica, block), min(BLOCK, scenario.drops - first_drop))

        def flush(index: int, runs: list[Run] = runs, first_drop: int = first_drop, block: int = block) -> None:
            for run in runs:
                columns = run.tape.columns(first_drop, index, scenario.clock.slots_per_frame, scenario.clock.slot_s, run.costs.pilot_bits)
                sink(run.scheme.config.name, index, columns)
                run.rewind()
            if progress is not None:
                progress((block + (index + 1) / scenario.clock.superframes) / len(blocks))

        superframes.on_superframe = flush
        superframes.run()
        for run in runs:
            seconds[run.scheme.config.name] += run.seconds
    return seconds


def _set_up(scenario: Physics, chosen: list[SchemeConfig], streams: Streams, drops: int) -> tuple[list[Run], Superframes]:
    system, clock = scenario.system, scenario.clock
    dims = scenario.dims(drops)
    channel = build("channel", scenario.channel, dims, streams, clock.slot_s)
    fdd = scenario.duplex == "fdd"
    link = Link(system, dims, scenario.pilots, scenario.full_csi, streams, UnitNoise(streams, dims))
    runs = []
    for config in chosen:
        costs = slot_costs(config, system, scenario.pilots, scenario.ledger, clock.frames, clock.slots_per_frame)
        runs.append(Run(Scheme(config, link), costs, clock))
    feedback = FeedbackLink(scenario.feedback, streams, drops, system.num_users) if fdd else None
    return runs, Superframes(clock, channel, runs, feedback, lambda _: None)
