"""Tables of precoders for i.i.d. Rayleigh channels: what is measured for them, and how it is judged."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from csisim.beamforming.digital.iaidnn import weighted_rate
from csisim.papers.base import Line, Verdict
from csisim.phy.dims import PowerBudget
from csisim.random import complex_normal, stream
from csisim.registry import build, configure

Effort = Literal["quick", "full"]
Told = Callable[[str], None]

_TOTAL = PowerBudget("total", 1.0)
#: classical rows that are always printed beside a network
CLASSICAL = ("WMMSE", "WMMSE-7", "ZF", "RZF")
#: points of the percentages by which a network may miss its published value
_POINTS = 0.5


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


@dataclass(frozen=True)
class Table:
    """A published table: WMMSE in nats, everything else in percent of WMMSE.

    ``tolerance`` is the relative deviation at which a WMMSE value still holds; ``inconsistent`` names values (row, column number)
    that cannot be right, with the reason; ``skipped`` is why nothing is run.
    """

    title: str
    sizes: tuple[Size, ...]
    published: dict[str, tuple[float, ...]]
    tolerance: float = 0.01
    note: str = ""
    unit: str = "nat/s/Hz"
    inconsistent: dict[tuple[str, int], str] = field(default_factory=dict)
    skipped: str = ""


def measure(name: str, table: Table, effort: Effort, told: Told) -> list[Line]:
    """Every line of a table, row by row."""
    if table.skipped:
        return _unmeasured(name, table)
    if table.unit == "s":
        return _times(name, table, effort)
    columns = []
    for size in table.sizes:
        told(f"{name} {size.label()}")
        columns.append(_column(table, size, effort, told))
    rows = list(dict.fromkeys([*table.published, *CLASSICAL, *(row for column in columns for row in column)]))
    lines = []
    for row in sorted(rows, key=_order):
        for i, (size, column) in enumerate(zip(table.sizes, columns, strict=True)):
            lines.append(_line(name, table, row, i, size, column))
    return lines


_ORDER = (
    "WMMSE",
    "WMMSE-7",
    "ZF",
    "RZF",
    "error-aware WMMSE",
    "IAIDNN",
    "improved IAIDNN",
    "tied IAIDNN",
    "robust IAIDNN",
    "black box",
)


def _order(row: str) -> int:
    return _ORDER.index(row)


def _line(name: str, table: Table, row: str, i: int, size: Size, column: dict[str, tuple[float, float]]) -> Line:
    published = table.published[row][i] if row in table.published else None
    unit = table.unit if row == "WMMSE" else "% of WMMSE"
    if row not in column:
        return Line(name, row, size.label(), unit, published, None, None, "not run", _why_not(row, size))
    measured, ci95 = column[row]
    verdict: Verdict = "no published value"
    note = ""
    if published is not None:
        allowed = max(table.tolerance * published, 0.0) + ci95 if row == "WMMSE" else _POINTS + ci95
        holds = abs(measured - published) <= allowed if row in CLASSICAL else measured >= published - allowed
        verdict = "reproduced" if holds else "not reproduced"
        if row not in CLASSICAL and published < column["ZF"][0]:
            note = f"zero forcing, where the network starts, has {column['ZF'][0]:.2f} %"
        if (row, i) in table.inconsistent:
            verdict, note = "published value inconsistent", table.inconsistent[row, i]
    return Line(name, row, size.label(), unit, published, measured, ci95, verdict, note)


def _unmeasured(name: str, table: Table) -> list[Line]:
    lines = [
        Line(name, row, size.label(), "% of WMMSE", values[i], None, None, "not run", table.skipped)
        for row, values in table.published.items()
        for i, size in enumerate(table.sizes)
    ]
    return lines or [Line(name, "IAIDNN", "", "nat/s/Hz", None, None, None, "not run", table.skipped)]


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


def _column(table: Table, size: Size, effort: Effort, told: Told) -> dict[str, tuple[float, float]]:
    from csisim.papers.hu2021_nets import trained

    count = _CHANNELS[size.num_tx] * (5 if effort == "full" else 1)
    true, known = draw(size, count)
    iterations = _ITERATIONS[size.num_tx]
    reference = rates(size, {"kind": "wmmse", "iterations": iterations, "tolerance": 1e-9}, true, known)
    column = {"WMMSE": _mean(reference)}
    others: dict[str, np.ndarray] = {
        "WMMSE-7": rates(size, {"kind": "wmmse", "iterations": 7}, true, known),
        "ZF": rates(size, {"kind": "zf"}, true, known),
        "RZF": rates(size, {"kind": "rzf"}, true, known),
    }
    nets = [row for row in table.published if row in _LARGEST] or ["improved IAIDNN", "robust IAIDNN"]
    if size.error_variance is not None:
        loading = size.error_variance
        others["error-aware WMMSE"] = rates(size, {"kind": "wmmse", "iterations": iterations}, true, known, loading)
    else:
        others["tied IAIDNN"] = rates(size, {"kind": "iaidnn"}, true, known)  # one shipped network for all sizes
        if size.num_tx <= 32 and "improved IAIDNN" not in nets:
            nets.append("improved IAIDNN")
    for row in nets:
        if effort == "full" or size.num_tx <= _LARGEST[row]:
            digital = trained(row, size, effort, told)
            others[row] = rates(size, digital, true, known, (size.error_variance or 0.0) if row == "robust IAIDNN" else 0.0)
    return column | {row: _share(values, reference) for row, values in others.items()}


def _mean(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(_student(len(values)) * values.std(ddof=1) / np.sqrt(len(values)))


def _share(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Ratio of the means in percent, with the half-width of its confidence interval for paired channels."""
    ratio = values.mean() / reference.mean()
    spread = (values - ratio * reference).std(ddof=1) / reference.mean()
    return float(100.0 * ratio), float(100.0 * _student(len(values)) * spread / np.sqrt(len(values)))


def _student(count: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, count - 1))


def _times(name: str, table: Table, effort: Effort) -> list[Line]:
    """CPU seconds for one channel; an untrained network takes as long as a trained one."""
    lines = []
    designs: dict[str, dict[str, Any]] = {
        "WMMSE": {"kind": "wmmse", "iterations": 100},
        "WMMSE-7": {"kind": "wmmse", "iterations": 7},
        "IAIDNN": {"kind": "iaidnn", "structure": "plain", "tied": False, "weights": "untrained"},
        "improved IAIDNN": {"kind": "iaidnn", "tied": False, "weights": "untrained"},
        "tied IAIDNN": {"kind": "iaidnn", "weights": "untrained"},
    }
    for row, digital in designs.items():
        for i, size in enumerate(table.sizes):
            channel = draw(size, 20 if effort == "full" else 4)[0]
            rates(size, digital, channel[:1], channel[:1])
            taken = []
            for one in channel:
                began = time.process_time()
                rates(size, digital, one[None], one[None])
                taken.append(time.process_time() - began)
            published = table.published[row][i] if row in table.published else None
            verdict: Verdict = "no published value" if published is None else "not reproduced"
            lines.append(Line(name, row, size.label(), "s", published, *_mean(np.asarray(taken)), verdict, table.note if published else ""))
    return lines
