"""Keys change with physics and with nothing else."""

import copy

import pytest

from csisim.records.identity import canonical_json, cell_key, digest, physics_digest, record_key
from csisim.scenario.schema import Scenario

BASE = {
    "name": "x",
    "seed": 1,
    "system": {"num_tx": 8, "num_rf": 4, "num_rx": 4, "num_rx_rf": 2, "num_users": 2, "num_streams": 2, "snr_db": 10.0},
    "channel": {"kind": "rayleigh"},
    "clock": {"frames": 3, "slots_per_frame": 4},
    "schemes": [
        {"name": "a", "timescale": "offline", "estimator": "ls", "analog": "covariance", "digital": {"kind": "sca"}},
        {"name": "b", "timescale": "online", "estimator": "ls", "analog": "covariance", "digital": {"kind": "sca"}},
    ],
}


def keys(document):
    scenario = Scenario.model_validate(document)
    physics = physics_digest(scenario)
    return cell_key(physics, 0, {}), record_key(physics, scenario.schemes[0], 0)


def edited(**changes):
    document = copy.deepcopy(BASE)
    for path, value in changes.items():
        *above, last = path.split("__")
        place = document
        for part in above:
            place = place[int(part) if part.isdecimal() else part]
        place[last] = value
    return document


def shuffled(value):
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def test_canonical_json_is_one_text_for_one_value():
    assert canonical_json({"b": [1, 2.5, None], "a": "ü"}) == '{"a":"\\u00fc","b":[1,2.5,null]}'
    assert digest({}) == "44136fa355b3678a"  # SHA-256 of "{}"
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


@pytest.mark.parametrize(
    "same",
    [
        shuffled(BASE),
        edited(name="y"),
        edited(description="other words"),
        edited(log="frame"),
        edited(replicas=3),
        edited(plots=[{"kind": "frames"}]),
        edited(schemes__0__name="z"),
        edited(system__snr_db=10),
        edited(channel={"kind": "rayleigh", "normalisation": "unit"}),
        edited(schemes__1__steps_per_frame=9),
        edited(schemes=BASE["schemes"][:1]),
    ],
)
def test_what_changes_no_number_changes_no_key(same):
    assert keys(same) == keys(BASE)


@pytest.mark.parametrize(
    "other",
    [
        edited(seed=2),
        edited(drops=17),
        edited(precision="double"),
        edited(system__snr_db=10.1),
        edited(system__num_rf=5),
        edited(channel={"kind": "rayleigh", "normalisation": "kang"}),
        edited(clock__frames=4),
        edited(pilots={"length": 8}),
        edited(evaluation={"last_frames": 1}),
    ],
)
def test_physics_changes_both_keys(other):
    assert keys(other)[0] != keys(BASE)[0]
    assert keys(other)[1] != keys(BASE)[1]


@pytest.mark.parametrize("other", [edited(schemes__0__num_samples=9), edited(schemes__0__digital={"kind": "sca", "iterations": 9})])
def test_a_scheme_changes_its_own_record(other):
    assert keys(other)[0] == keys(BASE)[0]
    assert keys(other)[1] != keys(BASE)[1]


def test_a_new_field_that_is_only_for_show_changes_no_key():
    class Later(Scenario):
        colour_of_the_pictures: str = "red"

    later = Later.model_validate(BASE)
    physics = physics_digest(later)
    assert (cell_key(physics, 0, {}), record_key(physics, later.schemes[0], 0)) == keys(BASE)


def test_replicas_and_swept_scheme_fields_tell_cells_apart():
    scenario = Scenario.model_validate(BASE)
    physics = physics_digest(scenario)
    cells = {cell_key(physics, replica, axes) for replica in (0, 1) for axes in ({}, {"num_samples": 4}, {"num_samples": 8})}
    assert len(cells) == 6
    assert record_key(physics, scenario.schemes[0], 0) != record_key(physics, scenario.schemes[0], 1)


def test_a_file_counts_by_its_content(tmp_path):
    trace, copied = tmp_path / "trace.npz", tmp_path / "copy.npz"
    trace.write_bytes(b"rows")
    copied.write_bytes(b"rows")
    named = [keys(edited(channel={"kind": "trace", "file": str(path)})) for path in (trace, copied)]
    assert named[0] == named[1]
    copied.write_bytes(b"other rows")
    assert keys(edited(channel={"kind": "trace", "file": str(copied)}))[1] != named[0][1]
