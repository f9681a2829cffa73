"""Tables of precoders for i.i.d. Rayleigh channels: what is measured for them, and how it is judged."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from csisim.beamforming.digital.iaidnn import weighted_rate
from csisim.papers.base import Conditions, Effort, Measured, Row, Rule, Table, Told
from csisim.papers.statistics import mean, share
from csisim.phy.dims import PowerBudget
from csisim.random import complex_normal, stream
from csisim.registry import build, configure

_TOTAL = PowerBudget("total", 1.0)
#: classical rows that are always printed beside a network
CLASSICAL = ("WMMSE", "WMMSE-7", "ZF", "RZF")
#: points of the percentages by which a network may miss its published value
_POINTS = 0.5
#: rows in printed order
_ORDER = (*CLASSICAL, "error-aware WMMSE", "IAIDNN", "improved IAIDNN", "tied IAIDNN", "robust IAIDNN", "black box")


@dataclass(frozen=True)
class Size:
    """A column: N_t, K (two antennas and streams each), P_T over sigma^2, and the variance of the CSI's error."""

    num_tx: int
    users: int
    snr_db: float = 20.0
    error_variance: float | None = None

    @property
    def noise(self) -> float:
        """Noise over transmit power."""
        return float(10.0 ** (-self.snr_db / 10.0))

    def label(self) -> str:
        """As the column is called."""
        snr = "" if self.snr_db == 20.0 else f" {self.snr_db:g} dB"
        error = "" if self.error_variance is None else f" error {self.error_variance:g}"
        return f"({self.num_tx},{self.users}){snr}{error}"


def rate_table(
    title: str,
    sizes: tuple[Size, ...],
    published: Mapping[str, tuple[float, ...]],
    tolerance: float = 0.01,
    inconsistent: Mapping[str, Mapping[int, str]] | None = None,
    note: str = "",
    skipped: str = "",
) -> Table:
    """A table of sum rates: WMMSE in nats, everything else in percent of WMMSE.

    A WMMSE value may deviate by ``tolerance``, relatively; with ``skipped``, the reason, nothing is run.
    """
    rules = {"WMMSE": Rule(relative=tolerance)} | dict.fromkeys(CLASSICAL[1:], Rule(points=_POINTS))
    rows = tuple(
        Row(
            name,
            "nat/s/Hz" if name == "WMMSE" else "% of WMMSE",
            published.get(name, ()),
            rules.get(name, Rule(points=_POINTS, at_least=True)),
            inconsistent=(inconsistent or {}).get(name, {}),
        )
        for name in _ORDER
        if not skipped or name in (published or ("IAIDNN",))
    )
    return Table(title, tuple(size.label() for size in sizes), rows, None if skipped else Rates(sizes), note, skipped)


def time_table(title: str, sizes: tuple[Size, ...], published: Mapping[str, tuple[float, ...]], note: str) -> Table:
    """A table of CPU seconds for one channel: another machine's, so that the numbers are only set side by side."""
    rows = tuple(Row(name, "s", published.get(name, ()), Rule(), note=note) for name in _ORDER)
    return Table(title, tuple(size.label() for size in sizes), rows, Times(sizes), note)


@dataclass(frozen=True)
class Rates:
    """A source of sum rates on channels of its own."""

    sizes: tuple[Size, ...]

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Every scheme at every size, on the same channels."""
        published = {row.name: row.published for row in table.rows}
        nets = [row for row in _LARGEST if published[row]] or ["improved IAIDNN", "robust IAIDNN"]
        columns = []
        for size in self.sizes:
            conditions.told(f"{name} {size.label()}")
            columns.append(_column(nets, size, conditions.effort, conditions.told))
        rows = {row: None for column in columns for row in column} | {row: None for row in published if published[row]}
        return {row: [_entry(row, published[row], i, self.sizes[i], column) for i, column in enumerate(columns)] for row in rows}


def _entry(row: str, published: tuple[float, ...], i: int, size: Size, column: Mapping[str, Measured]) -> Measured:
    if row not in column:
        return Measured(None, None, _why_not(row, size))
    measured, start = column[row], column["ZF"].value
    if published and row not in CLASSICAL and start is not None and published[i] < start:
        return measured._replace(note=f"zero forcing, where the network starts, has {start:.2f} %")
    return measured


def _why_not(row: str, size: Size) -> str:
    if row == "black box":
        return "quick effort trains it for N_t = 8 only"
    return f"quick effort trains it up to N_t = {_LARGEST.get(row, 0)}; this is N_t = {size.num_tx}"


# -- what is measured ------------------------------------------------------------------------------------------------------

_CHANNELS = {8: 2000, 16: 1000, 32: 200, 64: 60, 128: 8, 256: 2}
_ITERATIONS = {8: 1000, 16: 1000, 32: 500, 64: 500, 128: 200, 256: 200}
#: N_t up to which quick effort trains a network
_LARGEST = {"IAIDNN": 32, "improved IAIDNN": 32, "black box": 8, "robust IAIDNN": 16}


def draw(size: Size, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Channels (B, K, 1, 2, N_t) with E |h|^2 = 2, and what is known of them."""
    rng = stream(2021, 0, "hu2021.test", size.num_tx, size.users)
    true = np.sqrt(2.0) * complex_normal(rng, (count, size.users, 1, 2, size.num_tx), np.complex128)
    error = np.sqrt(size.error_variance or 0.0) * complex_normal(rng, true.shape, np.complex128)
    return true, true + error


def rates(size: Size, digital: dict[str, Any], true: np.ndarray, known: np.ndarray, loading: float = 0.0) -> np.ndarray:
    """Sum rates (B,) in nats of a digital designer; ``loading`` is added to the noise that it believes in."""
    precoder, _ = build("digital", configure("digital", digital)).design(known, size.noise + loading, _TOTAL, 2)
    found: np.ndarray = weighted_rate(true[:, :, 0], precoder[:, :, 0], np.float64(size.noise))
    return found


def _column(nets: Sequence[str], size: Size, effort: Effort, told: Told) -> dict[str, Measured]:
    from csisim.papers.hu2021_nets import trained

    count = _CHANNELS[size.num_tx] * (5 if effort == "full" else 1)
    true, known = draw(size, count)
    iterations = _ITERATIONS[size.num_tx]
    reference = rates(size, {"kind": "wmmse", "iterations": iterations, "tolerance": 1e-9}, true, known)
    column = {"WMMSE": mean(reference)}
    others: dict[str, np.ndarray] = {
        "WMMSE-7": rates(size, {"kind": "wmmse", "iterations": 7}, true, known),
        "ZF": rates(size, {"kind": "zf"}, true, known),
        "RZF": rates(size, {"kind": "rzf"}, true, known),
    }
    if size.error_variance is not None:
        loading = size.error_variance
        others["error-aware WMMSE"] = rates(size, {"kind": "wmmse", "iterations": iterations}, true, known, loading)
    else:
        others["tied IAIDNN"] = rates(size, {"kind": "iaidnn"}, true, known)  # one shipped network for all sizes
        if size.num_tx <= 32 and "improved IAIDNN" not in nets:
            nets = [*nets, "improved IAIDNN"]
    for row in nets:
        if effort == "full" or size.num_tx <= _LARGEST[row]:
            digital = trained(row, size, effort, told)
            others[row] = rates(size, digital, true, known, (size.error_variance or 0.0) if row == "robust IAIDNN" else 0.0)
    return column | {row: share(values, reference) for row, values in others.items()}


@dataclass(frozen=True)
class Times:
    """A source of CPU seconds for one channel; an untrained network takes as long as a trained one."""

    sizes: tuple[Size, ...]

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Every design at every size, one channel at a time."""
        count = 20 if conditions.effort == "full" else 4
        return {row: [_seconds(digital, size, count) for size in self.sizes] for row, digital in _TIMED.items()}


_TIMED: dict[str, dict[str, Any]] = {
    "WMMSE": {"kind": "wmmse", "iterations": 100},
    "WMMSE-7": {"kind": "wmmse", "iterations": 7},
    "IAIDNN": {"kind": "iaidnn", "structure": "plain", "tied": False, "weights": "untrained"},
    "improved IAIDNN": {"kind": "iaidnn", "tied": False, "weights": "untrained"},
    "tied IAIDNN": {"kind": "iaidnn", "weights": "untrained"},
}


def _seconds(digital: dict[str, Any], size: Size, count: int) -> Measured:
    channel = draw(size, count)[0]
    rates(size, digital, channel[:1], channel[:1])
    taken = []
    for one in channel:
        began = time.process_time()
        rates(size, digital, one[None], one[None])
        taken.append(time.process_time() - began)
    return mean(np.asarray(taken))
