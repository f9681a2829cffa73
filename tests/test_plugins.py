"""A component of another package, announced by an entry point, is used like one of ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

QUICKSTART = Path(__file__).parents[1] / "scenarios" / "quickstart.yaml"

PLUGIN = '''
from typing import ClassVar, Literal

import numpy as np

from csisim.phy.power import normalise
from csisim.registry import Component


class MatchedFilterConfig(Component):
    kind: Literal["matched_filter"] = "matched_filter"


class MatchedFilter:
    """Each user's strongest right singular vectors, interference ignored."""

    Config = MatchedFilterConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config):
        self.config = config

    def design(self, channel, noise_power, power, num_streams):
        _, _, right = np.linalg.svd(channel, full_matrices=False)
        return normalise(right.conj().swapaxes(-1, -2)[..., :num_streams], power), None
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A folder that looks like an installed package with one digital designer."""
    (tmp_path / "toy.py").write_text(PLUGIN)
    info = tmp_path / "toy_beams-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-beams\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[csisim.digital]\nmatched_filter = toy:MatchedFilter\n")
    return tmp_path


def csisim(plugin: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(plugin)}
    command = [sys.executable, "-c", "from csisim.cli import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_a_plugin_is_listed_and_runs(plugin: Path):
    assert "digital/matched_filter" in csisim(plugin, "ls", "kinds")
    out = str(plugin / "out")
    sets = ["drops=2", "clock.frames=1", "evaluation.last_frames=1", "plots=[]", "schemes.offline_rls_random.digital=matched_filter"]
    options = [part for value in sets for part in ("--set", value)]
    csisim(plugin, "run", str(QUICKSTART), "-j", "1", "-q", "-o", out, *options, "--sweep", "system.snr_db=10")
    rows = {row["scheme"]: row["sum_rate_bps_hz_mean"] for row in json.loads(csisim(plugin, "show", out, "--json"))}
    assert 0 < rows["offline_rls_random"] < rows["offline_rls_ssca"]


def test_the_readmes_component_keeps_its_promises(plugin: Path):
    """The example of the README passes the public check."""
    code = "from csisim import testing; import toy; testing.check_digital(toy.MatchedFilter(toy.MatchedFilterConfig()))"
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(plugin)}, check=True, capture_output=True)
