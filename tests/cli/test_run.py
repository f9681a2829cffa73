"""``csisim run``, ``show`` and ``repro`` as a user sees them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from csisim.cli import main
from csisim.cli.shipped import shipped
from csisim.records.load import load
from csisim.runner.sweep import run_sweep
from csisim.scenario.load import load_scenario

SCENARIO = """
name: small
description: a small question
drops: 5
system: {num_tx: 8, num_rf: 4, num_rx: 4, num_rx_rf: 2, num_users: 2, num_streams: 2, snr_db: 10}
channel: rayleigh
clock: {frames: 2, slots_per_frame: 3}
schemes:
  - {name: a, timescale: offline, estimator: ls, analog: covariance, digital: sca}
  - {name: b, timescale: online, estimator: rls, analog: covariance, digital: sca}
sweep:
  grid: {system.snr_db: [0, 10]}
plots:
  - {kind: versus, x: snr_db}
"""


@pytest.fixture
def csisim(tmp_path, monkeypatch):
    """Run a command in an empty folder that holds the scenario."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SCENARIO)

    def call(*arguments, status=0):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == status, result.output
        return result

    return call


@pytest.fixture
def broken_at_10_db(monkeypatch):
    """An engine that cannot do scheme b at 10 dB."""
    import csisim.engine.cell as cell

    run_cell = cell.run_cell

    def broken(scenario, schemes, *arguments):
        if "b" in schemes and scenario.system.snr_db == 10:
            raise RuntimeError("no luck")
        return run_cell(scenario, schemes, *arguments)

    monkeypatch.setattr(cell, "run_cell", broken)
    return lambda: monkeypatch.setattr(cell, "run_cell", run_cell)


def test_a_run_leaves_a_table_records_and_pictures(csisim, tmp_path):
    result = csisim("run", "small.yaml", "-j", 1)
    rows = [line for line in result.stdout.splitlines() if not line.startswith("#")]
    assert len(rows) == 4
    assert "results/small: 4 records computed" in result.stderr
    root = tmp_path / "results" / "small"
    assert {path.suffix for path in (root / "figures").iterdir()} == {".png", ".pdf", ".csv", ".json"}
    assert (load(root)["sum_rate_bps_hz_mean"] > 0).all()

    again = csisim("run", "small.yaml")
    assert "nothing to compute" in again.stderr
    assert again.stdout == result.stdout == csisim("show", root).stdout


def test_two_workers_give_what_one_gives(tmp_path):
    (tmp_path / "small.yaml").write_text(SCENARIO)
    loaded = load_scenario(tmp_path / "small.yaml")
    for jobs in (1, 2):
        assert run_sweep(loaded, tmp_path / str(jobs), jobs).computed == 4
    one, two = (load(tmp_path / jobs).drop(columns="seconds") for jobs in ("1", "2"))
    assert one.equals(two)
    assert load(tmp_path / "1", "slots").equals(load(tmp_path / "2", "slots"))


def test_a_dry_run_writes_nothing(csisim, tmp_path):
    result = csisim("run", "small.yaml", "--dry-run", "--sweep", "system.snr_db=0,5,10", "-j", 2)
    assert "cells     3 of 5 drops\n" in result.stdout
    assert "records   6: 0 there, 6 to compute" in result.stdout
    assert not (tmp_path / "results").exists()
    csisim("run", "small.yaml", "-j", 1, "-q")
    assert "records   6: 4 there, 2 to compute" in csisim("run", "small.yaml", "--dry-run", "--sweep", "system.snr_db=0,5,10").stdout


def test_options_change_the_scenario(csisim, tmp_path):
    csisim("run", "small.yaml", "-j", 1, "-q", "-o", "out", "--set", "drops=3", "--sweep", "schemes.b.samples_per_frame=1,2")
    cells = load(tmp_path / "out")
    assert cells["n"].unique().tolist() == [3]
    assert cells["samples_per_frame"].tolist() == [1, 1, 2, 2]


def test_failures_are_told_and_the_rest_is_done(csisim, tmp_path, broken_at_10_db):
    result = csisim("run", "small.yaml", "-j", 1, status=1)
    cell = load(tmp_path / "results" / "small").query("status == 'failed'")["cell"].item()
    assert "failed: b at snr_db = 10.0: RuntimeError: no luck" in result.stderr
    assert f"csisim repro {cell} -o results/small" in result.stderr
    assert "3 records computed, 1 failed" in result.stderr
    foreground = csisim("repro", cell[:6], "-o", "results/small", status=1)
    assert "Traceback" in foreground.stderr
    assert "RuntimeError: no luck" in foreground.stderr
    broken_at_10_db()
    csisim("run", "small.yaml", "-j", 1)
    assert csisim("repro", cell).stdout.count("| as on record") == 2


def test_a_picture_that_cannot_be_drawn_costs_no_record(csisim, tmp_path, monkeypatch):
    import csisim.records.figures as figures

    def refuse(folder):
        raise RuntimeError("no ink")

    monkeypatch.setattr(figures, "render_all", refuse)
    result = csisim("run", "small.yaml", "-j", 1)
    assert "figures: no ink" in result.stderr
    assert "the records are safe" in result.stderr
    assert len(load(tmp_path / "results" / "small")) == 4


def test_missing_pictures_are_drawn_again(csisim, tmp_path, monkeypatch):
    csisim("run", "small.yaml", "-j", 1, "-q")
    figures = tmp_path / "results" / "small" / "figures"
    drawn = {path: path.stat().st_mtime_ns for path in figures.iterdir()}
    csisim("run", "small.yaml", "-q")
    assert drawn == {path: path.stat().st_mtime_ns for path in figures.iterdir()}  # nothing to draw
    next(figures.glob("*.pdf")).unlink()
    csisim("run", "small.yaml", "-q")
    assert {path.name for path in figures.iterdir()} == {path.name for path in drawn}

    from csisim.records.figures import style

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(style, "save", interrupted)
        next(figures.glob("*.png")).unlink()
        result = csisim("run", "small.yaml", "-q", status=130)
    assert "run the same command to draw the figures" in result.stderr
    csisim("run", "small.yaml", "-q")
    assert {path.name for path in figures.iterdir()} == {path.name for path in drawn}
    assert list((tmp_path / "results").rglob("*.tmp")) == []


def test_results_are_shown_without_what_they_were_made_with(csisim, tmp_path):
    from csisim.channel.trace import PACKAGED

    trace = tmp_path / "mine.npz"
    trace.write_bytes((PACKAGED / "cost2100_indoor.npz").read_bytes())
    channel = "channel: {kind: trace, file: mine.npz, num_subcarriers: 2}"
    text = (
        SCENARIO.replace("channel: rayleigh", channel)
        .replace("num_tx: 8", "num_tx: 32")
        .replace("num_rx: 4, num_rx_rf: 2", "num_rx: 1, num_rx_rf: 1")
    )
    (tmp_path / "traced.yaml").write_text(text.replace("num_streams: 2", "num_streams: 1").replace("name: small", "name: traced"))
    csisim("run", "traced.yaml", "-j", 1, "-q")
    csisim("run", "small.yaml", "-j", 1, "-q")
    trace.unlink()
    csisim("show", "results/traced", "--reference", "a")
    csisim("plot", "results/traced")
    csisim("plot", "results/traced", "--kind", "cdf", "-o", "cdf.csv")
    cell = load("results/small")["cell"][0]
    assert csisim("repro", cell).stdout.count("| as on record") == 2  # the folder that cannot be run is nobody's concern
    assert "results/traced was skipped" in csisim("repro", "ffffffffffffffff", status=2).stderr
    assert "mine.npz" in csisim("repro", cell, "-o", "results/traced", status=2).stderr


def test_a_damaged_record_is_one_message(csisim, tmp_path):
    csisim("run", "small.yaml", "-j", 1, "-q")
    for file in (tmp_path / "results" / "small" / "slots").iterdir():
        file.write_bytes(file.read_bytes()[:500])
    for arguments in (["show", "results/small", "--reference", "a"], ["plot", "results/small", "--kind", "cdf", "-o", "x.png"]):
        assert ".parquet: damaged (" in csisim(*arguments, status=2).stderr
    csisim("show", "results/small")
    assert "4 records computed" in csisim("run", "small.yaml", "-j", 1).stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_no_encoding_of_the_terminal_stops_a_command(tmp_path, encoding):
    folder = tmp_path / "résultats → 漢"
    folder.mkdir()
    scenario = folder / "small.yaml"
    scenario.write_text(SCENARIO.replace("a small question", "ρ → 漢字").replace("drops: 5", "drops: 1"), encoding="utf-8")
    out = folder / "out"
    commands = [
        ["run", scenario, "-j", "1", "-o", out],
        ["show", out],
        ["timeline", scenario],
        ["validate", scenario],
    ]
    commands += [["run", scenario, "--dry-run"], ["ls", "scenarios", folder], ["ls", "results", folder], ["plot", out]]
    code = "import sys; from csisim.cli import main\nfor line in sys.argv[1:]: main(line.split('|'), standalone_mode=False)"
    lines = ["|".join(map(str, command)) for command in commands]
    environment = os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", code, *lines], env=environment, capture_output=True)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert (b"\\u2192" if encoding == "latin-1" else "→".encode()) in done.stdout  # click writes UTF-8 instead of ASCII


def test_shipped_scenarios_are_found_from_anywhere(csisim, tmp_path):
    assert "quickstart.yaml" in csisim("ls", "scenarios").stdout
    assert str(shipped()) in csisim("ls", "scenarios").stdout
    assert "there are table1" in csisim("reproduce", "kang2022", "table9", status=2).stderr
    assert (shipped() / "papers" / "kang2022_table1.yaml").is_file()


def test_ctrl_c_says_how_to_go_on(csisim, monkeypatch):
    import csisim.engine.cell as cell

    run_cell, calls = cell.run_cell, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run_cell(*arguments)

    monkeypatch.setattr(cell, "run_cell", interrupted)
    result = csisim("run", "small.yaml", "-j", 1, status=130)
    assert "interrupted: 2 done, 2 left; run the same command to resume" in result.stderr
    assert "2 records computed" in csisim("run", "small.yaml", "-j", 1).stderr


def test_show_as_json(csisim):
    csisim("run", "small.yaml", "-j", 1, "-q")
    rows = json.loads(csisim("show", "results/small", "--json").stdout)
    assert [(row["scheme"], row["snr_db"]) for row in rows] == [("a", 0.0), ("b", 0.0), ("a", 10.0), ("b", 10.0)]
    assert rows[0]["sgcs_mean"] is None
    assert rows[0]["sum_rate_bps_hz_mean"] == load("results/small")["sum_rate_bps_hz_mean"][0]


def test_paired_differences(csisim):
    csisim("run", "small.yaml", "-j", 1, "-q")
    rows = json.loads(csisim("show", "results/small", "--json", "--reference", "a").stdout)
    assert [(row["scheme"], row["n"]) for row in rows] == [("b", 5), ("b", 5)]
    drops = load("results/small", "drops").pivot(index=["snr_db", "drop"], columns="scheme", values="sum_rate_bps_hz")
    expected = (drops["b"] - drops["a"]).groupby("snr_db").mean()
    np.testing.assert_allclose([row["sum_rate_bps_hz_diff_mean"] for row in rows], expected, rtol=1e-9)
    assert "minus a, drop by drop" in csisim("show", "results/small", "--reference", "a").stdout
    assert "no such scheme" in csisim("show", "results/small", "--reference", "z", status=2).stderr


def test_wrong_input_is_one_message(csisim):
    assert "results/none: no results here" in csisim("show", "results/none", status=2).stderr
    csisim("run", "small.yaml", "-j", 1, "-q")
    assert "no such cell" in csisim("repro", "zzz", status=2).stderr
    assert "several cells begin so" in csisim("repro", "", status=2).stderr
    assert "holds the results of 'small'" in csisim("run", "small.yaml", "--set", "name=big", "-o", "results/small", status=2).stderr


def test_an_impossible_output_folder_is_one_line_and_exit_code_2(tmp_path):
    """What the operating system refuses is told without a traceback."""
    quickstart = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    command = [sys.executable, "-c", "from csisim.cli import main; main()", "run", str(quickstart), "-q", "-o", str(blocked / "x")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert str(blocked) in done.stderr
    assert "Traceback" not in done.stderr
