"""Tables of both papers: complete, consistent, and every published number with a rule or a reason."""

from importlib import import_module

import pytest

from csisim.papers.base import Conditions, Measured, judge
from csisim.papers.by_scenario import ByScenario

PAPERS = {name: import_module(f"csisim.papers.{name}").TABLES for name in ("hu2021", "kang2022")}
ITEMS = [(paper, item) for paper, tables in PAPERS.items() for item in tables]


def test_every_table_and_figure_is_there():
    assert list(PAPERS["hu2021"]) == [*(f"table{i}" for i in range(1, 12)), *(f"fig{i}" for i in range(5, 9))]
    assert list(PAPERS["kang2022"]) == [*(f"table{i}" for i in range(1, 6)), *(f"fig{i}" for i in range(9, 20))]


@pytest.mark.parametrize(("paper", "item"), ITEMS)
def test_rows_fit_their_columns_and_can_be_judged(paper, item):
    table = PAPERS[paper][item]
    assert table.rows
    for row in table.rows:
        columns = row.columns or table.columns
        assert not row.published or len(row.published) == len(columns)
        assert all(0 <= i < len(columns) and why for i, why in row.inconsistent.items())
        excuse = row.skipped or table.skipped
        if table.source is None:
            assert excuse
        if not row.published:
            continue
        assert row.rule or excuse
        if isinstance(table.source, ByScenario) and row.name not in table.source.rows:
            assert excuse
        lines = judge(item, table, row, [Measured(value, 0.0) for value in row.published] if row.rule else None)
        expected = {i: "published value inconsistent" for i in row.inconsistent}
        assert [line.verdict for line in lines] == [expected.get(i, "reproduced" if row.rule else "not run") for i in range(len(columns))]
        assert all(line.note for line in lines if line.verdict in ("not run", "published value inconsistent"))


@pytest.mark.parametrize("item", [item for item, table in PAPERS["kang2022"].items() if isinstance(table.source, ByScenario)])
def test_scenarios_measure_what_the_rows_say(item):
    from csisim.cli.shipped import shipped
    from csisim.scenario.load import load_scenario

    table = PAPERS["kang2022"][item]
    rows = {row.name: row for row in table.rows}
    loaded = {name: load_scenario(shipped() / "papers" / f"{name}.yaml") for name in table.source.scenarios()}
    for name, of in table.source.rows.items():
        columns = rows[name].columns or table.columns
        assert len(of.at) == len(columns)
        assert None not in of.at or rows[name].skipped
        for part in (of, of.over):
            if part is None:
                continue
            scenario = loaded[part.scenario].scenario
            cells = loaded[part.scenario].cells
            measured = {at for at in part.at if at is not None}
            if part.axis != "scheme":
                swept = range(1, scenario.clock.frames + 1) if part.axis == "frame" else [cell.axes[part.axis] for cell in cells]
                assert measured <= {float(at) for at in swept}
            assert {part.scheme.format(at) for at in measured} <= {scheme.name for scheme in scenario.schemes}
        if of.over is not None:  # paired drop by drop: the same channels
            mine, other = loaded[of.scenario].scenario, loaded[of.over.scenario].scenario
            assert (mine.seed, mine.clock, mine.channel, mine.precision) == (other.seed, other.clock, other.channel, other.precision)
            assert mine.drops == other.drops


def test_full_effort_is_more_of_the_same(monkeypatch, tmp_path):
    from csisim.papers import by_scenario
    from csisim.runner import sweep

    seen = {}

    def run(loaded, *_, **__):
        seen.update(replicas=loaded.scenario.replicas, frames=[cell.axes["frames"] for cell in loaded.cells])
        seen["steps"] = {cell.scenario.training_effort for cell in loaded.cells}
        return _Done()

    monkeypatch.setattr(sweep, "run_sweep", run)
    from csisim.cli.shipped import shipped

    for effort, replicas in (("quick", 1), ("full", 8)):
        conditions = Conditions(effort, print, tmp_path, shipped() / "papers", 1)
        by_scenario._run("kang2022_fig9", conditions, {"frames": (2.0, 4.0)})
        assert seen["replicas"] == replicas
        assert seen["frames"] == [2, 4]
        assert seen["steps"] == {{"quick": 1, "full": 4}[effort]}


class _Done:
    interrupted, failed = False, 0
