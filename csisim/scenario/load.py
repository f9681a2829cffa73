"""From a scenario file to the cells it means, or to everything that is wrong with it at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from csisim.errors import Problem, ScenarioError
from csisim.registry import Component
from csisim.scenario.explain import problems as explained
from csisim.scenario.explain import unloadable
from csisim.scenario.files import with_absolute_files
from csisim.scenario.rules import RULES, WARNINGS, pictures_have_an_axis
from csisim.scenario.schema import Scenario, Sweep
from csisim.scenario.sweep import Axis, CellDocument, Path, expand, merge, override, sweep_over
from csisim.scenario.yaml import Mark, Node, quoted, read


@dataclass(frozen=True)
class Cell:
    """One operating point.

    Attributes
    ----------
    index : int
        Number of the cell in its scenario, from 0.
    scenario : Scenario
        The resolved scenario, without a sweep.
    axes : dict
        Value of every swept field, by the field's last name; components by their kind, files by their absolute path.
    """

    index: int
    scenario: Scenario
    axes: dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A scenario file, resolved and checked.

    Attributes
    ----------
    scenario : Scenario
        The base point (of a grid or zip: the first cell) with the sweep.
    cells : list of Cell
    axes : dict
        Path of every swept field, by its last name, e.g. ``("schemes", "online", "digital", "iterations")``.
    warnings : list of str
        Legal things that rarely mean well, each with its place.
    """

    scenario: Scenario
    cells: list[Cell]
    axes: dict[str, tuple[str, ...]]
    warnings: list[str]


def load_scenario(path: str | FilePath, sets: Iterable[str] = (), sweeps: Iterable[str] = ()) -> Loaded:
    """Read, resolve and check a scenario file.

    Paths in it are relative to the file, those in ``sets`` and ``sweeps`` to the working directory; in what is returned they are
    absolute.

    Parameters
    ----------
    path : path of the file
    sets : ``a.b=value`` as for ``--set``: fields that are given a value and are no longer swept
    sweeps : ``a.b=1,2,3`` as for ``--sweep``: a grid that takes the place of the file's sweep

    Raises
    ------
    ScenarioError
        With one line for every problem found, and the line of the file in question underneath.
    """
    wrong: list[str] = []
    written: dict[str, str] = {}
    root = sweep_over(override(_inherited(read(path), FilePath(path)), sets, wrong), sweeps, wrong)
    root = with_absolute_files(root, written)
    documents, axes, problems = expand(root)
    errors, warnings = _Findings(len(documents), written), _Findings(len(documents), written)
    for problem in problems:
        errors.add(CellDocument(root), problem)
    cells = _cells(documents, axes, errors, warnings)
    wrong += errors.lines()
    if wrong:
        raise ScenarioError("\n".join(wrong))
    scenario = cells[0].scenario
    for problem in pictures_have_an_axis(scenario, axes):
        warnings.add(CellDocument(root), problem)
    sweep = root.child("sweep")
    if axes and sweep is not None:
        scenario = scenario.model_copy(update={"sweep": Sweep.model_validate(sweep.plain())})
    return Loaded(scenario, cells, {name: tuple(axis.dotted.split(".")) for name, axis in axes.items()}, warnings.lines(quote=False))


def _inherited(root: Node, path: FilePath) -> Node:
    """The document on top of the file it extends, one level deep."""
    extends = root.child("extends")
    if extends is None:
        return root
    if not isinstance(extends.content, str) or "\0" in extends.content:
        raise ScenarioError(quoted(extends.mark, "extends: should be the path of a scenario file, relative to this one"))
    if root.child("name") is None:
        raise ScenarioError(quoted(extends.mark, "extends: a scenario that extends another needs a name of its own"))
    try:
        base = read(path.parent / extends.content)
    except ScenarioError as error:
        raise ScenarioError(f"{quoted(extends.mark, 'extends: in the file that this one extends:')}\n{error}") from error
    further = base.child("extends")
    if further is not None:
        raise ScenarioError(quoted(further.mark, f"extends: {path.name} extends this file, which may not extend another (one level)"))
    return merge(base, root)


@dataclass
class _Finding:
    """One thing that is wrong, where it was found first, and in how many cells it was found."""

    mark: Mark
    message: str
    varied: dict[str, Any]
    cells: int = 0


class _Findings:
    """What was found in the cells, each thing told once."""

    def __init__(self, cells: int, written: Mapping[str, str]) -> None:
        self.cells, self.written = cells, written
        self.found: dict[Any, _Finding] = {}

    def add(self, document: CellDocument, problem: Problem, topic: Any = None) -> None:
        """A problem of one cell; of all that share a ``topic`` only the first is told."""
        mark, name = document.node.locate(problem.path), dotted(document.node, problem.path)
        message = problem.message if not name or mark.source.endswith(f" {name}") else f"{name}: {problem.message}"
        for path, file in self.written.items():
            message = message.replace(path, file)
        told_by_mark = problem.path and problem.path[-1] in document.varied
        finding = _Finding(mark, message, {} if told_by_mark else document.varied)
        self.found.setdefault(topic or (mark, message), finding).cells += 1

    def lines(self, quote: bool = True) -> list[str]:
        """The messages in the order of the file; one that not every cell has names the first cell that has it."""
        said = []
        for finding in sorted(self.found.values(), key=lambda finding: finding.mark.position):
            where = ", ".join(f"{axis} = {value}" for axis, value in finding.varied.items()) if finding.cells < self.cells else ""
            more = f"{finding.cells - 1} more cell{'s' if finding.cells > 2 else ''}" if 1 < finding.cells < self.cells else ""
            note = " and ".join(part for part in (where, more) if part)
            message = f"{finding.message} [at {note}]" if where else f"{finding.message} [and {more}]" if more else finding.message
            said.append(quoted(finding.mark, message) if quote else f"{finding.mark}: {message}")
        return said


def dotted(node: Node, path: Sequence[str | int]) -> str:
    """A path as people write it; elements of lists go by their name if they have one."""
    parts: list[str] = []
    here: Node | None = node
    for part in path:
        here = here.child(part) if here is not None else None
        name = here.child("name") if here is not None and isinstance(part, int) else None
        parts.append(str(name.content) if name is not None and isinstance(name.content, str) else str(part))
    return ".".join(parts)


def _cells(documents: list[CellDocument], axes: dict[str, Axis], errors: _Findings, warnings: _Findings) -> list[Cell]:
    """The valid cells, those that repeat an earlier one left out."""
    cells: list[Cell] = []
    seen = set()
    for document in documents:
        scenario = _validated(document, errors)
        if scenario is None:
            continue
        for rule in RULES:
            for problem in rule(scenario):
                errors.add(document, problem)
        for rule in WARNINGS:
            for problem in rule(scenario):
                warnings.add(document, problem, topic=(rule, problem.path))
        values = {name: _value(scenario, axis.path) for name, axis in axes.items()}
        point = tuple(values.values())
        if point not in seen:
            seen.add(point)
            cells.append(Cell(len(cells), scenario, values))
    return cells


def _validated(document: CellDocument, errors: _Findings) -> Scenario | None:
    plain = document.node.plain()
    broken = list(unloadable(plain))
    if broken:
        for problem in broken:
            errors.add(document, problem)
        return None
    try:
        return Scenario.model_validate(plain)
    except ValidationError as error:
        for problem in explained(error, plain):
            errors.add(document, problem)
    return None


def _value(scenario: Scenario, path: Path) -> bool | int | float | str | None:
    """The value of a swept field; None for what is no single value, which is refused in the cell that sets it."""
    value: Any = scenario
    for part in path:
        value = value[part] if isinstance(part, int) else getattr(value, part, None)
    if isinstance(value, Component):
        return value.kind
    return value if isinstance(value, bool | int | float | str) else None
