"""What can still be judged of a scenario in which something is wrong, so that all of it is told at once.

What is wrong is replaced by something harmless until the rest is valid. Fields of which nothing is known then cannot be read:
a rule that asks for one stops, and all others are judged as usual.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from csisim.errors import Problem
from csisim.scenario.explain import Path, allowed_fields, unloadable
from csisim.scenario.explain import problems as explained
from csisim.scenario.schema import Scenario

#: More rounds than anything can be wrong inside of something that is wrong.
_ROUNDS = 16

_SCHEME = {"timescale": "offline", "estimator": "perfect", "analog": "random", "digital": "rzf"}

#: Valid values of the fields that have no default.
_STAND_INS: dict[str, Any] = {
    "name": "unnamed",
    "system": {},
    "channel": {"kind": "rayleigh"},
    "schemes": [{"name": "unnamed", **_SCHEME}],
}


class Partial:
    """A document with something harmless in the place of what is wrong.

    Parameters
    ----------
    document : dict
        Plain values; changed where something is wrong.

    Attributes
    ----------
    problems : list of Problem
        What is wrong with the fields.
    scenario : Scenario or None
        The scenario, with stand-ins if there are problems; None if even these do not make it valid.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._hidden: set[Path] = set()
        self.problems = list(unloadable(document))
        self.scenario: Scenario | None = None
        broken = self.problems
        for number in range(_ROUNDS):
            self._hidden |= {place for problem in broken if (place := _mended(document, problem.path)) is not None}
            try:
                self.scenario = Scenario.model_validate(document)
                break
            except ValidationError as error:
                broken = explained(error, document)
            if number == 0:  # what is found later follows from what was mended
                self.problems += self._visible(broken)
        if self.scenario is not None:
            for path in self._hidden:
                _hide(self.scenario, path)

    def judged(self, rule: Callable[[Scenario], Iterator[Problem]]) -> Iterator[Problem]:
        """What a rule finds wrong with the parts that are right."""
        if self.scenario is None:
            return
        try:
            yield from self._visible(rule(self.scenario))
        except AttributeError:  # it asked for a hidden field
            if not self._hidden:
                raise

    def _visible(self, problems: Iterable[Problem]) -> Iterator[Problem]:
        """Those that are not about what was mended."""
        return (problem for problem in problems if not any(problem.path[: len(path)] == path for path in self._hidden))


def _mended(document: dict[str, Any], path: Path) -> Path | None:
    """Replace or remove what is wrong; the place of which nothing is known now, None if nothing is lost."""
    place, key = path[:-1], path[-1]
    above: Any = document
    for part in place:
        if not isinstance(above, dict | list):
            return None  # gone with what was around it
        above = above[int(part)] if isinstance(above, list) else above.get(part)
    there = isinstance(above, dict) and key in above
    if there and key not in allowed_fields(document, place):
        del above[key]  # an unknown field says nothing
        return None
    if place and path[0] in ("schemes", "plots") and isinstance(document[path[0]], list):
        entries, index = document[path[0]], int(path[1])
        entries[index] = {"kind": "frames"} if path[0] == "plots" else {"name": _name(entries[index], index), **_SCHEME}
        return path[:2]
    if place and not there:  # it is missing, or an item of a list
        return _mended(document, place)
    above.pop(key, None)
    if not place and key in _STAND_INS:
        above[key] = deepcopy(_STAND_INS[key])
    return path


def _name(scheme: Any, index: int) -> str:
    """The name that others know a scheme by."""
    name = scheme.get("name") if isinstance(scheme, dict) else None
    return name if isinstance(name, str) and re.fullmatch("[A-Za-z0-9_-]+", name) else f"unnamed{index}"


def _hide(scenario: Scenario, path: Path) -> None:
    """Make a field unreadable."""
    owner: Any = scenario
    for part in path[:-1]:
        owner = owner[part] if isinstance(part, int) else getattr(owner, part, None)
    if hasattr(owner, "__dict__"):
        owner.__dict__.pop(path[-1], None)
