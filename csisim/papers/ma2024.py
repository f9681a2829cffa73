"""Ma et al., "Low-Complexity CSI Feedback for FDD Massive MIMO Systems via Learning to Optimize", 2024 (Csi-L2O).

FLOPs are multiply-accumulates as thop counts them. Drops are of our re-creation of the public indoor scenario. A thousand epochs of
100 000 images are beyond a table: trained rows are printed beside `short` ones, which are minutes of one core at 1/16.
"""

from dataclasses import replace

from csisim.papers.base import Row, Rule, Table
from csisim.papers.by_row import Measurable, by_row
from csisim.papers.codec_counts import counted, ours
from csisim.papers.codec_nmse import Rate, along, beside_pca, closed_form, residuals, short
from csisim.papers.codec_published import nmse, printed

_WHY = "1000 epochs of 100 000 images: weeks on a CPU, days on a GPU; `csisim train codec_..._published` is that training"
_ISTA = (
    "random matrix, step and threshold are not printed; a Lloyd-Max table of three bits costs these nearly Gaussian numbers 14.6 dB "
    "of signal over error, which cannot turn -4.3 into -1.4 dB"
)
_FIGURE = "no numbers are printed"
_NAMES = {
    "ista": "ISTA", "ms4l2o": "MS4L2O", "csinet": "CsiNet", "tilista": "TiLISTA", "transnet": "TransNet", "csi_l2o": "Csi-L2O",
    "sm_csinetplus": "SM-CsiNet+", "pm_csinetplus": "PM-CsiNet+",
}  # fmt: skip
_TRAINED = ("MS4L2O", "CsiNet", "TransNet", "TiLISTA", "Csi-L2O")
_IV = "Ma 2024, Table IV"
_NESTED = "nested, 16 of 32 taps, one trained iteration"
_SLOW = 100  # images for networks with an LSTM per coordinate

_QUANTISED = tuple(Rate(reduction, bits) for reduction in (4, 8, 16, 32) for bits in (None, 3, 4, 5, 6))
_RATIOS = tuple(Rate(reduction) for reduction in (4, 8, 16, 32))
_ALL = (*_RATIOS, Rate(64))


def _labels(rates: tuple[Rate, ...]) -> tuple[str, ...]:
    return tuple(rate.label for rate in rates)


def _short(name: str, rates: tuple[Rate, ...]) -> list[Measurable]:
    """A short training beside the printed row: nested codes at every rate, others at 1/16."""
    if name == "Csi-L2O":
        return beside_pca(name, rates, count=_SLOW, note=_NESTED)
    return beside_pca(name, [rate for rate in rates if rate.reduction == 16], count=_SLOW if name == "MS4L2O" else None)


def _linear(rates: tuple[Rate, ...], place: str = "indoor") -> list[Measurable]:
    """What needs no training."""
    columns = _labels(rates)
    is_printed = place == "indoor" and rates is not _ALL
    known = printed(_IV, "ISTA", columns, "").published if is_printed else ()
    return [
        (Row("PCA", "dB", columns=columns), closed_form("pca", rates, place)),
        (Row("ISTA", "dB", known, Rule(points=0.5), columns, note=_ISTA), closed_form("ista", rates, place)),
    ]


def _decoders() -> list[Measurable]:
    sizes, kinds = (8, 16, 32, 64), ("ms4l2o", "tilista", "csi_l2o")
    work = [ours(f"{_NAMES[kind]} executed", [{"kind": kind}] * 4, sizes, "decoder", "mac") for kind in kinds]
    attention = ours("TransNet executed", [{"kind": "transnet"}] * 4, sizes, "decoder", "mac")
    return [*counted("Ma 2024, Table III", _NAMES), *work, attention]


def _multi_rate() -> Table:
    return by_row(
        "Table V: encoder FLOPs and parameters of multi-rate codecs",
        ("one for all",),
        *((replace(row, columns=("one for all",)), compute) for row, compute in counted("Ma 2024, Table V", _NAMES)),
        ours("Csi-L2O nested, longest 1/4", [{"kind": "csi_l2o", "longest": 4}], (4,), "encoder", "params"),
        note="The paper's 0.262 is a matrix for 1/16, from which codes of 1/4 and 1/8 cannot be taken; ours holds rows for the longest.",
    )


def _table4() -> Table:
    columns = _labels(_QUANTISED)
    return by_row(
        "Table IV: NMSE with quantised codes, indoor",
        columns,
        *((printed(_IV, name, columns, _WHY), None) for name in _TRAINED),
        *_linear(_QUANTISED),
        *(row for name in _TRAINED for row in _short(name, _QUANTISED)),
        note="One Lloyd-Max table for all numbers of a code, trained afterwards. At the same 1536 bits 1/8 with B=6 beats 1/4 with B=3.",
    )


def _fig4() -> Table:
    columns = _labels(_RATIOS)
    return by_row(
        "Fig. 4: NMSE versus the compression ratio, indoor",
        _labels(_ALL),
        *((printed(_IV, name, columns, _WHY), None) for name in _TRAINED),
        *_linear(_ALL),
        *(row for name in _TRAINED for row in _short(name, _ALL)),
        note="The figure's values are those of Table IV; 1/64 is not printed.",
    )


def _fig5() -> Table:
    return by_row(
        "Fig. 5: NMSE versus the compression ratio, outdoor",
        _labels(_ALL),
        *((Row(name, "dB", columns=("all",), skipped=f"{_FIGURE}; {_WHY}"), None) for name in _TRAINED),
        *_linear(_ALL, "outdoor"),
        note="Outdoor drops are ours, not in the public grid; principal components of 6000 of them are limited by their number.",
    )


def _fig6() -> Table:
    steps = (1, 2, 3, 4, 5, 6, 7, 9, 11, 14)
    columns = tuple(f"T={t}" for t in steps)
    changes = [{"iterations": t} for t in steps]
    ista = [Rate(16)] * len(steps)
    return by_row(
        "Fig. 6: NMSE versus the iterations at 1/16, indoor",
        columns,
        (Row("TiLISTA, 10", "dB", (nmse(_IV, "TiLISTA", "1/16"),), columns=("T=10",), skipped=_WHY), None),
        (
            Row("TiLISTA, 20", "dB", (nmse("Ma 2024, section V-D", "TiLISTA, 20 iterations", "1/16"),), columns=("T=20",), skipped=_WHY),
            None,
        ),
        (Row("TransNet", "dB", (nmse(_IV, "TransNet", "1/16"),), columns=("-",), skipped=_WHY), None),
        (Row("ISTA", "dB"), lambda c: [closed_form("ista", ista[:1], iterations=t)(c)[0] for t in steps]),
        (Row("TiLISTA, 10, short", "dB", columns=("T=10",)), short("TiLISTA, random start", (Rate(16),))),
        (Row("TiLISTA, 20, short", "dB", columns=("T=20",)), short("TiLISTA, 20 iterations", (Rate(16),))),
        (Row("TiLISTA, linear start, short", "dB", columns=("T=10",)), short("TiLISTA", (Rate(16),))),
        (Row("MS4L2O, short", "dB"), along("MS4L2O", changes, count=_SLOW)),
        (Row("Csi-L2O, short", "dB"), along("Csi-L2O", changes, count=_SLOW)),
        (Row("Csi-L2O, change", "dB of the image"), residuals("Csi-L2O", changes, _last_change, count=20)),
        note="MS4L2O is trained with ten iterations, Csi-L2O with one; both run as many as they are asked for. `change`: of the last "
        "iteration. TiLISTA cannot run others than it was trained with; random starts are as in the paper.",
    )


def _last_change(network: object) -> float:
    return float(network.decoder.rule.residuals[-1])  # type: ignore[attr-defined]


def _fig7() -> Table:
    columns = _labels(_RATIOS)
    return by_row(
        "Fig. 7: one model for several ratios, indoor",
        _labels(_ALL),
        (printed(_IV, "Csi-L2O", columns, _WHY, name="Csi-L2O, one for each ratio"), None),
        (printed(_IV, "CsiNet", columns, _WHY, name="CsiNet, one for each ratio"), None),
        *((Row(f"{kind}-CsiNet+", "dB", columns=("all",), skipped=f"{_FIGURE}; {_WHY}"), None) for kind in ("SM", "PM")),
        (Row("PCA, one for each ratio", "dB"), closed_form("pca", _ALL)),
        *_short("Csi-L2O", _ALL),
        note="How a matrix for 1/16 serves 1/4 is not printed; ours has the rows of the longest code, and prefixes of it were trained.",
    )


TABLES = {
    "table2": by_row(
        "Table II: encoder FLOPs and parameters", _labels(_ALL[1:]), *counted("Ma 2024, Table II", _NAMES), note="Linear codes: W h."
    ),
    "table3": by_row(
        "Table III: decoder FLOPs and parameters",
        _labels(_ALL[1:]),
        *_decoders(),
        note="`printed`: transforms of one of 32 rows, an LSTM for one of 2048 coordinates, once; `executed`: everything that is done.",
    ),
    "table4": _table4(),
    "table5": _multi_rate(),
    "fig4": _fig4(),
    "fig5": _fig5(),
    "fig6": _fig6(),
    "fig7": _fig7(),
}
