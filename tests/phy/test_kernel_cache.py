"""Kernels compile where nobody may write beside the sources or at home."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from csisim.phy import kernel_cache

READ_ONLY = """
import os, sys
import pathlib
allowed = os.access
os.access = lambda path, mode, **kwargs: str(path).startswith(sys.argv[1]) and allowed(path, mode, **kwargs)
import csisim
print(os.environ.get("NUMBA_CACHE_DIR", ""))
"""


def chosen(tmp_path, **environment):
    """What a fresh process chooses that may write below ``tmp_path`` alone."""
    clean = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    clean |= {"TMPDIR": str(tmp_path)} | environment
    command = [sys.executable, "-c", READ_ONLY, str(tmp_path)]
    return subprocess.run(command, env=clean, capture_output=True, text=True, check=True).stdout.strip()


def test_a_private_temporary_folder_is_the_last_resort(tmp_path):
    folder = Path(chosen(tmp_path))
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o077 == 0
    assert chosen(tmp_path) == str(folder)  # the next run finds the kernels of this one
    folder.chmod(0o777)  # anybody may have put anything there
    assert Path(chosen(tmp_path)) not in (folder, Path())


def test_the_users_choice_and_the_users_cache_come_first(tmp_path):
    assert chosen(tmp_path, NUMBA_CACHE_DIR="/elsewhere") == "/elsewhere"
    assert chosen(tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache")) == ""


@pytest.mark.skipif("NUMBA_CACHE_DIR" in os.environ, reason="chosen by the user")
def test_nothing_is_chosen_where_sources_can_be_written_beside(monkeypatch):
    monkeypatch.setattr(kernel_cache, "_writable", lambda folder: True)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    kernel_cache.keep_kernels_somewhere()
    assert "NUMBA_CACHE_DIR" not in os.environ
