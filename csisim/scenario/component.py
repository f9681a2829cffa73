"""Fields of a scenario that hold a component: the kind picks the configuration model, and only that kind's file is imported."""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from csisim.registry import Component, component, kinds


def with_kind(value: Any) -> Any:
    """A bare string as the component of that kind with its defaults."""
    return {"kind": value} if isinstance(value, str) else value


def config_model(room: str, kind: str) -> type[Component]:
    """The configuration model of a kind.

    Raises
    ------
    KeyError
        If the room has no such kind.
    ImportError
        If the file behind the kind cannot be loaded.
    """
    address = kinds(room)[kind][0]
    try:
        return component(room, kind).Config
    except (ImportError, AttributeError, ValueError) as error:
        raise ImportError(f"{address}: {error}") from error


class KindOf:
    """Marks a field that holds a component of a room: ``Annotated[Component, KindOf("channel")]``."""

    def __init__(self, room: str) -> None:
        self.room = room

    def validate(self, value: Any) -> Component:
        """The configuration that ``value`` (a mapping, a bare kind, or a configuration) describes."""
        if isinstance(value, Component):
            value = value.model_dump()
        value = with_kind(value)
        if not isinstance(value, dict):
            raise PydanticCustomError("component_type", "should be the name of a kind, or a mapping with a `kind`")
        if "kind" not in value:
            raise _at_kind(PydanticCustomError("missing", "required field is missing"), value)
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in kinds(self.room):
            details = {"room": self.room, "known": sorted(kinds(self.room))}
            raise _at_kind(PydanticCustomError("unknown_kind", "no such kind of {room}", details), kind)
        try:
            model = config_model(self.room, kind)
        except ImportError as error:
            raise _at_kind(PydanticCustomError("kind_import", "cannot be loaded: {error}", {"error": str(error)}), kind) from error
        return model.model_validate(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate by kind, serialise the concrete class."""
        return core_schema.no_info_plain_validator_function(self.validate, serialization=core_schema.simple_ser_schema("any"))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """One of all kinds of the room, or a bare name; this does import all of them."""
        known = kinds(self.room)
        models = {kind: handler(config_model(self.room, kind).__pydantic_core_schema__) for kind in known}
        names = [{"const": kind, "description": line} for kind, (_, line) in known.items()]
        return {"oneOf": [{"type": "string", "oneOf": names}, *models.values()]}


def _at_kind(error: PydanticCustomError, value: Any) -> ValidationError:
    return ValidationError.from_exception_data("component", [InitErrorDetails(type=error, loc=("kind",), input=value)])
