"""YAML 1.2 scalars, places, and files that are no scenario."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csisim.errors import ScenarioError
from csisim.scenario.yaml import MAX_BYTES, dump, parse, parse_option, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("28e9", 28e9),
        ("1e-3", 1e-3),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5E+2", -150.0),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-01-02", "2026-01-02"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("Null", None),
        ("", None),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("'28e9'", "28e9"),
        ('"true"', "true"),
        ("inf", "inf"),
        ("nan", "nan"),
    ],
)
def test_scalars_follow_the_core_schema(text, value):
    parsed = parse(f"key: {text}", "f").plain()["key"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_not_a_number_is_recognised():
    assert math.isnan(parse("key: .NaN", "f").plain()["key"])


def test_every_key_and_item_has_its_place():
    node = parse("a:\n  b: 1\n  c: [10, {d: 2}]\ne: &x {f: 3}\ng: *x\n", "f")
    places = {
        ("a",): "f:1:1",
        ("a", "b"): "f:2:3",
        ("a", "c"): "f:3:3",
        ("a", "c", 0): "f:3:7",
        ("a", "c", 1): "f:3:11",
        ("a", "c", 1, "d"): "f:3:12",
        ("g",): "f:5:1",
        ("g", "f"): "f:4:8",  # what an alias brings is mended where it was written
        ("a", "missing", "below"): "f:1:1",
        ("a", "c", 7): "f:3:3",
    }
    assert {path: str(node.locate(path)) for path in places} == places


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3", "f:3:1", "'a' is there twice (first in line 1)"),
        ("a: !!str 5", "f:1:4", "tag tag:yaml.org,2002:str is not allowed"),
        ("a: !!python/object:os.system {}", "f:1:4", "is not allowed"),
        ("a: [1", "f:1:6", "not valid YAML"),
        ("a:\n\tb: 1", "f:2:1", "not valid YAML"),
        ("a: *x", "f:1:4", "no anchor &x"),
        ("a: &x [*x]", "f:1:8", "contains itself"),
        ("a: 1\n---\nb: 2", "f:2:1", "second document"),
        ("? [a, b]\n: 1", "f:1:3", "a key must be a word"),
        ("a: \x07", "f:1:4", "U+0007"),
        ("a: " + "9" * 401, "f:1:4", "401 digits"),
        ("a: " + "[" * 100, "f:1:36", "32 levels"),
    ],
)
def test_what_is_refused_has_its_place(text, place, words):
    with pytest.raises(ScenarioError) as caught:
        parse(text, "f")
    assert str(caught.value).startswith(f"{place}: ")
    assert words in str(caught.value)


def test_all_duplicate_keys_are_told_at_once():
    with pytest.raises(ScenarioError) as caught:
        parse("a: 1\na: 2\nb: {c: 1, c: 2}\n", "f")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines() if line.startswith("f")] == ["f:2:1", "f:3:11"]


def test_a_merge_key_brings_what_a_mapping_does_not_say_itself():
    node = parse("a: &a {b: 1, c: 2}\nd: &d {c: 3, e: {f: 4}}\ng: {c: 5, <<: [*a, *d], h: 6}\ni:\n  <<: *d\n", "f")
    assert node.plain()["g"] == {"b": 1, "c": 5, "e": {"f": 4}, "h": 6}
    assert parse("a: &a {b: 1, c: 2}\ng: {<<: [*a, {c: 3, d: 4}]}", "f").plain()["g"] == {"b": 1, "c": 2, "d": 4}
    assert node.plain()["i"] == {"c": 3, "e": {"f": 4}}
    quoted = parse('a: {"<<": {b: 1}, <<: {c: 2}}', "f").plain()
    assert quoted == {"a": {"<<": {"b": 1}, "c": 2}}  # a key like others
    assert parse(dump(quoted), "f").plain() == quoted
    assert str(node.locate(("g", "b"))) == "f:1:8"  # mended where it was written
    assert str(node.locate(("g", "c"))) == "f:3:5"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: {<<: 3}", "f:1:5: << takes a mapping"),
        ("a: {<<: [{b: 1}, c]}", "f:1:5: << takes a mapping"),
        ("a: {<<: {b: 1}, <<: {b: 2}}", "f:1:17: the key '<<' is there twice"),
        ('a: {"<<": {b: 1}, "<<": {b: 2}}', "f:1:19: the key '<<' is there twice"),
    ],
)
def test_what_cannot_be_merged(text, words):
    with pytest.raises(ScenarioError, match=words):
        parse(text, "f")


def test_an_alias_bomb_is_refused_quickly():
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    with pytest.raises(ScenarioError, match="aliases expand this file"):
        parse("\n".join(levels), "f")


def test_options_are_placed_at_themselves():
    node = parse_option("{a: [1e3]}", "--set x.y")
    assert node.plain() == {"a": [1000.0]}
    assert str(node.locate(("a", 0))) == "--set x.y"


def test_files_that_are_no_scenario(tmp_path):
    def refusal(data: bytes | None, name: str = "f.yaml") -> str:
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(ScenarioError) as caught:
            read(path)
        return str(caught.value).replace(str(tmp_path), "")

    assert refusal(None, "absent.yaml") == "/absent.yaml: cannot be read: No such file or directory"
    assert refusal(b"") == "/f.yaml: a scenario is a mapping of `key: value` lines, this file is empty"
    assert refusal(b"# only a comment\n").endswith("is empty")
    assert refusal(b"- a\n- b\n").endswith("this file is a list")
    assert refusal(b"just words").endswith("this file is a single value")
    assert "not a text file in UTF-8 (byte 3" in refusal(b"a: \xff\xfe")
    assert "not a text file in UTF-8 (byte 0" in refusal("a: 1".encode("utf-16"))
    assert "larger than 1 MB" in refusal(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ScenarioError, match="cannot be read"):
        read(tmp_path)  # a directory
    with pytest.raises(ScenarioError, match="cannot be read"):
        read("nul\0in the name")


def test_a_byte_order_mark_is_no_matter(tmp_path):
    (tmp_path / "f.yaml").write_bytes("name: ü".encode("utf-8-sig"))
    assert read(tmp_path / "f.yaml").plain() == {"name": "ü"}


SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | st.text(max_size=20)
TRICKY = st.sampled_from(["28e9", "no", "true", "~", "0o10", "0x1", ".inf", "010", "1e-3", "-", "", "a: b", "# c", "9" * 500])


@given(st.dictionaries(st.text(min_size=1, max_size=8), SCALARS | TRICKY | st.lists(SCALARS | TRICKY, max_size=3), max_size=5))
def test_what_is_dumped_is_read_back(document):
    parsed = parse(dump(document), "f").plain() if document else {}
    assert parsed == document
    assert [type(value) for value in parsed.values()] == [type(value) for value in document.values()]
