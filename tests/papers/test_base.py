"""How a published table is judged."""

import pytest

from csisim.papers.base import Measured, Row, Rule, Table, judge

TABLE = Table("t", ("a", "b"), ())


def verdicts(row, *measured):
    return [line.verdict for line in judge("t", TABLE, row, [Measured(value, 0.0) for value in measured])]


def test_a_value_must_be_near_enough():
    row = Row("r", "s", (10.0, 10.0), Rule(relative=0.1))
    assert verdicts(row, 11.0, 8.9) == ["reproduced", "not reproduced"]
    assert verdicts(Row("r", "s", (10.0, 10.0), Rule(points=0.2)), 10.1, 10.3) == ["reproduced", "not reproduced"]


def test_its_interval_counts_as_nearness():
    (line, _) = judge("t", TABLE, Row("r", "s", (10.0, 10.0), Rule(points=0.2)), [Measured(10.5, 0.4), Measured(10.0)])
    assert line.verdict == "reproduced"
    assert line.deviation == pytest.approx(0.05)


def test_better_than_published_is_not_reproduced_and_says_so():
    row = Row("r", "s", (10.0, 10.0), Rule(points=0.2, more_is_better=True), note="too few steps")
    better, worse = judge("t", TABLE, row, [Measured(20.0, 0.0, "so is ZF"), Measured(9.7, 0.0)])
    assert (better.verdict, better.note) == ("not reproduced", "better than published; so is ZF")
    assert (worse.verdict, worse.note) == ("not reproduced", "too few steps")
    assert [line.note for line in judge("t", TABLE, row, [Measured(10.1, 0.0), Measured(20.0, 0.0)])] == ["", "better than published"]


def test_a_remark_stands_beside_every_measured_value():
    row = Row("r", "s", (10.0, 10.0), Rule(points=0.2, more_is_better=True), skipped="too long", remark="so is RLS")
    near, better = judge("t", TABLE, row, [Measured(10.0, 0.0), Measured(20.0, 0.0)])
    assert (near.verdict, near.note, better.note) == ("reproduced", "so is RLS", "better than published; so is RLS")
    assert [line.note for line in judge("t", TABLE, row, None)] == ["too long", "too long"]


def test_a_row_whose_rms_is_too_large_holds_nowhere():
    row = Row("r", "s", (10.0, 10.0), Rule(relative=0.1, rms=0.05))
    assert verdicts(row, 10.4, 9.6) == ["reproduced", "reproduced"]
    assert verdicts(row, 10.9, 10.0) == ["not reproduced", "not reproduced"]  # each near enough, the rms is 6.4 %


def test_what_is_not_measured_says_why_and_what_cannot_be_right_says_so_anyway():
    row = Row("r", "s", (10.0, 20.0), Rule(), inconsistent={1: "a misprint"}, skipped="too long")
    lines = judge("t", TABLE, row, None)
    assert [(line.verdict, line.note) for line in lines] == [("not run", "too long"), ("published value inconsistent", "a misprint")]
    lines = judge("t", TABLE, row, [Measured(10.0, 0.0), Measured(12.0, 0.0)])
    assert [(line.verdict, line.measured) for line in lines] == [("reproduced", 10.0), ("published value inconsistent", 12.0)]


def test_a_row_without_published_values():
    assert judge("t", TABLE, Row("r", "s"), None) == []
    assert verdicts(Row("r", "s"), 1.0, 2.0) == ["no published value"] * 2
    assert [line.column for line in judge("t", Table("t", (), ()), Row("r", "s", skipped="why"), None)] == [""]
