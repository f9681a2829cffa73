"""Lu et al., "Binarized Aggregated Network with Quantization: Flexible Deep Learning Deployment for CSI Feedback", IEEE TWC 2021 (ACRNet).

FLOPs are multiply-accumulates of convolutions and fully connected layers. Parameters of binarised layers count 1/32. Drops are of our
re-creation of the public indoor scenario (outdoor: of our own). 2500 epochs of 100 000 images are beyond a table: trained rows are
printed beside `short` ones, minutes of one core at 1/16.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from csisim.papers.base import Conditions, Measured, Row, Table
from csisim.papers.by_row import Measurable, Measure, by_row
from csisim.papers.codec_counts import counted, ours
from csisim.papers.codec_nets import curve, trained
from csisim.papers.codec_nmse import Rate, beside_pca, closed_form, gap, in_db, network, nmse, quantiser, ratios, short, training_images
from csisim.papers.codec_published import nmse as published
from csisim.papers.codec_published import printed

_WHY = "2500 epochs of 100 000 images: weeks on a CPU; `csisim train codec_acrnet_published` is that training"
_ABLATION = "differences of a dB after 2500 epochs do not show after minutes"
_NAMES = {
    "csinet": "CsiNet", "bcsinet": "BCsiNet", "crnet": "CRNet", "acrnet 12": "ACRNet-12x", "acrnet 16": "ACRNet-16x",
    "bacrnet": "BACRNet-1x", "bacrnet 10": "BACRNet-10x", "bacrnet both": "BACRNet-1x both", "bacrnet 10 both": "BACRNet-10x both",
}  # fmt: skip
_RATIOS = (4, 8, 16, 32, 64)
_LABELS = tuple(f"1/{reduction}" for reduction in _RATIOS)
_TENTHS = tuple(f"{share} %" for share in range(10, 101, 10))


def _placed(source: str, codec: str, columns: tuple[str, ...], why: str = _WHY) -> list[Measurable]:
    """Printed values of a codec in both places."""
    return [(printed(source, codec, columns, why, place=place, name=f"{codec} {place}"), None) for place in ("indoor", "outdoor")]


def _macs(name: str, settings: dict[str, Any], reductions: Sequence[int]) -> Measurable:
    return ours(f"{name} FLOPs", [settings] * len(reductions), reductions, "total", "layers")


def _curves(*names: str) -> list[Measurable]:
    """Validation NMSE of short trainings."""
    return [(Row(f"{name}, short", "dB", columns=_TENTHS), _curve(name)) for name in names]


def _curve(name: str) -> Measure:
    return lambda conditions: [Measured(value) for value in curve(name, conditions)]


def _table1() -> Table:
    source = "Lu 2021, Table I"
    expansions = [(f"ACRNet-{k}x", {"kind": "acrnet", "expansion": k}) for k in (1, 10, 20)]
    return by_row(
        "Table I: NMSE and FLOPs of feedback networks",
        _LABELS,
        *(row for name, _ in expansions for row in _placed(source, name, _LABELS)),
        *_placed("CRNet README", "CRNet", _LABELS),
        *_placed("Lu 2021, Table IV", "CsiNet", _LABELS[:3]),
        *_placed("Lu 2021, section V-B (differences)", "CsiNetPlus", ("1/4", "1/32")),
        *counted("CRNet README", _NAMES),
        *(_macs(name, settings, _RATIOS) for name, settings in (("CsiNet", {"kind": "csinet"}), ("CsiNetPlus", {"kind": "csinetplus"}))),
        *(_macs(name, settings, _RATIOS) for name, settings in expansions),
        (Row("PCA indoor", "dB"), closed_form("pca", [Rate(reduction) for reduction in _RATIOS])),
        (Row("PCA outdoor", "dB"), closed_form("pca", [Rate(reduction) for reduction in _RATIOS], "outdoor")),
        *(row for name in ("CsiNet", "CRNet", "ACRNet-1x") for row in beside_pca(name, [Rate(16)])),
        note="Values of the table's own rows are those of the paper's code; CsiNetPlus is what the text's differences leave.",
    )


def _table2() -> Table:
    return by_row(
        "Table II: activations",
        _LABELS,
        *(row for name in ("LReLU", "SPReLU", "PReLU") for row in _placed("Lu 2021, Table II", name, _LABELS, _ABLATION)),
        ours("PReLU parameters", [{"kind": "acrnet"}] * 5, _RATIOS, "total", "params"),
        ours("SPReLU parameters", [{"kind": "acrnet", "activation": "sprelu"}] * 5, _RATIOS, "total", "params"),
        ours("LReLU parameters", [{"kind": "acrnet", "activation": "lrelu"}] * 5, _RATIOS, "total", "params"),
    )


def _table3() -> Table:
    return by_row(
        "Table III: expansions at 1/4",
        ("1/4",),
        *(row for k in (1, 4, 8, 12, 16) for row in _placed("Lu 2021, Table III", f"ACRNet-{k}x", ("1/4",))),
        *counted("Lu 2021, Table III", _NAMES),
        *(_macs(f"ACRNet-{k}x", {"kind": "acrnet", "expansion": k}, (4,)) for k in (1, 4, 8)),
    )


def _table4() -> Table:
    plain, binary = short("ACRNet-1x", (Rate(16),)), short("BACRNet-1x", (Rate(16),))
    at_16 = ("1/16",)
    return by_row(
        "Table IV: binarised fully connected layers",
        _LABELS[:3],
        *counted("Lu 2021, Table IV", _NAMES),
        *(
            row
            for name in ("CsiNet", "BCsiNet", "BACRNet-1x", "BACRNet-10x", "BACRNet-1x both", "BACRNet-10x both")
            for row in _placed("Lu 2021, Table IV", name, _LABELS[:3])
        ),
        (Row("ACRNet-1x, short", "dB", columns=at_16), plain),
        (Row("BACRNet-1x, short", "dB", columns=at_16), binary),
        (Row("loss by binarising", "dB lost", _loss_by_binarising(), columns=at_16, skipped=_WHY), None),
        (Row("loss by binarising, short", "dB lost", columns=at_16), gap(plain, binary)),
        note="The gap is between trainings of as many steps, one from principal components, the other from their signs.",
    )


def _loss_by_binarising() -> tuple[float, ...]:
    full, binary = published("Lu 2021, Table I", "ACRNet-1x", "1/16"), published("Lu 2021, Table IV", "BACRNet-1x", "1/16")
    return (round(binary - full, 2),)


def _table5() -> Table:
    columns = tuple(f"{ratio} B={bits}" for ratio in ("1/4", "1/8") for bits in (32, 8, 4, 2))
    why = "trained through the quantiser for 2500 epochs: `csisim train codec_acrnet_published --set link.codec.quantiser.kind=uniform ...`"
    rows = []
    for name in ("BACRNet-1x", "BACRNet-10x"):
        for place in ("indoor", "outdoor"):
            cells = (column.split(" B=") for column in columns)
            values = [published("Lu 2021, Table V", name, ratio, place, bits.replace("32", "")) for ratio, bits in cells]
            rows.append((Row(f"{name} {place}", "dB", tuple(values), skipped=why), None))
    bits = (None, 8, 4, 2)
    return by_row(
        "Table V: quantised codes of binarised encoders",
        columns,
        *rows,
        (
            Row("BACRNet-1x, short, 1/16", "dB", columns=tuple(f"B={b or 32}" for b in bits)),
            short("BACRNet-1x", [Rate(16, b) for b in bits]),
        ),
        note="The short training has Lloyd-Max tables afterwards instead of a sigmoid and 2^B equal cells during it.",
    )


def _slopes(conditions: Conditions) -> list[Measured]:
    """Least, mean and largest slope inside the decoder's blocks; those between them begin at one, as the linear code needs."""
    found = network(trained("ACRNet-1x", conditions))
    inside = [p for name, p in found.decoder.named_parameters() if name.endswith(("prelu1.weight", "prelu2.weight"))]
    values = np.concatenate([p.detach().numpy() for p in inside])
    return [Measured(float(value)) for value in (values.min(), values.mean(), values.max())]


def _overfitting(name: str) -> Measure:
    """NMSE of images it was trained on, and of others."""

    def compute(conditions: Conditions) -> list[Measured]:
        settings = trained(name, conditions)
        return [in_db(ratios(settings, training_images(name, conditions))), nmse(settings, conditions)]

    return compute


def _fig12() -> Table:
    expansions = (1, 2, 3, 4, 6, 8)
    kinds = {"groups": "aggregated groups", "width": "plain width", "depth": "depth", "kernel": "kernel area"}
    return by_row(
        "Fig. 12: complexity and NMSE of four expansions at 1/8, indoor",
        tuple(f"k={k}" for k in expansions),
        *(
            ours(words, [{"kind": "acrnet", "expand": kind, "expansion": k} for k in expansions], [8] * len(expansions), "total", "layers")
            for kind, words in kinds.items()
        ),
        (Row("NMSE of any", "dB", columns=("all",), skipped=f"no numbers are printed; {_WHY}"), None),
        note="Which kernels and how many blocks the paper means is our reading.",
    )


def _bits(name: str, bits: Sequence[int | None], reduction: int) -> Measurable:
    rates = [Rate(reduction, b) for b in bits]
    if name == "PCA":
        per_element = [{"kind": "pca", "file": "indoor_public", "reduction": r.reduction, "quantiser": _per_element(r.bits)} for r in rates]
        return Row(f"PCA, 1/{reduction}", "dB"), lambda conditions: [nmse(settings, conditions) for settings in per_element]
    settings = [{"quantiser": _per_element(b)} for b in bits]
    return Row(f"{name}, short, 1/{reduction}", "dB"), lambda conditions: [
        nmse(trained(name, conditions) | one, conditions) for one in settings
    ]


def _per_element(bits: int | None) -> dict[str, object]:
    """Tables for every number of the code; more bits than tables can have by companding."""
    return {"kind": "mu_law", "bits": bits} if bits is not None and bits > 8 else quantiser(bits, per_element=True)


def _fig14() -> Table:
    bits = (2, 3, 4, 5, 6, 8, None)
    return by_row(
        "Fig. 14: NMSE versus the bits of a number",
        tuple(f"B={b or 32}" for b in bits),
        (Row("ACRNet-1x, 1/4", "dB", columns=("all",), skipped=f"no numbers are printed; {_WHY}"), None),
        *(_bits("PCA", bits, reduction) for reduction in (4, 16)),
        _bits("ACRNet-1x", bits, 16),
        note="That quantisation improves the outdoor NMSE is the paper's; tables fitted after a training cannot.",
    )


def _fig15() -> Table:
    split = ((2, 2), (4, 4), (8, 8), (16, 16))
    settings = [{"kind": "pca", "file": "indoor_public", "reduction": r, "quantiser": _per_element(b)} for r, b in split]
    return by_row(
        "Fig. 15: NMSE of 2048 bits, indoor",
        tuple(f"1/{r} B={b}" for r, b in split),
        (Row("ACRNet-1x, ACRNet-10x", "dB", columns=("all",), skipped=f"no numbers are printed, best at 1/4 and B=4; {_WHY}"), None),
        (Row("PCA", "dB"), lambda conditions: [nmse(one, conditions) for one in settings]),
        (Row("ACRNet-1x, short", "dB", columns=("1/16 B=16",)), _bits("ACRNet-1x", (16,), 16)[1]),
    )


TABLES = {
    "table1": _table1(),
    "table2": _table2(),
    "table3": _table3(),
    "table4": _table4(),
    "table5": _table5(),
    "fig9": by_row(
        "Fig. 9: validation loss during the training",
        _TENTHS,
        *_curves("CsiNet", "CRNet", "ACRNet-1x"),
        note="Shares of each short training; ACRNet-1x begins as the linear code. The figure prints no numbers.",
    ),
    "fig10": by_row(
        "Fig. 10: training and validation loss",
        ("training images", "others"),
        *((Row(f"{name}, short", "dB"), _overfitting(name)) for name in ("CRNet", "ACRNet-1x")),
        (Row("ACRNet-10x", "dB", columns=("all",), skipped="23 times CsiNet's CPU time; no numbers are printed"), None),
    ),
    "fig11": by_row(
        "Fig. 11: learned slopes",
        ("least", "mean", "largest"),
        (Row("ACRNet-1x, short", "slope"), _slopes),
        (Row("ACRNet-10x and larger", "slope", columns=("all",), skipped=f"no numbers are printed; {_WHY}"), None),
        note="Of the activations inside the decoder's blocks, which begin at 0.3.",
    ),
    "fig12": _fig12(),
    "fig13": by_row(
        "Fig. 13: validation loss of CsiNet, CRNet and ACRNet",
        _TENTHS,
        *_curves("CsiNet", "CRNet", "ACRNet-1x"),
        (Row("ACRNet-10x and larger", "dB", columns=("all",), skipped=f"no numbers are printed; {_WHY}"), None),
    ),
    "fig14": _fig14(),
    "fig15": _fig15(),
}
