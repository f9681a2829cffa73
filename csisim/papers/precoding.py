"""Tables of precoders for i.i.d. Rayleigh channels: what is measured for them, and how it is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from csisim.beamforming.digital.iaidnn import weighted_rate
from csisim.papers.base import Conditions, Effort, Measured, Row, Rule, Table
from csisim.papers.statistics import mean, share
from csisim.phy.dims import PowerBudget
from csisim.random import complex_normal, stream
from csisim.registry import build, configure

_TOTAL = PowerBudget("total", 1.0)
#: classical rows that are always printed beside a network
CLASSICAL = ("WMMSE", "WMMSE-7", "ZF", "RZF")
#: points of the percentages by which a classical row may miss its published value, and a network
_POINTS, _NET_POINTS = 0.5, 1.0
#: the only SNR that networks are trained at
_SNR_DB = 20.0
#: rows of networks in printed order
_NETS = ("IAIDNN", "improved IAIDNN", "tied IAIDNN", "robust IAIDNN", "black box", "black box, one stage")
#: what stands for the inverse in a column of percentages
PERCENT = "% of WMMSE"


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
    nets: tuple[str, ...] = (),
    tolerance: float = 0.01,
    inconsistent: Mapping[str, Mapping[int, str]] | None = None,
    note: str = "",
    served_by: Size | None = None,
    unmeasured: tuple[Row, ...] = (),
) -> Table:
    """A table of sum rates: WMMSE in nats, everything else in percent of WMMSE.

    A WMMSE value may deviate by ``tolerance``, relatively. ``nets`` are the rows of networks that are trained for the sizes, as far as
    that is quick; ``served_by`` is a size whose networks serve all others too. ``unmeasured`` rows are printed above all others.
    """
    rules = {"WMMSE": Rule(relative=tolerance)} | dict.fromkeys(CLASSICAL[1:], Rule(points=_POINTS))
    borrowed = () if served_by is None else tuple(of(net, served_by) for net in nets)
    rows = tuple(
        Row(
            name,
            "nat/s/Hz" if name == "WMMSE" else PERCENT,
            published.get(name, ()),
            rules.get(name, Rule(points=_NET_POINTS, more_is_better=True)),
            inconsistent=(inconsistent or {}).get(name, {}),
        )
        for name in (*CLASSICAL, "error-aware WMMSE", *_NETS, *borrowed)
    )
    return Table(title, tuple(size.label() for size in sizes), (*unmeasured, *rows), Rates(sizes, nets, served_by), note)


def of(net: str, size: Size) -> str:
    """The name of a row that a network trained for another size serves."""
    return f"{net} of {size.label()}"


@dataclass(frozen=True)
class Rates:
    """A source of sum rates on channels of its own."""

    sizes: tuple[Size, ...]
    nets: tuple[str, ...]
    served_by: Size | None = None

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Every scheme at every size, on the same channels."""
        from csisim.papers.hu2021_nets import Net, train

        effort = conditions.effort
        wanted = [Net(net, size) for size in (*self.sizes, *self._server()) for net in self.nets if affordable(net, size, effort)]
        train(wanted, conditions)
        columns = []
        for size in self.sizes:
            conditions.told(f"{name} {size.label()}")
            columns.append(self._column(size, effort))
        published = {row.name: row.published for row in table.rows}
        rows = {row: None for column in columns for row in column} | {row: None for row in _NETS if published[row]}
        return {row: [_entry(row, published[row], i, self.sizes[i], column, effort) for i, column in enumerate(columns)] for row in rows}

    def _server(self) -> tuple[Size, ...]:
        return () if self.served_by is None else (self.served_by,)

    def _column(self, size: Size, effort: Effort) -> dict[str, Measured]:
        from csisim.papers.hu2021_nets import Net, designer

        true, known = channels(size, effort)
        reference = wmmse(size, true, known)
        others = {row: rates(size, digital, true, known) for row, digital in BESIDE.items()}
        if size.error_variance is None:
            others["tied IAIDNN"] = rates(size, {"kind": "iaidnn"}, true, known)  # one shipped network for all sizes
        else:
            others["error-aware WMMSE"] = wmmse(size, true, known, size.error_variance)
        for net in self.nets:
            if affordable(net, size, effort):
                loading = (size.error_variance or 0.0) if net == "robust IAIDNN" else 0.0
                others[net] = rates(size, designer(Net(net, size), effort), true, known, loading)
            if self.served_by is not None:
                others[of(net, self.served_by)] = rates(size, designer(Net(net, self.served_by), effort), true, known)
        return {"WMMSE": mean(reference)} | {row: share(values, reference) for row, values in others.items()}


def _entry(row: str, published: tuple[float, ...], i: int, size: Size, column: Mapping[str, Measured], effort: Effort) -> Measured:
    if row not in column:
        if size.snr_db != _SNR_DB:
            return Measured(None, None, f"networks are trained at {_SNR_DB:g} dB only")
        users, num_tx = _LARGEST[effort].get(row, (0, 0))
        return Measured(None, None, f"{effort} effort trains it up to N_t = {num_tx} and K = {users}")
    measured = column[row]
    if not published or row in CLASSICAL or measured.value is None:
        return measured
    start, untrained = ("RZF", "an untrained black box is") if row == "black box" else ("ZF", "the network starts with")
    level = column[start].value or 0.0
    if published[i] < level:
        return measured._replace(note=f"{start}, which {untrained}, has {level:.2f} %")
    return measured


# -- what is measured ------------------------------------------------------------------------------------------------------

_CHANNELS = {8: 2000, 16: 1000, 32: 200, 64: 60, 128: 24, 256: 8}
_ITERATIONS = {8: 1000, 16: 1000, 32: 500, 64: 500, 128: 200, 256: 200}
#: K and N_t up to which a network is trained; ``full`` takes hours, and larger ones take days
_LARGEST: dict[Effort, dict[str, tuple[int, int]]] = {
    "quick": {
        "IAIDNN": (16, 32), "improved IAIDNN": (16, 32), "robust IAIDNN": (4, 16), "black box": (4, 32), "black box, one stage": (4, 8),
    },
    "full": {
        "IAIDNN": (32, 64), "improved IAIDNN": (32, 64), "robust IAIDNN": (4, 16), "black box": (8, 32), "black box, one stage": (8, 16),
    },
}  # fmt: skip
#: classical designers that are printed beside WMMSE and every network
BESIDE: dict[str, dict[str, Any]] = {"WMMSE-7": {"kind": "wmmse", "iterations": 7}, "ZF": {"kind": "zf"}, "RZF": {"kind": "rzf"}}


def affordable(net: str, size: Size, effort: Effort) -> bool:
    """Whether a network is trained for a size."""
    users, num_tx = _LARGEST[effort].get(net, (0, 0))
    return size.users <= users and size.num_tx <= num_tx and size.snr_db == _SNR_DB


def draw(size: Size, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Channels (B, K, 1, 2, N_t) with E |h|^2 = 2, and what is known of them."""
    rng = stream(2021, 0, "hu2021.test", size.num_tx, size.users)
    true = np.sqrt(2.0) * complex_normal(rng, (count, size.users, 1, 2, size.num_tx), np.complex128)
    error = np.sqrt(size.error_variance or 0.0) * complex_normal(rng, true.shape, np.complex128)
    return true, true + error


def channels(size: Size, effort: Effort) -> tuple[np.ndarray, np.ndarray]:
    """The channels of a column, and what is known of them: five times as many with effort ``full``."""
    return draw(size, _CHANNELS[size.num_tx] * (5 if effort == "full" else 1))


def rates(size: Size, digital: dict[str, Any], true: np.ndarray, known: np.ndarray, loading: float = 0.0) -> np.ndarray:
    """Sum rates (B,) in nats of a digital designer; ``loading`` is added to the noise that it believes in."""
    precoder, _ = build("digital", configure("digital", digital)).design(known, size.noise + loading, _TOTAL, 2)
    found: np.ndarray = weighted_rate(true[:, :, 0], precoder[:, :, 0], np.float64(size.noise))
    return found


def wmmse(size: Size, true: np.ndarray, known: np.ndarray, loading: float = 0.0) -> np.ndarray:
    """Sum rates (B,) in nats of converged WMMSE from zero forcing, which all others are shares of."""
    return rates(size, {"kind": "wmmse", "iterations": _ITERATIONS[size.num_tx], "tolerance": 1e-9}, true, known, loading)
