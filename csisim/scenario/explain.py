"""What pydantic says, said to the author of a scenario: the place in the document, what is wrong, what is allowed."""

import re
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from csisim.errors import Problem
from csisim.registry import TABLE, component, kinds
from csisim.scenario.schema import Scenario
from csisim.scenario.suggest import did_you_mean

Path = tuple[str | int, ...]

#: Fields that hold a component, by the name of the field: the name of its room.
_ROOMS = frozenset(TABLE)

#: What every message about an unknown field begins with.
UNKNOWN_FIELD = "unknown field"

MAX_SUGGESTIONS = 3


def problems(error: ValidationError, document: Any) -> list[Problem]:
    """One problem for every field that is wrong; the alternatives of a union are told together."""
    said: dict[Path, list[str]] = {}
    for detail in error.errors(include_url=False):
        path, message = _problem(dict(detail), document)
        messages = said.setdefault(path, [])
        if message not in messages:
            messages.append(message)
    return [Problem(path, _together(messages)) for path, messages in said.items()]


def unloadable(document: Any) -> Iterator[Problem]:
    """The kinds a document names whose class cannot be had, say because a plugin's file raises an error when it is imported."""
    blocks: list[tuple[Path, Any]] = [((), document)]
    schemes = document.get("schemes")
    if isinstance(schemes, list):
        blocks += [(("schemes", index), scheme) for index, scheme in enumerate(schemes)]
    for path, block in blocks:
        for room in _ROOMS & block.keys() if isinstance(block, dict) else ():
            named = block[room]
            kind = named.get("kind") if isinstance(named, dict) else named
            reason = import_error(room, kind) if isinstance(kind, str) and kind in kinds(room) else None
            if reason is not None:
                yield Problem((*path, room), f"{kind} is a known kind that cannot be loaded: {reason}")


def import_error(room: str, kind: str) -> str | None:
    """Why a known kind cannot be loaded; None if it can."""
    try:
        component(room, kind).Config  # noqa: B018  (a class without one is none of ours)
    except Exception as error:  # whatever somebody's file does
        return f"{type(error).__name__}: {error}"
    return None


def written(value: Any) -> str:
    """A value as it would be written in YAML, cut short."""
    text = {True: "true", False: "false", None: "null"}.get(value, "") if value is None or isinstance(value, bool) else ""
    if not text:
        form = "list" if isinstance(value, list) else "mapping"
        text = repr(value) if isinstance(value, str | int | float) else f"a {form}" if value else f"an empty {form}"
    return text if len(text) <= 60 else text[:57] + "..."


def _problem(detail: dict[str, Any], document: Any) -> tuple[Path, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    path, value = _in_document(detail["loc"], document, keep_last=kind == "missing")
    if kind == "missing":
        return path, "required, but missing"
    if kind == "extra_forbidden":
        allowed = allowed_fields(document, path[:-1])
        return path, f"{UNKNOWN_FIELD}{_elsewhere(path, document) or did_you_mean(str(path[-1]), allowed)}; allowed: {', '.join(allowed)}"
    if kind in ("component_kind", "union_tag_invalid"):
        known = list(kinds(context["room"])) if kind == "component_kind" else _tags(context["expected_tags"])
        if isinstance(value, dict):
            path, value = (*path, "kind"), value.get("kind")
        return path, f"unknown kind {written(value)}{did_you_mean(str(value), known)}; known: {', '.join(known)}"
    if kind in ("component_kind_missing", "union_tag_not_found"):
        known = list(kinds(path[-1])) if path[-1] in _ROOMS else []
        return path, "a mapping needs a `kind`" + (f"; known: {', '.join(known)}" if known else "")
    if kind == "component_type":
        return path, f"should be a kind, or a mapping with a `kind`, got {written(value)}"
    if kind == "value_error":
        return path, str(context["error"])
    suggestion = did_you_mean(str(value), _tags(str(context.get("expected", "")))) if kind == "literal_error" else ""
    return path, f"should {_wanted(kind, context, detail['msg'])}, got {written(value)}{suggestion}"


def _wanted(kind: str, context: dict[str, Any], message: str) -> str:
    """What a value should be, without pydantic's words for Python's types."""
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "be a mapping"
    if kind in ("list_type", "tuple_type"):
        return "be a list"
    if kind in ("too_short", "too_long"):
        limit, bound = (context["min_length"], "least") if kind == "too_short" else (context["max_length"], "most")
        return f"have at {bound} {limit} {'entry' if limit == 1 else 'entries'}"
    characters = re.fullmatch(r"\^\[(.*)\]\+\$", str(context.get("pattern", "")))
    if kind == "string_pattern_mismatch" and characters:
        return f"consist of the characters {', '.join(re.findall('[^-]-[^-]|.', characters[1]))}"
    return message.partition(" should ")[2] or message


def _tags(quoted: str) -> list[str]:
    """The words of "'a', 'b' or 'c'"."""
    return quoted.split("'")[1::2]


def _together(messages: list[str]) -> str:
    """The messages of a union's alternatives, which begin alike and end with the same value, as one."""
    if len(messages) == 1:
        return messages[0]
    first, *others = (message.partition(", got ")[0] for message in messages)
    got = messages[-1].partition(", got ")[2]
    return f"{' or '.join([first, *(other.removeprefix('should ') for other in others)])}, got {got}" if got else "; ".join(messages)


def _in_document(loc: Sequence[str | int], document: Any, keep_last: bool) -> tuple[Path, Any]:
    """A location without the names of union members that pydantic puts in, and the value there."""
    path: list[str | int] = []
    value = document
    for number, part in enumerate(loc):
        if part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int) and part < len(value):
            path.append(part)
            value = value[part]
        elif keep_last and number == len(loc) - 1:
            path.append(part)
    return tuple(path), value


def allowed_fields(document: Any, path: Sequence[str | int]) -> list[str]:
    """The fields that the mapping at ``path`` may have."""
    model: type[BaseModel] | None = Scenario
    value = document
    for part in path:
        value = value[part]
        if model is not None and isinstance(part, str):
            model = _model(model, part, value)
    return [] if model is None else list(model.model_fields)


def _elsewhere(path: Path, document: Any) -> str:
    """`` (did you mean 'system.snr_db'?)`` for a field of some block that stands at the top level."""
    if len(path) > 1:
        return ""
    places = [place for place in _places(Scenario, document) if place.endswith(f".{path[0]}")][:MAX_SUGGESTIONS]
    return f" (did you mean {' or '.join(map(repr, places))}?)" if places else ""


def _places(model: type[BaseModel], value: Any, before: str = "") -> Iterator[str]:
    """The dotted paths of all fields that a document may have, given its kinds and its schemes."""
    for name in model.model_fields:
        yield before + name
        inner = value.get(name) if isinstance(value, dict) else None
        below = _model(model, name, inner)
        if below is not None and isinstance(inner, list):
            for index, item in enumerate(inner):
                named = item.get("name", index) if isinstance(item, dict) else index
                yield from _places(below, item, f"{before}{name}.{named}.")
        elif below is not None:
            yield from _places(below, inner, f"{before}{name}.")


def _model(model: type[BaseModel], name: str, value: Any) -> type[BaseModel] | None:
    """The model of a field, given its value: of components and unions that of the value's kind."""
    if name not in model.model_fields:
        return None
    kind = value.get("kind") if isinstance(value, dict) else value
    if name in _ROOMS:
        known = isinstance(kind, str) and kind in kinds(name) and import_error(name, kind) is None
        return component(name, str(kind)).Config if known else None
    models = list(_models(model.model_fields[name].annotation))
    if len(models) > 1:
        models = [candidate for candidate in models if "kind" in candidate.model_fields and candidate.model_fields["kind"].default == kind]
    return models[0] if models else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, list):
        for argument in get_args(annotation):
            yield from _models(argument)
