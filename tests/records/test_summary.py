"""Statistics add, and intervals are those of the textbook."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csisim.records.schema import BITS, METRICS
from csisim.records.summary import DropMeans, Moments, merge_replicas, paired_differences, t_quantile

values = st.lists(st.floats(-1e6, 1e6), max_size=30)


@given(values, values, values)
def test_moments_of_parts_add_to_those_of_the_whole(first, second, third):
    added = Moments.of(first) + Moments.of(second) + Moments.of(third)
    whole = Moments.of([*first, *second, *third])
    assert added.n == whole.n
    assert added.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
    assert added.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-3)


@given(values)
def test_moments_survive_the_cell_table(drops):
    moments = Moments.of(drops)
    again = Moments.from_columns(moments.columns("sgcs"), "sgcs")
    assert again.n == moments.n
    assert again.mean == moments.mean
    assert again.m2 == pytest.approx(moments.m2, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("dof", "tabulated"), [(1, 12.706), (2, 4.303), (7, 2.365), (15, 2.131), (30, 2.042), (1000, 1.962)])
def test_t_quantiles_are_the_tables(dof, tabulated):
    assert t_quantile(dof) == pytest.approx(tabulated, abs=6e-4)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    hits = sum(abs((m := Moments.of(rng.normal(3.0, 2.0, 8))).mean - 3.0) <= m.ci95 for _ in range(4000))
    assert abs(hits / 4000 - 0.95) < 5 * math.sqrt(0.95 * 0.05 / 4000)


def test_one_drop_has_a_mean_and_no_interval():
    moments = Moments.of([2.0])
    assert moments.mean == 2.0
    assert math.isnan(moments.std)
    assert math.isnan(moments.ci95)


def test_drop_means_are_means_over_the_evaluated_frames_of_all_superframes(columns):
    parts = [columns(seed=s, first_drop=d, superframe=f) for s, (d, f) in enumerate([(0, 0), (0, 1), (5, 0), (5, 1)])]
    means = DropMeans(drops=10, frames=3, last_frames=2)
    for part in parts:
        means.add(part)
    table = pd.concat([pd.DataFrame({name: value for name, value in part.items() if name != "rate_user"}) for part in parts])
    evaluated = table[table["frame"] >= 1].groupby("drop")
    for metric in METRICS:
        np.testing.assert_allclose(means.values(metric), evaluated[metric].mean(), rtol=1e-12)
    row = means.columns()
    assert row["n"] == 10
    assert row["nmse_full_n"] == 0
    assert math.isnan(row["nmse_full_mean"])
    per_superframe = table.groupby(["drop", "superframe"])
    assert row["pilot_bits"] == per_superframe["pilot_bits"].sum().mean() == 120
    assert row["feedback_bits"] == pytest.approx(per_superframe["feedback_bits"].sum().mean())
    assert row["signaling_bits"] == 144  # a running sum: its last value


def cell_rows(drop_values, axis, scheme, **more):
    rows = []
    for replica, values in enumerate(drop_values):
        row = {"cell": f"c{replica}", "scheme": scheme, "record": f"r{replica}", "replica": replica, "snr_db": axis, "n": len(values)}
        for metric in METRICS:
            row |= Moments.of(values).columns(metric)
        rows.append(row | dict.fromkeys(BITS, 100.0 + replica) | {"seconds": 1.0, "status": "ok", "log": "slot"} | more)
    return rows


def test_replicas_merge_to_the_pooled_drops():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=4), rng.normal(size=16)]
    cells = pd.DataFrame(cell_rows(parts, 10.0, "a") + cell_rows(parts[:1], 20.0, "a"))
    cells.attrs["axes"] = ["snr_db"]
    merged = merge_replicas(cells, ["snr_db"])
    pooled = Moments.of(np.concatenate(parts))
    assert merged["snr_db"].tolist() == [10.0, 20.0]
    first = merged.iloc[0]
    assert (first["n"], first["replica"], first["seconds"]) == (20, 2, 2.0)
    assert first["sum_rate_bps_hz_mean"] == pytest.approx(pooled.mean, rel=1e-12)
    assert first["sum_rate_bps_hz_std"] == pytest.approx(np.concatenate(parts).std(ddof=1), rel=1e-12)
    assert first["sum_rate_bps_hz_ci95"] == pytest.approx(pooled.ci95, rel=1e-12)
    assert first["pilot_bits"] == pytest.approx((4 * 100 + 16 * 101) / 20)
    assert merged.attrs == cells.attrs


def test_a_failed_replica_does_not_hide_the_others():
    rows = cell_rows([[1.0, 2.0], [3.0]], 10.0, "a")
    rows[1] |= {"n": 0, "status": "failed"}
    merged = merge_replicas(pd.DataFrame(rows), ["snr_db"])
    assert merged["n"].tolist() == [2]
    assert merged["status"].tolist() == ["ok"]


def test_paired_differences_forget_what_the_schemes_share():
    rng = np.random.default_rng(1)
    shared, own = rng.normal(10.0, 5.0, 16), rng.normal(0.0, 0.01, 16)
    rows = []
    for scheme, rate in (("a", shared), ("b", shared + 0.5 + own)):
        rows += [
            {"cell": "c", "scheme": scheme, "snr_db": 0, "replica": d // 8, "drop": d % 8, "sum_rate_bps_hz": r, "net_rate_bps_hz": r / 2}
            for d, r in enumerate(rate)
        ]
    differences = paired_differences(pd.DataFrame(rows).sample(frac=1.0, random_state=0), ["snr_db"], "a")
    assert differences[["snr_db", "scheme", "n"]].to_numpy().tolist() == [[0, "b", 16]]
    expected = Moments.of(0.5 + own)
    assert differences["sum_rate_bps_hz_diff_mean"].item() == pytest.approx(expected.mean, rel=1e-9)
    assert differences["sum_rate_bps_hz_diff_ci95"].item() == pytest.approx(expected.ci95, rel=1e-9)
    assert differences["net_rate_bps_hz_diff_mean"].item() == pytest.approx(expected.mean / 2, rel=1e-9)
