"""Every codec, quantiser and codebook in every timescale on every kind of channel, over a link that delays, loses and damages."""

import numpy as np
import pytest

from csisim.engine.cell import run_cell
from csisim.feedback.exchange import Exchange
from csisim.registry import TABLE, component

SMALL = {"num_tx": 32, "num_rf": 32, "num_rx": 1, "num_rx_rf": 1, "num_users": 1, "num_streams": 1}
CHANNELS = {
    "mmwave": ({"kind": "mmwave_clusters", "fading": {"kind": "ar1", "correlation": 0.9}}, SMALL | {"num_rx": 16, "num_rx_rf": 16}),
    "cost2100": ({"kind": "cost2100", "num_subcarriers": 16, "fading": None}, SMALL),
    "trace": ({"kind": "trace", "num_subcarriers": 16, "fading": None}, SMALL),
}
QUANTISERS = ["float32", "mu_law", "lloyd_max", "allocated", {"kind": "vector", "bits": 4}]
WHERE = {"single": "svd_phases", "offline": "ports", "online": {"kind": "ssca", "batch": 2, "inner_iterations": 1, "steps": 1}}


#: networks are all one to the link: each meets every timescale and every channel once, these meet all pairs
EVERYWHERE = ("ideal", "lloyd_max", "pca_mu_law", "topk", "type1", "type2", "etype2", "differential", "adaptive", "paths", "acrnet_uniform")
FULL = {("mmwave", "single"), ("cost2100", "offline"), ("trace", "online")}


def codecs(channel):
    """A scheme's codec by name: every kind once, principal components with every quantiser."""
    pytest.importorskip("torch")
    found = {f"pca_{q if isinstance(q, str) else q['kind']}": {"kind": "pca", "reduction": 16, "quantiser": q} for q in QUANTISERS}
    inner = {"kind": "lloyd_max", "bits": 2}
    found["differential"] = {"kind": "differential", "inner": inner}
    found["adaptive"] = {"kind": "adaptive", "ladder": [inner, {"kind": "topk", "reduction": 4}]}
    found["acrnet_uniform"] = {"kind": "acrnet", "weights": "untrained", "quantiser": "uniform"}
    if channel == "mmwave":  # 16 x 32 chains are an image; of one subcarrier there is only one tap
        found["acrnet_uniform"]["domain"] = "beams"
    for kind in set(TABLE["codec"]) - {"pca", *found}:
        config: dict = {"kind": kind}
        fields = component("codec", kind).Config.model_fields
        if "weights" in fields:
            config |= {"weights": "untrained"}
        if "domain" in fields and channel == "mmwave":
            config |= {"domain": "beams"}
        found[kind] = config
    return found


@pytest.mark.parametrize("timescale", WHERE)
@pytest.mark.parametrize("channel", CHANNELS)
def test_it_runs_and_books_its_bits(cell, scheme, monkeypatch, channel, timescale):
    kind, system = CHANNELS[channel]
    rng = np.random.default_rng(0)
    original = Exchange.receive

    def damaged(self, sent, arrived):
        """In every other report a bit in two hundred is wrong."""
        if sent.report.num_bits and sent.slot % 2 == 1:
            flips = np.packbits(rng.random((*sent.report.payload.shape[:2], 8 * sent.report.payload.shape[2])) < 0.005, axis=-1)
            sent.report.payload[...] = sent.report.payload ^ flips
        return original(self, sent, arrived)

    monkeypatch.setattr(Exchange, "receive", damaged)
    chosen = {n: codec for n, codec in codecs(channel).items() if (channel, timescale) in FULL or n in EVERYWHERE}
    schemes = [scheme(n, timescale, codec=codec, analog=WHERE[timescale], combiner_csi="true_channel") for n, codec in chosen.items()]
    scenario = cell(*schemes, channel=kind, system=system, duplex="fdd", clock={"frames": 2, "slots_per_frame": 2}, drops=2,
                    feedback={"delay_slots": 1, "loss": 0.2})  # fmt: skip
    seen: dict[str, dict[str, np.ndarray]] = {}
    run_cell(scenario, [s.name for s in schemes], 0, lambda name, _, columns: seen.update({name: columns}))
    for name, columns in seen.items():
        assert np.isfinite(columns["sum_rate_bps_hz"]).all(), name
        assert (columns["feedback_bits"] > 0).all() == (name != "ideal"), name
        assert (columns["sum_rate_bps_hz"] > 0).any(), name
    assert len(seen) >= (30 if (channel, timescale) in FULL else len(EVERYWHERE))
