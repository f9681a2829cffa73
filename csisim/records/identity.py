"""Which result is which: keys from content, so that a record is computed once and found again.

A key is the first 16 hex digits of the SHA-256 of canonical JSON. It covers everything that can change a number and nothing
else: names, descriptions, plots, workers and the level of the log stay out, and a file counts by its content, not its path.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel

from csisim.engine.cell import Physics

#: Raised whenever the same scenario would give other numbers than before: old records are then not taken for new ones.
MODEL_VERSION = 3

#: Scenario fields that a record's numbers depend on beside its scheme and replica: the cell's physics, and the frames that the
#: drop means in its footer are taken over. A field that is only for show belongs to neither and changes no key.
SHARED_FIELDS = (*(name for name in Physics.model_fields if name != "schemes"), "evaluation")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: one text for one value.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """First 16 hex digits of the SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's content; remembered while the file's size and time of change stay the same."""
    status = Path(path).stat()
    return _file_digest(str(path), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _file_digest(path: str, size: int, changed_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plain(value: Any) -> Any:
    """A setting as JSON values, the path of a file (it has a suffix, and the file is there) replaced by the file's SHA-256."""
    if isinstance(value, BaseModel):  # a field that a model does not write down decides nothing
        return {name: plain(getattr(value, name)) for name in value.model_dump()}
    if isinstance(value, str | PurePath):
        path = Path(value)
        return {"sha256": file_digest(path)} if path.suffix and path.is_file() else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    return value


def physics(scenario: BaseModel) -> dict[str, Any]:
    """Everything of one cell's scenario that its schemes share and that can change a number."""
    return {name: plain(getattr(scenario, name)) for name in SHARED_FIELDS}


def physics_digest(scenario: BaseModel) -> str:
    """SHA-256 of :func:`physics`, from which the keys of a cell's replicas and schemes follow."""
    return hashlib.sha256(canonical_json(physics(scenario)).encode()).hexdigest()


def record_key(physics: str, scheme: BaseModel, replica: int) -> str:
    """Key of what one scheme did in one cell and replica; the scheme's name is not part of it."""
    content = {name: value for name, value in plain(scheme).items() if name != "name"}
    return digest({"model": MODEL_VERSION, "physics": physics, "scheme": content, "replica": replica})


def cell_key(physics: str, replica: int, scheme_axes: Mapping[str, Any]) -> str:
    """Key of one cell and replica.

    Schemes are not part of it (adding one keeps the cell), but the swept fields of schemes are: they tell cells of the same
    physics apart.
    """
    return digest({"model": MODEL_VERSION, "physics": physics, "replica": replica, "axes": plain(scheme_axes)})
