"""Every way a field can be wrong, with its exact place, its value, what is allowed and what was meant."""

import pytest

from csisim.scenario.load import load_scenario


def place(text: str, token: str) -> str:
    """``line:column`` of a token that is there once."""
    assert text.count(token) == 1, token
    before = text[: text.index(token)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


CASES = {
    "unknown field": (("fading:", "fadding:"), "fadding:", "channel.fadding", ["unknown field (did you mean 'fading'?)", "num_rays"]),
    "unknown field of a block": (("snr_db: 10", "snr_dB: 10"), "snr_dB:", "system.snr_dB", ["did you mean 'snr_db'?", "num_rx_rf"]),
    "unknown field of a component": (("loading:", "loadin:"), "loadin:", "schemes.on.estimator.loadin", ["did you mean 'loading'?"]),
    "unknown field of a scheme": (("name: on\n", "name: on\n    anlog: x\n"), "anlog:", "schemes.on.anlog", ["did you mean 'analog'?"]),
    "unknown field at the top": (("clock:", "clocks:"), "clocks:", "clocks", ["did you mean 'clock'?", "sweep", "extends"]),
    "unknown field of a union": (
        ("correlation: 0.9", "correlation: 0.9, corelation: 1"),
        "corelation:",
        "channel.fading.corelation",
        ["'correlation'"],
    ),
    "unknown kind": (
        ("kind: mmwave_clusters", "kind: mmwave"),
        "kind: mmwave",
        "channel.kind",
        ["'mmwave'", "known: mmwave_clusters, rayleigh"],
    ),
    "unknown bare kind": (
        ("estimator: perfect", "estimator: perfekt"),
        "estimator: perfekt",
        "schemes.bound.estimator",
        ["did you mean 'perfect'?"],
    ),
    "unknown kind of a union": (("kind: ar1", "kind: ar2"), "kind: ar2", "channel.fading.kind", ["'ar2' (did you mean 'ar1'?)", "jakes"]),
    "kind of a wrong type": (("kind: mmwave_clusters", "kind: [1]"), "kind: [1]", "channel.kind", ["a list", "rayleigh"]),
    "no kind": (("kind: sca, ", ""), "digital: {iter", "schemes.on.digital", ["needs a `kind`", "wmmse"]),
    "no kind of a union": (("kind: ar1, ", ""), "fading:", "channel.fading", ["needs a `kind`"]),
    "component of a wrong type": (("estimator: perfect", "estimator: 7"), "estimator: 7", "schemes.bound.estimator", ["got 7"]),
    "text for a number": (("num_users: 2", "num_users: four"), "num_users:", "system.num_users", ["valid integer, got 'four'"]),
    "quoted number": (("num_users: 2", 'num_users: "2"'), "num_users:", "system.num_users", ["valid integer, got '2'"]),
    "true for a number": (("num_users: 2", "num_users: true"), "num_users:", "system.num_users", ["valid integer, got true"]),
    "number for true": (("clock:", "ledger: {paper_ledger: 1}\nclock:"), "paper_ledger:", "ledger.paper_ledger", ["valid boolean, got 1"]),
    "fraction for a count": (("frames: 2", "frames: 2.5"), "frames: 2.5", "clock.frames", ["valid integer, got 2.5"]),
    "null": (("snr_db: 10", "snr_db: null"), "snr_db:", "system.snr_db", ["valid number, got null"]),
    "infinite": (("snr_db: 10", "snr_db: .inf"), "snr_db:", "system.snr_db", ["finite number, got inf"]),
    "not a number": (("snr_db: 10", "snr_db: .nan"), "snr_db:", "system.snr_db", ["finite number, got nan"]),
    "too large for a float": (("snr_db: 10", "snr_db: 1e999"), "snr_db:", "system.snr_db", ["finite number"]),
    "below the bound": (("num_rx_rf: 2", "num_rx_rf: 0"), "num_rx_rf:", "system.num_rx_rf", ["greater than or equal to 1, got 0"]),
    "above the bound": (
        ("correlation: 0.9", "correlation: 2"),
        "correlation:",
        "channel.fading.correlation",
        ["less than or equal to 1, got 2"],
    ),
    "unknown word": (
        ("timescale: online", "timescale: onlin"),
        "timescale: onlin",
        "schemes.on.timescale",
        ["'onlin' (did you mean 'online'?)", "'single'"],
    ),
    "word or number": (("length: num_rf", "length: num"), "length:", "pilots.length", ["'num_rf' or be a valid integer, got 'num'"]),
    "missing field": (("timescale: online\n", "\n"), "name: on\n", "schemes.on.timescale", ["required, but missing"]),
    "missing field of a union": ((", correlation: 0.9", ""), "fading:", "channel.fading.correlation", ["required, but missing"]),
    "scalar for a block": (("pilots: {length: num_rf}", "pilots: 3"), "pilots: 3", "pilots", ["got 3"]),
    "list for a block": (("{delay_slots: 0}", "[0]"), "feedback:", "feedback", ["got a list"]),
    "scalar for a scheme": (("  - name: on\n", "  - 77\n  - name: on\n"), "77\n", "schemes.1", ["got 77"]),
    "name of a scenario": (("name: small", "name: Small one"), "name: Small one", "name", ["consist of the characters a-z, 0-9, _, -"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_field(case, refusal, scenario_file):
    edit, token, path, fragments = CASES[case]
    message = refusal(edit)
    text = scenario_file(edit).read_text()
    where = place(text, token)
    first, quote = message.splitlines()
    assert first.startswith(f"s.yaml:{where}: {path}: ")
    assert quote.strip() == text.splitlines()[int(where.split(":")[0]) - 1].strip()
    for fragment in fragments:
        assert fragment in first


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("schemes=[]", "schemes: should have at least 1 entry, got an empty list"),
        ("schemes=5", "schemes: should be a list, got 5"),
        ("system=5", "system: should be a mapping, got 5"),
        ("channel.fading=[1]", "channel.fading: should be a mapping, got a list"),
        ("pilots.length=0", "pilots.length: should be 'num_rf' or be greater than 0, got 0"),
        ("channel={kind: cost2100, bs_m: [1, 2]}", "channel.bs_m.2: required, but missing"),
        ("channel={kind: cost2100, bs_m: [1, 2, 3, 4]}", "channel.bs_m: should have at most 3 entries, got a list"),
    ],
)
def test_wrong_forms_are_told_in_words(edit, words, refusal):
    assert refusal(sets=[edit]).removeprefix(f"--set {edit.partition('=')[0]}: ") in words


@pytest.mark.parametrize(
    ("edit", "meant"),
    [
        ("snr_db=5", "'system.snr_db'"),
        ("frames=5", "'clock.frames'"),
        ("correlation=0.5", "'channel.fading.correlation'"),
        ("samples_per_frame=2", "'schemes.off.samples_per_frame' or 'schemes.on.samples_per_frame' or 'schemes.bound.samples_per_frame'"),
    ],
)
def test_a_field_without_its_block_is_recognised(edit, meant, refusal):
    assert f"unknown field (did you mean {meant}?)" in refusal(sets=[edit])


def problems(message: str) -> list[str]:
    return [line.removeprefix("s.yaml:") for line in message.splitlines() if line.startswith("s.yaml")]


def test_duplicate_keys_and_tags_are_told_with_everything_else(refusal):
    found = problems(refusal(("num_rx: 8", "num_rx: 8, num_rx: 8"), ("frames: 2", "frames: 2.5"), ("estimator: ls", "estimator: !!str ls")))
    assert [line.partition(": ")[2].split(" ")[0] for line in found] == ["the", "clock.frames:", "the"]
    assert "is there twice" in found[0]
    assert "tag" in found[2]


def test_duplicates_in_an_extended_file_are_told_with_everything_else(scenario_file, refusal):
    scenario_file(("frames: 2", "frames: 2, frames: 3"), name="base.yaml")
    message = refusal(text="extends: base.yaml\nname: child\nsystem: {snr_dB: 3}\n")
    assert "'frames' is there twice" in message
    assert "system.snr_dB: unknown field" in message


RULE = ("num_rf: 8", "num_rf: 1")  # 1 RF chain cannot carry 2 streams
BROKEN_RULE = "system.num_rf: 1 RF chains cannot carry 2 streams"


@pytest.mark.parametrize(
    "edit",
    [
        ("digital: {kind: sca, iterations: 5}", "digital: {kind: sca, iterations: -5}"),
        ("digital: {kind: sca, iterations: 5}", "digital: {kind: nothing}"),
        ("kind: ar1, correlation: 0.9", "kind: ar1"),
        ("kind: ar1, correlation: 0.9", "kind: jakes"),
        ("kind: mmwave_clusters", "kind: mmwave"),
        ("timescale: online\n", "\n"),
        ("name: on\n", "nam: on\n"),
        ("frames: 2", "frames: two"),
        ("clock: {slots_per_frame: 4, frames: 2}", "clock: 4"),
        ("name: small", "nme: small"),
        ("snr_db: 10", "snr_db: ten"),
        ("clock:", "plots: [{kind: nothing}]\nclock:"),
        ("  - name: on\n", "  - 77\n  - name: on\n"),
    ],
)
def test_rules_are_judged_where_other_fields_are_wrong(edit, refusal):
    wrong = problems(refusal(edit))
    found = problems(refusal(edit, RULE))
    assert any(BROKEN_RULE in line for line in found)
    assert {line.partition(": ")[2] for line in wrong} < {line.partition(": ")[2] for line in found}


def test_rules_say_nothing_of_fields_that_are_wrong(refusal):
    """With any number in the place of what is wrong, some rule would complain."""
    assert len(problems(refusal(("num_streams: 2", "num_streams: two")))) == 1  # the default, 4, is more than num_rx_rf
    assert len(problems(refusal(("num_rf: 8", "num_rf: -8")))) == 1  # the default, 16, leaves the pilots too short
    assert len(problems(refusal(("length: num_rf", "length: [7]")))) == 1
    plots = ("clock:", "plots: [{kind: frames, schemes: [on]}]\nclock:")
    assert len(problems(refusal(plots, ("timescale: online", "timescale: never")))) == 1


def test_broken_schemes_do_not_shift_the_others(refusal):
    found = problems(
        refusal(("  - {name: off, timescale: offline", "  - {name: off, timescale: never"), ("estimator: perfect", "estimator: ls"))
    )
    assert [line.split(": ")[1] for line in found] == ["schemes.off.timescale", "schemes.bound.estimator"]


def test_everything_is_told_at_once(refusal):
    message = refusal(
        ("num_users: 2", "num_users: two"), ("kind: ar1", "kind: ar3"), ("iterations: 5", "iteration: 5"), ("frames: 2", "frames: 0.5")
    )
    heads = [line.split(": ")[1] for line in message.splitlines() if line.startswith("s.yaml")]
    assert heads == ["system.num_users", "channel.fading.kind", "clock.frames", "schemes.on.digital.iteration"]  # in the order of the file


BROKEN = {
    "csisim.nowhere:Broken": "ModuleNotFoundError: No module named 'csisim.nowhere'",
    "broken_kind:Broken": "ZeroDivisionError: division by zero",
    "csisim.registry:Absent": "AttributeError: module 'csisim.registry' has no attribute 'Absent'",
    "csisim.errors:Problem": "AttributeError: type object 'Problem' has no attribute 'Config'",
}


@pytest.mark.parametrize("address", BROKEN)
def test_a_kind_that_cannot_be_loaded_is_told(address, refusal, monkeypatch, tmp_path):
    from csisim import registry

    (tmp_path / "broken_kind.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.TABLE["digital"], "broken", (address, "somebody's kind"))
    registry.kinds.cache_clear()
    try:
        message = refusal(("digital: {kind: sca, iterations: 5}", "digital: {kind: broken}"))
    finally:
        monkeypatch.undo()
        registry.kinds.cache_clear()
    assert message.splitlines()[0] == f"s.yaml:16:5: schemes.on.digital: broken is a known kind that cannot be loaded: {BROKEN[address]}"


def test_whole_numbers_are_fine_for_fractions(load):
    assert load(("snr_db: 10", "snr_db: 5")).scenario.system.snr_db == 5.0
    assert isinstance(load().scenario.system.snr_db, float)


def test_bare_kinds_and_defaults(load):
    scenario = load().scenario
    assert scenario.schemes[0].estimator.kind == "ls"
    assert scenario.full_csi.kind == "genie"
    assert scenario.schemes[1].estimator.loading == 0.01
    assert scenario.dims(3).num_users == 2
    assert scenario.system.noise_power == pytest.approx(0.1)
    assert scenario.system.power.total == 4
    assert scenario.pilot_length == scenario.pilot_symbols == 8


def test_the_resolved_document_loads_as_the_same_scenario(load, tmp_path):
    from csisim.scenario.yaml import dump

    loaded = load(("schemes:\n", "sweep:\n  one_at_a_time: {system.snr_db: [0, 10], schemes.on.samples_per_frame: [1, 2]}\nschemes:\n"))
    (tmp_path / "again.yaml").write_text(dump(loaded.scenario.document()))
    again = load_scenario(tmp_path / "again.yaml")
    assert again.scenario.document() == loaded.scenario.document()
    assert [cell.axes for cell in again.cells] == [cell.axes for cell in loaded.cells]
    assert [cell.scenario.document() for cell in again.cells] == [cell.scenario.document() for cell in loaded.cells]


def test_extends_is_merged_one_level_deep(scenario_file, tmp_path):
    scenario_file(name="base.yaml")
    child = scenario_file(text="extends: base.yaml\nname: child\nsystem: {snr_db: 3}\nchannel: {kind: rayleigh}\n", name="child.yaml")
    scenario = load_scenario(child).scenario
    assert (scenario.name, scenario.system.snr_db, scenario.system.num_tx) == ("child", 3, 16)
    assert scenario.channel.kind == "rayleigh"  # another kind: the settings of the old one are gone
    assert [scheme.name for scheme in scenario.schemes] == ["off", "on", "bound"]
    same_kind = scenario_file(text="extends: base.yaml\nname: c2\nchannel: {kind: mmwave_clusters, num_rays: 3}\n", name="c2.yaml")
    assert load_scenario(same_kind).scenario.channel.fading.correlation == 0.9
    lists = "extends: base.yaml\nname: c3\nschemes:\n  - {name: one, timescale: offline, estimator: ls, analog: random, digital: sca}\n"
    assert [scheme.name for scheme in load_scenario(scenario_file(text=lists, name="c3.yaml")).scenario.schemes] == ["one"]


def test_errors_point_into_the_file_that_has_them(scenario_file, refusal):
    base = scenario_file(("num_users: 2", "num_users: two"), name="base.yaml")
    message = refusal(text="extends: base.yaml\nname: child\nsystem: {snr_dB: 3}\n")
    first, _, second, _ = message.splitlines()
    assert first.startswith(f"{base}:{place(base.read_text(), 'num_users:')}: system.num_users: ")
    assert second.startswith("s.yaml:3:10: system.snr_dB: ")


@pytest.mark.parametrize(
    ("child", "words"),
    [
        ("extends: base.yaml\n", "needs a name of its own"),
        ("extends: absent.yaml\nname: c\n", "No such file"),
        ("extends: middle.yaml\nname: c\n", "may not extend another"),
        ("extends: s.yaml\nname: c\n", "may not extend another"),
        ("extends: [base.yaml]\nname: c\n", "should be the path"),
        ('extends: "a\\0b"\nname: c\n', "should be the path"),
        ("extends: .\nname: c\n", "cannot be read"),
    ],
)
def test_what_cannot_be_extended(child, words, scenario_file, refusal):
    scenario_file(name="base.yaml")
    scenario_file(text="extends: base.yaml\nname: middle\n", name="middle.yaml")
    assert words in refusal(text=child)
