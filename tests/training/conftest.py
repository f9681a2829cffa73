"""Recipes of a test in the place of the packaged ones, and a cache of its own."""

import pytest
import yaml

from csisim import weights
from csisim.training import native


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    def put(recipes):
        folder = tmp_path / "recipes"
        folder.mkdir()
        for name, document in recipes.items():
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))
        monkeypatch.setattr(weights, "RECIPES", folder)
        monkeypatch.setattr(native, "RECIPES", folder)
        monkeypatch.setenv("CSISIM_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache"

    return put
