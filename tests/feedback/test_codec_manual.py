"""docs/codecs.md leaves out no codec, no quantiser and no setting, and names the published schedules that there are."""

import re
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from csisim.feedback.code_quantisers import CodeQuantiserConfig
from csisim.registry import TABLE, component

MANUAL = (Path(__file__).parents[2] / "docs" / "codecs.md").read_text(encoding="utf-8")
CELLS = [line.split(" | ", 1) for line in MANUAL.splitlines() if line.startswith("| ")]


def named(text):
    return set(re.findall(r"`(\w+)(?:: [^`]*)?`", text))


NAMED = named(MANUAL)
IMAGES = {"domain", "delays", "reduction", "scale", "quantiser", "weights", "scaling"}  # rows of their own, once for all kinds of images


@pytest.mark.parametrize("kind", TABLE["codec"])
def test_every_codec_has_a_row_that_names_its_settings(kind):
    if ".nets." in TABLE["codec"][kind][0]:
        pytest.importorskip("torch")
    settings = set(component("codec", kind).Config.model_fields)
    elsewhere = IMAGES if "domain" in settings else {"weights", "budget_s"}  # the latter are those of all learned components
    rows = [rest for first, rest in CELLS if kind in named(first)]
    assert rows
    assert settings - elsewhere - {"kind"} <= named(" ".join(rows))


def test_what_images_share_has_rows_of_its_own():
    assert {name for first, _ in CELLS for name in named(first)} >= IMAGES


@pytest.mark.parametrize("quantiser", get_args(get_args(CodeQuantiserConfig)[0]), ids=lambda config: config.__name__)
def test_every_quantiser_and_setting_is_named(quantiser):
    assert {quantiser.model_fields["kind"].default, *quantiser.model_fields} <= NAMED | {"kind"}


def test_the_published_schedules_are_those_that_are_packaged():
    packaged = {
        re.sub("codec_(.*)_published.yaml", r"\1", f.name) for f in files("csisim.training.recipes").iterdir() if "_published" in f.name
    }
    sentence = re.search(r"`codec_KIND_published` is the published schedule: (.*?)\.\n", MANUAL)[1]
    assert set(re.findall(r"`(\w+)`", sentence)) == packaged
    assert "There are eight" in MANUAL
    assert len(packaged) == 8
