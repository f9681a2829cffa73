"""Files that appear whole or not at all: written under a temporary name, then given their own in one step."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The temporary name under which a file is written; it takes the place of ``path`` at the end.

    Raises
    ------
    OSError
        If it cannot be written; it names ``path``, which is what it was.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with named(path):
            yield temporary
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def named(path: Path) -> Iterator[None]:
    """What the system refuses meanwhile is told of this file: a full disk names none, and nobody knows the temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_atomic(path: Path, text: str) -> None:
    """Replace a text file in one step; errors as for :func:`replacing`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
