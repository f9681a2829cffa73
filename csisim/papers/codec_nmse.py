"""NMSE of codecs on fresh indoor or outdoor drops, in dB of the mean ratio, for the tables of codec papers.

Images of 32 taps and 32 angles; what a codec leaves out of them counts as error. Codes pass the quantiser's indices, so that what is
measured is what the bits say. Nothing was fitted to these drops.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from csisim.channel.cost2100.presets import preset
from csisim.feedback.metrics import nmse_ratios
from csisim.feedback.sources import channels, trace_images
from csisim.papers.base import Conditions, Measured, Row
from csisim.papers.by_row import Measurable, Measure
from csisim.papers.codec_nets import recipe_of, trained
from csisim.papers.statistics import mean, share
from csisim.registry import build, configure
from csisim.training.loop import TRAINING

SIZE = 32
#: presets of the two places; the public outdoor data has another grid
PRESET = {"indoor": "indoor_public", "outdoor": "outdoor_paper"}
_COUNT = {"quick": 400, "full": 4000}


@dataclass(frozen=True)
class Rate:
    """A column: reduction of the 32 x 32 image, and bits per number of the code (None: not quantised)."""

    reduction: int
    bits: int | None = None

    @property
    def label(self) -> str:
        """As the column is called."""
        return f"1/{self.reduction}" + ("" if self.bits is None else f" B={self.bits}")


@lru_cache(maxsize=4)
def test_images(place: str, count: int) -> np.ndarray:
    """Images (n, 2, 32, 32) of unit power of drops with the preset's own seed, as data sets have them."""
    rows, centred = channels(PRESET[place], count, preset(PRESET[place]).seed)
    return trace_images(rows, SIZE, centred=centred)


def training_images(name: str, conditions: Conditions) -> np.ndarray:
    """Some of the images that a short training has seen, as its task draws them."""
    recipe = recipe_of(name, conditions.effort)
    rows, centred = channels(recipe.link["images"], _COUNT[conditions.effort], TRAINING + recipe.seed)  # the first of them
    return trace_images(rows, SIZE, centred=centred)


def nmse(settings: dict[str, Any], conditions: Conditions, place: str = "indoor", count: int | None = None) -> Measured:
    """NMSE of a configured codec."""
    return in_db(on_drops(settings, place, count or _COUNT[conditions.effort]))


def on_drops(settings: dict[str, Any], place: str, count: int) -> np.ndarray:
    """Error over energy of every test image, (n,); tables ask for the same ones again and again."""
    return _on_drops(json.dumps(settings, sort_keys=True), place, count)


@lru_cache(maxsize=1024)
def _on_drops(settings: str, place: str, count: int) -> np.ndarray:
    return ratios(json.loads(settings), test_images(place, count))


def in_db(values: np.ndarray) -> Measured:
    """dB of the mean of ratios (n,)."""
    found = mean(values)
    assert found.value is not None
    half = None if found.ci95 is None else 10 / np.log(10) * found.ci95 / found.value
    return Measured(float(10 * np.log10(found.value)), half)


def ratios(settings: dict[str, Any], images: np.ndarray) -> np.ndarray:
    """Error over energy of every 32 x 32 image after encoder, quantiser and decoder, (n,)."""
    config: Any = configure("codec", settings)
    delays = config.delays or SIZE
    model = build("codec", config).model(SIZE, delays)
    kept = images[..., :delays]
    power = np.sqrt((kept**2).sum(axis=(1, 2, 3), keepdims=True) / (SIZE * delays))
    decoded = np.zeros_like(images)
    for start in range(0, len(images), 200):  # learned optimisers hold a state for every coordinate
        part = slice(start, start + 200)
        codes = model.encode((kept[part] / power[part]).astype(np.float32))
        codes = model.quantiser.value(model.quantiser.index(codes))
        decoded[part, ..., :delays] = model.decode(codes) * power[part]
    return nmse_ratios(decoded, images)


def quantiser(bits: int | None, *, per_element: bool = False) -> dict[str, Any]:
    """Lloyd-Max tables after training, as Ma 2024 has them."""
    return {"kind": "float32"} if bits is None else {"kind": "lloyd_max", "bits": bits, "per_element": per_element}


def closed_form(kind: str, rates: Sequence[Rate], place: str = "indoor", **settings: Any) -> Measure:
    """A codec without training at every rate: principal components of 6000 other drops, or compressed sensing."""
    fitted = {"file": PRESET[place]} if kind == "pca" else {}

    def compute(conditions: Conditions) -> list[Measured]:
        one = {"kind": kind, **fitted, **settings}
        return [nmse(one | {"reduction": r.reduction, "quantiser": quantiser(r.bits)}, conditions, place) for r in rates]

    return compute


def short(name: str, rates: Sequence[Rate], *, count: int | None = None) -> Measure:
    """A short training at rates that its weights serve."""

    def compute(conditions: Conditions) -> list[Measured]:
        found = trained(name, conditions)
        return [nmse(served(found, r), conditions, count=count) for r in rates]

    return compute


def beside_pca(name: str, rates: Sequence[Rate], *, count: int | None = None, note: str = "") -> list[Measurable]:
    """A short training, and how many dB less error it has than principal components of the same length on the same drops."""

    def gains(conditions: Conditions) -> list[Measured]:
        found, drops = trained(name, conditions), count or _COUNT[conditions.effort]
        linear = {"kind": "pca", "file": PRESET["indoor"]}
        measured = []
        for r in rates:
            mine = on_drops(served(found, r), "indoor", drops)
            other = on_drops(linear | {"reduction": r.reduction, "quantiser": quantiser(r.bits)}, "indoor", drops)
            ratio = share(mine, other)  # in percent, paired
            assert ratio.value is not None
            half = None if ratio.ci95 is None else 10 / np.log(10) * ratio.ci95 / ratio.value
            measured.append(Measured(float(-10 * np.log10(ratio.value / 100)), half))
        return measured

    columns = tuple(rate.label for rate in rates)
    return [
        (Row(f"{name}, short", "dB", columns=columns, note=note), short(name, rates, count=count)),
        (Row(f"{name}, gain", "dB over PCA", columns=columns), gains),
    ]


def served(found: dict[str, Any], rate: Rate) -> dict[str, Any]:
    """Settings of a trained codec for a rate; several are served by nested codes only."""
    reduction = rate.reduction * found.get("delays", SIZE) // SIZE
    return found | {"reduction": reduction, "quantiser": quantiser(rate.bits)}


def along(name: str, changes: Sequence[dict[str, Any]], *, count: int | None = None) -> Measure:
    """A short training at 1/16 with settings of its run time changed from column to column."""

    def compute(conditions: Conditions) -> list[Measured]:
        found = served(trained(name, conditions), Rate(16))
        return [nmse(found | change, conditions, count=count) for change in changes]

    return compute


def network(settings: dict[str, Any]) -> Any:
    """The torch network inside a codec."""
    config: Any = configure("codec", settings)
    return build("codec", config).model(SIZE, config.delays or SIZE).network


def residuals(name: str, changes: Sequence[dict[str, Any]], of: Callable[[Any], Any], *, count: int = 50) -> Measure:
    """Mean fixed-point residuals in dB of a short training at 1/16, ``of`` a network that has just decoded."""

    def compute(conditions: Conditions) -> list[Measured]:
        found = served(trained(name, conditions), Rate(16))
        measured = []
        for change in changes:
            ratios(found | change, test_images("indoor", count))
            moved = float(np.mean(of(network(found | change))))
            measured.append(Measured(20 * float(np.log10(moved))) if moved else Measured(None, None, "nothing moves"))
        return measured

    return compute


def gap(first: Measure, second: Measure) -> Measure:
    """How many dB the second is worse than the first."""

    def compute(conditions: Conditions) -> list[Measured]:
        pairs = zip(first(conditions), second(conditions), strict=True)
        return [Measured(None) if a.value is None or b.value is None else Measured(b.value - a.value) for a, b in pairs]

    return compute
