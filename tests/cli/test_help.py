"""``csisim --help`` is quick, knows all commands, and unknown ones get a suggestion."""

import resource
import subprocess
import sys

import pytest
from click.testing import CliRunner

from csisim.cli import COMMANDS, main
from csisim.errors import CsisimError

HEAVY = {"torch", "numba", "numpy", "scipy", "pandas", "pyarrow", "matplotlib", "simpy"}


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["ls"], ["ls", "rooms"]])
def test_nothing_heavy_is_imported(args):
    code = f"import sys\nfrom csisim.cli import main\nmain({args!r}, standalone_mode=False)\n"
    code += f"print('loaded:', *sorted({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded:"


def test_help_is_quick():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "from csisim.cli import main; main(['--help'])"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0  # 0.1 s of CPU on a free machine


def test_help_lists_every_command_with_a_line():
    text = CliRunner().invoke(main, ["--help"]).stdout
    for name, (_, line) in COMMANDS.items():
        assert name in text
        assert line.split(".")[0][:40] in text


@pytest.mark.parametrize(("wrong", "meant"), [("rnu", "run"), ("valdate", "validate"), ("plott", "plot")])
def test_unknown_commands_get_a_suggestion(wrong, meant):
    result = CliRunner().invoke(main, [wrong])
    assert result.exit_code == 2
    assert f"No such command '{wrong}' (did you mean '{meant}'?)" in result.stderr


def test_an_unknown_command_far_from_all_gets_none():
    assert "did you mean" not in CliRunner().invoke(main, ["zzzzzz"]).stderr


def test_our_errors_end_with_2_and_no_traceback(monkeypatch):
    def broken(*args):
        raise CsisimError("the trace holds 3 rows")

    monkeypatch.setattr("csisim.cli.ls.rooms", broken)
    result = CliRunner().invoke(main, ["ls", "rooms"])
    assert (result.exit_code, result.stderr) == (2, "the trace holds 3 rows\n")


def test_an_interrupt_ends_with_130(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("csisim.cli.ls.rooms", interrupted)
    assert CliRunner().invoke(main, ["ls", "rooms"]).exit_code == 130


def test_every_command_can_be_imported():
    for name in COMMANDS:
        assert main.get_command(None, name).name == name
