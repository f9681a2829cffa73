"""Ma et al., "Lightweight and Flexible Deep Equilibrium Learning for CSI Feedback in FDD Massive MIMO", ICMLCN 2024 (arXiv 2023).

FLOPs of its Table I are multiply-accumulates as thop counts them, half of what its eq. (13)-(14) define. Drops are of our re-creation
of the public indoor scenario; the codec's training is minutes of one core from the linear code, not 1000 epochs.
"""

from dataclasses import replace

from csisim.papers.base import Conditions, Measured, Row
from csisim.papers.by_row import Measurable, by_row
from csisim.papers.codec_counts import costs, counted, ours
from csisim.papers.codec_nmse import Rate, along, beside_pca, closed_form, residuals
from csisim.papers.codec_published import nmse, printed

_WHY = "1000 epochs of 100 000 images: weeks on a CPU; `csisim train codec_deq_published` is that training"
_I = "Ma 2023, Table I"
_NAMES = {"deq": "DEQ", "conv_csinet": "ConvCsiNet", "shuffle_csinet": "ShuffleCsiNet", "csinet": "CsiNet"}
_RATIOS = (4, 8, 16, 32)
_LABELS = tuple(f"1/{reduction}" for reduction in _RATIOS)

_PASSES = (0, 1, 2, 3, 5, 7, 10, 14)
_CHANGES = [{"encoder_iterations": passes} for passes in _PASSES]
_T_E = tuple(f"T_e={passes}" for passes in _PASSES)
_ITERATING = "DEQ, random start"  # from the linear code a short training hardly moves the state


def _encoder_macs(conditions: Conditions) -> list[Measured]:
    found = [costs({"kind": "deq", "encoder_iterations": passes}, 16).encoder.macs["thop"] for passes in _PASSES]
    return [Measured(macs / 1e3) for macs in found]


def _residual(network: object) -> float:
    return float(network.encoder[1].residual.mean())  # type: ignore[attr-defined]


def _beside() -> list[Measurable]:
    """Encoders that do not iterate, and everybody's parameters."""
    kinds = ("csinet", "shuffle_csinet", "conv_csinet")
    macs = [ours(f"{_NAMES[kind]} encoder", [{"kind": kind}], (16,), "encoder", "thop") for kind in kinds]
    params = [ours(f"{_NAMES[kind]} parameters", [{"kind": kind}], (16,), "encoder", "params") for kind in (*kinds, "deq")]
    return [(replace(row, columns=("-",)), compute) for row, compute in (*macs, *params)]


_PASSES_NOTE = (
    "The curve has no printed values: DEQ passes CsiNet with two passes, ShuffleCsiNet with three, and has converged by seven. "
    "`residual`: of the user's last pass, 0 dB is the state itself. Trained with ten passes from random weights, run with as many as asked."
)

TABLES = {
    "table1": by_row(
        "Table I: NMSE and encoder FLOPs for T_e = 10 and T_d = 5",
        _LABELS,
        *((printed(_I, name, _LABELS, _WHY), None) for name in ("ConvCsiNet", "ShuffleCsiNet", "CsiNet", "DEQ")),
        *counted(_I, _NAMES),
        (Row("PCA", "dB"), closed_form("pca", [Rate(reduction) for reduction in _RATIOS])),
        *beside_pca("CsiNet", [Rate(16)]),
        *beside_pca("DEQ", [Rate(16)]),
        note="The encoder's layers meet every printed digit; shuffle units are our reading.",
    ),
    "fig4": by_row(
        "Fig. 4: NMSE versus the user's passes at 1/16, T_d = 5",
        _T_E,
        *((Row(name, "dB", (nmse(_I, name, "1/16"),), columns=("-",), skipped=_WHY), None) for name in ("CsiNet", "ShuffleCsiNet")),
        (Row("ConvCsiNet", "dB", (nmse(_I, "ConvCsiNet", "1/16"),), columns=("-",), skipped=_WHY), None),
        (Row("DEQ", "dB", (nmse(_I, "DEQ", "1/16"),), columns=("T_e=10",), skipped=_WHY), None),
        (Row("PCA", "dB", columns=("-",)), closed_form("pca", [Rate(16)])),
        (Row("DEQ, random start, short", "dB"), along(_ITERATING, _CHANGES)),
        (Row("residual", "dB of the state", columns=_T_E[1:]), residuals(_ITERATING, _CHANGES[1:], _residual)),
        note=_PASSES_NOTE,
    ),
    "fig5": by_row(
        "Fig. 5: NMSE and parameters of the encoder at 1/16",
        _T_E,
        (Row("DEQ encoder", "k MAC, thop"), _encoder_macs),
        (Row("DEQ, random start, short", "dB"), along(_ITERATING, _CHANGES)),
        *_beside(),
        note="Parameters as in the right part, where the text says less than 0.27 million for DEQ and more than a million for ConvCsiNet.",
    ),
}
