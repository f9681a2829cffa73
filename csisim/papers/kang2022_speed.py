"""Table V of Kang 2022: measured CPU time of training and testing beside the operations that (34) to (38) count."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from csisim.acquisition.observe import observe
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.beamforming.analog.projection import project
from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.linear import start_precoder
from csisim.papers.base import Conditions, Measured, Table
from csisim.papers.networks import loaded, trained
from csisim.phy.dims import PowerBudget, System
from csisim.phy.rates import mmse_combiner, rate_per_user
from csisim.random import complex_normal, stream
from csisim.registry import build, configure
from csisim.training.data import LinkSettings, draw_paths
from csisim.training.native import Order, orders
from csisim.training.stepper import stepper
from csisim.weights import read

#: (RF chains, users) of the columns
SIZES = ((8, 2), (16, 2), (32, 2), (16, 4), (32, 4), (32, 6))
#: those whose networks are trained to compare speeds at equal sum rate; the largest takes effort
_TRAINED = {"quick": ((8, 2), (16, 4)), "full": ((8, 2), (16, 4), (32, 6))}
_BATCH, _SLOTS = 200, 1000
_LAYERS, _SYMBOLS, _RLS_SYMBOLS, _ITERATIONS = 5, 16, 80, 70
_RX, _STREAMS = 4, 4
_ROOT = 4321  # of channels that no training has seen


@dataclass(frozen=True)
class Times:
    """A source of CPU seconds; untrained networks take as long as trained ones."""

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Training, testing in one batch and one slot at a time, operations, and speed at equal rate, for every size."""
        columns = []
        for size in SIZES:
            conditions.told(f"{name} {size}")
            columns.append(_training(size, conditions) | testing(size) | operations(*size) | _at_equal_rate(size, conditions))
        return {row: [column.get(row, Measured(None)) for column in columns] for row in columns[0]}


def operations(num_rf: int, users: int) -> dict[str, Measured]:
    """What (34) to (38) count, in millions; of the black boxes the layers that they have here (one precoder, for all users)."""
    square, served = num_rf**2, users * _STREAMS
    both = served**2 * square * _RX + served * square * _RX
    rls = _RLS_SYMBOLS * users * square + _ITERATIONS * (served * num_rf**3 + both)
    joint = _SYMBOLS * users * square + _LAYERS * (served * num_rf**2.37 + both)
    inner = {room: configure(room, "fc_net").hidden for room in ("estimator", "digital")}  # type: ignore[attr-defined]
    estimator = users * inner["estimator"] * (2 * _RX * _SYMBOLS + inner["estimator"] + 2 * _RX * num_rf)
    inputs, outputs = 2 * users * _RX * num_rf, 2 * users * num_rf * _STREAMS
    precoder = inner["digital"] * (inputs + inner["digital"] + outputs) + inputs * outputs
    counts = {"RLS-SSCA": rls, "joint": joint, "black box": estimator + precoder, "RLS-SSCA / joint": 1e6 * rls / joint}
    return {f"{name}, operations": Measured(count / 1e6) for name, count in counts.items()}


def _system(size: tuple[int, int]) -> System:
    num_rf, users = size
    return System(num_rf=num_rf, num_users=users, num_rx_rf=_RX, num_streams=_STREAMS)


class Chain:
    """Received pilots to precoders; what depends on the pilots alone is made beforehand."""

    def __init__(self, size: tuple[int, int], estimator: dict[str, Any], digital: dict[str, Any], length: int) -> None:
        self.system, self.length = _system(size), length
        self.estimator, self.digital = (
            build("estimator", configure("estimator", estimator)),
            build("digital", configure("digital", digital)),
        )
        self.sent = pilot_matrix(PilotConfig(length=length), *size, stream(_ROOT, 0, "pilots"))
        if hasattr(self.estimator, "pilots"):
            self.sent = self.estimator.pilots(self.sent)
        self.state = self.estimator.init(self.sent, self.system.noise_power, None)

    def __call__(self, received: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Estimate, precoder and, where the design has its own, combiners."""
        estimate, self.state = self.estimator.update(received, self.state)  # a black box keeps its weights there from the first slot on
        return estimate.value, *self.digital.design(estimate.value, self.system.noise_power, self.system.power, _STREAMS)

    def seconds(self, count: int) -> float:
        """CPU seconds for a thousand slots in batches of ``count``, the fastest of three tries after one that compiles."""
        received = complex_normal(stream(_ROOT, 0, "speed"), (count, self.system.num_users, 1, _RX, self.length))
        self(received)
        return min(self._once(received, max(1, 20 // count)) for _ in range(3)) / count * _SLOTS

    def _once(self, received: np.ndarray, repeats: int) -> float:
        began = time.process_time()
        for _ in range(repeats):
            self(received)
        return (time.process_time() - began) / repeats

    def rate(self, channel: np.ndarray) -> float:
        """Mean sum rate in bit/s/Hz on channels (D, K, 1, R, T)."""
        noise_power = self.system.noise_power
        noise = complex_normal(stream(_ROOT, 0, "noise"), (*channel.shape[:-1], self.length))
        received = observe(channel, self.sent, noise, noise_power)
        estimate, precoder, combiner = self(received)
        if combiner is None:
            combiner = mmse_combiner(estimate, precoder, noise_power)
        return float(rate_per_user(channel, precoder, combiner, noise_power).sum(-1).mean())


_CHAINS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "RLS-SSCA": ({"kind": "rls"}, {"kind": "sca", "iterations": _ITERATIONS}, _RLS_SYMBOLS),
    "joint": ({"kind": "cedun", "weights": "untrained"}, {"kind": "hbdun", "weights": "untrained"}, _SYMBOLS),
    "black box": ({"kind": "fc_net", "weights": "untrained"}, {"kind": "fc_net", "weights": "untrained"}, _SYMBOLS),
}


class _ArraySca:
    """SCA in array operations, as the networks are: the same backend."""

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, 1, T, n) for a channel (D, K, 1, R, T)."""
        flat = channel[:, :, 0]
        return oracle.sca(flat, start_precoder(flat, num_streams, power, "svd"), noise_power, power, _ITERATIONS)[:, :, None], None


def testing(size: tuple[int, int]) -> dict[str, Measured]:
    """CPU seconds for a thousand slots in batches and one at a time, and how many times longer RLS-SSCA takes."""
    found: dict[str, Measured] = {}
    chains = {name: Chain(size, *parts) for name, parts in _CHAINS.items()}
    arrays = chains["RLS-SSCA in array operations"] = Chain(size, *_CHAINS["RLS-SSCA"])
    arrays.digital = _ArraySca()
    for how, count in (("", _BATCH), (", one at a time", 1)):
        taken = {name: chain.seconds(count) for name, chain in chains.items()}
        found |= {f"{name}{how}": Measured(value) for name, value in taken.items()}
        for name in ("RLS-SSCA", "RLS-SSCA in array operations"):
            found[f"{name} / joint{how}"] = Measured(taken[name] / taken["joint"])
    return found


def _training(size: tuple[int, int], conditions: Conditions) -> dict[str, Measured]:
    """Minutes for all steps of a training, at the pace of a few of them."""
    found = {}
    for name, scheme in (("joint", "joint"), ("black box", "black_box")):
        (cell,) = loaded("kang2022_fig10_networks", conditions, _sets(size)).cells
        order = orders(cell.scenario)[scheme, "digital"]
        found[f"{name}, training"] = Measured(sum(_pace(order)) / 60)
    return found


def _sets(size: tuple[int, int]) -> tuple[str, ...]:
    return (f"system.num_rf={size[0]}", f"system.num_users={size[1]}", "system.snr_db=10")


def _pace(order: Order) -> Iterator[float]:
    """CPU seconds of every stage that an order takes, from two steps of each."""
    from csisim.training.recipe import Recipe

    known: dict[str, np.ndarray] = {}
    for one in order.chain():
        recipe = Recipe.model_validate(one.fields)
        for index, stage in enumerate(recipe.stages):
            task = recipe.task(index, known)
            work, rng = stepper(task), stream(_ROOT, 0, "speed.steps", index)
            rates = dict.fromkeys(task.initial(), 1e-5)
            work.step(task.batch(rng), rates, 5.0, np.inf)
            began = time.process_time()
            for _ in range(2):
                work.step(task.batch(rng), rates, 5.0, np.inf)
            yield stage.schedule.steps * (time.process_time() - began) / 2
            known |= task.initial()


def _at_equal_rate(size: tuple[int, int], conditions: Conditions) -> dict[str, Measured]:
    """How much longer SCA takes that stops as soon as it has the rate of the trained network, behind the network's phases."""
    rows = {length: f"RLS-SSCA / joint, equal rate, {length} pilots" for length in (_RLS_SYMBOLS, _SYMBOLS)}
    if size not in _TRAINED[conditions.effort]:
        return {row: Measured(None, None, "no networks are trained for this size") for row in rows.values()}
    (cell,) = trained("kang2022_fig11_networks", conditions, (*_sets(size), f"pilots.length={_SYMBOLS}")).cells
    scenario = cell.scenario
    joint: Any = next(scheme for scheme in scenario.schemes if scheme.name == "joint")
    _, phases = read(joint.analog.weights)
    link = LinkSettings(system=scenario.system, channel=scenario.channel, pilots=scenario.pilots)
    channel = project(phases["phi_f"], phases["phi_w"], *draw_paths(link, 2 * _BATCH, _ROOT))[:, :, None]
    network = Chain(size, joint.estimator.model_dump(mode="json"), joint.digital.model_dump(mode="json"), _SYMBOLS)
    wanted = network.rate(channel)
    return {row: _ratio(size, length, channel, wanted, network.seconds(_BATCH)) for length, row in rows.items()}


def _ratio(size: tuple[int, int], length: int, channel: np.ndarray, wanted: float, taken: float) -> Measured:
    """Seconds of RLS and of as many SCA iterations as the wanted rate takes over those taken by the network; none if 70 do not do."""
    for iterations in range(1, _ITERATIONS + 1):
        sca = Chain(size, {"kind": "rls"}, {"kind": "sca", "iterations": iterations}, length)
        rate = sca.rate(channel)
        if rate >= wanted:
            note = f"SCA has {rate:.1f} bit/s/Hz after {iterations} iterations, the network {wanted:.1f}"
            return Measured(sca.seconds(_BATCH) / taken, None, note)
    return Measured(None, None, f"SCA never gets there: {rate:.1f} bit/s/Hz after {_ITERATIONS} iterations, the network {wanted:.1f}")
