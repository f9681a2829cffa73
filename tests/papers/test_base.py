"""The verdict of a reproduction, and that every published row has its scenario."""

from pathlib import Path

import pytest

from csisim.papers.base import Point, Reproduction, verdict
from csisim.papers.kang2022 import REPRODUCTIONS
from csisim.scenario.load import load_scenario

PAPERS = Path(__file__).parents[2] / "scenarios" / "papers"


def test_verdict_needs_both_every_point_and_the_rms():
    rule = Reproduction("t", "s.yaml", "num_users", "nat/s/Hz", (), each=0.10, rms=0.05)
    points = lambda *deviations: [Point("r", i, 10.0, 10.0 * (1 + d), 0.1) for i, d in enumerate(deviations)]  # noqa: E731
    assert verdict(rule, points(0.04, -0.04)) == (True, pytest.approx(0.04), pytest.approx(0.04))
    assert not verdict(rule, points(0.11, 0.0, 0.0, 0.0, 0.0, 0.0))[0]  # one point too far, though the rms is fine
    assert not verdict(rule, points(0.06, -0.06))[0]  # every point near enough, the rms is not


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_scenarios_measure_what_was_published(name):
    reproduction = REPRODUCTIONS[name]
    cells = load_scenario(PAPERS / reproduction.scenario).cells
    for row in reproduction.rows:
        assert {float(cell.axes[reproduction.axis]) for cell in cells} >= set(row.published)
        assert all(row.scheme in {scheme.name for scheme in cell.scenario.schemes} for cell in cells)
