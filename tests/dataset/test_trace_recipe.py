"""Recipes: what a data set is made of, and which parts it has."""

import json

import numpy as np
import pytest

from csisim.channel.cost2100.presets import PRESETS, generate, preset
from csisim.dataset.recipe import Recipe, differences, load_preset
from csisim.errors import CsisimError

OWN = """
name: hall
parameters: indoor_hall_5ghz
reference_version: 2017
bs_m: [10, 10, 0]
half_side_m: 10
grid: 257
orientation: public
seed: 2101
"""


@pytest.fixture
def own(tmp_path):
    def write(text=OWN):
        (tmp_path / "hall.yaml").write_text(text)
        return str(tmp_path / "hall.yaml")

    return write


@pytest.mark.parametrize("count", [1, 2, 7, 8, 15, 1001, 150_000])
def test_every_drop_is_in_one_part(count):
    recipe = Recipe(preset("indoor_paper"), count)
    parts = list(recipe.splits.values())
    assert [drop for part in parts for drop in part] == list(range(count))
    names = recipe.split_of(np.arange(count))
    for name, part in recipe.splits.items():
        assert (names[part.start : part.stop] == name).all()


def test_parts_are_those_of_the_public_data():
    parts = Recipe(preset("indoor_public"), 150_000).splits
    assert {name: len(part) for name, part in parts.items()} == {"train": 100_000, "validation": 30_000, "test": 20_000}


@pytest.mark.parametrize("name", PRESETS)
def test_the_recipe_tells_all_numbers(name):
    document = json.loads(Recipe(preset(name, 5), 30).text())
    assert (document["preset"], document["seed"], document["count"]) == (name, 5, 30)
    assert document["parameters"]["num_mpcs"] in (3, 27)
    assert document["reference"]["bearing_degrees_as_radians"] == (name == "indoor_public")
    assert document["frequencies"]["count"] == (257 if name == "indoor_public" else 1024)
    assert document["angles"] == {
        "count": 32,
        "steering_sign": 1 if name == "indoor_public" else -1,
        "centred": name == "indoor_public",
    }
    assert document["csisim"]


def test_a_preset_of_ones_own_draws_what_it_says(own):
    mine, public = load_preset(own()), preset("indoor_public")
    np.testing.assert_array_equal(generate(mine, 4).delay_angle, generate(public, 4).delay_angle)
    assert load_preset(own(), 7).seed == 7


def test_a_parameter_file_lies_beside_its_preset(own, tmp_path, monkeypatch):
    from csisim.channel.cost2100.parameters import SETS

    few = (SETS / "indoor_hall_5ghz.yaml").read_text().replace("num_mpcs: 3", "num_mpcs: 2")
    (tmp_path / "few.yaml").write_text(few)
    monkeypatch.chdir("/")
    mine = load_preset(own(OWN.replace("indoor_hall_5ghz", "few.yaml")))
    assert Recipe(mine, 1).document()["parameters"]["num_mpcs"] == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("half_side_m: 10", "half_side_m: 40"), "leave the 30 m disc"),
        (("half_side_m: 10", "half_side_m: -1"), "half_side_m"),
        (("grid: 257", "grid: 512"), "grid"),
        (("seed: 2101", "seeed: 2101"), "seeed"),
        (("name: hall", "name: ../hall"), "name"),
        (("parameters: indoor_hall_5ghz", "parameters: none_such"), "no such COST 2100 parameter set"),
        (("name: hall\n", ""), "name"),
    ],
)
def test_a_wrong_preset_file_is_refused(own, change, told):
    with pytest.raises(CsisimError, match=told) as caught:
        load_preset(own(OWN.replace(*change)))
    assert "\n" not in str(caught.value)


def test_a_set_in_which_nothing_is_seen_is_refused(own, tmp_path):
    """Environments are drawn again until a user sees a cluster: for ever."""
    from csisim.channel.cost2100.parameters import SETS

    text = (SETS / "indoor_hall_5ghz.yaml").read_text()
    (tmp_path / "empty.yaml").write_text(text.replace("num_far: 3.8", "num_far: 0.0001").replace("poisson: true", "poisson: false"))
    text = OWN.replace("indoor_hall_5ghz", "empty.yaml").replace("2017", "2018").replace("[10, 10, 0]", "[0, 0, 0]")
    with pytest.raises(CsisimError, match="every drop needs one"):
        load_preset(own(text))


def test_users_without_a_path_are_refused(own, tmp_path):
    """The 2017 version keeps environments in which a user sees no cluster: local clusters are all that it has then."""
    from csisim.channel.cost2100.parameters import SETS

    (tmp_path / "far.yaml").write_text((SETS / "indoor_hall_5ghz.yaml").read_text().replace("s: true", "s: false"))
    text = OWN.replace("indoor_hall_5ghz", "far.yaml")
    with pytest.raises(CsisimError, match="needs_a_cluster: true"):
        load_preset(own(text))
    load_preset(own(text + "peculiarities: {needs_a_cluster: true}\n"))


def test_unknown_presets_are_told_the_known_ones():
    with pytest.raises(CsisimError, match=r"indoor_public, outdoor_paper, or a FILE\.yaml"):
        load_preset("indor")


def test_differences_name_short_values_and_only_the_name_of_long_ones():
    assert differences({"seed": 1, "a": {"b": 1}, "c": 2}, {"seed": 2, "a": {"b": 2}, "c": 2}) == "seed: 1 there, 2 asked for; a"
    assert differences({"seed": 1}, {"seed": 1}) == ""
