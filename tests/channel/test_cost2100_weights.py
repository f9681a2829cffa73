"""The published CsiNet networks on our drops: the external check of the indoor_public preset."""

import os
import runpy
from pathlib import Path

import pytest

from csisim.channel.cost2100.presets import generate

FOLDER = Path(os.environ.get("CSISIM_REFERENCE", ""))

pytestmark = pytest.mark.skipif(
    "CSISIM_REFERENCE" not in os.environ, reason="CSISIM_REFERENCE does not name the folder with the published weights"
)


@pytest.fixture(scope="module")
def benchmark():
    pytest.importorskip("h5py")
    return runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "csinet_weights.py"))


@pytest.fixture(scope="module")
def indoor(benchmark):
    config = benchmark["public_like"]("indoor")
    return generate(config, 4000).delay_angle, config.convention.centred


def test_weights_are_there(benchmark):
    assert {128, 32} <= set(benchmark["weights"](FOLDER, "indoor"))


@pytest.mark.parametrize("length", [128, 64, 32])
def test_published_nmse_on_our_drops(benchmark, indoor, length):
    files = benchmark["weights"](FOLDER, "indoor")
    if length not in files:
        pytest.skip(f"no published weights of codeword length {length} in the folder")
    score = benchmark["score"](*indoor, files[length])
    assert abs(score.nmse_db - benchmark["PUBLISHED"]["indoor"][length]) < 0.25
    assert score.misfit < 0.05  # the energy per delay of the training data ...
    assert score.scale == pytest.approx(1, abs=0.03)  # ... and their normalisation
