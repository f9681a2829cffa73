"""A folder ends up the same whoever makes it, in however many attempts."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from csisim.dataset.make import make_trace
from csisim.errors import CsisimError

fcntl = pytest.importorskip("fcntl")  # processes, signals and locks of POSIX systems

COUNT = 4000
EVERYTHING = ("npz", "mat", "parquet")


def start(root, jobs):
    """``csisim trace make`` in a process group of its own, with small blocks; the parent alone decides about them.

    It hears Ctrl-C even where these tests run in the background and ignore it.
    """
    command = "import csisim.dataset.blocks; csisim.dataset.blocks.ROWS = 200; from csisim.cli import main; main()"
    options = ["trace", "make", "--preset", "indoor_public", "--count", str(COUNT), "-o", str(root), "-j", str(jobs)]
    options += [word for name in EVERYTHING for word in ("--format", name)]
    hear_ctrl_c = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        [sys.executable, "-c", command, *options], start_new_session=True, preexec_fn=hear_ctrl_c, stderr=subprocess.PIPE
    )


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def finished_blocks(root):
    return {path.name: path.stat().st_mtime_ns for path in (root / ".blocks").glob("*.npz")}


def children(process):
    """Workers of a process."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    found = [int(pid) for task in tasks for pid in task.read_text().split()]
    workers = []
    for pid in found:
        with suppress(OSError):  # it is gone already
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                workers.append(pid)
    return workers


def test_killed_again_and_again_the_files_are_those_of_one_run(recipe, tmp_path, content, monkeypatch):
    monkeypatch.setattr("csisim.dataset.blocks.ROWS", 200)
    root = tmp_path / "killed"
    kept = {}
    for jobs, more in ((2, 2), (1, 3)):
        process = start(root, jobs)
        wait_for(lambda kept=kept, more=more: len(finished_blocks(root)) >= len(kept) + more)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now = finished_blocks(root)
        assert {name: now.get(name) for name in kept} == kept  # not drawn again
        kept = now
    assert not (root / "trace.npz").exists()
    make_trace(recipe(COUNT), root, EVERYTHING)
    make_trace(recipe(COUNT), tmp_path / "whole", EVERYTHING)
    assert content(root) == content(tmp_path / "whole")
    assert len(content(root)) == 7


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_what_is_drawn(recipe, tmp_path, jobs):
    root = tmp_path / "t"
    process = start(root, jobs)
    wait_for(lambda: len(finished_blocks(root)) >= 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"run the same command to resume" in errors
    assert b"Traceback" not in errors
    assert len(finished_blocks(root)) >= 2
    assert not list(root.rglob("*.tmp"))


def test_ctrl_c_while_workers_start_is_quiet(tmp_path):
    process = start(tmp_path, 2)
    wait_for(lambda: len(children(process)) >= 2)
    wait_for(lambda: all("numpy" in Path(f"/proc/{pid}/maps").read_text() for pid in children(process)))  # in the midst of imports
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in errors


def test_workers_do_not_matter(recipe, tmp_path, content, monkeypatch):
    monkeypatch.setattr("csisim.dataset.blocks.ROWS", 100)
    wanted = recipe(550)
    make_trace(wanted, tmp_path / "one", EVERYTHING, jobs=1)
    make_trace(wanted, tmp_path / "two", EVERYTHING, jobs=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.usefixtures("small_blocks")
class TestSmall:
    """In this process, with small blocks."""

    def test_the_seed_matters(self, recipe, tmp_path):
        for seed in (1, 2):
            make_trace(recipe(30, seed=seed), tmp_path / str(seed))
        one, two = (np.load(tmp_path / str(seed) / "trace.npz")["delay_angle"] for seed in (1, 2))
        assert not np.isclose(one, two, rtol=1e-3, atol=0).any(axis=(1, 2)).any()

    def test_a_larger_data_set_begins_with_the_smaller_one(self, recipe, tmp_path):
        for count in (30, 45):
            make_trace(recipe(count), tmp_path / str(count))
        few, more = (np.load(tmp_path / str(count) / "trace.npz")["delay_angle"] for count in (30, 45))
        np.testing.assert_array_equal(few, more[:30])

    def test_what_is_there_is_left_alone(self, recipe, tmp_path, monkeypatch):
        make_trace(recipe(60), tmp_path, ("npz",))
        times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

        def never(*arguments):
            raise AssertionError("drawn again")

        monkeypatch.setattr("csisim.dataset.blocks.generate", never)
        assert make_trace(recipe(60), tmp_path, ("npz",)).written == 0
        assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times

    def test_a_missing_file_is_made_again_alone(self, recipe, tmp_path, content, monkeypatch):
        make_trace(recipe(130), tmp_path)
        before = content(tmp_path)
        (tmp_path / "trace-0001.npz").unlink()
        drawn = []
        from csisim.channel.cost2100.presets import generate

        monkeypatch.setattr("csisim.dataset.blocks.generate", lambda *args: drawn.append(args[1:]) or generate(*args))
        assert make_trace(recipe(130), tmp_path).written == 1
        assert content(tmp_path) == before
        assert drawn == [(20, 40), (20, 60), (20, 80)]  # the blocks of drops 50 to 99

    def test_another_format_joins(self, recipe, tmp_path, content):
        make_trace(recipe(60), tmp_path / "a", ("npz",))
        assert make_trace(recipe(60), tmp_path / "a", ("npz", "mat")).written == 4
        make_trace(recipe(60), tmp_path / "b", ("npz", "mat"))
        assert content(tmp_path / "a") == content(tmp_path / "b")

    def test_a_failure_while_writing_leaves_no_half_file(self, recipe, tmp_path, content, monkeypatch):
        from csisim.dataset import npz

        whole = npz.write_npz

        def full(path, *arguments):
            whole(path, *arguments)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("csisim.dataset.npz.write_npz", full)
        with pytest.raises(OSError, match="No space left") as caught:
            make_trace(recipe(60), tmp_path / "a")
        assert caught.value.filename.endswith("trace-0000.npz")
        assert [path.name for path in (tmp_path / "a").iterdir() if path.suffix in (".npz", ".tmp")] == []
        monkeypatch.undo()
        monkeypatch.setattr("csisim.dataset.blocks.ROWS", 20)
        monkeypatch.setattr("csisim.dataset.make.SHARD", 50)
        make_trace(recipe(60), tmp_path / "a")
        make_trace(recipe(60), tmp_path / "b")
        assert content(tmp_path / "a") == content(tmp_path / "b")

    def test_another_recipe_is_refused_until_fresh(self, recipe, tmp_path):
        make_trace(recipe(60), tmp_path)
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(CsisimError, match=r"seed: 2101 there, 9 asked for.*--fresh"):
            make_trace(recipe(60, seed=9), tmp_path)
        with pytest.raises(CsisimError, match="count: 60 there, 20 asked for"):
            make_trace(recipe(20), tmp_path)
        make_trace(recipe(20), tmp_path, fresh=True)
        assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "recipe.json", "trace.npz"}

    @pytest.mark.parametrize("fresh", [False, True])
    @pytest.mark.parametrize("theirs", ["precious.npz", "recipe.json", "draft.tmp"])
    def test_somebody_elses_folder_is_refused_and_untouched(self, recipe, tmp_path, fresh, theirs):
        (tmp_path / theirs).write_text("{}")
        with pytest.raises(CsisimError, match="not empty and not a folder of"):
            make_trace(recipe(20), tmp_path, fresh=fresh)
        assert [path.name for path in tmp_path.iterdir()] == [theirs]

    def test_two_runs_do_not_share_a_folder(self, recipe, tmp_path):
        holder = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(CsisimError, match="another csisim run"):
            make_trace(recipe(20), tmp_path)
        os.close(holder)
        assert make_trace(recipe(20), tmp_path).written == 1


def test_a_killed_worker_is_told_and_costs_nothing_finished(recipe, tmp_path, content):
    root = tmp_path / "t"
    process = start(root, 2)
    wait_for(lambda: len(finished_blocks(root)) >= 1)
    while process.poll() is None:  # one that has no block at the moment may die unnoticed
        for worker in children(process):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        time.sleep(0.05)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.search(rb"a worker process died \(exit status -9; too little memory\?\)|the worker processes died", errors)
    assert b"Traceback" not in errors
    assert len(finished_blocks(root)) >= 1
