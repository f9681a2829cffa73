"""What a sweep computes, what it does not compute again, and what it says about what went wrong."""

import json
from contextlib import nullcontext

import pandas as pd
import pytest
from fake_engine import counted_run_cell, failing_run_cell, interrupting_run_cell, run_cell

from csisim.errors import CsisimError
from csisim.records.load import load
from csisim.records.store import Store
from csisim.runner.sweep import run_sweep
from csisim.scenario.load import load_scenario

THIRD = (
    "digital: sca}\nsweep",
    "digital: sca}\n  - {name: c, timescale: offline, estimator: ls, analog: covariance, digital: sca, num_samples: 2}\nsweep",
)


def test_one_job_and_two_give_the_same_results(scenario, tmp_path, content, leftovers):
    for jobs in (1, 2):
        result = run_sweep(scenario(), tmp_path / str(jobs), jobs, run_cell=run_cell)
        assert (result.computed, result.failed, result.left) == (8, 0, 0)
        assert leftovers(tmp_path / str(jobs)) == []
    assert content(tmp_path / "1") == content(tmp_path / "2")


def test_what_is_there_is_not_computed_again(scenario, tmp_path, marks):
    assert run_sweep(scenario(), tmp_path / "r", run_cell=counted_run_cell).computed == 8
    assert len(list(marks.iterdir())) == 4  # schemes run side by side, one call for each cell
    assert run_sweep(scenario(), tmp_path / "r", run_cell=counted_run_cell).computed == 0
    assert len(list(marks.iterdir())) == 4


def test_a_new_scheme_runs_alone(scenario, tmp_path, marks, content):
    run_sweep(scenario(), tmp_path / "r", run_cell=run_cell)
    result = run_sweep(scenario(THIRD), tmp_path / "r", run_cell=counted_run_cell)
    assert result.computed == 4
    assert sorted(mark.name.split("-")[2] for mark in marks.iterdir()) == ["c"] * 4
    run_sweep(scenario(THIRD), tmp_path / "whole", run_cell=run_cell)
    assert content(tmp_path / "r") == content(tmp_path / "whole")


def test_a_new_point_of_the_sweep_runs_alone(scenario, tmp_path):
    run_sweep(scenario(), tmp_path / "r", run_cell=run_cell)
    wider = scenario(("[0, 5, 10, 15]", "[0, 5, 10, 15, 20]"))
    assert run_sweep(wider, tmp_path / "r", run_cell=run_cell).computed == 2


def test_words_do_not_cost_a_computation(scenario, tmp_path):
    run_sweep(scenario(), tmp_path / "r", run_cell=run_cell)
    renamed = scenario(("four cells", "4 cells"), ("name: b,", "name: better,"))
    assert run_sweep(renamed, tmp_path / "r", run_cell=run_cell).computed == 0
    assert set(load(tmp_path / "r")["scheme"]) == {"a", "better"}
    assert set(load(tmp_path / "r", "slots")["scheme"]) == {"a", "better"}


def test_the_table_shows_the_present_scenario_and_going_back_is_free(scenario, tmp_path, content):
    run_sweep(scenario(), tmp_path / "r", run_cell=run_cell)
    before = content(tmp_path / "r")
    fewer = scenario(("drops: 20", "drops: 4"), ("[0, 5, 10, 15]", "[5]"))
    assert run_sweep(fewer, tmp_path / "r", run_cell=run_cell).computed == 2
    assert load(tmp_path / "r")["n"].tolist() == [4, 4]
    assert run_sweep(scenario(), tmp_path / "r", run_cell=run_cell).computed == 0
    assert content(tmp_path / "r")[0] == before[0]
    assert run_sweep(fewer, tmp_path / "r", run_cell=run_cell).computed == 0


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "missing"])
def test_a_damaged_slot_file_is_made_again(scenario, tmp_path, content, damage):
    root = tmp_path / "r"
    run_sweep(scenario(), root, run_cell=run_cell)
    whole = content(root)
    first, second = sorted((root / "slots").iterdir())[:2]
    if damage == "missing":
        first.unlink()
    else:
        first.write_bytes({"cut": first.read_bytes()[:-100], "empty": b"", "foreign": second.read_bytes()}[damage])
    with pytest.raises(CsisimError, match=first.name) if damage != "foreign" else nullcontext():
        load(root, "drops")
    assert run_sweep(scenario(), root, run_cell=run_cell).computed == 1
    assert content(root) == whole


@pytest.mark.parametrize("damage", ["cut", "empty", "missing"])
def test_a_damaged_table_is_made_again_from_the_records(scenario, tmp_path, content, damage):
    root = tmp_path / "r"
    run_sweep(scenario(), root, run_cell=run_cell)
    run_sweep(scenario(("[0, 5, 10, 15]", "[5]")), root, run_cell=run_cell)
    run_sweep(scenario(), root, run_cell=run_cell)
    whole, seconds, table = content(root), load(root)["seconds"].tolist(), root / "cells.parquet"
    table.write_bytes(table.read_bytes()[:-100] if damage == "cut" else b"")
    if damage == "missing":
        table.unlink()
    with pytest.raises(CsisimError, match="`csisim run` makes"):
        load(root)
    next((root / "slots").iterdir()).unlink()
    assert run_sweep(scenario(), root, run_cell=run_cell).computed == 1
    assert content(root) == whole
    assert load(root)["seconds"].tolist() == seconds


def test_somebody_elses_table_is_left_alone(scenario, tmp_path):
    pd.DataFrame({"mine": [1]}).to_parquet(tmp_path / "cells.parquet")
    with pytest.raises(CsisimError, match="not a table that csisim wrote"):
        run_sweep(scenario(), tmp_path, run_cell=run_cell)
    assert pd.read_parquet(tmp_path / "cells.parquet")["mine"].tolist() == [1]


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"kind: somebody else's\n", b"- 1\n", b""])
def test_fresh_recovers_a_folder_with_a_broken_scenario(scenario, tmp_path, text):
    root = tmp_path / "r"
    run_sweep(scenario(), root, run_cell=run_cell)
    (root / "scenario.yaml").write_bytes(text)
    with pytest.raises(CsisimError, match="--fresh deletes the records in"):
        run_sweep(scenario(), root, run_cell=run_cell)
    assert run_sweep(scenario(), root, fresh=True, run_cell=run_cell).computed == 8
    assert run_sweep(scenario(), root, run_cell=run_cell).computed == 0


def test_the_users_own_scenario_is_not_overwritten(scenario, scenario_file, tmp_path):
    mine = scenario_file(name="scenario.yaml")
    before = mine.read_text()
    with pytest.raises(CsisimError, match="not empty and not a results folder"):
        run_sweep(load_scenario(mine), tmp_path, fresh=True, run_cell=run_cell)
    assert mine.read_text() == before


def test_fresh_forgets_the_past(scenario, tmp_path):
    run_sweep(scenario(), tmp_path / "r", run_cell=run_cell)
    assert run_sweep(scenario(), tmp_path / "r", fresh=True, run_cell=run_cell).computed == 8
    run_sweep(scenario(("[0, 5, 10, 15]", "[5]")), tmp_path / "r", fresh=True, run_cell=run_cell)
    assert len(list((tmp_path / "r" / "slots").iterdir())) == 2


def test_a_finer_log_computes_again_and_a_coarser_one_does_not(scenario, tmp_path):
    frames = scenario(("drops: 20", "drops: 20\nlog: frame"))
    run_sweep(frames, tmp_path / "r", run_cell=run_cell)
    coarse = load(tmp_path / "r")
    assert len(load(tmp_path / "r", "slots")) == 8 * 20 * 6
    assert run_sweep(scenario(), tmp_path / "r", run_cell=run_cell).computed == 8
    assert len(load(tmp_path / "r", "slots")) == 8 * 20 * 24
    assert run_sweep(frames, tmp_path / "r", run_cell=run_cell).computed == 0
    pd.testing.assert_frame_equal(coarse.drop(columns="log"), load(tmp_path / "r").drop(columns="log"))


def test_a_scheme_that_the_sweep_does_not_touch_is_computed_once(scenario, tmp_path, content):
    swept = scenario(("system.snr_db: [0, 5, 10, 15]", "schemes.a.num_samples: [4, 8, 16]"))
    assert run_sweep(swept, tmp_path / "r", run_cell=run_cell).computed == 4
    cells = load(tmp_path / "r")
    assert cells.groupby("scheme")["record"].nunique().to_dict() == {"a": 3, "b": 1}
    assert cells["cell"].nunique() == 3
    assert cells.groupby("num_samples", sort=False).size().to_dict() == {4: 2, 8: 2, 16: 2}


def test_replicas_are_cells_of_their_own(scenario, tmp_path):
    run_sweep(scenario(), tmp_path / "r", run_cell=run_cell)
    two = scenario(("drops: 20", "drops: 20\nreplicas: 2"))
    assert run_sweep(two, tmp_path / "r", run_cell=run_cell).computed == 8
    means = load(tmp_path / "r").pivot(index=["snr_db", "scheme"], columns="replica", values="sum_rate_bps_hz_mean")
    assert (means[0] != means[1]).all()


def test_the_resolved_scenario_gives_the_same_keys(scenario, tmp_path):
    run_sweep(scenario(), tmp_path / "r", run_cell=run_cell)
    again = load_scenario(tmp_path / "r" / "scenario.yaml")
    assert run_sweep(again, tmp_path / "r", run_cell=run_cell).computed == 0
    assert run_sweep(again, tmp_path / "other", run_cell=run_cell).computed == 8
    assert load(tmp_path / "r")["cell"].tolist() == load(tmp_path / "other")["cell"].tolist()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failing_scheme_takes_nobody_with_it(scenario, tmp_path, jobs, leftovers):
    root = tmp_path / "r"
    result = run_sweep(scenario(), root, jobs, run_cell=failing_run_cell)
    assert (result.computed, result.failed, result.left) == (7, 1, 0)
    cells = load(root)
    bad = cells[cells["status"] != "ok"]
    assert bad[["scheme", "snr_db", "status"]].to_numpy().tolist() == [["b", 10.0, "failed"]]
    assert bad["sum_rate_bps_hz_mean"].isna().all()
    (file,) = (root / "failed").iterdir()
    failure = json.loads(file.read_text())
    assert file.stem == failure["cell"] == bad["cell"].item()
    assert failure["repro"] == f"csisim repro {failure['cell']} -o {root}"
    assert failure["schemes"]["b"]["error"] == "ZeroDivisionError: the covariance has no inverse at 10 dB"
    assert "failing_run_cell" in failure["schemes"]["b"]["traceback"]
    assert leftovers(root) == []

    mended = run_sweep(scenario(), root, run_cell=run_cell)
    assert (mended.computed, mended.failed) == (1, 0)
    assert list((root / "failed").iterdir()) == []
    assert (load(root)["status"] == "ok").all()


def test_interrupted_in_process(scenario, tmp_path, marks, content, leftovers):
    root = tmp_path / "r"
    result = run_sweep(scenario(), root, run_cell=interrupting_run_cell)
    assert (result.interrupted, result.computed, result.left) == (True, 4, 4)
    assert len(load(root)) == 4
    assert leftovers(root) == []
    assert run_sweep(scenario(), root, run_cell=run_cell).computed == 4
    run_sweep(scenario(), tmp_path / "whole", run_cell=run_cell)
    assert content(root) == content(tmp_path / "whole")


def test_interrupted_in_compiled_code(scenario, tmp_path):
    """There, Ctrl-C comes out as the cause of a SystemError."""

    def kernel_hit_by_ctrl_c(*arguments):
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    result = run_sweep(scenario(), tmp_path / "r", run_cell=kernel_hit_by_ctrl_c)
    assert (result.interrupted, result.computed, result.failed, result.left) == (True, 0, 0, 8)


def test_another_scenarios_folder_is_refused(scenario, tmp_path):
    root = tmp_path / "r"
    run_sweep(scenario(), root, run_cell=run_cell)
    other = scenario(("name: tiny", "name: other"))
    for fresh in (False, True):
        with pytest.raises(CsisimError, match="holds the results of 'tiny', not of 'other'"):
            run_sweep(other, root, fresh=fresh, run_cell=run_cell)
    assert len(load(root)) == 8


def test_a_folder_of_something_else_is_refused(scenario, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(CsisimError, match="not empty and not a results folder"):
        run_sweep(scenario(), tmp_path, fresh=True, run_cell=run_cell)


def test_two_runs_do_not_share_a_folder(scenario, tmp_path):
    with Store(tmp_path / "r").writing(), pytest.raises(CsisimError, match="another csisim run"):
        run_sweep(scenario(), tmp_path / "r", run_cell=run_cell)


def test_provenance_names_every_run(scenario, tmp_path):
    for _ in range(2):
        run_sweep(scenario(), tmp_path / "r", run_cell=run_cell)  # the second computes nothing
    run_sweep(scenario(THIRD), tmp_path / "r", run_cell=run_cell)
    runs = json.loads((tmp_path / "r" / "provenance.json").read_text())["runs"]
    assert len(runs) == 2
    assert {"started", "command", "versions", "git", "host", "cpu", "cores", "jobs", "threads_per_job"} <= runs[0].keys()
    assert {"python", "csisim", "model", "numpy"} <= runs[0]["versions"].keys()
