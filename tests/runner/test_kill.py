"""Real processes, really killed: what was finished stays, nothing is left lying about, and nobody survives the parent."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from fake_engine import run_cell

from csisim.records.load import load
from csisim.records.store import Store
from csisim.runner.sweep import run_sweep
from csisim.scenario.load import load_scenario

DRIVE = Path(__file__).with_name("drive.py")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")


def start(scenario_file, root, jobs):
    """A sweep in a process group of its own, which hears Ctrl-C even where these tests run in the background and do not."""
    command = [sys.executable, str(DRIVE), str(scenario_file), str(root), str(jobs)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, start_new_session=True, preexec_fn=hear_ctrl_c, stdout=pipe, stderr=pipe)


def hear_ctrl_c():
    """A shell that starts a job in the background has it ignore the signal, and all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def alive(group):
    """Processes of a group that still run, zombies left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group_id = path.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(group_id) == group and state != "Z":
            found.append(int(path.parent.name))
    return found


def kill_group(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
def many_cells(scenario_file):
    text = scenario_file().read_text().replace("[0, 5, 10, 15]", str(list(range(14))))
    return scenario_file(text, "many.yaml")


def test_killed_again_and_again_the_results_are_those_of_one_run(many_cells, tmp_path, marks, content, leftovers):
    root = tmp_path / "killed"
    done = 0
    for pause in (0.0, 0.09):
        process = start(many_cells, root, 2)
        begun = len(list(marks.iterdir()))
        wait_for(lambda begun=begun: len(list(marks.iterdir())) >= begun + 4)
        time.sleep(pause)
        kill_group(process)
        kept = len(load(root))
        assert kept >= done
        done = kept
    assert 0 < done < 28
    run_sweep(load_scenario(many_cells), root, run_cell=run_cell)
    assert leftovers(root) == []
    run_sweep(load_scenario(many_cells), tmp_path / "whole", run_cell=run_cell)
    assert content(root) == content(tmp_path / "whole")


def test_nobody_survives_the_parent(many_cells, tmp_path, marks):
    process = start(many_cells, tmp_path / "r", 2)
    wait_for(lambda: len(list(marks.iterdir())) >= 2)
    assert len(alive(process.pid)) >= 3
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: alive(process.pid) == [], seconds=4.0)
    process.communicate()


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_what_is_done(many_cells, tmp_path, marks, leftovers, jobs):
    root = tmp_path / "r"
    process = start(many_cells, root, jobs)
    wait_for(lambda: len(list(marks.iterdir())) >= 4)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    wait_for(lambda: alive(process.pid) == [], seconds=4.0)
    assert leftovers(root) == []
    done = len(load(root))
    assert 0 < done < 28
    assert run_sweep(load_scenario(many_cells), root, run_cell=run_cell).computed == 28 - done


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals of POSIX systems")
def test_workers_never_hear_of_ctrl_c(many_cells, tmp_path, marks):
    """Not even while they start: then they would each leave a traceback."""
    process = start(many_cells, tmp_path / "r", 2)
    deaf = {}

    def both_started():
        for pid in alive(process.pid):
            with suppress(OSError):  # gone meanwhile
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
                    deaf.setdefault(pid, bool(int(status["SigBlk"], 16) & 1 << (signal.SIGINT - 1)))
        return len(deaf) >= 2

    wait_for(both_started)
    kill_group(process)
    assert all(deaf.values())


@pytest.mark.parametrize("wrong", [{"n": "five"}, {"cell": None}, {"sum_rate_bps_hz_mean": "x"}, {"replica": 10**30}, {"snr_db": []}])
def test_a_line_of_wrong_types_costs_one_record(scenario_file, tmp_path, wrong, monkeypatch):
    loaded, root = load_scenario(scenario_file()), tmp_path / "r"
    run_sweep(loaded, root, run_cell=run_cell)
    store = Store(root)
    row = store.rows()[load(root)["record"][0]]
    (root / "cells.parquet").rename(tmp_path / "cells.parquet")
    monkeypatch.setattr(Store, "_told", lambda store: [])  # so that the journal alone can tell
    (store.journals / "foreign.jsonl").write_text(json.dumps({**row, **wrong}) + "\n")
    assert store.rows().keys() == ({row["record"]} if "snr_db" in wrong else set())
    (tmp_path / "cells.parquet").rename(root / "cells.parquet")
    assert len(load(root)) == 8
    assert run_sweep(loaded, root, run_cell=run_cell).computed == 0


def test_a_torn_line_costs_one_record(many_cells, tmp_path, marks, content):
    root = tmp_path / "r"
    process = start(many_cells, root, 1)
    wait_for(lambda: len(list(marks.iterdir())) >= 4)
    kill_group(process)
    (journal,) = (path for path in (root / "journal").glob("*.jsonl"))
    lines = [line for line in journal.read_bytes().splitlines(keepends=True) if line.strip()]
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2])
    torn = json.loads(lines[-1])["record"]
    assert len(load(root)) == len(lines) - 1
    result = run_sweep(load_scenario(many_cells), root, run_cell=run_cell)
    assert result.computed == 28 - (len(lines) - 1)
    assert torn in set(load(root)["record"])
    run_sweep(load_scenario(many_cells), tmp_path / "whole", run_cell=run_cell)
    assert content(root) == content(tmp_path / "whole")
