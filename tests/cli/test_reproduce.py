"""``csisim reproduce``: from a scenario's records to lines, JSON, and a picture."""

import json

import pytest
from click.testing import CliRunner

from csisim.cli.reproduce import PAPERS, reproduce
from csisim.errors import CsisimError
from csisim.papers import kang2022
from csisim.papers.base import Row, Rule
from csisim.papers.by_scenario import Of, by_scenario

SMALL = """\
name: small
drops: 4
system: {num_tx: 16, num_rf: 4, num_rx: 4, num_rx_rf: 2, num_users: 2, num_streams: 2, snr_db: 10}
channel: {kind: mmwave_clusters}
clock: {slots_per_frame: 2, frames: 3}
schemes:
  - {name: perfect, timescale: offline, estimator: perfect, analog: covariance, digital: zf}
  - {name: rls, timescale: offline, estimator: rls, analog: covariance, digital: zf}
sweep:
  grid: {system.snr_db: [0, 10]}
"""


def small(axis="snr_db", at=(0.0, 10.0)):
    perfect, rls = (Of("small", scheme, axis, at) for scheme in ("perfect", "rls"))
    return by_scenario(
        "a small table",
        ("low", "high"),
        (Row("perfect", "nat/s/Hz", (1000.0, 14.0), Rule(relative=0.2)), perfect.nats()),
        (Row("perfect, bits", "bit/s/Hz"), perfect),
        (Row("rls", "% of perfect"), rls.share(perfect)),
        (Row("bits", "bit/user"), Of("small", "rls", "snr_db", (0.0, 10.0), metric="signaling_bits")),
        (Row("never", "nat/s/Hz", (1.0, 2.0), skipped="it takes weeks"), None),
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "small.yaml").write_text(SMALL)
    out = tmp_path / "out"

    def run(*arguments, table=None):
        monkeypatch.setattr(kang2022, "TABLES", {"small": table or small()})
        return CliRunner().invoke(reproduce, ["kang2022", "small", "-j", "1", "-o", str(out), "--scenarios", str(tmp_path), *arguments])

    return run, out


def test_records_become_lines_with_verdicts(run):
    command, out = run
    result = command("--json")
    lines = json.loads(result.stdout)
    assert result.exit_code == 1  # something is not reproduced
    assert list(lines[0]) == ["table", "row", "column", "unit", "published", "measured", "ci95", "deviation", "verdict", "note"]
    found = {(line["row"], line["column"]): line for line in lines}
    assert list(found) == [(row, column) for row in ("perfect", "perfect, bits", "rls", "bits", "never") for column in ("low", "high")]
    assert found["perfect", "low"]["verdict"] == "not reproduced"
    assert found["perfect", "high"]["verdict"] == "reproduced"
    assert found["perfect", "high"]["measured"] == pytest.approx(0.69315 * found["perfect, bits", "high"]["measured"], rel=1e-4)
    assert 0 < found["rls", "low"]["measured"] < found["rls", "high"]["measured"] < 101
    assert found["rls", "high"]["ci95"] < 50
    assert found["bits", "low"]["ci95"] is None  # a count
    assert (found["never", "low"]["verdict"], found["never", "low"]["note"]) == ("not run", "it takes weeks")
    assert json.loads((out / "small.json").read_text()) == lines
    assert b"<svg" in (out / "small.svg").read_bytes()
    again = command()
    assert "# a small table" in again.stdout
    assert "1 reproduced" in again.stdout
    assert "it takes weeks" in again.stdout


def test_frames_are_an_axis(run):
    of = Of("small", "rls", "frame", (1.0, 3.0))
    one = SMALL[: SMALL.index("sweep:")]
    command, out = run
    (out.parent / "small.yaml").write_text(one)
    result = command("--json", table=by_scenario("t", ("first", "last"), (Row("rls", "bit/s/Hz"), of)))
    assert result.exit_code == 0
    assert [line["measured"] > 0 for line in json.loads(result.stdout)] == [True, True]


def test_an_unknown_item_names_those_there_are():
    result = CliRunner().invoke(reproduce, ["kang2022", "table9"])
    assert "there are table1, table2" in str(result.exception)


def test_the_items_of_papers_are_listed():
    every, one = (CliRunner().invoke(reproduce, [*paper, "--list"]).stdout.splitlines() for paper in ([], ["kang2022"]))
    assert set(one) < set(every)
    assert [line.split()[1] for line in one] == list(kang2022.TABLES)
    assert CliRunner().invoke(reproduce, ["kang2022", "table1", "--list"]).stdout.splitlines() == one[:1]
    unknown = CliRunner().invoke(reproduce, ["kang2022", "table99", "--list"])
    assert isinstance(unknown.exception, CsisimError)
    assert {line.split()[0] for line in every} == set(PAPERS)
    assert CliRunner().invoke(reproduce, []).exit_code == 2
