"""Networks that a scenario has trained for its own link, by recipes that its components name."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from csisim import weights
from csisim.cli import main
from csisim.engine.cell import run_cell
from csisim.errors import CsisimError
from csisim.runner import networks
from csisim.runner.networks import train_networks
from csisim.runner.plan import make_plan
from csisim.runner.sweep import run_sweep
from csisim.scenario.load import load_scenario
from csisim.training import native
from csisim.training.base import Schedule
from csisim.training.data import BehindDesigns, LinkSettings, draw_paths
from csisim.training.native import due, orders, with_networks
from csisim.training.recipe import Recipe, run_recipe
from csisim.training.supply import missing, recipe_for
from csisim.weights import WeightsError, read_header

SYSTEM = {"num_tx": 16, "num_rf": 4, "num_rx": 8, "num_rx_rf": 2, "num_users": 2, "num_streams": 2, "snr_db": 10.0}
CHANNEL = {"kind": "mmwave_clusters", "statistics": "iid_angles"}


def stage(task, steps=2):
    return {"task": task, "schedule": {"steps": steps, "validate_every": 2}, "settings": {"batch": 4, "validation": 16}}


RECIPES = {
    "phases": {"link": {"system": {"snr_db": 10.0}}, "stages": [stage("hybrid")]},
    "pair": {"start": ["phases"], "link": {"system": {"snr_db": 10.0}}, "stages": [stage("separate"), stage("joint")]},
    "narrow": {"start": ["pair"], "link": {"channel": {"max_angle_deg": 20.0}}},
    "black_box": {"start": ["phases"], "stages": [stage("fc_estimator"), stage("fc_digital"), stage("fc_joint")]},
    "transfer": {"start": ["narrow"], "stages": [stage("one_stage")]},
}


@pytest.fixture(autouse=True)
def cache(packaged):
    return packaged(RECIPES)


def scenario(tmp_path, sweep=None, weights="pair", training="joint", estimator=None, digital=None, **fields):
    scheme = {
        "name": "net",
        "timescale": "offline",
        "num_samples": 0,
        "estimator": estimator or {"kind": "cedun", "training": training, "weights": weights},
        "analog": {"kind": "learned_phases", "steps": 0, "weights": weights},
        "digital": digital or {"kind": "hbdun", "training": training, "weights": weights},
    }
    document = {
        "name": "s",
        "drops": 2,
        "system": SYSTEM,
        "channel": CHANNEL,
        "clock": {"slots_per_frame": 1, "frames": 1},
        "schemes": [scheme],
    }
    document |= fields | ({"sweep": {"grid": sweep}} if sweep else {})
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_scenario(path)


def files(loaded):
    schemes = [cell.scenario.schemes[0] for cell in loaded.cells]
    return [[config.weights for room in native.ROOMS if hasattr(config := getattr(scheme, room), "weights")] for scheme in schemes]


def test_every_cell_has_networks_of_its_own_whatever_else_would_serve(tmp_path):
    first = scenario(tmp_path, system=SYSTEM | {"num_users": 3})
    (three,) = files(train_networks(first, 1))
    (two,) = files(train_networks(scenario(tmp_path), 1))
    assert [read_header(path).dims["num_users"] for path in two] == [2, 2, 2]
    assert [read_header(path).architecture.get("training") for path in two] == ["joint", None, "joint"]
    assert not {*two} & {*three}
    assert files(train_networks(first, 1)) == [three]  # and what came later changes nothing


def test_subcarriers_share_the_networks_of_one(tmp_path, cache):
    one, band = (scenario(tmp_path, channel=CHANNEL | wide) for wide in ({}, {"num_subcarriers": 3, "delay_spread_s": 1e-6}))
    trained = train_networks(one, 1)
    assert files(train_networks(band, 1, pytest.fail)) == files(trained)
    slots = []
    run_cell(train_networks(band, 1).cells[0].scenario, ["net"], 0, lambda *told: slots.append(told[-1]["sum_rate_bps_hz"]))
    assert np.all(slots[0] > 0)


@pytest.mark.parametrize("channel", [CHANNEL | {"bandwidth_hz": 1e9}, {"kind": "rayleigh"}], ids=lambda channel: channel["kind"])
def test_what_trains_by_itself_sees_one_subcarrier(tmp_path, channel):
    scheme = {"name": "net", "timescale": "offline", "estimator": "ls", "analog": "random", "digital": {"kind": "hbdun", "layers": 1}}
    asked = scenario(tmp_path, channel=channel | {"num_subcarriers": 3}, schemes=[scheme]).cells[0].scenario
    recipe = recipe_for(asked, asked.schemes[0])
    assert recipe.link["channel"].get("num_subcarriers", 1) == 1
    wide = LinkSettings(system=asked.system, channel=asked.channel)
    assert draw_paths(wide, 2, 1).gains.shape[:2] == (2, asked.system.num_users)  # not one for every subcarrier
    assert BehindDesigns(wide, drops=1, realisations=2).channels(4, 1, 0).shape == (4, 2, 2, 4)


def test_nothing_else_in_the_cache_is_taken_for_it(tmp_path):
    loaded = scenario(tmp_path)
    (order, *_) = orders(loaded.cells[0].scenario).values()
    like = Recipe.model_validate({**order.before[0].fields, "seed": 8})
    run_recipe(like, native.folder())
    assert len(due([order])) == 1  # phases of another seed are not these
    assert with_networks(loaded.cells[0].scenario) is loaded.cells[0].scenario


def test_what_does_not_hear_pilots_is_trained_once_for_all_of_them_and_so_is_what_a_recipe_fixes(tmp_path):
    cells = scenario(tmp_path, {"pilots.length": [4, 6], "system.snr_db": [0.0, 10.0]}).cells
    wanted = [order for cell in cells for order in orders(cell.scenario).values()]
    assert [order.name for order, _ in due(wanted).values()] == ["phases"]
    run_recipe(next(recipe for _, recipe in due(wanted).values()), native.folder())
    assert sorted(recipe.link["pilots"]["length"] for _, recipe in due(wanted).values()) == [4, 6]


def test_a_training_that_was_killed_between_two_stages_is_not_done(tmp_path, cache):
    loaded = scenario(tmp_path)
    train_networks(loaded, 1)
    (order, *_) = orders(loaded.cells[0].scenario).values()
    assert len(order.files()) == 3
    for path in order.files():
        content = path.read_bytes()
        path.unlink()  # they are written one after the other
        assert not order.files()
        assert len(due([order])) == 1
        path.write_bytes(content)
    assert len(order.files()) == 3


def test_transfer_goes_on_from_networks_of_other_statistics(tmp_path):
    loaded = scenario(tmp_path, weights="transfer", training="one_stage")
    (before,) = files(train_networks(scenario(tmp_path, weights="narrow"), 1))
    assert [read_header(path).statistics["max_angle_deg"] for path in before] == [20.0] * 3
    (after,) = files(train_networks(loaded, 1))
    assert [read_header(path).statistics["max_angle_deg"] for path in after] == [60.0] * 3
    (order, *_) = orders(loaded.cells[0].scenario).values()
    start = order.recipe().learned_before()
    assert all((start[f"estimator/{name}"] == value).all() for name, value in weights.read(before[0])[1].items())


def test_processes_lead_to_the_same_weights_as_this_one(tmp_path, cache):
    loaded = scenario(tmp_path, {"system.num_users": [1, 2]}, "phases", "separate", estimator="ls")
    here = [weights.read(path)[1] for row in files(train_networks(loaded, 1)) for path in row]
    shutil.rmtree(cache)
    there = [weights.read(path)[1] for row in files(train_networks(loaded, 2)) for path in row]
    assert len(here) == 4
    assert all((one[name] == other[name]).all() for one, other in zip(here, there, strict=True) for name in one)


def test_another_process_may_end_the_same_training_first(tmp_path, monkeypatch):
    loaded, write, others = scenario(tmp_path, weights="phases", training="separate", estimator="ls"), Path.write_bytes, []

    def meanwhile(path, content):
        write(path, content)
        if "unfinished" in path.parts and not others:
            others.append(None)
            with monkeypatch.context() as other:
                other.setattr(os, "getpid", lambda: 2**22 + 1)
                others[0] = [weights.read(file)[1] for file in files(train_networks(loaded, 1))[0]]  # removes what is unfinished

    monkeypatch.setattr(Path, "write_bytes", meanwhile)
    this = [weights.read(file)[1] for file in files(train_networks(loaded, 1))[0]]
    assert len(this) == 2
    assert all((one[name] == other[name]).all() for one, other in zip(this, others[0], strict=True) for name in one)


def test_a_sweep_trains_first_and_its_records_know_the_weights(tmp_path):
    loaded, told = scenario(tmp_path), []
    assert run_sweep(loaded, tmp_path / "r", say=told.append).computed == 1
    assert told == ["training phases for 4 RF chains, 2 users", "training pair for 4 RF chains, 2 users"]
    assert run_sweep(loaded, tmp_path / "r", say=told.append).computed == 0
    longer = scenario(tmp_path, training_effort=2.0)
    assert run_sweep(longer, tmp_path / "r", say=told.append).computed == 1  # twice the steps: other weights
    assert len(told) == 4


def test_a_cell_whose_networks_were_trained_for_longer_is_made_again(tmp_path):
    assert run_sweep(scenario(tmp_path, training_effort=2.0), tmp_path / "r").computed == 1
    (entry,) = make_plan(load_scenario(tmp_path / "r" / "scenario.yaml"), {}).entries
    again = csisim("repro", entry.cell, "-o", tmp_path / "r")
    assert again.exit_code == 0
    assert again.stdout.endswith("| as on record\n")


def test_a_recipe_fixes_how_many_channels_those_it_goes_on_from_know(tmp_path):
    (tmp_path / "few.yaml").write_text(yaml.safe_dump({"start": ["pair"], "link": {"samples": 8}}))
    loaded, told = scenario(tmp_path, weights=str(tmp_path / "few.yaml")), []
    (names,) = files(train_networks(loaded, 1, told.append))
    assert told == ["training phases for 4 RF chains, 2 users, 8 samples", "training pair for 4 RF chains, 2 users, 8 samples"]
    assert [read_header(path).statistics["training_data"]["samples"] for path in names] == [8, 8, 8]


def test_black_boxes_run_behind_phases_that_came_with_other_layers(tmp_path):
    loaded = scenario(
        tmp_path, weights="phases", estimator={"kind": "fc_net", "weights": "black_box"}, digital={"kind": "fc_net", "weights": "black_box"}
    )
    result = run_sweep(loaded, tmp_path / "r")
    assert (result.computed, result.failed) == (1, 0)


def test_who_names_no_recipe_does_not_find_its_networks(tmp_path):
    train_networks(scenario(tmp_path), 1)
    (unnamed,) = scenario(tmp_path, weights=None).cells
    assert len(missing(unnamed.scenario)) == 3


def csisim(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_csisim_train_makes_them_and_tells_where_they_are(tmp_path, cache):
    scenario(tmp_path, weights="phases", training="separate", estimator="ls")
    first, again = (csisim("train", tmp_path / "s.yaml") for _ in range(2))
    assert first.exit_code == again.exit_code == 0
    assert first.stderr == "training phases for 4 RF chains, 2 users\n"
    written = sorted((cache / "native").glob("*.safetensors"))
    assert len(written) == 2
    assert sorted(line.split("  untrained ")[0] for line in first.stdout.splitlines()) == [str(path) for path in written]
    assert again.stderr.endswith("all weights are there\n")
    assert again.stdout == ""


def test_csisim_train_adds_a_seed_and_refuses_what_it_cannot_do_for_them(tmp_path, cache):
    scenario(tmp_path, weights="phases", training="separate", estimator="ls")
    for option in (("-o", tmp_path / "out"), ("--budget", "1m")):
        refused = csisim("train", tmp_path / "s.yaml", *option)
        assert refused.exit_code == 2
        assert "-o and --budget: networks by recipes in `weights` are kept in the cache" in refused.stderr
    assert not cache.exists()
    seeded = csisim("train", tmp_path / "s.yaml", "--seed", "3", "-q")
    assert {read_header(path).seed for path in seeded.stdout.split()} == {Recipe.model_fields["seed"].default + 3}
    assert seeded.stderr == ""
    assert csisim("train", tmp_path / "s.yaml").stdout != ""  # those of another seed are not these


def test_a_recipe_goes_on_from_another_beside_it(tmp_path):
    (tmp_path / "first.yaml").write_text(yaml.safe_dump(RECIPES["phases"]))
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(RECIPES["pair"] | {"start": ["first.yaml"]}))
    (cell,) = scenario(tmp_path, weights=str(tmp_path / "own.yaml")).cells
    order = orders(cell.scenario)["net", "digital"]
    assert [one.path for one in order.chain()] == [tmp_path / "first.yaml", tmp_path / "own.yaml"]


def test_before_they_are_trained_there_is_nothing_to_run(tmp_path):
    with pytest.raises(WeightsError, match="estimator/cedun: no networks by recipe pair yet; `csisim train SCENARIO` makes them"):
        run_cell(scenario(tmp_path).cells[0].scenario, ["net"], 0, lambda *told: None)


SCHEDULE = {"steps": 2}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("seed: 1", "not a recipe: it has neither stages nor one recipe to start from"),
        ("[1, 2]", "not a recipe: Input should be"),
        ("stages: [{", "not a recipe \\(while parsing"),
        ({"stages": [{"schedule": SCHEDULE}]}, "stages.0.task: Field required"),
        ({"stages": [{"task": "hybird"}]}, "unknown task 'hybird'"),
        ({"stages": [{"task": "hybrid", "schedule": {"steps": "many"}}]}, "stages.0.schedule.steps: Input should be a valid integer"),
        ({"stages": [{"task": "hybrid", "schedule": {"pace": 1}}]}, "stages.0.schedule.pace: Extra inputs"),
        ({"stages": [{"task": "hybrid", "settings": {"bach": 4}}]}, "stages.0 \\(hybrid\\): bach: Extra inputs"),
        ({"stages": [stage("hybrid")], "sed": 1}, "sed: Extra inputs"),
        ({"stages": [stage("hybrid")], "start": "shipped"}, "start: Input should be a valid list"),
        ({"stages": [stage("hybrid")], "start": ["own.yaml"]}, "start: it goes on from itself"),
        ({"stages": [stage("hybrid")], "start": ["./nowhere/../own.yaml"]}, "start: it goes on from itself"),
        ({"stages": [stage("hybrid")], "start": ["magic"]}, "magic.yaml: not a recipe \\(.*No such file"),
        ({"stages": [stage("hybrid")], "link": {"sytem": {"snr_db": 3.0}}}, "link.sytem: Input should be 'system'"),
        ({"stages": [stage("hybrid")], "link": {"system": {"snr": 3.0}}}, "stages.0 \\(hybrid\\): system.snr: Extra inputs"),
        ({"stages": [stage("hybrid")], "link": {"system": 5}}, "stages.0 \\(hybrid\\): system: Input should be a valid dict"),
        ({"stages": [stage("hybrid")], "link": {"channel": {"num_clusters": {"a": 1}}}}, "num_clusters: Input should be a valid integer"),
        ({"stages": [stage("hybrid")], "link": {"samples": "many"}}, "stages.0 \\(hybrid\\): samples: Input should be a valid integer"),
        ({"stages": [stage("hybrid")], "link": {"samples": {"a": 1}}}, "stages.0 \\(hybrid\\): samples: Input should be a valid integer"),
    ],
)
def test_a_wrong_recipe_is_refused_before_anything_runs(tmp_path, recipe, said):
    (tmp_path / "own.yaml").write_text(recipe if isinstance(recipe, str) else yaml.safe_dump(recipe))
    place = r"schemes.net.digital.weights: \S*/"
    with pytest.raises(CsisimError, match=f"{place}(own.yaml: )?.*{said}"):
        scenario(tmp_path, weights=str(tmp_path / "own.yaml"))


def test_who_goes_on_from_a_recipe_may_replace_what_is_no_mapping_there(tmp_path):
    (tmp_path / "first.yaml").write_text(yaml.safe_dump({"stages": [stage("hybrid")], "link": {"system": 5}}))
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"start": ["first.yaml"], "link": {"system": {"snr_db": 3.0}}}))
    (cell,) = scenario(tmp_path, weights=str(tmp_path / "own.yaml"), training="separate", estimator="ls").cells
    assert {order.fields["link"]["system"]["snr_db"] for order in orders(cell.scenario).values()} == {3.0}


def test_a_training_whose_weights_do_not_appear_is_not_begun_again(tmp_path, monkeypatch):
    loaded, begun = scenario(tmp_path, weights="phases", training="separate", estimator="ls"), []
    monkeypatch.setattr(networks, "run_recipe", lambda recipe, *_, **__: begun.append(recipe.digest))
    with pytest.raises(CsisimError, match=r"has ended, but its weights are not in .*native"):
        train_networks(loaded, 1)
    assert len(begun) == 1


def test_a_training_alone_needs_no_workers(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(networks, "side_by_side", lambda ready, into, jobs, *_: asked.append((jobs, len(ready()))))
    train_networks(scenario(tmp_path, weights="phases", training="separate", estimator="ls"), 8)
    train_networks(scenario(tmp_path, {"system.num_users": [1, 2]}), 8)  # phases and a pair each
    assert asked == [(1, 1), (4, 2)]


def test_a_stage_without_a_schedule_has_the_usual_one(tmp_path):
    (tmp_path / "own.yaml").write_text("stages: [{task: hybrid}]")
    (cell,) = scenario(tmp_path, weights=str(tmp_path / "own.yaml"), training_effort=2.0).cells
    (steps,) = {stage["schedule"]["steps"] for order in orders(cell.scenario).values() for stage in order.fields["stages"]}
    assert steps == 2 * Schedule().steps


def test_what_is_wrong_is_told(tmp_path):
    with pytest.raises(CsisimError, match=r"'magic' is neither a .safetensors file, untrained, nor a recipe \(black_box, narrow, pair"):
        scenario(tmp_path, weights="magic")
    loaded = scenario(tmp_path, weights="phases")
    with pytest.raises(WeightsError, match="phases makes nothing for estimator/cedun"):
        train_networks(loaded, 1)
    told = csisim("train", "pair")
    assert told.exit_code == 2
    assert "pair: it is trained for a scenario that names it in `weights`: csisim train SCENARIO" in told.stderr
