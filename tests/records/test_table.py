"""The printed table can be read by people and by awk."""

import numpy as np
import pandas as pd
import pytest

from csisim.records.schema import BITS, METRICS
from csisim.records.table import cells_table, decibel, paired_table, text


def cells(**changes):
    row = {"cell": "c0ffee", "scheme": "a", "record": "r", "replica": 0, "snr_db": 10.0, "n": 16}
    for metric in METRICS:
        row |= {f"{metric}_n": 16, f"{metric}_mean": 0.1, f"{metric}_std": 0.01, f"{metric}_ci95": 0.005}
    row |= dict.fromkeys(BITS, 640.0) | {"seconds": 1.25, "status": "ok", "log": "slot"} | changes
    table = pd.DataFrame([row, row | {"scheme": "b", "snr_db": -2.5, "n": 0, "status": "failed", "sum_rate_bps_hz_mean": np.nan}])
    table.attrs = {"name": "x", "description": "words", "axes": ["snr_db"], "definitions": {"rate": "per stream"}}
    return table


def data(printed):
    lines = printed.splitlines()
    heading = [line for line in lines if line.startswith("#")][-1].lstrip("# ").replace("|", " ").split()
    return heading, [line.replace("|", " ").split() for line in lines if not line.startswith("#")]


def test_the_table_is_columns_under_their_names():
    heading, rows = data(cells_table(cells()))
    assert len(rows) == 2
    assert all(len(row) == len(heading) for row in rows)
    first, second = (dict(zip(heading, row, strict=True)) for row in rows)
    assert (
        first
        | {
            "snr_db": "10",
            "scheme": "a",
            "sum_rate_bps_hz": "0.100",
            "nmse_csi_db": "-10.00",
            "signaling_bits": "640",
            "cell": "c0ffee",
        }
        == first
    )
    assert (second["sum_rate_bps_hz"], second["status"], second["snr_db"]) == ("-", "failed", "-2.5")


def test_the_definitions_stand_above():
    lines = cells_table(cells()).splitlines()
    assert lines[:2] == ["# x: words", "# rate: per stream"]


def test_columns_without_news_are_left_out():
    quiet = cells(feedback_bits=0.0, csi_age_slots_mean=0.0, nmse_estimate_mean=np.nan)
    heading, _ = data(cells_table(quiet))
    assert not {"feedback_bits", "pilot_bits", "csi_age_slots", "nmse_estimate_db"} & set(heading)
    assert {"signaling_bits", "nmse_csi_db"} <= set(heading)


def test_precoders_have_a_similarity_where_channels_have_an_error():
    heading, rows = data(cells_table(cells(nmse_csi_mean=np.nan, sgcs_mean=0.87651)))
    assert dict(zip(heading, rows[0], strict=True))["sgcs"] == "0.877"
    assert "nmse_csi_db" not in heading
    assert "sgcs" not in data(cells_table(cells(sgcs_mean=np.nan)))[0]  # TDD has no reports


def test_differences():
    row = {"snr_db": 10, "scheme": "b", "n": 16}
    row |= {f"{m}_diff_{w}": 0.25 for m in METRICS[:2] for w in ("mean", "ci95")}
    heading, rows = data(paired_table(pd.DataFrame([row]), ["snr_db"], "a"))
    assert dict(zip(heading, rows[0], strict=True))["sum_rate_bps_hz_diff"] == "0.2500"


@pytest.mark.parametrize(("value", "printed"), [(0.01, "-20.00"), (0.0, "-inf"), (float("nan"), "-"), (None, "-")])
def test_decibels(value, printed):
    assert decibel(value) == printed


def test_axis_values_are_short():
    assert [text(value) for value in (10.0, 0.5, 16, "zf", None)] == ["10", "0.5", "16", "zf", "-"]
