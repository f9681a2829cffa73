"""Reading and writing scenario files: YAML 1.2 (core schema), with the place of every value remembered.

PyYAML speaks YAML 1.1, where ``28e9`` and ``1e-3`` are strings, ``no`` is false and ``010`` is 8. Here its parser delivers
events, and this file turns them into nodes: plain scalars by the YAML 1.2 core schema, duplicate keys and tags refused,
aliases allowed unless they blow a small file up. Merge keys (``<<: *anchor``) are of YAML 1.1 but kept: schemes that differ in one field
are written once.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from csisim.errors import ScenarioError

Scalar = None | bool | int | float | str

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_NODES = 100_000  # after the expansion of aliases
MAX_DIGITS = 400

_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = {"", "~", "null", "Null", "NULL"}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Mark:
    """Where something was written: a place in a file, or an option of the command line."""

    source: str
    line: int = 0  # from 1; 0 when the source has no lines
    column: int = 0
    text: str = ""  # the whole line

    @property
    def position(self) -> tuple[str, int, int]:
        """What marks are sorted by."""
        return self.source, self.line, self.column

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


#: Something that is wrong at a place.
Remark = tuple[Mark, str]


@dataclass(frozen=True, eq=False)
class Node:
    """A value of a document and its place: that of its key in a mapping, that of the value in a list."""

    content: "dict[str, Node] | list[Node] | Scalar"
    mark: Mark

    def plain(self) -> Any:
        """The value as dictionaries, lists and scalars."""
        if isinstance(self.content, dict):
            return {key: node.plain() for key, node in self.content.items()}
        if isinstance(self.content, list):
            return [node.plain() for node in self.content]
        return self.content

    def child(self, part: str | int) -> "Node | None":
        """The value under a key or at a position, or None."""
        if isinstance(self.content, dict) and isinstance(part, str):
            return self.content.get(part)
        if isinstance(self.content, list) and isinstance(part, int) and 0 <= part < len(self.content):
            return self.content[part]
        return None

    def locate(self, path: Sequence[str | int]) -> Mark:
        """The place of a path, or of the nearest thing above it that was written down."""
        node = self
        for part in path:
            below = node.child(part)
            if below is None:
                break
            node = below
        return node.mark


def resolve(text: str) -> Scalar:
    """The value of a plain scalar in the YAML 1.2 core schema.

    Raises
    ------
    ValueError
        If it is a number of more than 400 digits.
    """
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ValueError(f"a number of {len(text)} digits")
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)
    if _FLOAT.fullmatch(text):
        return float(text.replace(".", "") if text[-1] in "fFnN" else text)  # .inf and .nan have a dot, Python's have none
    return text


def read(path: str | Path, remarks: list[Remark] | None = None) -> Node:
    """The mapping in a scenario file.

    Parameters
    ----------
    path : path of the file
    remarks : list, optional
        Is given what is wrong but leaves the rest readable (keys that are there twice, tags), each with its place. When left
        out, that raises too.

    Raises
    ------
    ScenarioError
        If the file cannot be read, or is not one YAML mapping.
    """
    name = str(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise ScenarioError(f"{name}: cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise ScenarioError(f"{name}: larger than {MAX_BYTES // 1_000_000} MB; a scenario is a short text file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{name}: not a text file in UTF-8 (byte {error.start}: {error.reason})") from error
    node = parse(text, name, remarks)
    if not isinstance(node.content, dict):
        what = "empty" if node.content is None else f"a {'list' if isinstance(node.content, list) else 'single value'}"
        raise ScenarioError(f"{name}: a scenario is a mapping of `key: value` lines, this file is {what}")
    return node


def parse(text: str, source: str, remarks: list[Remark] | None = None, lines: bool = True) -> Node:
    """The value of YAML text. ``source`` is the file's name for messages; ``remarks`` and errors as for :func:`read`.

    Without ``lines`` everything is placed at the source as a whole.
    """
    composer = _Composer(text, source, lines)
    node = composer.document()
    if remarks is None and composer.remarks:
        raise ScenarioError("\n".join(quoted(mark, message) for mark, message in composer.remarks))
    if remarks is not None:
        remarks += composer.remarks
    return node


def parse_option(text: str, option: str) -> Node:
    """The value of a command-line option such as ``--set a.b=text``; everything in it is placed at ``option``."""
    return parse(text, option, lines=False)


class _Composer:
    """Composes nodes from the parser's events, collecting what is wrong on the way."""

    def __init__(self, text: str, source: str, lines: bool = True) -> None:
        self.text, self.source = text, source
        self.lines = text.splitlines() if lines else []
        self.with_lines = lines
        self.anchors: dict[str, tuple[Node, int] | None] = {}  # None while the anchored node is being composed
        self.count = 0
        self.remarks: list[Remark] = []

    def document(self) -> Node:
        events: Iterator[Event] = yaml.parse(self.text, Loader=yaml.SafeLoader)
        root: Node | None = None
        try:
            for event in events:
                if isinstance(event, DocumentStartEvent):
                    if root is not None:
                        raise self.error(event, "a second document begins here; a file holds one scenario")
                    root = self.node(next(events), events, 0)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = self.mark(mark.line, mark.column) if mark else Mark(self.source)
            raise ScenarioError(quoted(place, f"not valid YAML: {error.problem or error.context}")) from error
        except yaml.reader.ReaderError as error:
            before = self.text[: error.position]
            place = self.mark(before.count("\n"), len(before) - before.rfind("\n") - 1)
            raise ScenarioError(f"{place}: not valid YAML: the character U+{ord(self.text[error.position]):04X} is not allowed") from error
        return root or Node(None, self.mark(0, 0))

    def mark(self, line: int, column: int) -> Mark:
        if not self.with_lines:
            return Mark(self.source)
        return Mark(self.source, line + 1, column + 1, self.lines[line] if line < len(self.lines) else "")

    def place(self, event: Event) -> Mark:
        assert event.start_mark is not None
        return self.mark(event.start_mark.line, event.start_mark.column)

    def error(self, event: Event, message: str) -> ScenarioError:
        return ScenarioError(quoted(self.place(event), message))

    def node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.error(event, f"nested more than {MAX_DEPTH} levels deep")
        before = self.count
        self.count += 1
        if isinstance(event, AliasEvent):
            node, size = self.alias(event)
            self.count += size - 1
        else:
            assert isinstance(event, ScalarEvent | CollectionStartEvent)
            if event.tag is not None:
                self.remarks.append((self.place(event), f"the tag {event.tag} is not allowed; write plain values"))
            if event.anchor is not None:
                self.anchors[event.anchor] = None
            node = Node(self.content(event, events, depth), self.place(event))
            if event.anchor is not None:
                self.anchors[event.anchor] = (node, self.count - before)
        if self.count > MAX_NODES:
            raise self.error(event, f"aliases expand this file to more than {MAX_NODES} values")
        return node

    def alias(self, event: AliasEvent) -> tuple[Node, int]:
        if event.anchor not in self.anchors:
            raise self.error(event, f"the alias *{event.anchor} has no anchor &{event.anchor} above it")
        found = self.anchors[event.anchor]
        if found is None:
            raise self.error(event, f"the alias *{event.anchor} contains itself")
        node, size = found
        return replace(node, mark=self.place(event)), size

    def content(self, event: Event, events: Iterator[Event], depth: int) -> "dict[str, Node] | list[Node] | Scalar":
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance(event := next(events), SequenceEndEvent):
                items.append(self.node(event, events, depth + 1))
            return items
        if isinstance(event, MappingStartEvent):
            return self.mapping(events, depth)
        assert isinstance(event, ScalarEvent)
        if not event.implicit[0] and event.tag is None:  # quoted or a block: text, whatever it looks like
            return event.value
        try:
            return resolve(event.value)
        except ValueError as error:
            raise self.error(event, f"{error} is not allowed") from error

    def mapping(self, events: Iterator[Event], depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merge: Node | None = None
        while not isinstance(key := next(events), MappingEndEvent):
            if not isinstance(key, ScalarEvent):
                raise self.error(key, "a key must be a word")
            value = replace(self.node(next(events), events, depth + 1), mark=self.place(key))
            merges = key.value == "<<" and key.implicit[0]  # quoted it is a key like others
            before = merge if merges else entries.get(key.value)
            if before is not None:
                first = before.mark
                where = f" (first in line {first.line})" if first.line else ""
                self.remarks.append((self.place(key), f"the key {key.value!r} is there twice{where}"))
            if merges:
                merge = value
            else:
                entries[key.value] = value
        return entries if merge is None else self.merged(merge) | entries

    def merged(self, merge: Node) -> dict[str, Node]:
        """What a merge key brings, every entry from where it was written; of a list of mappings the first counts most."""
        found: dict[str, Node] = {}
        for part in merge.content if isinstance(merge.content, list) else [merge]:
            if not isinstance(part.content, dict):
                self.remarks.append((merge.mark, "<< takes a mapping, or a list of mappings, e.g. <<: *anchor"))
                break
            found = part.content | found
        return found


def quoted(mark: Mark, message: str) -> str:
    """``place: message`` with the line in question underneath."""
    text = mark.text.strip()
    return f"{mark}: {message}" + (f"\n      {text[:140]}" if text else "")


class _Dumper(yaml.SafeDumper):
    """Writes what :func:`parse` reads: strings are quoted when the YAML 1.2 core schema would take them for something else."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012  (PyYAML's own class attribute)

    def resolve(self, kind: type, value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0] and isinstance(value, str):
            return _TAGS[type(_lenient(value))] if value != "<<" else "tag:yaml.org,2002:merge"
        return super().resolve(kind, value, implicit)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    breaks = not _BREAKS.isdisjoint(text)  # PyYAML folds these line breaks unless they are escaped
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if breaks else None)


_BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")
_Dumper.add_representer(str, _represent_text)
_TAGS = {
    type(None): "tag:yaml.org,2002:null",
    bool: "tag:yaml.org,2002:bool",
    int: "tag:yaml.org,2002:int",
    float: "tag:yaml.org,2002:float",
    str: "tag:yaml.org,2002:str",
}


def _lenient(text: str) -> Scalar:
    """As :func:`resolve`; a number that is too long stays a number, so that a string of digits gets its quotes."""
    try:
        return resolve(text)
    except ValueError:
        return 0


def dump(document: dict[str, Any]) -> str:
    """YAML text of plain values, keys in their order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140)
