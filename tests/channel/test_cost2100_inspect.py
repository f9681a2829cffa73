"""``csisim trace inspect``: every format tells the same, traces are compared with the right reference, bad files are one line."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import loadmat, savemat

from csisim.channel.cost2100.presets import generate, preset
from csisim.channel.trace import load
from csisim.cli import main
from csisim.dataset.contents import read_contents


def inspect(*arguments) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["trace", "inspect", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def table(output: str) -> dict[str, float]:
    """Quantity -> difference in standard errors."""
    return {label.strip(): float(apart) for label, apart in re.findall(r"^  (.{36}) .*?([+-]\d+\.\d) s\.e\.$", output, re.MULTILINE)}


def save(path, drops, **more):
    fields = {"delay_angle": drops.delay_angle, "stats": drops.stats, "stats_columns": np.array(drops.stats_columns), "note": "mine"}
    np.savez(path, **fields | more)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trace") / "drops"
    arguments = ["--preset", "indoor_public", "--count", "90", "--seed", "7", "-o", str(folder), "-j", "1", "-q"]
    formats = [word for name in ("npz", "mat", "parquet") for word in ("--format", name)]
    assert CliRunner().invoke(main, ["trace", "make", *arguments, *formats]).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def outdoor(tmp_path_factory):
    return save(tmp_path_factory.mktemp("outdoor") / "drops.npz", generate(preset("outdoor_paper"), 60))


def test_every_format_says_what_it_holds(made):
    for name in ("trace.npz", "trace.parquet", "DATA_Htrainin.mat"):
        code, output = inspect(made / name)
        assert code == 0
        assert "preset indoor_public, seed 7, 90 drops in all" in output
        assert "exp(+j pi k cos AoD), angle zero in the middle; 257 frequencies spaced 78.125 kHz" in output
        assert f"{60 if name.endswith('.mat') else 90} drops, 32 delays x 32 angles" in output
    assert "image: 0.5 + h / (2 max|h|)" in output


def test_frequency_responses_are_described(made):
    code, output = inspect(made / "DATA_HtestFin_all.mat")
    assert code == 0
    assert "12 drops, frequency responses of every angle" in output
    assert "(12, 4000)" in output
    assert "preset indoor_public, seed 7, 90 drops in all" in output


def test_of_a_large_mat_the_first_drops_are_read(made, monkeypatch):
    monkeypatch.setattr("csisim.dataset.contents.MOST", 20)
    whole = load(str(made / "DATA_Htrainin.mat"))
    monkeypatch.setattr("csisim.channel.trace._read_mat", None)  # which would read all of it
    contents = read_contents(str(made / "DATA_Htrainin.mat"))
    assert contents.count == 60
    np.testing.assert_array_equal(contents.delay_angle, whole[:20])


def test_mats_of_other_programs_are_read(made, tmp_path):
    images = loadmat(made / "DATA_Htrainin.mat")["HT"]
    for number, (content, options) in enumerate(
        [(images.astype(float), {}), (images, {}), (images, {"do_compression": True}), (images.reshape(-1, 2, 32, 32), {})]
    ):
        path = tmp_path / f"{number}.mat"
        savemat(path, {"HT": content}, **options)
        np.testing.assert_array_equal(read_contents(str(path)).delay_angle, read_contents(str(made / "DATA_Htrainin.mat")).delay_angle)
    cut = tmp_path / "cut.mat"
    cut.write_bytes((made / "DATA_Htrainin.mat").read_bytes()[:100_000])
    assert inspect(cut)[0] == 2


def test_formats_agree(made):
    one, other = (inspect(made / name)[1].split("\nmeans", 1)[1] for name in ("trace.npz", "trace.parquet"))
    assert one == other


def test_the_right_reference_agrees_and_a_wrong_one_does_not(outdoor):
    code, output = inspect(outdoor)
    assert code == 0
    assert "outdoor_paper (no recipe inside: the preset whose energy per delay is nearest)" in output
    apart = table(output)
    assert {"RMS delay spread, ns", "K factor, dB", "strongest entry's share of energy"} <= apart.keys()
    assert max(map(abs, apart.values())) < 4
    wrong = table(inspect(outdoor, "--preset", "indoor_paper")[1])
    assert wrong["RMS delay spread, ns"] > 10


def test_matrices_alone_are_compared_by_sparsity():
    code, output = inspect("cost2100_indoor")  # packaged, drops of the reference itself, no statistics inside
    assert code == 0
    assert "indoor_paper" in output
    assert set(table(output)) == {"strongest entry's share of energy", *(f"share of entries for {p} % of energy" for p in (90, 95, 99))}
    assert max(map(abs, table(output).values())) < 4


def test_a_preset_of_ones_own_has_no_reference(tmp_path):
    path = save(tmp_path / "mine.npz", generate(preset("indoor_paper"), 5), recipe=json.dumps({"preset": "mine", "seed": 1}))
    code, output = inspect(path)
    assert code == 0
    assert "preset mine: there are no reference drops of it" in output
    assert not table(output)


def test_normalisation_is_recognised(tmp_path):
    drops = generate(preset("indoor_paper"), 5)
    scaled = drops.delay_angle / np.abs(drops.delay_angle).max(axis=(1, 2), keepdims=True)
    assert "every drop has largest entry 1" in inspect(save(tmp_path / "scaled.npz", drops._replace(delay_angle=scaled)))[1]


def test_picture(tmp_path, outdoor):
    picture = tmp_path / "new" / "picture.png"
    code, output = inspect(outdoor, "-o", picture)
    assert code == 0
    assert str(picture) in output
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_is_wrong_is_one_line_and_exit_code_2(tmp_path, outdoor, made):
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1")
    other = tmp_path / "other.npz"
    np.savez(other, h=np.ones(3))
    drops = generate(preset("indoor_paper"), 3)
    short = save(tmp_path / "short.npz", drops, stats=drops.stats[:2])
    recipe = save(tmp_path / "recipe.npz", drops, recipe="{")
    for arguments, told in (
        ([tmp_path / "none.npz"], "no such trace file"),
        ([tmp_path / "none.parquet"], "no such trace file"),
        ([damaged], "not a readable trace"),
        ([other], "no key 'delay_angle'"),
        ([short], "expected 3 rows"),
        ([recipe], "not JSON"),
        ([outdoor, "--preset", "moon"], "indoor_public"),
    ):
        code, output = inspect(*arguments)
        assert code == 2
        assert told in output
        assert output.count("\n") == 1
    assert inspect(outdoor, "-o", tmp_path / "picture.jpg")[0] == 2
    assert "no images to draw" in inspect(made / "DATA_HtestFin_all.mat", "-o", tmp_path / "picture.png")[1]
