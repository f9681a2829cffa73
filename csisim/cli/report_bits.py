"""How long the reports of codecs are that compress no images: codebooks, quantised channels, paths, and codecs around others."""

from typing import Any

import numpy as np

from csisim.acquisition.base import Sounding
from csisim.feedback.nested import Place, with_leaves
from csisim.phy.arrays import Ula
from csisim.random import complex_normal
from csisim.registry import Component, build
from csisim.weights import UNTRAINED, Learned


def longest_report(config: Component, receive: int, transmit: int, subcarriers: int) -> dict[str, Any]:
    """Bits of a user's longest report, found by encoding one; the length does not depend on what weights hold.

    A codebook that names its panel and its subbands is asked about those, and for as many layers as it reports.

    Returns
    -------
    dict
        ``report_bits``, of which ``cqi_bits`` (codebooks), and the CSI's size.
    """
    fields = dict(config)
    if fields.get("n1"):
        transmit = 2 * fields["n1"] * fields["n2"]
    config = with_leaves(config, _untrained)
    subcarriers, receive = fields.get("subbands") or subcarriers, max(receive, fields.get("rank", 1))
    codec = build("codec", config)
    csi = complex_normal(np.random.default_rng(0), (1, 1, subcarriers, receive, transmit)).astype(np.complex64)
    start: list[Any] = [csi.shape, csi.dtype]
    if getattr(codec, "needs_sounding", False):  # every chain has an antenna of its own
        start.append(Sounding(np.eye(transmit)[None], np.eye(receive)[None, None], Ula(), Ula()))
    report, _ = codec.encode(csi, codec.init(*start))
    size = {"subcarriers": subcarriers, "receive": receive, "transmit": transmit}
    cqi = {"cqi_bits": 4 * fields["cqi"]} if "cqi" in fields else {}
    return {"codec": config.kind, **size, "report_bits": int(report.num_bits), **cqi}


def _untrained(_: Place, config: Component) -> Component:
    """A learned codec without weights; those of a recipe need not be there yet."""
    nameless = isinstance(config, Learned) and (config.weights is None or config.recipe is not None)
    return config.model_copy(update={"weights": UNTRAINED}) if nameless else config


def in_words(report: dict[str, Any]) -> str:
    """What :func:`longest_report` found, on one line."""
    cqi = f", {report['cqi_bits']} of them CQI" if report.get("cqi_bits") else ""
    subcarriers = f"{report['subcarriers']} subcarrier{'s' if report['subcarriers'] > 1 else ''}"
    size = f"{subcarriers}, {report['receive']} receive and {report['transmit']} transmit chains"
    return f"{report['codec']}: {report['report_bits']} bits in the longest report{cqi} ({size})"
