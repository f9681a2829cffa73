"""Where results come from: versions, commit, command line, machine."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import csisim
from csisim.records.identity import MODEL_VERSION

PACKAGES = ("numpy", "scipy", "numba", "torch", "simpy", "pyarrow", "pandas", "pydantic")


def versions() -> dict[str, str]:
    """Versions of csisim and of the packages its numbers pass through; an absent package is left out."""
    found = {"python": platform.python_version(), "csisim": csisim.__version__, "model": str(MODEL_VERSION)}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> dict[str, Any] | None:
    """Commit of the source tree this csisim runs from and whether it was changed since; None for an installed package."""
    source = Path(csisim.__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(source), *arguments], capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # a csisim installed below somebody's repository is not part of it
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--", "."))}
    except (OSError, subprocess.SubprocessError):
        return None


def cpu_name() -> str:
    """Name of the processor as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def describe_run(jobs: int, command: Sequence[str] | None = None) -> dict[str, Any]:
    """One run, for ``provenance.json``."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": list(sys.argv if command is None else command),
        "versions": versions(),
        "git": commit(),
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "jobs": jobs,
        "threads_per_job": 1,
    }


def append_run(path: Path, run: dict[str, Any]) -> str:
    """Text of ``provenance.json`` with one more run: a folder filled by several runs names them all."""
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    except (OSError, ValueError, KeyError, TypeError):
        runs = []
    return json.dumps({"runs": [*runs, run]}, indent=2) + "\n"
