"""Cells side by side need memory side by side."""

import pytest
from fake_engine import run_cell

from csisim.errors import CsisimError
from csisim.runner import effort
from csisim.runner.sweep import run_sweep
from csisim.scenario.memory import working_set


@pytest.fixture
def swept(scenario):
    """Two cells, the second one larger."""
    return scenario(("system.snr_db: [0, 5, 10, 15]", "system.num_users: [1, 2]"))


@pytest.fixture
def four_cores(swept, monkeypatch):
    """Sizes of the two cells, and a machine of four cores with so much memory."""
    small, large = (working_set(cell.scenario) for cell in swept.cells)

    def machine(present):
        monkeypatch.setattr(effort, "available_cores", lambda: 4)
        monkeypatch.setattr(effort, "physical_memory", lambda: present)
        return small, large

    return machine


def test_as_many_workers_as_memory_allows(swept, four_cores):
    small, large = four_cores(None)
    assert large > small
    assert effort.default_jobs(swept) == 4
    for present, jobs in ((small + large, 4), (small + large - 1, 1), (large, 1)):
        four_cores(present)
        assert effort.default_jobs(swept) == jobs


def test_more_workers_than_fit_are_refused(swept, four_cores, tmp_path):
    small, large = four_cores(None)
    four_cores(small + large - 1)
    with pytest.raises(CsisimError, match=r"2 workers need about .* and this machine has .* \(-j 1\)"):
        run_sweep(swept, tmp_path / "r", 2, run_cell=run_cell)
    assert not (tmp_path / "r").exists()
    assert run_sweep(swept, tmp_path / "r", 1, run_cell=run_cell).computed == 4
