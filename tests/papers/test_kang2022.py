"""What the tables of Kang 2022 measure beside scenarios: times, operations and a learning curve."""

from dataclasses import replace
from pathlib import Path

import pytest

from csisim.cli.shipped import shipped
from csisim.papers import kang2022_figures, networks
from csisim.papers import kang2022_speed as speed
from csisim.papers.base import Conditions, Measured, judge, reproduce
from csisim.papers.kang2022 import TABLES
from csisim.scenario.load import load_scenario

QUICK = Conditions("quick", lambda _: None, Path(), shipped() / "papers", 1)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))


def test_operations_are_those_of_the_formulas():
    counted = speed.operations(8, 1)
    rls, ssca = 80 * 64, 70 * (4 * 512 + 16 * 64 * 4 + 4 * 64 * 4)
    assert counted["RLS-SSCA, operations"].value == pytest.approx((rls + ssca) / 1e6)
    cedun, hbdun = 16 * 64, 5 * (4 * 8**2.37 + 16 * 64 * 4 + 4 * 64 * 4)
    assert counted["joint, operations"].value == pytest.approx((cedun + hbdun) / 1e6)
    assert counted["RLS-SSCA / joint, operations"].value == pytest.approx((rls + ssca) / (cedun + hbdun))


def test_every_time_of_table5_is_measured_and_set_beside_the_published_one(monkeypatch):
    monkeypatch.setattr(speed, "SIZES", ((8, 1),))
    monkeypatch.setattr(speed, "_TRAINED", {"quick": ()})
    monkeypatch.setattr(speed, "_BATCH", 4)
    whole = TABLES["table5"]
    column = replace(whole, columns=whole.columns[:1], rows=tuple(replace(row, published=row.published[:1]) for row in whole.rows))
    first = {(line.row, line.unit): line for line in reproduce("table5", column, QUICK)}
    unknown = {line.row for line in first.values() if line.measured is None and line.published is None}
    assert unknown == {f"RLS-SSCA / joint, equal rate, {length} pilots" for length in (80, 16)}
    assert all(line.measured > 0 for line in first.values() if line.measured is not None)
    assert first["joint, published", "min training"].published == 46.82
    assert first["joint, published", "s testing"].published == 0.26
    assert {line.verdict for line in first.values() if line.row.endswith("published")} == {"not run"}  # another machine's
    judged = [line.row for line in first.values() if line.verdict in ("reproduced", "not reproduced")]
    assert judged == ["RLS-SSCA in array operations / joint"]


def test_weights_are_made_once_whatever_is_timed(monkeypatch):
    from csisim.acquisition import fc_net

    made, initial = [], fc_net.initial
    monkeypatch.setattr(fc_net, "initial", lambda *sizes: made.append(sizes) or initial(*sizes))
    speed.Chain((8, 2), *speed._CHAINS["black box"]).seconds(1)
    assert len(made) == 1


def test_sca_in_array_operations_designs_the_same_precoders():
    chain = speed.Chain((8, 2), *speed._CHAINS["RLS-SSCA"])
    channel = speed.complex_normal(speed.stream(1, 0, "test"), (6, 2, 1, 4, 8))
    compiled = chain.rate(channel)
    chain.digital = speed._ArraySca()
    assert chain.rate(channel) == pytest.approx(compiled, rel=1e-3)


def test_sca_stops_as_soon_as_it_has_the_wanted_rate(monkeypatch):
    monkeypatch.setattr(speed, "_BATCH", 4)
    channel = speed.complex_normal(speed.stream(1, 0, "test"), (6, 2, 1, 4, 8))
    rates = [speed.Chain((8, 2), {"kind": "rls"}, {"kind": "sca", "iterations": n}, 80).rate(channel) for n in (1, 3)]
    assert rates[0] < rates[1]
    found = speed._ratio((8, 2), 80, channel, rates[1], 1.0)
    assert "after 3 iterations" in found.note or "after 2 iterations" in found.note
    assert found.value > 0
    never = speed._ratio((8, 2), 80, channel, 1e9, 1.0)
    assert never.value is None  # no rate is equal, so no ratio either
    assert "never gets there" in never.note
    assert "after 70 iterations" in never.note


def test_figure_18_compares_the_last_frames_and_says_what_the_start_is_worth():
    scenario = load_scenario(shipped() / "papers" / "kang2022_fig18.yaml").scenario
    assert scenario.evaluation.last_frames < scenario.clock.frames / 2
    schemes = {scheme.name: scheme for scheme in scenario.schemes}
    behind, joint, rls = (schemes[name] for name in ("rls_trained_phases", "online_joint", "online_rls_ssca"))
    assert (behind.analog.weights, behind.analog.steps) == (joint.analog.weights, 0)
    assert (behind.estimator, behind.digital) == (rls.estimator, rls.digital)
    compared = TABLES["fig18"].source.rows["joint, share of RLS, trained phases"]
    assert (compared.scheme, compared.over.scheme) == ("online_joint", "rls_trained_phases")


def test_rows_of_eq4_say_whose_the_gain_is():
    rows = [row for row in TABLES["table1"].rows if row.name.endswith("eq. (4)") and row.published]
    assert len(rows) == 2
    for row in rows:
        assert all(
            "RLS with the same" in line.note for line in judge("table1", TABLES["table1"], row, [Measured(v) for v in row.published])
        )


def test_the_learning_curve_begins_where_the_networks_were(monkeypatch):
    monkeypatch.setitem(networks.TRAINING, "quick", 1e-3)  # a single step of everything
    monkeypatch.setattr(kang2022_figures, "_CURVE", (0, 1))
    table = replace(TABLES["fig16"], columns=("before", "0 steps", "1 steps"))
    lines = {(line.row, line.column): line.measured for line in reproduce("fig16", table, QUICK)}
    assert lines["joint", "before"] > lines["joint", "0 steps"] > 0  # other angles than it was trained for
    assert lines["joint", "1 steps"] != lines["joint", "0 steps"]
    assert lines["joint, share", "before"] is None
    assert 50 < lines["joint, share", "1 steps"] < 150
