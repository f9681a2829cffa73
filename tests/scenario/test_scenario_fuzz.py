"""Whatever a file holds, loading it gives cells or a ScenarioError, and never anything else."""

import string
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_scenario import BASE

from csisim.errors import ScenarioError
from csisim.scenario.load import load_scenario
from csisim.scenario.yaml import dump, parse

FUZZ = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
PIECES = ["\n  ", ": ", "- ", "&a ", "*a", "!!int ", "---\n", "...", "kind", "name: x\n", "1e9", "\x00", "\x85", "😀"]
TOKENS = st.sampled_from([*"[]{}:,-&*!|>?#%@`'\"~\n \t", *PIECES])
FIELDS = ["kind", "name", "timescale", "estimator", "analog", "digital", "system", "num_tx", "channel", "fading", "sweep", "grid", "zip"]
FIELDS += ["one_at_a_time", "extends", "plots", "pilots", "length", "memory", "schemes", "clock", "frames", "full_csi"]
WORDS = st.sampled_from([*FIELDS, "online", "offline", "single", "ssca", "rls", "sca", "none", "ar1", "versus", "all", "noisy"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 40) | st.integers() | st.floats() | WORDS | st.text(string.printable, max_size=6)
KEYS = WORDS | st.text(max_size=4)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)
LARGE = [b"a: " + b"[" * 500_000, b"a: {" * 100_000, b"- " * 400_000, b"? " * 300_000, b"&a " * 200_000, b"'" * 999_999]


def outcome(data: bytes, sets: tuple[str, ...] = (), sweeps: tuple[str, ...] = ()) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.yaml"
        path.write_bytes(data)
        with suppress(ScenarioError):
            assert load_scenario(path, sets, sweeps).cells


@FUZZ
@given(st.binary(max_size=200))
def test_bytes(data):
    outcome(data)


@FUZZ
@given(st.lists(TOKENS | WORDS, max_size=30).map("".join))
def test_pieces_of_yaml(text):
    outcome(text.encode())


@FUZZ
@given(st.integers(0, len(BASE)), st.integers(0, 12), st.lists(TOKENS | WORDS, max_size=3).map("".join))
def test_a_good_scenario_with_a_hole(start, length, patch):
    outcome((BASE[:start] + patch + BASE[start + length :]).encode())


def places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


DOCUMENT = parse(BASE + "sweep: {grid: {system.snr_db: [0, 10], schemes.on.memory: [1, all]}}\nplots: [{kind: frames}]\n", "base").plain()


@FUZZ
@given(st.sampled_from([path for path in places(DOCUMENT) if path]), VALUES)
def test_a_good_scenario_with_one_wild_value(path, value):
    outcome(dump(changed(DOCUMENT, path, value)).encode("utf-8", "surrogatepass"))


def changed(node, path, value):
    if not path:
        return value
    there = range(len(node)) if isinstance(node, list) else node if isinstance(node, dict) else ()
    if path[0] not in there:
        return node  # an earlier change took it away
    inner = changed(node[path[0]], path[1:], value)
    if isinstance(node, dict):
        return {**node, path[0]: inner}
    return [inner if number == path[0] else item for number, item in enumerate(node)]


@FUZZ
@given(st.lists(st.tuples(st.sampled_from([path for path in places(DOCUMENT) if path]), VALUES), min_size=2, max_size=5))
def test_a_good_scenario_with_several_wild_values(changes):
    document = DOCUMENT
    for path, value in changes:
        document = changed(document, path, value)
    outcome(dump(document).encode("utf-8", "surrogatepass"))


OPTIONS = st.lists(WORDS | st.text(string.printable, max_size=5), max_size=4).map(".".join)


@FUZZ
@given(OPTIONS, st.lists(TOKENS | WORDS | st.integers().map(str), max_size=5).map("".join))
def test_options(path, value):
    outcome(BASE.encode(), sets=(f"{path}={value}",))
    outcome(BASE.encode(), sweeps=(f"{path}={value}",))


@pytest.mark.parametrize(
    "data", [b"a: " + b"[" * 500_000, b"a: {" * 100_000, b"- " * 400_000, b"? " * 300_000, b"&a " * 200_000, b"'" * 999_999]
)
def test_deep_and_long_files_are_refused_quickly(data):
    outcome(data)
