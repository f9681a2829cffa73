"""Elastic deployment of ACRNet (Lu 2021, Algorithm 1): the network and the bits that fit two budgets."""

from dataclasses import dataclass
from typing import Literal

from csisim.errors import CsisimError
from csisim.feedback.costs import Costs
from csisim.registry import configure

REDUCTIONS = (4, 8, 16, 32, 64)
LEAST_BITS, MOST_BITS = 4, 8  # per number of the code; fewer lose more than a shorter code does (Lu 2021, Fig. 15; Ma 2024, V-E)
MOST_EXPANSION = 64  # k, where nothing limits the base station

Binarise = Literal["none", "encoder", "both"]


@dataclass(frozen=True)
class Limits:
    """What user and base station can spare; None is no limit. Multiply-accumulates in convention ``layers``, as in Lu 2021."""

    report_bits: int
    user_mmac: float | None = None
    station_mmac: float | None = None
    user_kilobytes: float | None = None
    station_kilobytes: float | None = None

    def allow(self, costs: Costs) -> str | None:
        """The first limit that is broken, None if there is none."""
        pairs = [
            ("the user's multiply-accumulates", self.user_mmac, costs.encoder.macs["layers"] / 1e6),
            ("the user's memory", self.user_kilobytes, costs.encoder.memory_bytes / 1e3),
            ("the base station's multiply-accumulates", self.station_mmac, costs.decoder.macs["layers"] / 1e6),
            ("the base station's memory", self.station_kilobytes, costs.decoder.memory_bytes / 1e3),
        ]
        for name, limit, needed in pairs:
            if limit is not None and needed > limit:
                return f"{name} ({needed:.3f} needed, {limit:g} there)"
        return None


@dataclass(frozen=True)
class Plan:
    """A deployment: expansion k, what is binarised, compression ratio 1/reduction, bits per number, and what it costs."""

    expansion: int
    binarise: Binarise
    reduction: int
    bits: int
    report_bits: int
    costs: Costs

    @property
    def settings(self) -> dict[str, object]:
        """The codec's configuration, as a scenario has it."""
        kind: dict[str, object] = {"kind": "acrnet"} if self.binarise == "none" else {"kind": "bacrnet", "binarise": self.binarise}
        return kind | {"expansion": self.expansion, "reduction": self.reduction, "quantiser": {"kind": "uniform", "bits": self.bits}}


def plan(limits: Limits, angles: int = 32, delays: int = 32, most: int = MOST_EXPANSION) -> Plan:
    """Choose ACRNet-k x by Algorithm 1 of Lu 2021.

    The code is as long as at least :data:`LEAST_BITS` bits per number allow (eq. 13), then as finely quantised as fits; fully
    connected layers are binarised only where memory is short; then the decoder is expanded as far as the base station can bear.

    Raises
    ------
    CsisimError
        If nothing fits; the message names the limit that the smallest deployment breaks, or the image that no ratio divides.
    """
    numbers = 2 * angles * delays
    dividing = [reduction for reduction in REDUCTIONS if numbers % reduction == 0]
    if not dividing:
        raise CsisimError(f"none of 1/{', 1/'.join(map(str, REDUCTIONS))} divides the {numbers} numbers of a {angles} x {delays} image")
    complaint = f"{limits.report_bits} bits are too few for a code of 1/{dividing[-1]}"
    for reduction, bits in _codes(limits.report_bits, numbers):
        for binarise in ("none", "encoder", "both"):
            broken = limits.allow(_costs(1, binarise, reduction, angles, delays))
            if broken is not None:
                complaint = f"even ACRNet-1x at 1/{reduction}, binarised, exceeds {broken}"
                continue
            k = _largest(limits, binarise, reduction, angles, delays, most)
            costs = _costs(k, binarise, reduction, angles, delays)
            return Plan(k, binarise, reduction, bits, bits * (numbers // reduction), costs)
    raise CsisimError(f"no deployment fits: {complaint}")


def _codes(budget: int, numbers: int) -> list[tuple[int, int]]:
    """(reduction, bits per number) within a budget of bits, best first."""
    candidates = [(reduction, min(budget // (numbers // reduction), MOST_BITS)) for reduction in REDUCTIONS if numbers % reduction == 0]
    possible = [(reduction, bits) for reduction, bits in candidates if bits >= 1]
    return [c for c in possible if c[1] >= LEAST_BITS] or possible[-1:]


def _largest(limits: Limits, binarise: Binarise, reduction: int, angles: int, delays: int, most: int) -> int:
    """The largest expansion within the limits, by bisection; 1 is known to fit."""
    low, high = 1, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        fits = limits.allow(_costs(middle, binarise, reduction, angles, delays)) is None
        low, high = (middle, high) if fits else (low, middle)
    return low


def _costs(expansion: int, binarise: Binarise, reduction: int, angles: int, delays: int) -> Costs:
    kind: dict[str, object] = {"kind": "acrnet"} if binarise == "none" else {"kind": "bacrnet", "binarise": binarise}
    costs: Costs = configure("codec", kind | {"expansion": expansion, "reduction": reduction}).costs(angles, delays)  # type: ignore[attr-defined]
    return costs
