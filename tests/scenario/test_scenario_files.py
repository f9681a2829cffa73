"""A file that a scenario names is found from every working directory."""

import shutil

import numpy as np
import pytest

from csisim.channel.cost2100.parameters import SETS
from csisim.cli.repro import matches
from csisim.errors import ScenarioError
from csisim.runner.plan import cells
from csisim.runner.sweep import scenario_text
from csisim.scenario.load import load_scenario

TRACED = """\
name: traced
drops: 2
system: {num_tx: 8, num_rf: 4, num_rx: 1, num_rx_rf: 1, num_users: 2, num_streams: 1, snr_db: 10}
channel: {kind: trace, file: ../traces/one.npz}
clock: {frames: 1, slots_per_frame: 2}
schemes:
  - {name: a, timescale: offline, estimator: ls, analog: covariance, digital: rzf}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """``scenarios/traced.yaml`` and two traces beside it in ``traces``, seen from an empty folder."""
    for name in ("scenarios", "traces", "elsewhere"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        np.savez(tmp_path / "traces" / f"{name}.npz", delay_angle=rng.standard_normal((3, 4, 8)) + 0j)
    (tmp_path / "scenarios" / "traced.yaml").write_text(TRACED)
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def keys(loaded):
    return [(entry.cell, entry.record) for _, entries in cells(loaded) for entry in entries]


def test_a_path_is_relative_to_the_scenario_that_names_it(folder, monkeypatch):
    from_elsewhere = load_scenario("../scenarios/traced.yaml")
    assert from_elsewhere.scenario.channel.file == str(folder / "traces" / "one.npz")
    monkeypatch.chdir(folder / "scenarios")
    assert keys(load_scenario("traced.yaml")) == keys(from_elsewhere)


def test_a_file_is_inherited_from_where_it_was_written(folder):
    below = folder / "scenarios" / "below"
    below.mkdir()
    (below / "child.yaml").write_text("extends: ../traced.yaml\nname: child\nchannel: {normalisation: kang}\n")
    assert load_scenario(below / "child.yaml").scenario.channel.file == str(folder / "traces" / "one.npz")


def test_swept_files(folder):
    swept = TRACED + "sweep: {grid: {channel.file: [../traces/one.npz, ../traces/two.npz]}}\n"
    (folder / "scenarios" / "traced.yaml").write_text(swept)
    files = [str(folder / "traces" / name) for name in ("one.npz", "two.npz")]
    loaded = load_scenario(folder / "scenarios" / "traced.yaml")
    assert [cell.scenario.channel.file for cell in loaded.cells] == files
    assert loaded.scenario.sweep.grid == {"channel.file": files}


def test_options_are_relative_to_the_working_directory(folder):
    np.savez("three.npz", delay_angle=np.ones((3, 4, 8)) + 0j)
    file = folder / "scenarios" / "traced.yaml"
    assert load_scenario(file, sets=["channel.file=three.npz"]).scenario.channel.file == str(folder / "elsewhere" / "three.npz")
    (cell,) = load_scenario(file, sweeps=["channel.file=three.npz"]).cells
    assert cell.scenario.channel.file == str(folder / "elsewhere" / "three.npz")


def test_packaged_names_are_left_alone(folder):
    file = folder / "scenarios" / "traced.yaml"
    file.write_text(TRACED.replace("../traces/one.npz", "cost2100_indoor").replace("num_tx: 8", "num_tx: 32"))
    assert load_scenario(file).scenario.channel.file == "cost2100_indoor"


def test_what_a_run_leaves_behind_is_repeated_from_anywhere(folder, monkeypatch):
    first = load_scenario("../scenarios/traced.yaml")
    results = folder / "results" / "traced"
    results.mkdir(parents=True)
    (results / "scenario.yaml").write_text(scenario_text(first))
    monkeypatch.chdir(folder)
    ((_, (entry,)),) = matches(results, "")
    assert [(entry.cell, entry.record)] == keys(first)


@pytest.mark.parametrize("file", ["absent.npz", "../traces/absent.npz", "../traces/one.txt"])
def test_errors_name_what_was_written(folder, file):
    (folder / "scenarios" / "traced.yaml").write_text(TRACED.replace("../traces/one.npz", file))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(folder / "scenarios" / "traced.yaml")
    assert f"traced.yaml:{TRACED[: TRACED.index('file:')].count(chr(10)) + 1}:" in str(caught.value)
    assert f": channel.file: {file}: " in str(caught.value)


def test_a_trace_that_an_option_names_is_placed_there(folder):
    with pytest.raises(ScenarioError) as caught:
        load_scenario(folder / "scenarios" / "traced.yaml", sets=["channel.file=absent.npz"])
    assert str(caught.value) == "--set channel.file: absent.npz: no such trace file"


def test_a_parameter_set_is_relative_to_the_scenario_too(folder):
    shutil.copy(SETS / "indoor_hall_5ghz.yaml", folder / "traces" / "mine.yaml")
    file = folder / "scenarios" / "traced.yaml"
    file.write_text(TRACED.replace("kind: trace, file: ../traces/one.npz", "kind: cost2100, parameters: ../traces/mine.yaml"))
    assert load_scenario(file).scenario.channel.parameters == str(folder / "traces" / "mine.yaml")
    file.write_text(TRACED.replace("kind: trace, file: ../traces/one.npz", "kind: cost2100, parameters: absent.yaml"))
    with pytest.raises(ScenarioError, match=r"traced\.yaml:4:.*channel\.parameters: absent\.yaml: no such"):
        load_scenario(file)
