"""Codecs of images in FDD scenarios: on the full channel and on the equivalent one, bits booked as reported."""

import numpy as np
import pytest
import yaml

from csisim.engine.cell import run_cell
from csisim.errors import CsisimError
from csisim.registry import build, configure
from csisim.scenario.load import load_scenario

FULL = """
name: full_csi_feedback
duplex: fdd
drops: 2
system: {num_tx: 32, num_rf: 32, num_rx: 1, num_rx_rf: 1, num_users: 2, num_streams: 1, snr_db: 20}
channel: {kind: trace, num_subcarriers: 32}
clock: {frames: 2, slots_per_frame: 2}
schemes: []
"""
EQUIVALENT = """
name: equivalent_csi_feedback
duplex: fdd
drops: 2
system: {num_tx: 16, num_rf: 8, num_rx: 4, num_rx_rf: 4, num_users: 2, num_streams: 2, snr_db: 10}
channel: {kind: mmwave_clusters}
clock: {frames: 2, slots_per_frame: 2}
schemes: []
"""


def run(tmp_path, text, **codecs):
    """Columns of one scheme per codec."""
    document = yaml.safe_load(text)
    full = document["name"].startswith("full")
    where = {"timescale": "single", "analog": "none"} if full else {"timescale": "offline", "analog": "random"}
    document["schemes"] = [
        {"name": name, "digital": "rzf", "estimator": "perfect", "codec": codec, **where} for name, codec in codecs.items()
    ]
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(document))
    scenario = load_scenario(tmp_path / "scenario.yaml").cells[0].scenario
    parts = {name: [] for name in codecs}
    run_cell(scenario, list(codecs), 0, lambda name, _, columns: parts[name].append(columns))
    return {name: {key: np.concatenate([p[key] for p in some]) for key in some[0]} for name, some in parts.items()}


def save_weights(path, angles, delays, **fields):
    """A network that is no better than chance: what matters here is the way of its bits."""
    torch = pytest.importorskip("torch")
    from csisim.feedback.nets.base import save

    torch.manual_seed(0)
    config = configure("codec", fields)
    images = np.random.default_rng(0).uniform(0.4, 0.6, (64, 2, angles, delays)).astype(np.float32)
    save(str(path), config, config.network(angles, delays), images)
    return str(path)


def test_full_channels_through_closed_form_codecs(tmp_path):
    columns = run(
        tmp_path,
        FULL,
        ideal="ideal",
        pca={"kind": "pca", "reduction": 16, "quantiser": {"kind": "lloyd_max", "bits": 6, "per_element": True}},
        coarse={"kind": "pca", "reduction": 64, "quantiser": {"kind": "lloyd_max", "bits": 6, "per_element": True}},
        topk={"kind": "topk", "reduction": 32, "bits": 4},
    )
    error = {name: c["nmse_csi"].mean() for name, c in columns.items()}
    assert error["ideal"] < 1e-10
    assert error["pca"] < 0.2
    assert error["pca"] < error["coarse"] < 1
    assert error["topk"] < 0.5
    assert np.all(columns["pca"]["feedback_bits"] == 16 + 128 * 6)
    assert (
        columns["ideal"]["sum_rate_bps_hz"].mean() > columns["pca"]["sum_rate_bps_hz"].mean() > columns["coarse"]["sum_rate_bps_hz"].mean()
    )


def test_full_channels_through_a_network(tmp_path):
    weights = save_weights(tmp_path / "net.safetensors", 32, 32, kind="acrnet", reduction=16)
    quantised = {"kind": "acrnet", "reduction": 16, "weights": weights, "quantiser": {"kind": "lloyd_max", "bits": 4}}
    columns = run(tmp_path, FULL, net=quantised, again=quantised)
    assert np.all(columns["net"]["feedback_bits"] == 16 + 128 * 4)
    assert np.isfinite(columns["net"]["nmse_csi"]).all()
    np.testing.assert_array_equal(columns["net"]["nmse_csi"], columns["again"]["nmse_csi"])


def test_equivalent_channels_as_images_of_chains(tmp_path):
    """Kang 2022, Fig. 7: a CRNet-style autoencoder between the beams, 4 x 8 chains here."""
    weights = save_weights(tmp_path / "net.safetensors", 8, 4, kind="crnet", reduction=4, domain="beams")
    columns = run(
        tmp_path,
        EQUIVALENT,
        net={"kind": "crnet", "domain": "beams", "reduction": 4, "weights": weights},
        topk={"kind": "topk", "domain": "beams", "reduction": 2, "bits": 6},
    )
    assert np.all(columns["net"]["feedback_bits"] == 16 + 16 * 32)
    assert columns["topk"]["nmse_csi"].mean() < 0.4
    assert np.isfinite(columns["net"]["sum_rate_bps_hz"]).all()


def test_missing_weights_stop_the_run_with_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
    with pytest.raises(CsisimError, match="crnet: no weights for 1/4 of 32 x 32 images"):
        run(tmp_path, FULL, net="crnet")


def test_the_command_that_missing_weights_suggest_makes_those_that_fit(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from csisim.training.recipe import read_recipe

    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
    for asked in (
        {"kind": "crnet", "reduction": 16, "quantiser": {"kind": "lloyd_max", "bits": 4}},
        {"kind": "csinet_res", "reduction": 16, "delays": 16},
        {"kind": "pm_csinetplus", "reduction": 16},
    ):
        config = configure("codec", asked)
        with pytest.raises(CsisimError) as told:
            build("codec", config).model(32, config.delays or 32)
        given = str(told.value).split("--set '")[1].split("'")[0]
        recipe = read_recipe(f"codec_{asked['kind']}", [given])
        recipe.check()
        made = recipe._config(recipe._kind(0), 0).codec
        assert (made.architecture, made.delays) == (config.architecture, config.delays)
        assert made.code_length(32, 32) == made.stored_length(32, 32)  # else it cannot be stored
