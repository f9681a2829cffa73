"""What pydantic says, said to the author of a scenario: the place in the document, what is wrong, what is allowed."""

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
        text = repr(value) if isinstance(value, str | int | float) else f"a {'list' if isinstance(value, list) else 'mapping'}"
    return text if len(text) <= 60 else text[:57] + "..."


def _problem(detail: dict[str, Any], document: Any) -> tuple[Path, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    path, value = _in_document(detail["loc"], document, keep_last=kind == "missing")
    if kind == "missing":
        return path, "required, but missing"
    if kind == "extra_forbidden":
        allowed = allowed_fields(document, path[:-1])
        return path, f"unknown field{did_you_mean(str(path[-1]), allowed)}; allowed: {', '.join(allowed)}"
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
    message = detail["msg"].removeprefix("Input ").replace("valid dictionary or instance of", "mapping for")
    suggestion = did_you_mean(str(value), _tags(str(context.get("expected", "")))) if kind == "literal_error" else ""
    return path, f"{message[0].lower()}{message[1:]}, got {written(value)}{suggestion}"


def _tags(quoted: str) -> list[str]:
    """The words of "'a', 'b' or 'c'"."""
    return quoted.split("'")[1::2]


def _together(messages: list[str]) -> str:
    """The messages of a union's alternatives, which end with the same value, as one."""
    if len(messages) == 1:
        return messages[0]
    heads = [message.partition(", got ")[0] for message in messages]
    return " or ".join(heads) + ", got " + messages[-1].partition(", got ")[2] if ", got " in messages[-1] else "; ".join(messages)


def _in_document(loc: Sequence[str | int], document: Any, keep_last: bool) -> tuple[Path, Any]:
    """A location without the names of union members that pydantic puts in, and the value there."""
    path: list[str | int] = []
    value = document
    for number, part in enumerate(loc):
        if part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int):
            path.append(part)
            value = value[part]
        elif keep_last and number == len(loc) - 1:
            path.append(part)
    return tuple(path), value


def allowed_fields(document: Any, path: Sequence[str | int]) -> list[str]:
    """The fields that the mapping at ``path`` may have."""
    model: type[BaseModel] = Scenario
    value = document
    for part in path:
        value = value[part]
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        if field is None:
            return []
        found = _model(field.annotation, value)
        if found is None:
            return []
        model = found
        if part in _ROOMS and isinstance(value, dict):
            try:
                model = component(part, value["kind"]).Config
            except (KeyError, TypeError):
                return []
    return list(model.model_fields)


def _model(annotation: Any, value: Any) -> type[BaseModel] | None:
    """The model that an annotation means for this value: of a union the member of the value's kind."""
    models = list(_models(annotation))
    if len(models) > 1 and isinstance(value, dict):
        models = [model for model in models if "kind" in model.model_fields and model.model_fields["kind"].default == value.get("kind")]
    return models[0] if models else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, list):
        for argument in get_args(annotation):
            yield from _models(argument)
