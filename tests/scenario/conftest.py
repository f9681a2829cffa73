"""Tools to break a small valid scenario."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_scenario import BASE

from csisim.errors import ScenarioError
from csisim.scenario.load import Loaded, load_scenario


@pytest.fixture
def scenario_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes the small scenario after replacements ``old -> new`` (each must change something)."""

    def write(*edits: tuple[str, str], text: str = BASE, name: str = "s.yaml") -> Path:
        for old, new in edits:
            assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def load(scenario_file: Callable[..., Path]) -> Callable[..., Loaded]:
    """Loads the small scenario after replacements."""
    return lambda *edits, sets=(), sweeps=(), text=BASE: load_scenario(scenario_file(*edits, text=text), sets, sweeps)


@pytest.fixture
def refusal(scenario_file: Callable[..., Path]) -> Callable[..., str]:
    """The message with which the small scenario is refused after replacements, file name shortened to ``s.yaml``."""

    def refuse(*edits: tuple[str, str], sets: tuple = (), sweeps: tuple = (), text: str = BASE) -> str:
        path = scenario_file(*edits, text=text)
        with pytest.raises(ScenarioError) as caught:
            load_scenario(path, sets, sweeps)
        return str(caught.value).replace(str(path), "s.yaml")

    return refuse
