"""Worker processes that die or hang: exactly their own unit pays."""

import json
import subprocess
import sys

from fake_engine import hanging_run_cell, poisoned_run_cell, unlucky_run_cell

from csisim.records.load import load
from csisim.runner.sweep import run_sweep


def test_a_poisoned_scheme_fails_alone(scenario, tmp_path, marks, leftovers):
    root = tmp_path / "r"
    result = run_sweep(scenario(), root, 2, run_cell=poisoned_run_cell)
    assert (result.computed, result.failed) == (7, 1)
    (failure,) = result.failures
    assert failure.status == "crashed"
    assert "killed by SIGKILL" in failure.error
    assert load(root).query("status == 'crashed'")[["scheme", "snr_db"]].to_numpy().tolist() == [["b", 10.0]]
    calls = sorted(mark.name.split("-")[1:3] for mark in marks.iterdir())
    # at 10 dB: both together, then each alone, then b once more; nobody else runs twice
    assert calls == sorted([["0", "a+b"], ["5", "a+b"], ["15", "a+b"], ["10", "a+b"], ["10", "a"], ["10", "b"], ["10", "b"]])
    (file,) = (root / "failed").iterdir()
    assert json.loads(file.read_text())["schemes"]["b"]["status"] == "crashed"
    assert leftovers(root) == []


def test_a_worker_that_dies_once_costs_nothing_but_time(scenario, tmp_path, marks):
    result = run_sweep(scenario(), tmp_path / "r", 2, run_cell=unlucky_run_cell)
    assert (result.computed, result.failed) == (8, 0)


def test_a_cell_that_takes_too_long_is_given_up(scenario, tmp_path, leftovers):
    alone = "  - {name: b, timescale: online, estimator: rls, analog: covariance, digital: sca}\n"
    swept = scenario(("[0, 5, 10, 15]", "[5, 10]"), (alone, ""))
    result = run_sweep(swept, tmp_path / "r", 1, timeout=1.5, run_cell=hanging_run_cell)
    assert (result.computed, result.failed) == (1, 1)
    assert result.failures[0].status == "timeout"
    assert leftovers(tmp_path / "r") == []


IMPORTS = """
import sys
from csisim.runner.pool import import_components
from csisim.runner.work import run_unit
from csisim.runner.plan import make_plan
from csisim.engine.cell import run_cell
from csisim.records.store import Store
from csisim.scenario.load import load_scenario
unit = make_plan(load_scenario(sys.argv[1]), {}).units[0]
import_components(unit.scenario)
before = set(sys.modules)
with Store(sys.argv[2]).writing():
    run_unit(unit, sys.argv[2], run_cell)
print("heavy:", *sorted({"numba", "pandas", "scipy", "simpy", "pyarrow"} & (set(sys.modules) - before)))
"""


def test_imports_do_not_count_against_the_timeout(scenario_file, tmp_path):
    text = scenario_file().read_text().replace("drops: 20", "drops: 1").replace("[0, 5, 10, 15]", "[0]")
    arguments = [sys.executable, "-c", IMPORTS, str(scenario_file(text)), str(tmp_path / "r")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy:"
