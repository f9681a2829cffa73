"""Kang's FDD: the codec alone, the cascade with it, and scenarios that have both trained for their link."""

import shutil

import numpy as np
import pytest
import yaml

from csisim import weights
from csisim.errors import CsisimError
from csisim.feedback.quantiser import gaussian_quantiser
from csisim.phy.power import quantise_phases
from csisim.random import complex_normal, stream
from csisim.records.load import load
from csisim.runner.networks import train_networks
from csisim.runner.sweep import run_sweep
from csisim.scenario.load import load_scenario
from csisim.training.base import Schedule
from csisim.training.loop import train
from csisim.training.native import orders
from csisim.training.recipe import Recipe, run_recipe
from csisim.training.supply import dead_ends, missing, recipe_for, train_missing
from csisim.training.tasks.fdd import Fdd, FddConfig, centres, directions, untrained
from csisim.training.tasks.hybrid import Hybrid, HybridConfig

pytest.importorskip("torch")
LINK = {
    "system": {"num_tx": 16, "num_rf": 4, "num_rx": 8, "num_rx_rf": 2, "num_users": 2, "num_streams": 2, "snr_db": 10.0},
    "channel": {"kind": "mmwave_clusters", "statistics": "iid_angles", "num_clusters": 2, "num_rays": 1},
}
CODEC = {"kind": "learned_paths", "num_paths": 2, "receive_bits": 2, "transmit_bits": 4, "gain_bits": 3}
SMALL = {"batch": 8, "validation": 32}


def stage(task, steps=2, **schedule):
    return {"task": task, "schedule": {"steps": steps, "validate_every": 2} | schedule, "settings": SMALL}


RECIPES = {
    "phases": {"link": {"system": {"phase_bits": None}}, "stages": [stage("hybrid")]},
    "pair": {"start": ["phases"], "link": {"system": {"phase_bits": None}}, "stages": [stage("separate"), stage("joint")]},
    "fdd": {"start": ["pair"], "stages": [stage("fdd_codec", 4), stage("fdd_joint", 4, learning_rate=1e-3)]},
}


@pytest.fixture(autouse=True)
def cache(packaged):
    return packaged(RECIPES)


@pytest.fixture(scope="module")
def start():
    """What stage one begins with."""
    return Hybrid(HybridConfig.model_validate(LINK | {"validation": 1}), {}, 7).initial()


def task(name, start, **system):
    return Fdd(FddConfig.model_validate(LINK | SMALL | {"task": name, "codec": CODEC, "system": LINK["system"] | system}), start, 7)


def test_directions_of_single_paths_are_found_whatever_their_phases():
    rng = np.random.default_rng(0)
    lines = np.linalg.qr(rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8)))[0][:4]
    scale = rng.uniform(0.5, 2, 400) * np.exp(2j * np.pi * rng.random(400))
    noisy = scale[:, None] * lines[rng.integers(4, size=400)] + 0.02 * rng.normal(size=(400, 8))
    found = directions(noisy, 16, rng)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.abs(lines.conj() @ found.T).max(axis=1).min() > 0.999


def test_a_codec_that_begins_with_the_channels_paths_and_gains_beats_random_ones(start):
    task_ = task("fdd_codec", start)
    begun, random = task_.initial(), {f"codec/{name}": value for name, value in untrained(task_.config).items()}
    assert task_.score(begun) > task_.score(random | {"codec/gain": begun["codec/gain"]}) + 1.0  # dB, directions
    assert task_.score(begun) > task_.score(begun | {"codec/gain": random["codec/gain"]}) + 0.2  # gains


def test_centres_of_a_gaussian_are_as_good_as_lloyd_and_maxs_grid_and_two_of_them_are_opposite():
    values = complex_normal(stream(0, 0, "test"), (4000,))
    grid = np.add.outer(gaussian_quantiser(2).levels, 1j * gaussian_quantiser(2).levels).reshape(-1) / np.sqrt(2)
    error = lambda table: np.mean(np.min(np.abs(values[:, None] - table) ** 2, axis=1))  # noqa: E731
    assert error(centres(values, 16)) < error(grid)
    plus, minus = centres(values, 2)
    assert abs(plus + minus) < 0.1 * abs(plus)
    np.testing.assert_allclose(abs(plus), np.pi**-0.5, rtol=0.05)  # the mean of a half-plane


def test_the_codec_alone_gets_better_and_nothing_else_is_touched(start):
    alone = task("fdd_codec", start)
    trained = train(alone, Schedule(steps=30, learning_rate=0.01, validate_every=10))
    assert set(trained.parameters) == {"codec/receive", "codec/transmit", "codec/gain"}
    assert trained.score > trained.untrained


def test_the_cascade_starts_where_the_stages_before_ended_and_never_returns_less(start):
    codec = train(task("fdd_codec", start), Schedule(steps=2, validate_every=2)).parameters
    config = task("fdd_joint", start | codec).config.model_copy(update={"validation": 256})
    joint = Fdd(config, start | codec, 7)
    begun = joint.initial()
    assert all((begun[name] == value).all() for name, value in codec.items())
    assert {name.split("/")[0] for name in begun} == {"estimator", "codec", "digital"}
    gentle = Schedule(steps=20, learning_rate=1e-3, rates={"estimator": 5e-5}, validate_every=10)
    assert train(joint, gentle).score > joint.score(begun)
    harmful = train(joint, Schedule(steps=4, learning_rate=0.3, validate_every=2, clip=1e3))
    assert harmful.history[-1][1] < harmful.untrained == harmful.score
    assert all((harmful.parameters[name] == value).all() for name, value in begun.items())


def test_the_black_box_learns_from_random_layers(start):
    config = FddConfig.model_validate(LINK | SMALL | {"task": "fdd_codec", "codec": {"kind": "beam_crnet", "bits": 18}, "batch": 64})
    trained = train(Fdd(config, start, 7), Schedule(steps=60, learning_rate=3e-3, validate_every=20))
    assert trained.untrained < 0 < trained.score  # dB: worse and better than reporting nothing
    joint = Fdd(config.model_copy(update={"task": "fdd_joint"}), start | trained.parameters, 7)
    assert {name.split("/")[0] for name in joint.initial()} == {"estimator", "codec", "digital"}
    assert train(joint, Schedule(steps=10, learning_rate=1e-3, validate_every=5)).score > joint.score(joint.initial())


def test_every_part_of_the_cascade_hears_of_the_rate(start):
    import torch

    joint = task("fdd_joint", start)
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in joint.initial().items()}
    batch = tuple(torch.from_numpy(item) for item in joint.batch(np.random.default_rng(0)))
    joint.loss(tensors, batch).backward()
    for name in ("estimator/pilots", "codec/receive", "codec/transmit", "codec/gain", "digital/T_w"):
        assert tensors[name].grad.abs().max() > 0, name


def test_it_is_trained_behind_phases_as_the_hardware_has_them(start):
    rounded = task("fdd_codec", start, phase_bits=2)
    np.testing.assert_allclose(rounded.start["phi_f"], quantise_phases(start["phi_f"], 2), atol=1e-6)
    assert (task("fdd_codec", start).start["phi_f"] == start["phi_f"]).all()


def test_without_common_phases_there_is_nothing_to_train():
    with pytest.raises(CsisimError, match="task fdd_joint: needs phases that all drops share"):
        task("fdd_joint", {})


def test_a_training_goes_on_from_the_codec_of_more_users_but_not_from_another_one(tmp_path):
    system = LINK["system"] | {"num_users": 3}
    recipe = {"link": LINK | {"system": system, "codec": CODEC}, "stages": [stage("hybrid"), stage("fdd_codec"), stage("fdd_joint")]}
    files = [str(path) for path in run_recipe(Recipe.model_validate(recipe), tmp_path)]
    fewer = {"link": LINK | {"codec": CODEC}, "stages": [stage("fdd_joint")], "start": files}
    (codec, *_) = run_recipe(Recipe.model_validate(fewer), tmp_path / "fewer")
    assert weights.read(codec)[1]["receive"].shape == (2, 4, 2)
    other = fewer | {"link": LINK | {"codec": CODEC | {"num_paths": 5}}}
    with pytest.raises(CsisimError, match="the codec that it starts from is another one"):
        run_recipe(Recipe.model_validate(other), tmp_path / "other")


def test_the_same_recipe_leads_to_the_same_weights_also_after_an_interruption(tmp_path, monkeypatch, cache):
    stages = [stage("hybrid"), stage("fdd_codec", 4), stage("fdd_joint", 4)]
    recipe = Recipe.model_validate({"link": LINK | {"codec": CODEC}, "stages": stages})
    first = run_recipe(recipe, tmp_path / "first")

    def killed(index, name, progress):
        if (name, progress.step) == ("fdd_joint", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(recipe, tmp_path / "again", told=killed)
    seen = []
    again = run_recipe(recipe, tmp_path / "again", told=lambda index, name, progress: seen.append((name, progress.step)))
    assert seen == [("fdd_joint", 4)]  # what was done is not done again
    assert [path.name for path in again] == [path.name for path in first]
    for one, other in zip(first, again, strict=True):
        ours, theirs = weights.read(one)[1], weights.read(other)[1]
        assert all((ours[name] == theirs[name]).all() for name in ours)


def scenario(tmp_path, **fields):
    link = {"timescale": "offline", "num_samples": 0, "analog": {"kind": "learned_phases", "steps": 0, "weights": "phases"}}
    network = lambda kind, recipe: {"kind": kind, "training": "joint", "weights": recipe}  # noqa: E731
    before = {"estimator": network("cedun", "pair"), "digital": network("hbdun", "pair")}
    cascade = {"estimator": network("cedun", "fdd"), "digital": network("hbdun", "fdd")}
    codec = CODEC | {"weights": "fdd"}
    schemes = [
        {"name": "separate"} | link | before | {"codec": codec},
        {"name": "joint"} | link | cascade | {"codec": codec | {"training": "joint"}},
        {"name": "ideal"} | link | before,
    ]
    document = {"name": "s", "drops": 2, "duplex": "fdd", "clock": {"slots_per_frame": 4, "frames": 2}, "schemes": schemes} | LINK | fields
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_scenario(path)


def test_both_designs_of_a_scenario_come_from_one_training(tmp_path):
    loaded, told = scenario(tmp_path), []
    trained = train_networks(loaded, 1, told.append)
    assert [line.split()[1] for line in told] == ["phases", "pair", "fdd"]
    separate, joint, _ = trained.cells[0].scenario.schemes
    assert [weights.read_header(scheme.codec.weights).architecture["training"] for scheme in (separate, joint)] == ["separate", "joint"]
    cascade = {weights.read_header(config.weights).recipe["stages"][-1]["task"] for config in (joint.estimator, joint.codec, joint.digital)}
    assert cascade == {"fdd_joint"}
    assert weights.read_header(separate.estimator.weights).recipe["stages"][-1]["task"] == "joint"


def test_reports_that_come_late_or_never_are_booked_and_only_cost_rate(tmp_path):
    slow = {"kind": "rayleigh", "fading": {"kind": "ar1", "correlation": 0.9}}  # and a channel that is not made of paths
    means = {}
    for name, feedback in (("prompt", {}), ("late", {"delay_slots": 2, "loss": 0.5})):
        result = run_sweep(scenario(tmp_path, feedback=feedback, channel=slow, drops=8), tmp_path / name)
        assert (result.computed, result.failed) == (3, 0)
        slots = load(tmp_path / name, "slots", None)
        told = slots[slots["scheme"] != "ideal"]
        assert (told["feedback_bits"] == 2 * (2 + 4 + 3)).all()  # in every slot, lost or not
        assert np.isfinite(slots["sum_rate_bps_hz"]).all()
        means[name] = slots.groupby("scheme", observed=True)["sum_rate_bps_hz"].mean()
    assert (means["late"] > 0).all()
    assert (means["late"] < 0.9 * means["prompt"]).all()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"codec": CODEC | {"weights": "pair"}}, r"schemes\.ideal\.codec\.weights: recipe pair trains no codec"),
        (
            {"analog": "ssca", "num_samples": 4, "estimator": "rls", "digital": "sca", "codec": CODEC | {"weights": "fdd"}},
            r"codec\.weights: recipe fdd trains the codec behind its own phases \(analog: learned_phases, weights: phases\)",
        ),
        (
            {"codec": {"kind": "differential", "inner": CODEC | {"weights": "pair"}}},
            r"schemes\.ideal\.codec\.inner\.weights: recipe pair trains no codec",
        ),
        (
            {"codec": {"kind": "adaptive", "ladder": ["lloyd_max", CODEC]}},
            r"codec\.ladder: .*learned_paths with no weights: within another",
        ),
    ],
    ids=["no codec", "other phases", "within another", "within a ladder"],
)
def test_a_recipe_that_cannot_serve_the_scheme_is_refused_in_its_place(tmp_path, fields, told):
    scenario(tmp_path)
    document = yaml.safe_load((tmp_path / "s.yaml").read_text())
    document["schemes"] = [document["schemes"][2] | fields]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(CsisimError, match=told):
        load_scenario(tmp_path / "s.yaml")


def test_a_codec_without_weights_says_which_recipe_makes_them(tmp_path, cache):
    loaded = scenario(tmp_path)
    document = yaml.safe_load((tmp_path / "s.yaml").read_text())
    document["schemes"] = [document["schemes"][2] | {"codec": CODEC}]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    told = r"no weights for learned_paths; name a recipe \(weights: kang2022_fdd\)"
    with pytest.raises(CsisimError, match=r"schemes\.ideal\.codec: " + told):
        load_scenario(tmp_path / "s.yaml")
    with pytest.raises(CsisimError, match=told):
        train_missing(load_scenario(tmp_path / "s.yaml", rules=False).cells[0].scenario)
    other = document | {"channel": {"kind": "mmwave_clusters", "tx_array": {"kind": "upa", "rows": 3, "columns": 5}}}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other))
    with pytest.raises(CsisimError, match=r"other\.yaml:\d+:\d+: channel.*3 rows x 5 columns"):  # in its place, not without one
        load_scenario(tmp_path / "other.yaml")
    (separate, *_) = train_networks(loaded, 1).cells[0].scenario.schemes
    shutil.copy(separate.codec.weights, cache)
    assert load_scenario(tmp_path / "s.yaml").cells


def test_each_kind_of_codec_is_trained_as_the_scheme_has_it(tmp_path):
    document = yaml.safe_load((scenario(tmp_path), (tmp_path / "s.yaml").read_text())[1])
    document["schemes"][0]["codec"] = {"kind": "beam_crnet", "bits": 18, "weights": "fdd"}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    separate, joint, _ = train_networks(load_scenario(tmp_path / "s.yaml"), 1).cells[0].scenario.schemes
    headers = [weights.read_header(scheme.codec.weights) for scheme in (separate, joint)]
    assert [header.component for header in headers] == ["codec/beam_crnet", "codec/learned_paths"]
    assert [header.architecture.get("bits") for header in headers] == [18, None]


@pytest.mark.parametrize(("digital", "task"), [("hbdun", "hybrid"), ("cnn", "cnn")])
def test_who_needs_no_weights_hinders_no_training_of_others(tmp_path, digital, task):
    scenario(tmp_path)
    document = yaml.safe_load((tmp_path / "s.yaml").read_text())
    other = {"estimator": "ls", "analog": "random", "digital": digital, "codec": CODEC | {"weights": "untrained"}}
    document["schemes"] = [document["schemes"][0] | other]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    asked = load_scenario(tmp_path / "s.yaml").cells[0].scenario
    assert list(dead_ends(asked)) == []
    assert [need.component for _, need in missing(asked)] == [f"digital/{digital}"]
    assert recipe_for(asked, asked.schemes[0]).stages[-1].task == task


def test_codecs_within_another_are_trained_for_the_link_as_they_are(tmp_path):
    scenario(tmp_path)
    document = yaml.safe_load((tmp_path / "s.yaml").read_text())
    ladder = ["lloyd_max", CODEC | {"num_paths": 1, "weights": "fdd"}]
    document["schemes"] = [document["schemes"][2] | {"codec": {"kind": "differential", "inner": {"kind": "adaptive", "ladder": ladder}}}]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    asked = load_scenario(tmp_path / "s.yaml")
    result = run_sweep(asked, tmp_path / "results")
    assert (result.computed, result.failed) == (1, 0)
    fitted = train_networks(asked, 1).cells[0].scenario.schemes[0].codec.inner.ladder
    assert weights.read_header(fitted[1].weights).architecture["num_paths"] == 1
    assert fitted[0] is asked.cells[0].scenario.schemes[0].codec.inner.ladder[0]


WITHIN = {
    "differential": lambda codec: {"kind": "differential", "inner": codec},
    "adaptive": lambda codec: {"kind": "adaptive", "ladder": ["lloyd_max", codec]},
}


@pytest.mark.parametrize("within", WITHIN.values(), ids=WITHIN)
def test_all_rooms_are_trained_with_the_one_learned_codec_within_another(tmp_path, within):
    scenario(tmp_path)
    document = yaml.safe_load((tmp_path / "s.yaml").read_text())
    (joint,) = (scheme for scheme in document["schemes"] if scheme["name"] == "joint")
    codec = joint["codec"] | {"num_paths": 1}
    document["schemes"] = [joint | {"codec": codec}, joint | {"name": "within", "codec": within(codec)}]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    asked = orders(load_scenario(tmp_path / "s.yaml").cells[0].scenario)
    fields = {
        place: [order.fields for (_, at), order in asked.items() if at.split(".")[0] == place] for _, place in asked if "." not in place
    }
    assert set(fields) == {"estimator", "analog", "digital", "codec"}
    for plain, inner in fields.values():
        assert inner == plain
    assert fields["digital"][1]["link"]["codec"]["num_paths"] == 1


def test_rooms_that_are_trained_with_reports_want_one_learned_codec(tmp_path):
    scenario(tmp_path)
    document = yaml.safe_load((tmp_path / "s.yaml").read_text())
    (joint,) = (scheme for scheme in document["schemes"] if scheme["name"] == "joint")
    two = [joint["codec"] | {"num_paths": paths} for paths in (1, 2)]
    document["schemes"] = [joint | {"codec": {"kind": "adaptive", "ladder": two}}]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    told = "recipe fdd trains {} with the scheme's codec, of which several are learned"
    with pytest.raises(CsisimError) as caught:
        load_scenario(tmp_path / "s.yaml")
    for room in ("estimator", "digital"):
        assert f"schemes.joint.{room}.weights: {told.format(room)}" in str(caught.value)
    document["schemes"] = [joint | {"codec": {"kind": "adaptive", "ladder": two}, "estimator": "ls", "digital": "rzf"}]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    assert load_scenario(tmp_path / "s.yaml").cells


def test_a_file_for_other_reports_is_refused_in_its_place(tmp_path):
    (_, joint, _) = train_networks(scenario(tmp_path), 1).cells[0].scenario.schemes
    document = yaml.safe_load((tmp_path / "s.yaml").read_text())
    document["schemes"] = [document["schemes"][1] | {"codec": CODEC | {"num_paths": 3, "training": "joint", "weights": joint.codec.weights}}]  # fmt: skip  # noqa: E501
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(CsisimError, match=r"schemes\.joint\.codec\.weights: .*num_paths is 2, wanted is 3"):
        load_scenario(tmp_path / "s.yaml")
