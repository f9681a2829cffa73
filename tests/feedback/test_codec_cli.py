"""``csisim codec``."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from csisim.cli import main
from csisim.registry import configure


def call(*args):
    return CliRunner().invoke(main, ["codec", *args])


def test_info_as_json():
    result = call("info", "acrnet", "--set", "expansion=12", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["codec"], report["encoder_params"], report["encoder_macs"]) == ("acrnet", 1_049_362, 1_298_432)
    assert report["encoder_macs_layers"] + report["decoder_macs_layers"] == 28_794_880
    assert report["report_bits"] == 16 + 512 * 32
    assert report["encoder_latency_s"] > 0
    assert report["decoder_latency_s"] > 0
    assert [row["reproduced"] for row in report["published"]] == [True, True]


def test_info_explains_wrong_published_rows():
    text = call("info", "transnet", "--reduction", "8").stdout
    assert "differs" in text
    assert "shifted by one ratio" in text
    assert "18.612224" in text  # attention counted
    assert "parameters of" not in text
    parallel = call("info", "pm_csinetplus").stdout
    assert "1.649" in parallel
    assert "64 + 64 + 128 + 256" in parallel


@pytest.mark.parametrize("kind", ["pca", "topk", "ista", "deq"])
def test_info_of_other_kinds_and_sizes(kind):
    result = call("info", kind, "--size", "8x6", "--reduction", "8")
    assert result.exit_code == 0, result.output
    assert "1/8 of 8 x 6 images" in result.stdout


@pytest.mark.parametrize(
    ("settings", "bits"),
    [
        (["ideal"], 0),
        (["lloyd_max", "--size", "16x2", "--receive", "4", "--set", "bits=3"], 16 + 2 * 2 * 4 * 16 * 3),
        # CQI, one of 16 x 8 beams, a co-phase in every subband
        (["type1", "--set", "n1=4", "--set", "n2=2", "--set", "subbands=13"], 4 + 4 + 3 + 13 * 2),
        # a second layer's offset, and co-phases of one bit
        (["type1", "--set", "n1=4", "--set", "n2=2", "--set", "subbands=13", "--set", "rank=2"], 4 + 4 + 3 + 2 + 13),
        (["learned_paths", "--size", "16x1", "--receive", "4"], 3 * 16),
        (["learned_paths", "--size", "16x1", "--receive", "4", "--set", "weights=kang2022_fdd"], 3 * 16),
        (["topk", "--size", "8x6", "--reduction", "48"], 16 + 6 + 2 * 4),
        # a bit says which rung
        (["adaptive", "--size", "4x1", "--set", "ladder=[lloyd_max, {kind: lloyd_max, bits: 1}]"], 1 + 16 + 2 * 4 * 4),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_info_tells_how_long_reports_are(settings, bits):
    result = call("info", *settings)
    assert result.exit_code == 0, result.output
    assert re.search(rf"\b{bits} bits (in the longest|per) report", result.stdout), result.stdout
    assert json.loads(call("info", *settings, "--json").stdout)["report_bits"] == bits


def test_a_codebook_is_asked_about_the_panel_and_the_subbands_that_it_names():
    settings = ("--set", "n1=4", "--set", "n2=2", "--set", "subbands=6", "--set", "rank=2")
    report = json.loads(call("info", "etype2", *settings, "--json").stdout)
    assert (report["transmit"], report["subcarriers"], report["receive"], report["cqi_bits"]) == (16, 6, 2, 4)
    without = json.loads(call("info", "etype2", *settings, "--set", "cqi=false", "--json").stdout)
    assert report["report_bits"] - without["report_bits"] == 4


@pytest.mark.parametrize(("kind", "why"), [("pca", "channels of cost2100_indoor cannot tell"), ("topk", "no model")])
def test_info_says_why_there_is_no_latency(kind, why):
    assert re.search(f"no latency: .*{why}", call("info", kind).stdout)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nosuch"], "unknown codec kind"),
        (["etype2", "--set", "combination=9"], "etype2: combination"),
        (["type1", "--size", "30x1"], "no panel"),
        (["lloyd_max", "--receive", "0"], "--receive"),
        (["acrnet", "--set", "expansion=many"], "acrnet: expansion"),
        (["acrnet", "--set", "expansion"], "expected KEY=VALUE"),
        (["acrnet", "--set", "=3"], "expected KEY=VALUE"),
        (["acrnet", "--set", "quantiser=["], "--set quantiser=[: while parsing"),
        (["acrnet", "--size", "32"], "expected ANGLESxDELAYS"),
        (["acrnet", "--reduction", "5"], "does not divide"),
        (["lloyd_max", "--reduction", "16"], "--reduction 16: lloyd_max compresses no images"),
    ],
)
def test_mistakes_are_told_in_one_line(args, message):
    result = call("info", *args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_plan():
    result = call("plan", "--report-bits", "2048", "--bs-mmac", "28.8", "--json")
    report = json.loads(result.stdout)
    assert (report["expansion"], report["reduction"], report["bits"], report["report_bits"]) == (12, 4, 4, 2048)
    text = call("plan", "--report-bits", "1536", "--ue-kb", "100").stdout
    assert "1/8, 6 bits per number: 1536 bits" in text
    assert "encoder binarised" in text
    assert call("plan", "--report-bits", "8").exit_code == 2


def test_a_plan_says_where_the_search_ends_and_how_its_weights_are_made():
    text = call("plan", "--report-bits", "64", "--size", "8x8").stdout
    assert "64 bits per report, 80 with the scale factor" in text
    assert "the search ends at 64x" in text
    report = json.loads(call("plan", "--report-bits", "4", "--size", "8x8", "--bs-mmac", "1", "--json").stdout)
    assert report["expansion"] < 64
    few, weights = report["remarks"]
    assert "fewer than 4 bits" in few
    asked = re.search(r"`csisim train codec_acrnet --set 'link.codec=(.*?)'", weights)
    assert configure("codec", yaml.safe_load(asked[1])) == configure("codec", report["codec"])


def test_the_benchmark_times_every_codec_of_images(monkeypatch, capsys):
    file = str(Path(__file__).parents[2] / "benchmarks" / "codecs.py")
    timed = runpy.run_path(file)["timed_kinds"]([])
    assert {"pca", "ista", "fista", "acrnet", "csi_l2o"} <= set(timed)
    assert not {"paths", "type1", "topk", "ideal"} & set(timed)
    monkeypatch.setattr(sys, "argv", [file, "pca", "csinet", "--batch", "2", "--rounds", "1"])
    runpy.run_path(file, run_name="__main__")
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("pca", "csinet"))]
    assert [row[0] for row in rows] == ["pca", "csinet"]
    assert all(float(rate) > 0 for row in rows for rate in row[1:])
    monkeypatch.setattr(sys, "argv", [file, "paths"])
    with pytest.raises(SystemExit, match="no codecs of images: paths"):
        runpy.run_path(file, run_name="__main__")


@pytest.mark.parametrize("limit", ["--ue-mmac", "--bs-mmac", "--ue-kb", "--bs-kb"])
def test_no_limit_of_a_plan_is_negative(limit):
    result = call("plan", "--report-bits", "2048", limit, "-3")
    assert result.exit_code == 2
    assert "-3.0 is not in the range x>=0" in result.stderr
