"""Hu et al., "Iterative Algorithm Induced Deep-Unfolding Neural Networks: Precoding Design for Multiuser MIMO Systems", IEEE TWC 2021.

Conventions that fit the tables: natural logarithms under the heading bits/s/Hz, entries with E |h|^2 = 2, P_T / sigma^2 = 20 dB, two
receive antennas and streams per user, power shared by all users, one start run to convergence (not the best of thirty).
"""

from csisim.papers.base import Row, Rule, Table
from csisim.papers.hu2021_studies import Curves, Deciles, Varied
from csisim.papers.hu2021_times import RATIO, ROWS, Times
from csisim.papers.precoding import PERCENT, Size, rate_table

_ROW = (
    "seven iterations from zero forcing, matched filter or random starts give 92 to 96 %; no start and count tried fits the row "
    "(one iteration, which is regularised zero forcing, gives 79 % everywhere)"
)


_BOTH = ("IAIDNN", "improved IAIDNN")
_TRAINED = (*_BOTH, "black box")


def _sizes(num_tx: int, users: tuple[int, ...]) -> tuple[Size, ...]:
    return tuple(Size(num_tx, k) for k in users)


def _published(name: str, columns: tuple[str, ...], values: tuple[float, ...], why: str, unit: str = PERCENT) -> Row:
    """A printed row of sizes that are not measured."""
    return Row(name, unit, values, columns=columns, skipped=why)


def _times() -> Table:
    """Table IX: the published seconds are another machine's and another language's, so only their ratio is judged."""
    sizes = ((8, 4), (16, 8), (32, 8), (32, 16), (64, 15), (64, 30), (128, 30), (128, 60), (256, 30), (256, 60), (256, 120))
    wmmse = (0.08, 0.22, 0.51, 1.05, 1.46, 4.22, 5.14, 29.68, 32.31, 38.56, 291.01)
    iaidnn = (0.01, 0.01, 0.02, 0.03, 0.04, 0.11, 0.13, 0.32, 0.61, 0.83, 2.94)
    box = (0.01, 0.01, 0.03, 0.04, 0.05, 0.13, 0.16, 0.39, 0.71, 0.98, 3.36)
    minutes = (8.71, 21.52, 28.65, 70.35, 102.23, 301.61, 514.56, 1242.23, 1056.59, 3126.12, 9806.85)
    columns = tuple(Size(*size).label() for size in sizes)
    elsewhere = "seconds of another machine and of interpreted loops; ours are the rows in milliseconds"
    printed = [("WMMSE", wmmse), ("IAIDNN", iaidnn), ("black box", box)]
    ratio = tuple(round(a / b, 2) for a, b in zip(wmmse, iaidnn, strict=True))
    rows = (
        *(_published(f"{name}, published", columns, values, elsewhere, "s") for name, values in printed),
        _published("IAIDNN trained, published", columns, minutes, "minutes of another machine; ours is a step of batch 10", "min"),
        *(Row(name, "ms") for name in ROWS),
        Row(RATIO, "ratio", ratio, Rule(relative=0.25), note="the published WMMSE inverts K matrices of size N_t, in interpreted loops"),
    )
    note = (
        "CPU time for one channel (WMMSE: 100 iterations) and for one training step of batch 10. The published WMMSE inverts K matrices "
        "of size N_t in every iteration, where one would do, and its gain of 8 to 99 is over that code."
    )
    return Table("Table IX: CPU time", columns, rows, Times(tuple(Size(*size) for size in sizes)), note)


#: columns of the shrunk Table VII
_COUNTS = ("30", "100", "300", "1000", "3000")
_STEPS = (0, 50, 100, 150, 200, 300, 400, 500)
_CURVES: dict[str, dict[str, float]] = {
    "batch 5, rate 0.1": {"batch": 5, "rate": 0.1},
    "batch 10, rate 0.1": {"rate": 0.1},
    "batch 20, rate 0.1": {"batch": 20, "rate": 0.1},
    "batch 50, rate 0.1": {"batch": 50, "rate": 0.1},
    "batch 10, rate 0.01": {"rate": 0.01},
    "batch 10, rate 1": {"rate": 1.0},
}
_PERCENTAGES = (10, 20, 30, 40, 50, 60, 70, 80, 90)
_FIG6 = Deciles(_sizes(64, (10, 20, 30)), _PERCENTAGES)
_FIG7 = Deciles(_sizes(128, (20, 40, 60)), _PERCENTAGES)

TABLES = {
    "table1": rate_table(
        title="Table I: sum rate for N_t = 8 and N_t = 16",
        sizes=_sizes(8, (1, 2, 3, 4)) + _sizes(16, (2, 4, 6, 8)),
        published={
            "WMMSE": (13.13, 22.12, 27.74, 31.82, 25.93, 43.34, 53.66, 58.83),
            "IAIDNN": (99.34, 99.15, 97.36, 91.35, 99.59, 99.11, 97.67, 92.13),
            "black box": (93.76, 92.09, 90.27, 81.85, 93.68, 92.39, 89.32, 80.56),
        },
        nets=(*_TRAINED, "black box, one stage"),
        tolerance=0.005,
        inconsistent={"WMMSE": {3: "no start of WMMSE reaches 31.82 (converged 30.82, best of thirty 31.3): read as a misprint of 30.82"}},
    ),
    "table2": rate_table(
        title="Table II: sum rate for N_t = 32",
        sizes=_sizes(32, (4, 6, 8, 10, 12, 14, 16)),
        published={
            "WMMSE": (51.53, 70.38, 85.95, 97.69, 104.78, 108.55, 113.22),
            "IAIDNN": (99.84, 99.69, 99.28, 99.13, 98.76, 97.39, 92.63),
            "black box": (93.52, 92.86, 91.57, 90.03, 88.16, 85.24, 80.39),
        },
        nets=_TRAINED,
        tolerance=0.005,
    ),
    "table3": rate_table(
        title="Table III: sum rate for N_t = 64",
        sizes=_sizes(64, (5, 10, 15, 20, 25, 30)),
        published={
            "WMMSE": (71.04, 123.15, 164.71, 194.72, 208.96, 216.92),
            "IAIDNN": (99.91, 99.82, 99.76, 99.11, 98.88, 97.58),
            "black box": (93.56, 92.83, 92.02, 90.38, 87.98, 82.14),
        },
        nets=_TRAINED,
        tolerance=0.015,
        note="The published row lies 0.5 to 1.4 % above every start that converges, even where the optimum is unique: unexplained.",
    ),
    "table4": rate_table(
        title="Table IV: sum rate for N_t = 128",
        sizes=_sizes(128, (10, 20, 30, 40, 50, 60)),
        published={
            "WMMSE": (139.15, 244.03, 326.76, 386.21, 412.82, 417.64),
            "IAIDNN": (99.87, 99.67, 99.32, 99.03, 98.68, 97.87),
            "black box": (93.58, 92.76, 91.58, 89.93, 87.31, 83.89),
        },
        nets=_TRAINED,
        tolerance=0.01,
    ),
    "table5": rate_table(
        title="Table V: sum rate for N_t = 256",
        sizes=_sizes(256, (20, 30, 40, 50, 60, 70, 80)),
        published={
            "WMMSE": (279.56, 389.31, 487.56, 575.32, 652.59, 718.41, 772.07),
            "IAIDNN": (99.86, 99.73, 99.51, 99.29, 99.05, 98.79, 98.33),
            "black box": (93.23, 92.97, 92.28, 91.45, 89.96, 88.03, 85.86),
        },
        nets=_TRAINED,
        tolerance=0.01,
    ),
    "table6": rate_table(
        title="Table VI: sum rate versus SNR for (N_t, K) = (64, 30)",
        sizes=tuple(Size(64, 30, snr) for snr in (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)),
        published={
            "WMMSE": (45.86, 85.52, 118.32, 164.77, 216.92, 266.55, 317.18),
            "IAIDNN": (97.06, 97.11, 97.25, 97.32, 97.58, 97.79, 98.02),
            "black box": (80.32, 80.54, 80.87, 81.32, 81.93, 82.65, 83.72),
        },
        nets=_TRAINED,
        tolerance=0.015,
        inconsistent={"WMMSE": {1: "its neighbours put 5 dB at 78 (measured 78.2): the digits suggest 78.52"}},
    ),
    "table7": Table(
        "Table VII: sum rate versus training samples, shrunk from (128, 40) to (8, 2)",
        _COUNTS,
        (
            _published(
                "IAIDNN (128,40)",
                ("100", "200", "300", "400", "500", "600", "700", "800"),
                (93.03, 95.89, 97.31, 98.52, 98.94, 99.03, 99.26, 99.26),
                "(128, 40) trains for hours; shrunk below",
            ),
            _published(
                "black box (128,40)",
                ("5000", "10000", "15000", "20000", "25000", "30000", "35000", "40000"),
                (78.93, 83.14, 86.59, 88.36, 89.66, 89.93, 90.15, 90.15),
                "(128, 40) trains for hours; shrunk below",
            ),
            Row("IAIDNN (8,2)", PERCENT),
            Row("black box (8,2)", PERCENT),
        ),
        Varied(
            Size(8, 2),
            "samples",
            {f"{net} (8,2)": (net, tuple(int(count) for count in _COUNTS)) for net in ("IAIDNN", "black box")},
        ),
        "The paper's statement, fewer samples for the unfolded network, is about networks of one size. The best iterate is chosen on 300 "
        "further channels.",
    ),
    "table8": Table(
        "Table VIII: sum rate versus layers, shrunk from (64, 30) to (8, 4)",
        ("3", "5", "7", "9"),
        (
            _published(
                "IAIDNN (64,30)",
                ("3", "4", "5", "6", "7", "8", "9", "10"),
                (91.58, 93.35, 95.56, 96.61, 97.58, 97.61, 97.34, 96.93),
                "eight networks of (64, 30): 265 to 314 minutes each in the paper; shrunk below",
            ),
            Row("IAIDNN (8,4)", PERCENT),
            Row("improved IAIDNN (8,4)", PERCENT),
            Row("WMMSE, iterations = layers", PERCENT),
        ),
        Varied(Size(8, 4), "layers", {f"{net} (8,4)": (net, (3, 5, 7, 9)) for net in _BOTH}, "WMMSE, iterations = layers"),
        "The paper finds its maximum at eight layers and blames numerical errors of the gradients for the decline.",
    ),
    "table9": _times(),
    "table10": rate_table(
        title="Table X: one network for smaller systems, shrunk from (256, 80) to (32, 16)",
        sizes=_sizes(32, (14, 12, 10, 8, 6, 4)) + _sizes(16, (8, 6, 4, 2)) + _sizes(8, (4, 2)),
        published={},
        nets=_BOTH,
        served_by=Size(32, 16),
        note="Zeros fill up what is not there. Rows without `of` are networks that were trained for the column itself.",
        unmeasured=tuple(
            _published(
                "IAIDNN of (256,80)",
                tuple(size.label() for size in _sizes(num_tx, users)),
                values,
                "training at (256, 80) per user takes days; shrunk below",
            )
            for num_tx, users, values in (
                (256, (70, 60, 50, 40, 30, 20, 10), (98.07, 98.25, 98.36, 98.51, 98.84, 99.01, 99.12)),
                (128, (60, 50, 40, 30, 20, 10), (95.12, 95.97, 96.67, 96.93, 97.21, 97.43)),
                (64, (30, 20, 10), (94.69, 96.82, 97.75)),
            )
        ),
    ),
    "table11": rate_table(
        title="Table XI: fully loaded systems",
        sizes=(Size(8, 4), Size(16, 8), Size(32, 16), Size(64, 32), Size(128, 64)),
        published={
            "WMMSE-7": (79.19, 80.63, 82.72, 83.05, 83.52),
            "IAIDNN": (91.35, 92.13, 92.63, 92.82, 92.95),
            "improved IAIDNN": (95.86, 96.02, 96.85, 96.93, 97.08),
        },
        nets=_BOTH,
        inconsistent={"WMMSE-7": dict.fromkeys(range(5), _ROW)},
    ),
    "fig5": Table(
        "Fig. 5: convergence for batch sizes and learning rates, shrunk from (128, 30) to (8, 4)",
        tuple(f"step {step}" for step in _STEPS),
        tuple(Row(name, PERCENT) for name in _CURVES),
        Curves(Size(8, 4), _CURVES, _STEPS),
        "Mean rate on the validation set, three seeds; no numbers are printed. Rates are those of the first step, which then fall as "
        "m^-0.6 or m^-0.5 and along a cosine.",
    ),
    "fig6": Table(
        "Fig. 6: distribution of the sum rate for N_t = 64",
        tuple(f"{percent} %" for percent in _PERCENTAGES),
        _FIG6.rows(),
        _FIG6,
        "Rates that so many percent of Table III's channels stay below; no numbers are printed.",
    ),
    "fig7": Table(
        "Fig. 7: distribution of the sum rate for N_t = 128",
        tuple(f"{percent} %" for percent in _PERCENTAGES),
        _FIG7.rows(),
        _FIG7,
        "Rates that so many percent of Table IV's channels stay below; no numbers are printed.",
    ),
    "fig8": rate_table(
        title="Fig. 8: CSI errors, shrunk from (64, 20) to (16, 4)",
        sizes=(Size(16, 4, 20.0, 0.0), Size(16, 4, 20.0, 0.01), Size(16, 4, 20.0, 0.05), Size(16, 4, 20.0, 0.2)),
        published={},
        nets=("improved IAIDNN", "robust IAIDNN"),
        note="The figure has no printed numbers; it claims that IAIDNN is best under CSI errors. `error-aware` adds the error's power "
        "to the noise.",
    ),
}
