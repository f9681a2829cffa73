"""What a reproduction is: published numbers, the scenario that measures them, and a verdict."""

from dataclasses import dataclass
from math import log
from typing import Any, Literal

NATS = log(2.0)  #: nats per bit: a paper that printed nats is compared in nats


@dataclass(frozen=True)
class Row:
    """One published curve or table row.

    ``scale`` turns the stored metric (bit/s/Hz, linear NMSE, bits) into the published unit.
    """

    label: str
    scheme: str
    metric: str
    published: dict[float, float]
    scale: float = 1.0


@dataclass(frozen=True)
class Reproduction:
    """A table or figure of a paper.

    Attributes
    ----------
    scenario : str
        Scenario file, relative to ``scenarios/papers``.
    axis : str
        The swept axis the published numbers run over, as in ``cells.parquet``.
    unit : str
        Unit of the published numbers; a unit the paper misprints is named here as it was measured to be.
    each, rms : float
        The verdict: every relative deviation within ``each``, their root mean square within ``rms``.
    """

    title: str
    scenario: str
    axis: str
    unit: str
    rows: tuple[Row, ...]
    each: float
    rms: float
    note: str = ""


@dataclass(frozen=True)
class Point:
    """One published number beside ours; ``ci95`` is the half-width of our 95 % confidence interval."""

    row: str
    at: float
    published: float
    measured: float
    ci95: float

    @property
    def deviation(self) -> float:
        """Relative deviation from the published number."""
        return self.measured / self.published - 1.0


def verdict(reproduction: Reproduction, points: list[Point]) -> tuple[bool, float, float]:
    """Whether the reproduction holds, with the largest and the rms relative deviation."""
    deviations = [abs(p.deviation) for p in points]
    largest, rms = max(deviations), (sum(d * d for d in deviations) / len(deviations)) ** 0.5
    return largest <= reproduction.each and rms <= reproduction.rms, largest, rms


Verdict = Literal["reproduced", "not reproduced", "published value inconsistent", "not run", "no published value"]


@dataclass(frozen=True)
class Line:
    """One entry of a published table beside ours, in the published unit; None where there is no number."""

    table: str
    row: str
    column: str
    unit: str
    published: float | None
    measured: float | None
    ci95: float | None
    verdict: Verdict
    note: str = ""

    @property
    def deviation(self) -> float | None:
        """Relative deviation from the published number."""
        return None if self.published is None or self.measured is None else self.measured / self.published - 1.0

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        names = ("table", "row", "column", "unit", "published", "measured", "ci95", "deviation", "verdict", "note")
        return {name: round(value, 5) if isinstance(value := getattr(self, name), float) else value for name in names}
