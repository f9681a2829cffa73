"""Small data sets and what is in them."""

import pytest

from csisim.channel.cost2100.presets import preset
from csisim.dataset.recipe import Recipe


@pytest.fixture
def recipe():
    """A recipe of so many drops."""
    return lambda count, name="indoor_public", seed=None: Recipe(preset(name, seed), count)


@pytest.fixture
def content():
    """Every file of a folder, byte by byte."""
    return lambda root: {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 20 and shards of 50 drops, in this process."""
    monkeypatch.setattr("csisim.dataset.blocks.ROWS", 20)
    monkeypatch.setattr("csisim.dataset.make.SHARD", 50)
