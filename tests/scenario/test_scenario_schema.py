"""The JSON Schema that editors use: it takes what csisim takes, and finds the commonest slips."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_scenario import BASE

from csisim.cli.schema import schema as command
from csisim.scenario.yaml import parse, read

FILES = sorted((Path(__file__).parents[2] / "scenarios").rglob("*.yaml"))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int, "number": (int, float)}
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "discriminator"}
CHECKS = {
    "$ref": lambda value, ref, _, root: valid(value, root["$defs"][ref.removeprefix("#/$defs/")], root),
    "type": lambda value, name, *_: isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool)),
    "const": lambda value, wanted, *_: value == wanted,
    "enum": lambda value, wanted, *_: value in wanted,
    "anyOf": lambda value, schemas, _, root: any(valid(value, one, root) for one in schemas),
    "oneOf": lambda value, schemas, _, root: sum(valid(value, one, root) for one in schemas) == 1,
    "if": lambda value, test, schema, root: valid(value, test, root) or valid(value, schema["else"], root),
    "else": lambda *_: True,
    "required": lambda value, names, *_: not isinstance(value, dict) or set(names) <= value.keys(),
    "properties": lambda value, inner, _, root: (
        not isinstance(value, dict) or all(valid(value[key], inner[key], root) for key in inner.keys() & value.keys())
    ),
    "additionalProperties": lambda value, rest, schema, root: (
        not isinstance(value, dict)
        or all(rest is not False and valid(value[key], rest, root) for key in value.keys() - schema.get("properties", {}).keys())
    ),
    "items": lambda value, inner, _, root: not isinstance(value, list) or all(valid(item, inner, root) for item in value),
    "prefixItems": lambda value, inner, _, root: (
        not isinstance(value, list) or all(valid(item, one, root) for item, one in zip(value, inner, strict=False))
    ),
    "minItems": lambda value, limit, *_: not isinstance(value, list) or len(value) >= limit,
    "maxItems": lambda value, limit, *_: not isinstance(value, list) or len(value) <= limit,
    "maxLength": lambda value, limit, *_: not isinstance(value, str) or len(value) <= limit,
    "pattern": lambda value, pattern, *_: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minimum": lambda value, limit, *_: not isinstance(value, int | float) or value >= limit,
    "maximum": lambda value, limit, *_: not isinstance(value, int | float) or value <= limit,
    "exclusiveMinimum": lambda value, limit, *_: not isinstance(value, int | float) or value > limit,
    "exclusiveMaximum": lambda value, limit, *_: not isinstance(value, int | float) or value < limit,
}


def valid(value, schema, root) -> bool:
    """Whether a value meets a JSON Schema; a keyword that is not known here is an error."""
    if schema is True:
        return True
    return all(CHECKS[key](value, schema[key], schema, root) for key in schema.keys() - ANNOTATIONS)


@pytest.fixture(scope="module")
def schema():
    return json.loads(CliRunner().invoke(command).output)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_files_meet_it(file, schema):
    assert valid(read(file).plain(), schema, schema)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{kind: ar1, correlation: 0.9}", "static"),
        ("kind: mmwave_clusters\n", "kind: mmwave_clusters\n  tx_array: ula\n"),
        ("clock:", "full_csi: noisy\nclock:"),
        ("length: num_rf", "length: 12"),
    ],
)
def test_short_forms_meet_it(old, new, schema):
    assert valid(parse(BASE.replace(old, new), "s").plain(), schema, schema)


def test_a_file_that_extends_another_needs_only_a_name(schema):
    assert valid({"extends": "base.yaml", "name": "child"}, schema, schema)
    assert valid({"extends": "base.yaml", "name": "child", "channel": {"fading": "static"}}, schema, schema)
    assert not valid({"extends": "base.yaml"}, schema, schema)
    assert not valid({"name": "child"}, schema, schema)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{kind: ar1, correlation: 0.9}", "ar1"),  # not without its correlation
        ("{kind: ar1, correlation: 0.9}", "ar2"),
        ("kind: mmwave_clusters", "kind: mmwave"),
        ("num_tx:", "num_txs:"),
        ("num_users: 2", "num_users: two"),
        ("estimator: perfect", "estimator: perfekt"),
        ("timescale: online", "timescale: onlin"),
        ("name: small", "title: small"),
    ],
)
def test_slips_do_not_meet_it(old, new, schema):
    assert BASE.count(old) == 1
    assert not valid(parse(BASE.replace(old, new), "s").plain(), schema, schema)
