"""From a scenario file to the cells it means, or to everything that is wrong with it at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from csisim.errors import Problem, ScenarioError
from csisim.registry import Component
from csisim.scenario import feedback_rules
from csisim.scenario.explain import UNKNOWN_FIELD
from csisim.scenario.files import with_absolute_files
from csisim.scenario.partial import Partial
from csisim.scenario.rules import RULES, WARNINGS, pictures_have_an_axis
from csisim.scenario.schema import Scenario, Sweep
from csisim.scenario.sweep import MAX_CELLS, Axis, CellDocument, Path, expand, merge, override, sweep_over
from csisim.scenario.yaml import Mark, Node, Remark, quoted, read


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


def load_scenario(path: str | FilePath, sets: Iterable[str] = (), sweeps: Iterable[str] = (), rules: bool = True) -> Loaded:
    """Read, resolve and check a scenario file.

    Paths in it are relative to the file, those in ``sets`` and ``sweeps`` to the working directory; in what is returned they are
    absolute.

    Parameters
    ----------
    path : path of the file
    sets : ``a.b=value`` as for ``--set``: fields that are given a value and are no longer swept
    sweeps : ``a.b=1,2,3`` as for ``--sweep``: a grid that takes the place of the file's sweep
    rules : whether it must be possible to run it, here and now; results are shown without the trace or the memory they were made with

    Raises
    ------
    ScenarioError
        With one line for every problem found, and the line of the file in question underneath.
    """
    wrong: list[str] = []
    written: dict[str, str] = {}
    remarks: list[Remark] = []
    root = sweep_over(override(_inherited(read(path, remarks), FilePath(path), remarks), sets, wrong), sweeps, wrong)
    root = with_absolute_files(root, written)
    documents, axes, problems = expand(root)
    errors, warnings = _Findings(len(documents), written, axes), _Findings(len(documents), written)
    feedback_rules.forget()
    for mark, message in remarks:
        errors.note(mark, message)
    for problem in problems:
        errors.add(CellDocument(root), problem)
    cells = _cells(documents, axes, errors, warnings, rules)
    if cells and len(cells) * cells[0].scenario.replicas > MAX_CELLS:
        message = f"{len(cells)} cells x {cells[0].scenario.replicas} replicas; a scenario has at most {MAX_CELLS} of both together"
        errors.add(CellDocument(root), Problem(("replicas",), message))
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


def _inherited(root: Node, path: FilePath, remarks: list[Remark]) -> Node:
    """The document on top of the file it extends, one level deep."""
    extends = root.child("extends")
    if extends is None or extends.content is None:
        return root
    if not isinstance(extends.content, str) or "\0" in extends.content:
        raise ScenarioError(quoted(extends.mark, "extends: should be the path of a scenario file, relative to this one"))
    if root.child("name") is None:
        raise ScenarioError(quoted(extends.mark, "extends: a scenario that extends another needs a name of its own"))
    try:
        base = read(path.parent / extends.content, remarks)
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

    def __init__(self, cells: int, written: Mapping[str, str], axes: Mapping[str, Axis] | None = None) -> None:
        self.cells, self.written = cells, written
        self.axes = {value: axis for axis in (axes or {}).values() for value in axis.values}
        self.found: dict[Any, _Finding] = {}

    def note(self, mark: Mark, message: str) -> None:
        """Something about the document, whatever the cell."""
        self.found.setdefault((mark, message), _Finding(mark, message, {}, self.cells))

    def add(self, document: CellDocument, problem: Problem, topic: Any = None) -> None:
        """A problem of one cell; of all that share a ``topic`` only the first is told."""
        mark, name = document.node.locate(problem.path), dotted(document.node, problem.path)
        message = problem.message if not name or mark.source.endswith(f" {name}") else f"{name}: {problem.message}"
        for path, file in self.written.items():
            message = message.replace(path, file)
        if mark in self.axes and problem.message.startswith(UNKNOWN_FIELD):  # that a swept field is not there is no matter of its values
            self.note(self.axes[mark].mark, message)
            return
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


def _cells(documents: list[CellDocument], axes: dict[str, Axis], errors: _Findings, warnings: _Findings, rules: bool) -> list[Cell]:
    """The valid cells, those that repeat an earlier one left out."""
    cells: list[Cell] = []
    seen = set()
    for document in documents:
        checked = Partial(document.node.plain())
        judged = (problem for rule in RULES for problem in checked.judged(rule)) if rules else ()
        for problem in (*checked.problems, *judged):
            errors.add(document, problem)
        scenario = checked.scenario
        if scenario is None or checked.problems:
            continue
        for rule in WARNINGS if rules else ():
            for problem in rule(scenario):
                warnings.add(document, problem, topic=(rule, problem.path))
        values = {name: _value(scenario, axis.path) for name, axis in axes.items()}
        point = tuple(values.values())
        if point not in seen:
            seen.add(point)
            cells.append(Cell(len(cells), scenario, values))
    return cells


def _value(scenario: Scenario, path: Path) -> bool | int | float | str | None:
    """The value of a swept field; None for what is no single value, which is refused in the cell that sets it."""
    value: Any = scenario
    for part in path:
        value = value[part] if isinstance(part, int) else getattr(value, part, None)
    if isinstance(value, Component):
        return value.kind
    return value if isinstance(value, bool | int | float | str) else None
