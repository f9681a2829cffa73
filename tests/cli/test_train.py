"""``csisim train`` on recipes and scenarios, and ``csisim run`` with components that need weights."""

import numpy as np
import pytest
from click.testing import CliRunner

from csisim.cli import main, train
from csisim.weights import Header, read_header, write

RECIPE = """
link:
  system: {num_tx: 16, num_rf: 4, num_rx: 8, num_rx_rf: 2, num_users: 2, num_streams: 2}
  channel: {kind: mmwave_clusters, statistics: iid_angles}
stages:
  - {task: hybrid, schedule: {steps: 4, validate_every: 2}, settings: {batch: 4, validation: 8}}
"""
SCENARIO = """
name: learned
drops: 2
system: {num_tx: 16, num_rf: 4, num_rx: 8, num_rx_rf: 2, num_users: 2, num_streams: 2}
channel: {kind: mmwave_clusters, statistics: iid_angles}
clock: {slots_per_frame: 2, frames: 2}
schemes:
  - name: joint
    timescale: offline
    num_samples: 0
    estimator: {kind: cedun, training: joint, budget_s: 0.5}
    analog: {kind: learned_phases, budget_s: 0.5}
    digital: {kind: hbdun, training: joint, budget_s: 0.5}
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def csisim(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_recipe_leaves_weights_and_tells_their_scores(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPE)
    done = csisim("train", file, "-o", tmp_path / "out", "--budget", "1m", "--seed", "3", "--set", "link.system.num_users=1")
    assert done.exit_code == 0, done.output
    assert "hybrid  step 4/4" in done.stderr
    written = sorted((tmp_path / "out").glob("*.safetensors"))
    assert len(written) == 2
    assert all(str(path) in done.stdout for path in written)
    assert {(read_header(path).seed, read_header(path).dims["num_users"]) for path in written} == {(3, 1)}


def test_a_training_without_a_step_is_warned_of(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPE)
    done = csisim("train", file, "-o", tmp_path / "out", "--budget", "0.001s", "-q")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("not trained at all") == len(list((tmp_path / "out").iterdir()))
    assert "warning" not in done.stdout
    whole = csisim("train", file, "-o", tmp_path / "whole")
    assert "not trained at all" not in whole.stderr


@pytest.mark.parametrize(
    ("trained", "reference", "warned"),
    [(-0.1, "as many principal components", True), (12.0, "as many principal components", False), (-0.1, "70 SCA iterations", False)],
)
def test_a_codec_worse_than_principal_components_is_warned_of(tmp_path, trained, reference, warned):
    score = {"untrained": -1.0, "trained": trained, "unit": "dB", "reference": 11.7, "reference_is": reference}
    path = tmp_path / "net.safetensors"
    write(path, {"w": np.zeros(1, np.float32)}, Header("codec/csinet", {}, {}, {}, 0.0, {"steps": 20}, 7, score))
    assert (train.warned(path) or "").startswith("worse than as many principal components (-0.100, 11.700 dB)") is warned


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no such recipe"),
        (["kang2022_joint", "--budget", "soon"], "no time such as"),
        (["kang2022_joint", "--device", "abacus"], "abacus"),
        (["kang2022_joint", "--set", "seed.a=1"], "holds no fields"),
        (["kang2022_joint", "--set", "stages.7.task=hybrid"], "7 is not one of 0 to 2"),
        (["kang2022_joint", "--set", "stages.0=hybrid"], "whole element"),
        (["kang2022_joint", "--set", "link.digitel.layers=2"], "link.digitel"),
    ],
)
def test_mistakes_are_told(arguments, said):
    done = csisim("train", *arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_a_run_trains_what_is_missing_says_so_and_finds_it_again(tmp_path, cache):
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO)
    first = csisim("run", file, "-o", tmp_path / "results", "-j", "1")
    assert first.exit_code == 0, first.output
    assert "no weights for estimator/cedun, analog/learned_phases, digital/hbdun of joint (training for at most 0 s)" in first.stderr
    again = csisim("run", file, "-o", tmp_path / "results", "-j", "1")
    assert "nothing to compute" in again.stderr
    assert "all weights are there" in csisim("train", file).stderr
    # other weights are another record: the key follows from the content of the files
    for path in cache.glob("*.safetensors"):
        path.unlink()
    assert "1 records computed" in csisim("run", file, "-o", tmp_path / "results", "-j", "1").stderr
    assert csisim("repro", "-o", tmp_path / "results", "").stdout.count("as on record") == 1


def test_another_seed_is_another_training_of_a_scenario(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO)
    first, second = (train.wanted(str(file), (), seed) for seed in (None, 3))
    assert [one.seed for one in second] == [3]
    assert first[0].digest != second[0].digest


def test_weights_for_other_sizes_are_refused_before_anything_runs(tmp_path, cache):
    recipe, scenario = tmp_path / "recipe.yaml", tmp_path / "scenario.yaml"
    recipe.write_text(RECIPE)
    csisim("train", recipe, "-o", tmp_path)
    digital = next(tmp_path.glob("digital*"))
    scheme = f"analog: random\n    digital: {{kind: hbdun, weights: {digital.name}}}"
    scenario.write_text(SCENARIO.split("    estimator")[0] + f"    estimator: ls\n    {scheme}\n")
    assert csisim("validate", scenario).exit_code == 0
    wrong = csisim("run", scenario, "--set", "system.num_rf=8")
    assert wrong.exit_code == 2
    assert "num_rf 4, wanted is 8" in wrong.output
