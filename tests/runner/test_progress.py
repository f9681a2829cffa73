"""The progress line is for people and for grep."""

import io
import re
import sys
import time

from csisim.runner.progress import Plain, Tally, clock, display


def test_the_line():
    tally = Tally(total=16, cost=200.0, began=time.monotonic() - 63.0, done=11, failed=1, spent=150.0)
    assert tally.line() == "sweep 12/16 75% failed 1 eta 00:21"
    assert Tally(16, 200.0).line() == "sweep 0/16 0% failed 0 eta --:--"


def test_clock():
    assert [clock(s) for s in (0, 61.4, 3599.6, 7325)] == ["00:00", "01:01", "1:00:00", "2:02:05"]


def test_plain_lines_come_at_every_twentieth(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with display() as shown:
        assert isinstance(shown, Plain)
        tally = Tally(total=1000, cost=1000.0)
        for done in range(1001):
            tally.done, tally.spent = done, float(done)
            shown.show(tally)
    lines = sys.stderr.getvalue().splitlines()
    assert len(lines) == 20
    assert all(re.fullmatch(r"sweep \d+/1000 \d+% failed 0 eta \d\d:\d\d", line) for line in lines)


def test_quiet_is_silent(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with display(quiet=True) as shown:
        shown.show(Tally(2, 2.0, done=2, spent=2.0))
    assert sys.stderr.getvalue() == ""
