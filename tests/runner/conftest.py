"""Scenarios for the runner's tests and what their results hold."""

from pathlib import Path

import fake_engine
import pyarrow.parquet as pq
import pytest

from csisim.records.load import load
from csisim.scenario.load import load_scenario

SCENARIO = """
name: tiny
description: four cells of two schemes
seed: 3
drops: 20
system: {num_tx: 8, num_rf: 4, num_rx: 4, num_rx_rf: 2, num_users: 2, num_streams: 2, snr_db: 10}
channel: rayleigh
clock: {frames: 3, slots_per_frame: 4, superframes: 2}
schemes:
  - {name: a, timescale: offline, estimator: ls, analog: covariance, digital: sca}
  - {name: b, timescale: online, estimator: rls, analog: covariance, digital: sca}
sweep:
  grid: {system.snr_db: [0, 5, 10, 15]}
"""


@pytest.fixture
def scenario_file(tmp_path):
    """Write a scenario, the tiny one or an edited one, and give its path."""

    def write(text: str = SCENARIO, name: str = "tiny.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def scenario(scenario_file):
    """Load the tiny scenario after replacing pieces of its text."""

    def loaded(*replacements: tuple[str, str]):
        text = SCENARIO
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        return load_scenario(scenario_file(text))

    return loaded


@pytest.fixture
def marks(tmp_path, monkeypatch):
    """The folder of the engines' marks."""
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv(fake_engine.MARKS, str(folder))
    return folder


def content(root):
    """Everything a results folder says but how long it took: its cells, and the rows of every slot file by record."""
    cells = load(root).drop(columns="seconds")
    slots = {path.name: pq.read_table(path).to_pylist() for path in sorted((Path(root) / "slots").iterdir())}
    return cells.to_json(orient="records", double_precision=15), slots


@pytest.fixture(name="content")
def _content():
    return content


@pytest.fixture
def leftovers():
    """Files of a results folder that a finished run has no use for."""

    def find(root):
        return [str(path) for path in Path(root).rglob("*") if path.suffix in (".tmp", ".jsonl")]

    return find
