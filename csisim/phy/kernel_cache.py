"""Where compiled kernels are kept from one run to the next."""

import os
import sys
from contextlib import suppress
from pathlib import Path


def keep_kernels_somewhere() -> None:
    """Give Numba a folder of last resort where it would refuse to compile for want of one.

    Numba keeps kernels beside the sources, or else in the user's cache folder; a cluster's node or a container may let nobody
    write into either. The choice is made in the environment, before Numba is imported, so that worker processes share it.
    """
    if os.environ.get("NUMBA_CACHE_DIR") or "numba" in sys.modules:
        return
    sources = Path(__file__).parents[1]
    folders = [sources / room / "__pycache__" for room in ("phy", "channel", "beamforming/digital")]
    users = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "numba")
    if not (all(map(_writable, folders)) or _writable(users)):
        with suppress(OSError):  # nowhere at all: whoever needs a kernel is told by Numba
            os.environ["NUMBA_CACHE_DIR"] = _last_resort()


def _writable(folder: Path) -> bool:
    """Whether files can be written into a folder, made if need be."""
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _last_resort() -> str:
    """A temporary folder that survives the run, if it is this user's alone: Numba executes what it finds there."""
    import tempfile

    if not hasattr(os, "getuid"):
        return tempfile.mkdtemp(prefix="csisim-")
    folder = Path(tempfile.gettempdir(), f"csisim-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    mine = status.st_uid == os.getuid() and status.st_mode == 0o040700
    return str(folder) if mine else tempfile.mkdtemp(prefix="csisim-")
