"""Published NMSE of CSI feedback codecs, cited: one file (``csisim/data/published_nmse.csv``), from which every table reads.

Columns: where it is printed, codec, place (indoor: picocell at 5.3 GHz; outdoor: rural at 300 MHz; both COST 2100), compression
ratio, bits per number of the code (none: not quantised), NMSE in dB.
"""

import csv
from functools import cache
from pathlib import Path

from csisim.papers.base import Row

_FILE = Path(__file__).parent.parent / "data" / "published_nmse.csv"
Place = str


@cache
def _values() -> dict[tuple[str, str, str, str, str], float]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        return {(r["source"], r["codec"], r["place"], r["ratio"], r["bits"]): float(r["nmse_db"]) for r in csv.DictReader(file)}


def nmse(source: str, codec: str, ratio: str, place: Place = "indoor", bits: str = "") -> float:
    """One printed value in dB.

    Raises
    ------
    KeyError
        If nothing of the kind is printed there.
    """
    return _values()[source, codec, place, ratio, bits]


def printed(source: str, codec: str, columns: tuple[str, ...], why: str, *, place: Place = "indoor", name: str = "") -> Row:
    """A row of printed values that nobody measures again; columns such as ``1/4`` or ``1/4 B=3``."""
    values = []
    for column in columns:
        ratio, _, bits = column.partition(" B=")
        values.append(nmse(source, codec, ratio, place, bits))
    return Row(name or codec, "dB", tuple(values), columns=columns, skipped=why)
