"""The table on the terminal: parameters | metrics with their 95 % intervals | bits | effort, stable and greppable.

Lines that are not data begin with ``#``; columns are separated by ``|`` and named in the last ``#`` line, as in ``cells.parquet``
(a mean without its ``_mean``, ``_db`` for decibels); ``-`` is no value.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Format = Callable[[Any], str]


def number(digits: int) -> Format:
    """Format a number with fixed decimals."""
    return lambda value: "-" if missing(value) else f"{value:.{digits}f}"


def decibel(value: Any) -> str:
    """A linear ratio in dB; ``-inf`` for 0, which perfect CSI has, so that it differs from no value."""
    if missing(value):
        return "-"
    return f"{10 * math.log10(value):.2f}" if value > 0 else "-inf"


def text(value: Any) -> str:
    """Anything else; floats in their shortest form."""
    return "-" if missing(value) else f"{value:g}" if isinstance(value, float) else str(value)


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


#: Groups of columns, divided by "|": heading, column of the cell table, format.
Groups = list[list[tuple[str, str, Format]]]

METRIC_COLUMNS: Groups = [
    [("sum_rate_bps_hz", "sum_rate_bps_hz_mean", number(3)), ("+-ci95", "sum_rate_bps_hz_ci95", number(3))],
    [("net_rate_bps_hz", "net_rate_bps_hz_mean", number(3)), ("+-ci95", "net_rate_bps_hz_ci95", number(3))],
    [
        ("nmse_estimate_db", "nmse_estimate_mean", decibel),
        ("nmse_csi_db", "nmse_csi_mean", decibel),
        ("sgcs", "sgcs_mean", number(3)),
        ("csi_age_slots", "csi_age_slots_mean", number(2)),
    ],
    [
        ("pilot_bits", "pilot_bits", number(0)),
        ("feedback_bits", "feedback_bits", number(0)),
        ("signaling_bits", "signaling_bits", number(0)),
    ],
    [("n", "n", text), ("seconds", "seconds", number(1)), ("status", "status", text), ("cell", "cell", text)],
]

#: Columns left out where every value is null or zero.
OPTIONAL = ("nmse_estimate_mean", "nmse_csi_mean", "sgcs_mean", "csi_age_slots_mean", "feedback_bits")


def cells_table(cells: "pd.DataFrame") -> str:
    """The cell table (``merge_replicas`` of ``load(path)``) as text, its definitions above it."""
    attributes = cells.attrs
    heading = [f"# {attributes['name']}" + (f": {attributes['description']}" if attributes.get("description") else "")]
    heading += [f"# {word}: {meaning}" for word, meaning in attributes.get("definitions", {}).items()]
    rows = cells.to_dict("records")
    parameters: Groups = [[(name, name, text) for name in (*attributes["axes"], "scheme")]]
    return "\n".join([*heading, *_lines(rows, parameters + _in_use(rows, METRIC_COLUMNS))]) + "\n"


def _in_use(rows: Sequence[Mapping[Any, Any]], groups: Groups) -> Groups:
    """The groups without columns that say nothing here: errors without estimates, ages and reports without a feedback link."""
    silent = {column for column in OPTIONAL if all(missing(row[column]) or row[column] == 0 for row in rows)}
    if "feedback_bits" in silent:
        silent.add("pilot_bits")  # then all signaling is pilots
    kept = [[column for column in group if column[1] not in silent] for group in groups]
    return [group for group in kept if group]


def paired_table(differences: "pd.DataFrame", axes: Sequence[str], reference: str) -> str:
    """Paired differences (``paired_differences``) as text."""
    heading = [f"# minus {reference}, drop by drop on the same channel; +- half width of the 95 % Student t interval"]
    groups: Groups = [
        [(name, name, text) for name in (*axes, "scheme")],
        [("sum_rate_bps_hz_diff", "sum_rate_bps_hz_diff_mean", number(4)), ("+-ci95", "sum_rate_bps_hz_diff_ci95", number(4))],
        [("net_rate_bps_hz_diff", "net_rate_bps_hz_diff_mean", number(4)), ("+-ci95", "net_rate_bps_hz_diff_ci95", number(4))],
        [("n", "n", text)],
    ]
    return "\n".join([*heading, *_lines(differences.to_dict("records"), groups)]) + "\n"


def _lines(rows: Sequence[Mapping[Any, Any]], groups: Groups) -> list[str]:
    printed = [[[form(row[column]) for _, column, form in group] for group in groups] for row in rows]
    widths = [
        [max([len(heading), *(len(line[g][c]) for line in printed)]) for c, (heading, _, _) in enumerate(group)]
        for g, group in enumerate(groups)
    ]

    def line(start: str, cells: Sequence[Sequence[str]]) -> str:
        joined = ["  ".join(cell.rjust(width) for cell, width in zip(*pair, strict=True)) for pair in zip(cells, widths, strict=True)]
        return start + " | ".join(joined)

    headings = [[heading for heading, _, _ in group] for group in groups]
    return [line("# ", headings), *(line("  ", cells) for cells in printed)]
