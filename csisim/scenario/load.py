"""From a scenario file to the cells it means, or to everything that is wrong with it at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from csisim.errors import Problem, ScenarioError
from csisim.registry import Component
from csisim.scenario.explain import problems as explained
from csisim.scenario.rules import RULES, WARNINGS, pictures_have_an_axis
from csisim.scenario.schema import Scenario, Sweep
from csisim.scenario.sweep import CellDocument, Path, expand, merge, override, sweep_over
from csisim.scenario.yaml import Node, quoted, read


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
        Value of every swept field, by the field's last name; components by their kind.
    scheme_axes : dict
        Those of the axes that are fields of schemes.
    """

    index: int
    scenario: Scenario
    axes: dict[str, Any]
    scheme_axes: dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A scenario file, resolved and checked.

    Attributes
    ----------
    scenario : Scenario
        The base point (of a grid or zip: the first cell) with the sweep.
    cells : list of Cell
    axes : dict
        Dotted path of every swept field, by its last name.
    warnings : list of str
        Legal things that rarely mean well, each with its place.
    """

    scenario: Scenario
    cells: list[Cell]
    axes: dict[str, str]
    warnings: list[str]


def load_scenario(path: str | FilePath, sets: Iterable[str] = (), sweeps: Iterable[str] = ()) -> Loaded:
    """Read, resolve and check a scenario file.

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
    root = _inherited(read(path), FilePath(path))
    wrong: list[str] = []
    root = sweep_over(override(root, sets, wrong), sweeps, wrong)
    documents, paths, sweep_problems = expand(root)
    findings = _Findings(root, len(documents))
    for problem in sweep_problems:
        findings.add(root, problem, {})
    cells = _cells(documents, paths, findings)
    wrong += findings.lines()
    if wrong:
        raise ScenarioError("\n".join(wrong))
    axes = {name: ".".join(map(str, path)) for name, path in paths.items()}
    sweep = root.child("sweep")
    scenario = cells[0].scenario
    if axes and sweep is not None:
        axes = {dotted.rpartition(".")[2]: dotted for dotted in next(node for node in sweep.plain().values() if node)}
        scenario = scenario.model_copy(update={"sweep": Sweep.model_validate(sweep.plain())})
    return Loaded(scenario, cells, axes, _warnings(root, documents, cells, paths))


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


class _Findings:
    """Problems of all cells, each told once, and where it was found."""

    def __init__(self, root: Node, cells: int) -> None:
        self.root, self.cells = root, cells
        self.found: dict[tuple[Path, str], tuple[str, dict[str, Any], int]] = {}

    def add(self, node: Node, problem: Problem, varied: dict[str, Any]) -> None:
        key = (problem.path, problem.message)
        first = self.found.get(key)
        if first is not None:
            self.found[key] = (first[0], first[1], first[2] + 1)
            return
        mark = node.locate(problem.path)
        name = dotted(node, problem.path)
        label = f"{name}: " if name and not str(mark).endswith(f" {name}") else ""
        self.found[key] = (quoted(mark, "\0" + label + problem.message), varied, 1)

    def lines(self) -> list[str]:
        """The messages; one that not every cell has names the first cell that has it."""
        said = []
        for text, varied, count in self.found.values():
            where = ", ".join(f"{name} = {value}" for name, value in varied.items()) if count < self.cells else ""
            head, newline, quote = text.replace("\0", "").partition("\n")
            said.append(f"{head}{f' [at {where}]' if where else ''}{newline}{quote}")
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


def _cells(documents: list[CellDocument], paths: dict[str, Path], findings: _Findings) -> list[Cell]:
    """Validated cells, those that repeat an earlier one left out."""
    cells: list[Cell] = []
    seen = set()
    for document in documents:
        plain = document.node.plain()
        try:
            scenario = Scenario.model_validate(plain)
        except ValidationError as error:
            for problem in explained(error, plain):
                findings.add(document.node, problem, document.varied)
            continue
        except ImportError as error:
            raise ScenarioError(f"{document.node.mark}: a kind that this scenario names cannot be loaded: {error}") from error
        for rule in RULES:
            for problem in rule(scenario):
                findings.add(document.node, problem, document.varied)
        axes = {name: _value(scenario, path) for name, path in paths.items()}
        point = tuple(axes.values())
        if point in seen:
            continue
        seen.add(point)
        schemes = {name: value for name, value in axes.items() if paths[name][0] == "schemes"}
        cells.append(Cell(len(cells), scenario, axes, schemes))
    return cells


def _value(scenario: Scenario, path: Path) -> Any:
    value: Any = scenario
    for part in path:
        value = value[part] if isinstance(part, int) else getattr(value, part)
    return value.kind if isinstance(value, Component) else value
