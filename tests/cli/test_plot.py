"""``csisim plot``: which files it writes, and what it says when it cannot."""

import typing

import pandas as pd
import pytest
from click.testing import CliRunner

from csisim.cli import main
from csisim.cli.plot import KINDS
from csisim.records import figures
from csisim.scenario.schema import Plot


def csisim(*arguments):
    return CliRunner().invoke(main, ["plot", *map(str, arguments)])


def test_without_a_kind_the_scenarios_plots_are_drawn(made_up_results):
    result = csisim(made_up_results)
    assert result.exit_code == 0, result.output
    written = result.output.split()
    assert len(written) == 6
    assert f"{made_up_results}/figures/versus-snr_db-sum_rate_bps_hz.png" in written
    assert f"{made_up_results}/figures/net_rate-num_frames-sampling_charged.csv" in written


def test_one_figure_into_one_file(made_up_results, tmp_path):
    file = tmp_path / "deep" / "frames.csv"
    result = csisim(
        made_up_results, "--kind", "frames", "--schemes", "online_ssca,random_phases", "--relative-to", "offline_ssca", "-o", file
    )
    assert result.exit_code == 0, result.output
    assert result.output.strip() == str(file)
    table = pd.read_csv(file)
    assert table["scheme"].unique().tolist() == ["online_ssca", "random_phases"]
    last = table[table["frame"] == 16].set_index("scheme")["sum_rate_bps_hz_percent"]
    assert 95 < last["online_ssca"] < 105
    assert 30 < last["random_phases"] < 40


def test_the_title_and_the_width_are_the_users(made_up_results, tmp_path):
    file = tmp_path / "cdf.svg"
    result = csisim(made_up_results, "--kind", "cdf", "--y", "rate_user", "--title", "Fairness", "--columns", "2", "-o", file)
    assert result.exit_code == 0, result.output
    assert 'width="504pt"' in file.read_text()[:2000]  # 7 in


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--y", "sgcs"], "options of a single figure need --kind"),
        (["--kind", "frames", "-o", "figure.docx"], "must end in one of .png, .pdf, .svg, .csv"),
        (["--kind", "frames", "--y", "throughput"], "--y"),
        (["--kind", "versus", "--x", "num_tx"], "'num_tx' was not swept"),
        (["--kind", "pie"], "'pie'"),
    ],
)
def test_what_is_wrong_is_said(made_up_results, arguments, words):
    result = csisim(made_up_results, *arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_a_folder_without_results_is_said(tmp_path):
    result = csisim(tmp_path)
    assert result.exit_code == 2
    assert "no results here" in result.output


def test_kinds_offered_are_the_kinds_there_are():
    assert set(KINDS) == set(figures.KINDS) == set(typing.get_args(Plot.model_fields["kind"].annotation))
