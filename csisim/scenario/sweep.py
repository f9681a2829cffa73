"""Sweeps, overrides and inheritance: documents edited before anything is validated.

A field is addressed by its dotted path; an element of a list by its name or its number: ``schemes.online_rls.digital.iterations``.
Every value keeps the place it was written at, so that an error in a cell points to the very item of the sweep.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any

from csisim.engine.cell import Physics
from csisim.errors import Problem, ScenarioError
from csisim.scenario.schema import Scenario
from csisim.scenario.suggest import did_you_mean
from csisim.scenario.yaml import Mark, Node, parse_option

Path = tuple[str | int, ...]
Axes = dict[str, Node]  # dotted path -> list of values

FORMS = ("grid", "zip", "one_at_a_time")
MAX_CELLS = 20_000

#: Fields that change no number of a cell, or that every cell has in common.
NOT_SWEPT = frozenset(Scenario.model_fields.keys() - Physics.model_fields.keys())

#: Columns that results have anyway; no axis may take their name.
RESERVED = frozenset({"cell", "scheme", "record", "replica", "drop", "superframe", "frame", "slot", "n", "seconds", "status", "log"})

#: Blocks whose ``kind`` is one field among others; elsewhere the other fields belong to the kind and go with it.
_KIND_ALONE = frozenset({"pilots", "plots"})


@dataclass(frozen=True)
class Axis:
    """A swept field: its dotted path as written, the path it means in the document, and the places of both path and values."""

    dotted: str
    path: Path
    mark: Mark
    values: tuple[Mark, ...]


class AddressError(ValueError):
    """A dotted path that leads nowhere."""


@dataclass(frozen=True, eq=False)
class CellDocument:
    """The document of one cell.

    Attributes
    ----------
    node : Node
        The document, its sweep taken out and the cell's values put in.
    varied : dict
        What the cell sets, by axis, for messages; empty for a base point.
    """

    node: Node
    varied: dict[str, Any] = field(default_factory=dict)


def address(root: Node, dotted: str) -> Path:
    """The path that a dotted path means in this document.

    Raises
    ------
    AddressError
        If a part is empty, or names no element of a list.
    """
    path: list[str | int] = []
    node: Node | None = root
    for part in dotted.split("."):
        if not part:
            raise AddressError("a path is words joined by dots, e.g. system.snr_db")
        step = part if node is None or not isinstance(node.content, list) else _element(node.content, part, ".".join(map(str, path)))
        path.append(step)
        node = node.child(step) if node is not None else None
    return tuple(path)


def _element(items: list[Node], part: str, where: str) -> int:
    names = [item.content["name"].content if isinstance(item.content, dict) and "name" in item.content else None for item in items]
    if part in names:
        return names.index(part)
    if part.isdecimal() and len(part) < 9 and int(part) < len(items):
        return int(part)
    known = [str(name) for name in names if name is not None] or [str(i) for i in range(len(items))]
    raise AddressError(f"{where} has no entry {part!r}{did_you_mean(part, known)}; there is {', '.join(known) or 'nothing'}")


def assign(node: Node | None, path: Path, value: Node) -> Node:
    """A copy of a document with ``value`` at ``path``; what is missing on the way is made."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    mark = value.mark if node is None else node.mark
    if node is not None and isinstance(node.content, list) and isinstance(head, int):
        items = list(node.content)
        items[head] = assign(items[head], rest, value)
        return Node(items, mark)
    entries = _entries(node)
    head = str(head)
    if len(path) == 2 and rest == ("kind",) and head not in _KIND_ALONE and _kind(entries.get(head)) != value.content:
        below = Node({"kind": value}, value.mark)
    else:
        below = assign(entries.get(head), rest, value)
    return Node({**entries, head: below}, mark)


def _entries(node: Node | None) -> dict[str, Node]:
    """The entries of a mapping; a bare kind is a mapping with that kind."""
    if node is None or not isinstance(node.content, dict | str):
        return {}
    return node.content if isinstance(node.content, dict) else {"kind": node}


def _kind(node: Node | None) -> Any:
    kind = _entries(node).get("kind")
    return None if kind is None else kind.content


def merge(base: Node, node: Node, key: str = "") -> Node:
    """``node`` on top of what it extends: mappings merge deep, lists and components of another kind replace, and so does a sweep."""
    if key == "sweep" or not isinstance(node.content, dict) or not isinstance(base.content, dict | str):
        return node
    if "kind" in node.content and key not in _KIND_ALONE and _kind(base) != _kind(node):
        return node
    inherited = _entries(base)
    own = {name: merge(inherited[name], value, name) if name in inherited else value for name, value in node.content.items()}
    return replace(node, content={**inherited, **own})


def override(root: Node, options: Iterable[str], problems: list[str]) -> Node:
    """The document after ``--set a.b=value`` options; a field that is set is no longer swept."""
    for option in options:
        dotted, value = _option(option, "--set", problems)
        if value is None:
            continue
        if dotted == "extends":
            problems.append(f"{value.mark}: only a file can extend another")
            continue
        try:
            root = assign(root, address(root, dotted), value)
        except AddressError as error:
            problems.append(f"{value.mark}: {error}")
            continue
        root = _not_swept(root, dotted)
    return root


def _not_swept(root: Node, dotted: str) -> Node:
    sweep = root.child("sweep")
    if sweep is None or not isinstance(sweep.content, dict):
        return root
    forms = {}
    for form, axes in sweep.content.items():
        if isinstance(axes.content, dict) and dotted in axes.content:
            axes = replace(axes, content={path: values for path, values in axes.content.items() if path != dotted})
        if axes.content != {}:
            forms[form] = axes
    return assign(root, ("sweep",), replace(sweep, content=forms or None))


def sweep_over(root: Node, options: Iterable[str], problems: list[str]) -> Node:
    """The document after ``--sweep a.b=1,2,3`` options: they take the place of the file's sweep; several make a grid."""
    axes: Axes = {}
    for option in options:
        dotted, values = _option(option, "--sweep", problems)
        if dotted in axes:
            problems.append(f"--sweep {dotted}: there is another --sweep of this field; write all its values in one, e.g. {dotted}=1,2")
        elif values is not None:
            axes[dotted] = values
    if not axes:
        return root
    mark = Mark("--sweep")
    return assign(root, ("sweep",), Node({"grid": Node(dict(axes), mark)}, mark))


def _option(option: str, name: str, problems: list[str]) -> tuple[str, Node | None]:
    dotted, equals, text = option.partition("=")
    dotted = dotted.strip()
    if not equals or not dotted:
        problems.append(f"{name} {option}: write {name} path=value, e.g. {name} system.snr_db={'0,10' if name == '--sweep' else '10'}")
        return dotted, None
    try:
        return dotted, parse_option(f"[{text}]" if name == "--sweep" else text, f"{name} {dotted}")
    except ScenarioError as error:
        problems.append(str(error))
        return dotted, None


def expand(root: Node) -> tuple[list[CellDocument], dict[str, Axis], list[Problem]]:
    """The documents of all cells, in a fixed order: the last axis of a grid varies fastest, a base point comes first.

    Returns
    -------
    cells : list of CellDocument
        Just the base point when the sweep is not usable. In a one-at-a-time sweep, cells that repeat the base point are still there.
    axes : dict
        The swept fields by the name of their axis, the last part of the path.
    problems : list of Problem
        What is wrong with the sweep; paths as in the document.
    """
    base = Node({key: node for key, node in _entries(root).items() if key not in ("sweep", "extends")}, root.mark)
    sweep = root.child("sweep")
    if sweep is None or sweep.content is None:
        return [CellDocument(base)], {}, []
    problems: list[Problem] = []
    form, axes = _form(sweep, problems)
    named = _named(base, form, axes, problems)
    _check_values(form, axes, problems)
    if problems:  # nothing will run, but the values of the good axes are checked all the same
        bad = {problem.path[2] for problem in problems if len(problem.path) > 2}
        named = {name: axis for name, axis in named.items() if axis.dotted not in bad}
        form, axes = "one_at_a_time", {axis.dotted: axes[axis.dotted] for axis in named.values()}
    cells = []
    for point in _points(form, axes):
        node = base
        for dotted, value in point:
            node = assign(node, address(base, dotted), value)
        cells.append(CellDocument(node, {dotted.rpartition(".")[2]: value.plain() for dotted, value in point}))
    return cells, named, problems


def _form(sweep: Node, problems: list[Problem]) -> tuple[str, Axes]:
    """The one form in use and its axes."""
    forms = sweep.content if isinstance(sweep.content, dict) else {}
    for name in forms:
        if name not in FORMS:
            problems.append(Problem(("sweep", name), f"unknown field{did_you_mean(name, FORMS)}; allowed: {', '.join(FORMS)}"))
    used = [name for name in forms if name in FORMS and forms[name].content is not None]
    if len(used) != 1:
        found = f"found {' and '.join(used)}" if used else "found none"
        problems.append(Problem(("sweep",), f"a sweep has exactly one of {', '.join(FORMS)}; {found}"))
        return "grid", {}
    axes = forms[used[0]].content
    if not isinstance(axes, dict) or not axes:
        problems.append(Problem(("sweep", used[0]), "should map dotted paths to lists of values, e.g. system.snr_db: [0, 10]"))
        return used[0], {}
    return used[0], axes


def _named(base: Node, form: str, axes: Axes, problems: list[Problem]) -> dict[str, Axis]:
    """The axes by their names."""
    found: dict[str, Axis] = {}
    for dotted in axes:
        place = ("sweep", form, dotted)
        try:
            path = address(base, dotted)
        except AddressError as error:
            problems.append(Problem(place, str(error)))
            continue
        name = str(path[-1])
        if path[0] in NOT_SWEPT or (path[0] == "schemes" and name == "name"):
            problems.append(Problem(place, f"{path[0] if path[0] in NOT_SWEPT else dotted} cannot be swept: it is one for the whole file"))
        elif name in RESERVED:
            problems.append(Problem(place, f"an axis cannot be called {name}: results have a column of that name"))
        elif name in found:
            problems.append(Problem(place, f"{found[name].dotted} and {dotted} would both be the axis {name}; sweep one of them"))
        values = axes[dotted].content
        found[name] = Axis(dotted, path, axes[dotted].mark, tuple(value.mark for value in values) if isinstance(values, list) else ())
    return found


def _check_values(form: str, axes: Axes, problems: list[Problem]) -> None:
    lengths = {}
    for dotted, values in axes.items():
        place = ("sweep", form, dotted)
        if not isinstance(values.content, list) or not values.content:
            problems.append(Problem(place, "should be a list of values, e.g. [0, 10]"))
            continue
        lengths[dotted] = len(values.content)
        seen: set[Any] = set()
        for index, value in enumerate(values.content):
            if isinstance(value.content, dict | list):
                problems.append(Problem((*place, index), "an axis takes single values; write a component as its bare kind"))
                continue
            entry = (isinstance(value.content, bool), value.content)  # True is not 1 here
            if form != "zip" and entry in seen:
                problems.append(Problem((*place, index), f"the value {value.content} is there twice"))
            seen.add(entry)
    if form == "zip" and len(set(lengths.values())) > 1:
        listed = ", ".join(f"{dotted} has {length}" for dotted, length in lengths.items())
        problems.append(Problem(("sweep", "zip"), f"zip takes lists of one length: {listed}"))
    count = prod(lengths.values()) if form == "grid" else sum(lengths.values())
    if count > MAX_CELLS:
        problems.append(Problem(("sweep", form), f"{count} cells; a scenario has at most {MAX_CELLS}"))


def _points(form: str, axes: Axes) -> list[Sequence[tuple[str, Node]]]:
    """The values of each cell, by dotted path."""
    columns = [[(dotted, value) for value in values.content] for dotted, values in axes.items() if isinstance(values.content, list)]
    if form == "grid":
        return list(product(*columns))
    if form == "zip":
        return list(zip(*columns, strict=True))
    return [(), *((point,) for column in columns for point in column)]
