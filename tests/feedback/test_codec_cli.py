"""``csisim codec``."""

import json

import pytest
from click.testing import CliRunner

from csisim.cli import main


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
    ("args", "message"),
    [
        (["nosuch"], "unknown codec kind"),
        (["ideal"], "compresses no images"),
        (["acrnet", "--set", "expansion=many"], "acrnet: expansion"),
        (["acrnet", "--set", "expansion"], "expected KEY=VALUE"),
        (["acrnet", "--set", "=3"], "expected KEY=VALUE"),
        (["acrnet", "--set", "quantiser=["], "--set quantiser=[: while parsing"),
        (["acrnet", "--size", "32"], "expected ANGLESxDELAYS"),
        (["acrnet", "--reduction", "5"], "does not divide"),
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


@pytest.mark.parametrize("limit", ["--ue-mmac", "--bs-mmac", "--ue-kb", "--bs-kb"])
def test_no_limit_of_a_plan_is_negative(limit):
    result = call("plan", "--report-bits", "2048", limit, "-3")
    assert result.exit_code == 2
    assert "-3.0 is not in the range x>=0" in result.stderr
