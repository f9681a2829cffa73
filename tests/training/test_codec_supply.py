"""Weights that a codec finds by itself are named in its settings before keys are made of them."""

import numpy as np
import pytest
import yaml

from csisim.records.identity import record_key
from csisim.registry import configure
from csisim.scenario.load import load_scenario
from csisim.training.supply import missing, supplied

torch = pytest.importorskip("torch")

FULL = {
    "name": "full",
    "duplex": "fdd",
    "drops": 1,
    "system": {"num_tx": 32, "num_rf": 32, "num_rx": 1, "num_rx_rf": 1, "num_users": 2, "num_streams": 1},
    "channel": {"kind": "trace", "num_subcarriers": 16},
    "clock": {"frames": 2, "slots_per_frame": 2},
}
EQUIVALENT = {
    "system": {"num_tx": 16, "num_rf": 8, "num_rx": 4, "num_rx_rf": 4, "num_users": 2, "num_streams": 2},
    "channel": "mmwave_clusters",
}
WHERE = {"timescale": "single", "analog": "none", "digital": "rzf", "estimator": "perfect"}


def scenario(tmp_path, codec, where=None, **changed):
    schemes = [{"name": "one", "codec": codec, **(where or WHERE)}]
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(FULL | changed | {"schemes": schemes}))
    return load_scenario(tmp_path / "scenario.yaml", rules=False).cells[0].scenario  # which ask for the weights


def write(path, angles, delays, seed=0, **fields):
    from csisim.feedback.nets.base import save

    torch.manual_seed(seed)
    config = configure("codec", fields)
    images = np.random.default_rng(0).uniform(0.4, 0.6, (16, 2, angles, delays)).astype(np.float32)
    save(str(path), config, config.network(angles, delays), images)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def test_a_new_training_is_another_record(tmp_path, cache):
    asked = scenario(tmp_path, {"kind": "crnet", "reduction": 32, "delays": 8})
    assert supplied(asked).schemes[0].codec.weights is None
    keys = set()
    for seed in range(2):
        write(cache / "net.safetensors", 32, 8, seed, kind="crnet", reduction=32)
        found = supplied(asked).schemes[0]
        assert found.codec.weights == str(cache / "net.safetensors")
        keys.add(record_key("physics", found, 0))
    assert len(keys) == 2
    assert not missing(asked)


def test_images_of_beams_have_the_size_of_the_chains(tmp_path, cache):
    write(cache / "net.safetensors", 8, 4, kind="crnet", reduction=4, domain="beams")
    where = {"timescale": "offline", "analog": "random", "digital": "rzf", "estimator": "perfect"}
    asked = scenario(tmp_path, {"kind": "crnet", "reduction": 4, "domain": "beams"}, where, **EQUIVALENT)
    assert supplied(asked).schemes[0].codec.weights == str(cache / "net.safetensors")


@pytest.mark.parametrize("codec", ["ideal", {"kind": "pca", "reduction": 16}, {"kind": "crnet", "weights": "untrained"}])
def test_others_are_left_alone(tmp_path, codec):
    asked = scenario(tmp_path, codec)
    assert supplied(asked) is asked
