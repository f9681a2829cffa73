"""``csisim trace make`` as a user sees it."""

import numpy as np
import pytest
from click.testing import CliRunner

from csisim.cli import main


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments, status=0):
        result = CliRunner().invoke(main, ["trace", "make", *map(str, arguments)])
        assert result.exit_code == status, result.output
        return result

    return call


def test_one_file_and_once_only(make, tmp_path):
    first = make("--preset", "indoor_public", "--count", 20, "-o", "t", "-j", 1)
    assert "t: 1 files written" in first.stderr
    assert "trace 100% eta 00:00" in first.stderr
    with np.load(tmp_path / "t" / "trace.npz") as file:
        assert file["delay_angle"].shape == (20, 32, 32)
    assert "nothing to do" in make("--preset", "indoor_public", "--count", 20, "-o", "t").stderr
    assert make("--preset", "indoor_public", "--count", 20, "-o", "t", "-q").stderr == ""
    assert "seed: 2101 there, 1 asked for" in make("--preset", "indoor_public", "--count", 20, "--seed", 1, "-o", "t", status=2).stderr
    make("--preset", "indoor_public", "--count", 20, "--seed", 1, "-o", "t", "--fresh", "-j", 1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--preset", "indoor"], "presets: indoor_paper, indoor_public, outdoor_paper"),
        (["--preset", "none.yaml"], "none.yaml: cannot be read"),
        (["--preset", "list.yaml"], "list.yaml"),
        (["--preset", "indoor_paper", "--format", "mat", "--count", 5], "at least 8"),
        (["--preset", "indoor_paper", "--format", "mat", "--count", 900_000], "2 GB"),
        (["--preset", "indoor_paper", "-o", "list.yaml/t"], "list.yaml"),
    ],
)
def test_wrong_input_is_one_line(make, tmp_path, options, told):
    (tmp_path / "list.yaml").write_text("[1, 2]\n")
    result = make("--count", 20, "-o", "t", *options, status=2)
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("option", [["--count", 0], ["--count", "many"], ["--format", "h5"], ["--seed", -1], ["-j", 0]])
def test_wrong_options_are_refused(make, tmp_path, option):
    assert option[0] in make("--preset", "indoor_paper", "--count", 20, "-o", "t", *option, status=2).stderr
    assert not (tmp_path / "t").exists()


def test_the_group_lists_its_commands():
    text = CliRunner().invoke(main, ["trace", "--help"]).stdout
    assert "make" in text
    assert "inspect" in text
    assert "did you mean 'make'" in CliRunner().invoke(main, ["trace", "mke"]).stderr
