"""``csisim validate``, ``schema`` and ``ls``: what they say, and how they end."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from csisim.cli import main

SCENARIOS = Path(__file__).parents[2] / "scenarios"
QUICKSTART = str(SCENARIOS / "quickstart.yaml")


@pytest.fixture
def csisim():
    runner = CliRunner()
    return lambda *args: runner.invoke(main, [str(arg) for arg in args])


def test_a_good_file(csisim):
    result = csisim("validate", QUICKSTART)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{QUICKSTART}: OK, 3 cells x 3 schemes\n"


def test_warnings_do_not_fail(csisim):
    result = csisim("validate", SCENARIOS / "papers/kang2022_table1.yaml")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: ")
    assert "OK, 6 cells x 2 schemes" in result.stdout


def test_a_bad_file_among_good_ones(csisim, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: bad\nsystem: {num_rx_rf: two}\n")
    result = csisim("validate", bad, QUICKSTART, tmp_path / "absent.yaml")
    assert result.exit_code == 2
    assert f"{bad}:2:10: system.num_rx_rf: should be a valid integer, got 'two'\n" in result.stderr
    assert f"{bad}:1:1: schemes: required, but missing" in result.stderr
    assert "absent.yaml: cannot be read" in result.stderr
    assert f"{QUICKSTART}: OK" in result.stdout
    assert "Traceback" not in result.output


def test_a_bare_name_is_a_shipped_scenario_where_no_file_has_it(csisim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report_loss").mkdir()  # results of that name are in no way
    assert csisim("validate", "quickstart", "report_loss", "kang2022_table1").stdout.count(": OK") == 3
    for command in (["run", "--dry-run"], ["timeline"]):
        assert "quickstart" in csisim(*command, "quickstart").stdout
        wrong = csisim(*command, "quikstart")
        assert wrong.exit_code == 2
        assert "neither a file here nor a shipped scenario (did you mean 'quickstart'?)" in wrong.stderr
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    assert "(did you mean mine.yaml?)" in csisim("validate", "mine").stderr
    (tmp_path / "quickstart").write_text("name: mine\n")
    assert "quickstart:1:1: system: required" in csisim("validate", "quickstart").stderr
    among = csisim("validate", "nosuch", "quickstart.yaml", "report_loss")
    assert "nosuch: neither a file here" in among.stderr
    assert "quickstart.yaml: cannot be read" in among.stderr  # a suffix names a file
    assert "report_loss.yaml: OK" in among.stdout


def test_set_and_sweep(csisim):
    assert "1 cell x 3 schemes x 2 replicas" in csisim("validate", QUICKSTART, "--set", "system.snr_db=3", "--set", "replicas=2").stdout
    assert "6 cells x 3 schemes" in csisim("validate", QUICKSTART, "--sweep", "system.num_users=1,2", "--sweep", "drops=1,2,3").stdout
    result = csisim("validate", QUICKSTART, "--set", "system.num_rx_rf=1")
    assert result.exit_code == 2
    assert result.stderr.startswith("--set system.num_rx_rf: 1 RF chains cannot carry 2 streams per user (num_streams <= num_rx_rf)\n")


def test_usage(csisim):
    assert csisim("validate").exit_code == 2
    assert csisim("validate", "--no-such-option", QUICKSTART).exit_code == 2


def test_the_schema_knows_every_kind_and_field(csisim):
    result = csisim("schema")
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    assert {"system", "channel", "schemes", "sweep", "extends"} <= set(schema["properties"])
    from csisim.registry import TABLE

    text = result.stdout
    for room, table in TABLE.items():
        for kind in table:
            assert f'"const": "{kind}"' in text, (room, kind)
    described = [field for model in schema["$defs"].values() for field in model.get("properties", {}).items()]
    assert [name for name, field in described if "description" not in field and name != "kind"] == []


def test_a_kind_that_cannot_be_loaded_is_one_message(csisim, monkeypatch, tmp_path):
    from csisim import registry

    (tmp_path / "broken_plugin.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.TABLE["codec"], "broken", ("broken_plugin:Broken", "somebody's kind"))
    registry.kinds.cache_clear()
    try:
        for command in (["schema"], ["validate", QUICKSTART, "--set", "schemes.0.codec=broken"]):
            result = csisim(*command)
            assert result.exit_code == 2
            assert "cannot be loaded: ZeroDivisionError: division by zero" in result.stderr
            assert isinstance(result.exception, SystemExit)
    finally:
        monkeypatch.undo()
        registry.kinds.cache_clear()


def test_the_lists(csisim):
    assert "estimator" in csisim("ls", "rooms").stdout
    kinds = csisim("ls").stdout
    assert "analog/ssca" in kinds
    assert "channel/trace" in kinds
    assert "How close does" in csisim("ls", "scenarios", SCENARIOS).stdout
    assert csisim("ls", "results", SCENARIOS).stdout == ""
    assert csisim("ls", "everything").exit_code == 2


def test_results_are_listed(csisim, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "scenario.yaml").write_text("name: one\n")
    assert csisim("ls", "results", tmp_path).stdout == f"{tmp_path / 'one'}  not finished\n"
