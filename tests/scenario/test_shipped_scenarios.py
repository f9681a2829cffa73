"""The scenarios that come with csisim: valid, asking a question, with the schemes and sizes that others rely on."""

from pathlib import Path

import pytest

from csisim.engine.ledger import slot_costs
from csisim.runner.plan import cells
from csisim.scenario.load import load_scenario
from csisim.scenario.yaml import dump

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = sorted(SCENARIOS.rglob("*.yaml"))
HARMLESS = ("digital designers switch streams off", "zero forcing cannot separate them")  # the paper's own Table I has six users


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_valid_and_asks_something(file):
    loaded = load_scenario(file)
    assert loaded.scenario.name == file.stem
    first = file.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert file.parent.name == "papers" or "?" in first
    assert loaded.scenario.plots
    assert [warning for warning in loaded.warnings if not any(known in warning for known in HARMLESS)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_run_leaves_behind_means_the_same_cells_and_records(file, tmp_path):
    first = load_scenario(file)
    (tmp_path / "scenario.yaml").write_text(dump(first.scenario.document()))
    again = load_scenario(tmp_path / "scenario.yaml")
    assert again.axes == first.axes
    assert [cell.axes for cell in again.cells] == [cell.axes for cell in first.cells]
    keys = lambda loaded: [[(entry.cell, entry.record) for entry in entries] for _, entries in cells(loaded)]  # noqa: E731
    assert keys(again) == keys(first)


def test_the_names_differ():
    assert len({file.stem for file in FILES}) == len(FILES)


def test_the_main_job():
    loaded = load_scenario(SCENARIOS / "online_mixed_timescale.yaml")
    names = ["offline_rls_ssca", "online_rls_ssca", "single_rls_altmin", "offline_rls_covariance", "offline_rls_random", "fully_digital"]
    assert [scheme.name for scheme in loaded.scenario.schemes] == names
    assert len(loaded.cells) == 16
    assert loaded.cells[0].axes == {"snr_db": 10, "num_users": 4, "num_rf": 16}
    assert len(loaded.warnings) == 1


def test_figure_9_counts_the_papers_bits():
    """Kang 2022, eq. 47-51 with T_s = 8, N_sample = 16, L = 16: offline worst at 2 frames, equal to online at 16."""
    bits = {}
    for cell in load_scenario(SCENARIOS / "papers/kang2022_fig9.yaml").cells:
        scenario, clock = cell.scenario, cell.scenario.clock
        costs = [
            slot_costs(s, scenario.system, scenario.pilots, scenario.ledger, clock.frames, clock.slots_per_frame) for s in scenario.schemes
        ]
        bits[clock.frames] = [int(cost.pilot_bits.sum()) for cost in costs]
    assert bits[2] == [22528, 26624, 6912]
    assert bits[16] == [180224, 55296, 55296]


def test_table_1_has_its_schemes_and_users():
    loaded = load_scenario(SCENARIOS / "papers/kang2022_table1.yaml")
    assert [scheme.name for scheme in loaded.scenario.schemes] == ["perfect_ssca", "rls_ssca"]
    assert [cell.axes["num_users"] for cell in loaded.cells] == [1, 2, 3, 4, 5, 6]
    assert loaded.scenario.pilot_length == 90
