"""The shipped weights are read, fit in the package, say what they scored, and are what the main job asks for."""

from pathlib import Path

import pytest

from csisim import weights
from csisim.scenario.load import load_scenario
from csisim.training.recipe import read_recipe
from csisim.training.supply import missing, supplied

SHIPPED = sorted(weights.SHIPPED.glob("*.safetensors"))
MAIN = Path(__file__).parents[1] / "scenarios" / "online_mixed_timescale.yaml"


def test_they_are_small():
    assert 0 < sum(path.stat().st_size for path in SHIPPED) <= 3.5e6


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_is_whole_and_no_worse_than_untrained(path):
    header, parameters = weights.read(path)
    assert parameters
    assert header.score["trained"] >= header.score["untrained"]


def test_the_main_job_needs_no_training(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
    for cell in load_scenario(MAIN, ["schemes.offline_rls_ssca.digital={kind: hbdun}"]).cells:
        if cell.scenario.system.num_users <= 4 or cell.scenario.system.num_rf == 16:
            assert not missing(cell.scenario)
            assert supplied(cell.scenario).schemes[0].digital.weights in map(str, SHIPPED)


def test_the_scenario_of_unfolded_networks_needs_no_training(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
    for cell in load_scenario(MAIN.with_name("unfolded.yaml")).cells:
        assert not missing(cell.scenario)


@pytest.mark.parametrize("num_rf", [8, 16])
@pytest.mark.parametrize("users", [1, 3, 6])
def test_joint_networks_serve_any_number_of_users(num_rf, users):
    """Two standard errors of the ratio are 1 %; networks trained for six alone had 84 % with one user and 16 chains."""
    recipe = read_recipe("kang2022_joint", [f"link.system.num_rf={num_rf}", f"link.system.num_users={users}", "start=shipped"])
    known = recipe.learned_before()
    task = recipe.task(2, known)
    assert task.score(task.initial()) > 0.98 * task.reference(known)
