"""Tables of Hu 2021: honestly judged, and right where they can be checked in a second."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from csisim.cli.reproduce import reproduce as command
from csisim.papers import precoding
from csisim.papers.base import Conditions, reproduce
from csisim.papers.precoding import Size, rate_table, time_table
from csisim.papers.show import draw


def quick(monkeypatch, table, count=60):
    """Measure without networks, on few channels."""
    monkeypatch.setattr(precoding, "_LARGEST", dict.fromkeys(precoding._LARGEST, 0))
    monkeypatch.setattr(precoding, "_CHANNELS", dict.fromkeys(precoding._CHANNELS, count))
    monkeypatch.setattr(precoding, "_ITERATIONS", dict.fromkeys(precoding._ITERATIONS, 100))
    return reproduce("t", table, Conditions("quick", lambda _: None, Path(), Path()))


def test_verdicts(monkeypatch):
    published = {"WMMSE": (22.1, 99.0, 31.82), "IAIDNN": (99.15, 99.15, 91.35)}
    table = rate_table("t", (Size(8, 2), Size(8, 2), Size(8, 4)), published, 0.02, {"WMMSE": {2: "a misprint"}})
    lines = {(line.row, line.column, line.published): line for line in quick(monkeypatch, table)}
    right, wrong = lines["WMMSE", "(8,2)", 22.1], lines["WMMSE", "(8,2)", 99.0]
    assert (right.verdict, wrong.verdict) == ("reproduced", "not reproduced")
    assert abs(right.deviation) < 0.03
    assert lines["WMMSE", "(8,4)", 31.82].verdict == "published value inconsistent"
    skipped = lines["IAIDNN", "(8,4)", 91.35]
    assert skipped.verdict == "not run"
    assert skipped.measured is None
    assert "N_t" in skipped.note
    assert 77 < lines["RZF", "(8,4)", None].measured < 82  # fully loaded: one iteration of WMMSE
    assert 90 < lines["WMMSE-7", "(8,4)", None].measured < 98
    assert lines["ZF", "(8,4)", None].measured < lines["RZF", "(8,4)", None].measured


def test_times_are_set_beside_each_other():
    table = time_table("t", (Size(8, 2),), {"WMMSE": (0.08,)}, "another machine")
    lines = {line.row: line for line in reproduce("t", table, Conditions("quick", lambda _: None, Path(), Path()))}
    assert list(lines) == ["WMMSE", "WMMSE-7", "IAIDNN", "improved IAIDNN", "tied IAIDNN"]
    assert lines["WMMSE"].measured > lines["WMMSE-7"].measured > 0
    assert lines["IAIDNN"].verdict == "no published value"


def test_json_has_the_agreed_fields(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios" / "papers").mkdir(parents=True)
    result = CliRunner().invoke(command, ["hu2021", "table10", "fig5", "--json", "-o", str(tmp_path / "out")])
    assert result.exit_code == 0
    lines = json.loads(result.stdout)
    assert set(lines[0]) == {"table", "row", "column", "unit", "published", "measured", "ci95", "deviation", "verdict", "note"}
    assert [line["table"] for line in lines] == ["table10"] * 7 + ["fig5"]
    assert all(line["verdict"] == "not run" and line["note"] for line in lines)
    assert (tmp_path / "out" / "table10.json").is_file()


def test_a_picture_is_left_behind(tmp_path, monkeypatch):
    lines = quick(monkeypatch, rate_table("t", (Size(8, 1), Size(8, 2)), {"WMMSE": (13.13, 22.12)}, 0.02), count=10)
    draw(lines, "t", tmp_path / "t.svg")
    assert (tmp_path / "t.svg").stat().st_size > 1000


@pytest.mark.parametrize("row", ["IAIDNN", "improved IAIDNN", "robust IAIDNN", "black box"])
@pytest.mark.parametrize("size", [Size(8, 4), Size(8, 2), Size(16, 4, 20.0, 0.05)])
def test_recipes_of_the_networks_are_valid(row, size):
    from csisim.papers.hu2021_nets import _recipe
    from csisim.training.recipe import Recipe

    recipe = Recipe.model_validate(_recipe(row, size, "quick"))
    assert recipe.task(0, {}).initial()
