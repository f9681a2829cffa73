"""What the engine costs: SimPy's share of the main job, a slot's time against the number of antennas, and peak memory.

    python benchmarks/engine.py

Everything is measured side by side in this one process, in CPU seconds; ratios are what to quote. A slot without an analog
update should cost less than 1.3 times as much at 1024 antennas as at 64; the sizes take turns and the least time of each counts,
so that a busy machine disturbs all alike.
"""

import resource
import time
from collections.abc import Callable
from pathlib import Path

import simpy
from threadpoolctl import threadpool_limits

from csisim.engine.cell import run_cell
from csisim.engine.clock import Step
from csisim.scenario.load import load_scenario

MAIN_JOB = Path(__file__).parents[1] / "scenarios" / "online_mixed_timescale.yaml"


def cpu(*actions: Callable[[], object], rounds: int = 3) -> list[float]:
    """Least CPU time of each action over rounds in which they take turns, after one round that warms up."""
    times = []
    for _ in range(rounds + 1):
        for action in actions:
            start = time.process_time()
            action()
            times.append(time.process_time() - start)
    return [min(times[i :: len(actions)][1:]) for i in range(len(actions))]


def bare_slots(slots: int, delay: int) -> None:
    """The engine's own events and nothing else: what SimPy costs."""
    env = simpy.Environment()

    def at(phase: Step, later: int = 0) -> simpy.Event:
        event = simpy.Event(env)
        event._ok, event._value = True, None
        env.schedule(event, priority=phase, delay=later)
        return event

    def process():
        for _ in range(slots):
            for phase in (Step.CHANNEL, Step.PILOTS, Step.SEND):
                yield at(phase)
            at(Step.ARRIVE, delay).callbacks.append(lambda _: None)
            yield at(Step.PAYLOAD)
            yield env.timeout(1)

    env.run(until=env.process(process()))


def simpy_share() -> None:
    scenario = load_scenario(MAIN_JOB).cells[0].scenario
    names = [scheme.name for scheme in scenario.schemes]
    whole, events = cpu(
        lambda: run_cell(scenario, names, 0, lambda *_: None),
        lambda: bare_slots(scenario.clock.slots, 1),
    )
    slots = scenario.clock.slots
    print(f"main job, base cell     {whole:8.2f} s CPU for {slots} slots, {scenario.drops} drops, {len(names)} schemes")
    print(f"its SimPy events alone  {events * 1e3:8.2f} ms: {events / whole:.3%} of the cell (target < 5 %)")


def slot_against_antennas() -> None:
    """A slot without an analog update: fixed clusters, offline phases, no dense baseline."""
    sizes, frames = (64, 256, 1024), (4, 24)
    runs = []
    for num_tx in sizes:
        base = load_scenario(MAIN_JOB, (f"system.num_tx={num_tx}", "sweep=null", "plots=[]")).cells[0].scenario
        for count in frames:
            scenario = base.model_copy(update={"clock": base.clock.model_copy(update={"frames": count})})
            runs.append(lambda scenario=scenario: run_cell(scenario, ["offline_rls_random"], 0, lambda *_: None))
    times = cpu(*runs, rounds=6)
    slots = (frames[1] - frames[0]) * base.clock.slots_per_frame
    # the difference leaves out what a superframe's start costs
    seconds = [(long - short) / slots for short, long in zip(times[::2], times[1::2], strict=True)]
    for num_tx, slot in zip(sizes, seconds, strict=True):
        print(f"slot at N_t = {num_tx:4d}       {slot * 1e3:8.3f} ms CPU ({slot / seconds[0]:.2f} x N_t = 64)")


def memory_over_superframes() -> None:
    loaded = load_scenario(MAIN_JOB, ("sweep=null", "plots=[]", "clock.frames=4"))
    base = loaded.cells[0].scenario
    names = ["online_rls_ssca", "offline_rls_ssca"]
    for superframes in (2, 20, 60):
        clock = base.clock.model_copy(update={"superframes": superframes})
        run_cell(base.model_copy(update={"clock": clock}), names, 0, lambda *_: None)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory after {superframes:3d} superframes {peak:8.1f} MB")


if __name__ == "__main__":
    with threadpool_limits(1):
        memory_over_superframes()
        simpy_share()
        slot_against_antennas()
