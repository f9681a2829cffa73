"""Tasks and recipes: what they make fits its component, keeps the constraints, and is found again."""

from dataclasses import replace

import numpy as np
import pytest

from csisim import weights
from csisim.acquisition.cedun import unit_pilots
from csisim.beamforming.analog.projection import beamformer
from csisim.errors import CsisimError
from csisim.registry import build, configure
from csisim.training import recipe as recipe_module
from csisim.training.base import part
from csisim.training.data import LinkSettings, circumstances
from csisim.training.recipe import PACKAGED, Recipe, made_by, read_recipe, run_recipe

SYSTEM = {"num_tx": 16, "num_rf": 4, "num_rx": 8, "num_rx_rf": 2, "num_users": 2, "num_streams": 2, "snr_db": 10.0}
IID = {"kind": "mmwave_clusters", "statistics": "iid_angles"}
SMALL = {"kind": "fc_net", "hidden": 32}
FIXED = {"kind": "mmwave_clusters", "statistics": "fixed_clusters"}


def stage(task, steps=4, rate=0.005, **settings):
    settings = {"batch": 4, "validation": 16} | settings
    return {"task": task, "schedule": {"steps": steps, "learning_rate": rate, "validate_every": 2}, "settings": settings}


def recipe(*stages, channel=IID, **fields):
    return Recipe.model_validate({"link": {"system": SYSTEM, "channel": channel}, "stages": list(stages)} | fields)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def components(paths):
    return sorted((header.component, header.architecture.get("training")) for header, _ in map(weights.read, paths))


def test_two_stages_make_weights_that_fit_their_components(tmp_path):
    paths = run_recipe(recipe(stage("hybrid"), stage("separate"), stage("joint", rate=0.001)), tmp_path)
    assert components(paths) == [
        ("analog/learned_phases", None),
        ("digital/hbdun", "joint"),
        ("digital/hbdun", "separate"),
        ("estimator/cedun", "joint"),
        ("estimator/cedun", "separate"),
    ]
    headers = [weights.read_header(path) for path in paths]
    assert len({header.recipe["family"] for header in headers}) == 1
    assert all(header.score["trained"] >= header.score["untrained"] for header in headers)
    assert all(np.isfinite(header.score["reference"]) for header in headers)
    for header, path in zip(headers, paths, strict=True):
        room, kind = header.component.split("/")
        fields = {name: value for name, value in header.architecture.items() if name != "steps"}
        component = build(room, configure(room, {"kind": kind, "weights": str(path)} | fields))
        if room == "digital":
            channel = np.random.default_rng(0).standard_normal((3, 2, 1, 2, 4)).astype(np.complex64)
            from csisim.phy.dims import PowerBudget

            precoder, _ = component.design(channel, 0.1, PowerBudget("per_user", 4.0), 2)
            np.testing.assert_allclose(np.linalg.norm(precoder, axis=(-2, -1)) ** 2, 2.0, rtol=1e-4)


def test_constraints_hold_after_training():
    tried = recipe(stage("one_stage", rate=0.1))
    task = tried.task(0, {})
    from csisim.training.base import Schedule
    from csisim.training.loop import train

    trained = train(task, Schedule(steps=5, learning_rate=0.1, validate_every=1)).parameters
    np.testing.assert_allclose(np.abs(beamformer(trained["phi_f"])), 0.25, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(unit_pilots(part("estimator", trained)), axis=0), 1.0, rtol=1e-5)


def test_a_recipe_is_deterministic_and_resumes_after_a_kill(tmp_path):
    tried = recipe(stage("hybrid"), stage("separate"))

    class Killed(Exception):
        pass

    def die(index, task, progress):
        if index == 1 and progress.step == 2:
            raise Killed

    with pytest.raises(Killed):
        run_recipe(tried, tmp_path / "a", told=die)
    resumed, whole = run_recipe(tried, tmp_path / "a"), run_recipe(tried, tmp_path / "b")
    for one, other in zip(resumed, whole, strict=True):
        first, second = weights.read(one)[1], weights.read(other)[1]
        assert all(np.array_equal(first[name], second[name]) for name in first)


def test_what_a_budget_has_begun_is_taken_up_within_the_same_budget_alone(tmp_path):
    tried, told = recipe(stage("hybrid")), []

    def die(index, task, progress):
        raise KeyboardInterrupt

    def steps(budget_s):
        told.clear()
        run_recipe(tried, tmp_path, budget_s=budget_s, told=lambda index, task, progress: told.append(progress.step))
        return list(told)

    def killed(budget_s):
        with pytest.raises(KeyboardInterrupt):
            run_recipe(tried, tmp_path, budget_s=budget_s, told=die)

    killed(1000.0)
    killed(None)
    assert steps(2000.0) == [2, 4]
    assert steps(1000.0) == [4]
    killed(1000.0)
    assert steps(None) == [4]  # nor has a budget taken away what is longer
    killed(1000.0)
    killed(1500.0)
    assert steps(None) == [2, 4]
    assert list((weights.cache_folder() / "unfinished").iterdir()) == []  # what a budget has begun is of no use any more


def test_what_stages_took_before_a_kill_is_gone_from_the_budget(tmp_path, monkeypatch):
    budgets, train = [], recipe_module.train

    def slow_then_killed(task, schedule, *, budget_s, **rest):
        budgets.append(budget_s)
        if len(budgets) == 2:
            raise KeyboardInterrupt
        return replace(train(task, schedule, budget_s=budget_s, **rest), seconds=600.0)

    monkeypatch.setattr(recipe_module, "train", slow_then_killed)
    tried = recipe(stage("hybrid"), stage("hybrid", rate=0.001))
    with pytest.raises(KeyboardInterrupt):
        run_recipe(tried, tmp_path, budget_s=1000.0)
    run_recipe(tried, tmp_path, budget_s=1000.0)
    first, _, second = budgets
    assert 400 < first <= 500
    assert 300 < second <= 400


def test_transfer_begins_with_the_files_it_names(tmp_path):
    first = run_recipe(recipe(stage("hybrid", steps=6, rate=0.02)), tmp_path / "a")
    begun = recipe(stage("hybrid"), channel=IID | {"max_angle_deg": 80}, start=[str(path) for path in first])
    start = begun.learned_before()
    task = begun.task(0, start)
    assert all(np.array_equal(task.initial()[name], start[name]) for name in start)
    assert begun.digest != recipe(stage("hybrid"), channel=IID | {"max_angle_deg": 80}).digest
    other = Recipe.model_validate(
        {"link": {"system": SYSTEM | {"num_rf": 8}, "channel": IID}, "stages": [stage("hybrid")], "start": [str(first[0])]}
    )
    with pytest.raises(CsisimError, match="num_rf"):
        other.learned_before()


def test_shipped_networks_are_a_start_without_their_paths(cache):
    whole = read_recipe("kang2022_transfer")
    headers = [weights.read_header(path) for path in whole.start_files]
    assert {header.component for header in headers} == {"analog/learned_phases", "digital/hbdun", "estimator/cedun"}
    assert len({header.recipe["family"] for header in headers}) == 1
    known = read_recipe("kang2022_transfer", ["link.system.num_users=4"]).learned_before()
    joint = [path for path, header in zip(whole.start_files, headers, strict=True) if header.architecture.get("training") == "joint"]
    for path in joint:  # what was trained last is what goes on
        room = weights.read_header(path).component.split("/")[0]
        for name, value in weights.read(path)[1].items():
            np.testing.assert_array_equal(
                known[f"{room}/{name}"], value if name == "pilots" else value[:, :4] if room == "digital" else value[:4]
            )
    assert known["phi_w"].shape[0] == 4
    eight = read_recipe("kang2022_transfer", ["link.system.num_rf=8"])
    assert all("rf8" in path for path in eight.start_files)
    assert eight.digest != whole.digest
    with pytest.raises(CsisimError, match="nothing that is shipped"):
        read_recipe("kang2022_transfer", ["link.system.num_rf=9"]).learned_before()
    designed = read_recipe("fixed_clusters_hbdun").model_copy(update={"start": "shipped"})
    assert {name.split("/")[0] for name in designed.learned_before()} == {"digital"}


def test_the_learning_curve_is_kept_with_the_weights(tmp_path):
    curves = [weights.read_header(path).recipe["history"] for path in run_recipe(recipe(stage("hybrid", steps=4)), tmp_path)]
    header = weights.read_header(next(tmp_path.glob("digital*")))
    assert [step for step, _ in curves[0]] == [0, 2, 4]
    assert max(score for _, score in curves[0]) == header.score["trained"]
    assert curves[0][0][1] == header.score["untrained"]


def test_drops_with_statistics_of_their_own_train_digital_layers_alone(tmp_path, monkeypatch):
    from csisim.training import data

    monkeypatch.setattr(data.BehindDesigns.__init__, "__defaults__", (32, 2))
    paths = run_recipe(recipe(stage("digital"), stage("separate"), channel=FIXED), tmp_path)
    assert components(paths) == [("digital/hbdun", "separate"), ("estimator/cedun", "separate")]
    with pytest.raises(CsisimError, match="task: digital"):
        recipe(stage("hybrid"), channel=FIXED).task(0, {})


def test_a_black_box_that_copies_sca_depends_on_the_channel():
    from csisim.training.base import Schedule
    from csisim.training.loop import train
    from csisim.training.tasks.black_box import labels

    task = recipe(stage("fc_supervised", batch=128, digital={"kind": "fc_net", "hidden": 32})).task(0, {})
    true, received, wanted = task.batch(np.random.default_rng(3))
    np.testing.assert_allclose(labels(-true, task.system), -wanted, atol=1e-4)  # smooth, and no precoder is near both
    trained = train(task, Schedule(steps=120, learning_rate=0.01, validate_every=120)).parameters
    constant = 2 * np.mean(np.abs(wanted) ** 2)  # the distance of any that does not depend on the channel
    assert float(task.loss(task.initial(), (true, received, wanted))) > 0.9 * constant
    assert float(task.loss(trained, (true, received, wanted))) < 0.7 * constant


def test_black_boxes(tmp_path):
    stages = [stage("hybrid"), stage("fc_joint", 2), stage("fc_estimator", 60), stage("fc_digital", 60)]
    for one in stages[1:]:
        one["settings"] |= {"estimator": {"kind": "fc_net", "hidden": 32}, "digital": {"kind": "fc_net", "hidden": 32}, "batch": 32}
    paths = run_recipe(recipe(*stages), tmp_path)
    scores = {header.component: header.score for header, _ in map(weights.read, paths)}
    assert {"estimator/fc_net", "digital/fc_net"} <= set(scores)
    assert scores["digital/fc_net"]["trained"] > scores["digital/fc_net"]["untrained"]


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.yaml")), ids=lambda path: path.stem)
def test_packaged_recipes_are_valid(path):
    assert read_recipe(path.stem).stages
    assert read_recipe(str(path)).digest == read_recipe(path.stem).digest


def test_a_digest_covers_what_the_recipe_leaves_to_defaults_and_the_training_itself(monkeypatch):
    def digest():
        return recipe(stage("hybrid")).digest

    first = digest()
    assert first == digest()
    from csisim.training.tasks import hybrid

    class Changed(hybrid.HybridConfig):
        csi_error_db: float | None = -20.0

    with monkeypatch.context() as other:
        other.setattr(hybrid.Hybrid, "Config", Changed)
        assert digest() != first
    with monkeypatch.context() as other:
        other.setattr(weights, "TRAINING_VERSION", 0)
        assert digest() != first
    assert recipe(stage("hybrid"), description="the same").digest == first


def test_a_digest_covers_the_content_of_what_a_recipe_goes_on_from_and_not_its_path(tmp_path):
    digests = []
    for name, content in (("a", b"one"), ("b", b"one"), ("a", b"two")):
        (tmp_path / name).write_bytes(content)
        digests.append(recipe(stage("hybrid"), start=[str(tmp_path / name)]).digest)
    assert digests[0] == digests[1] != digests[2]


def test_what_another_version_has_trained_is_not_found(tmp_path, cache, monkeypatch):
    whole = recipe(stage("hybrid"))
    need = whole.task(0, {}).config.digital.need(circumstances(whole._link.system, whole._link.channel, whole._link.pilots))
    with monkeypatch.context() as older:
        older.setattr(weights, "TRAINING_VERSION", 0)
        (first, *_) = (path for path in run_recipe(whole) if path.name.startswith("digital"))
        assert weights.find(need) == first
    assert weights.find(need) is None
    (second, *_) = (path for path in run_recipe(recipe(stage("hybrid"))) if path.name.startswith("digital"))
    assert weights.find(need) == second != first


def test_a_short_training_does_not_replace_a_long_one(tmp_path):
    long, said = recipe(stage("fc_joint", 60, batch=32, estimator=SMALL, digital=SMALL)), []
    first = {path: path.read_bytes() for path in run_recipe(long, tmp_path, say=said.append)}
    scores = {path: weights.read_header(path).score["trained"] for path in first}
    assert not said
    again = run_recipe(long, tmp_path, budget_s=1e-3, say=said.append)
    assert {path: path.read_bytes() for path in again} == first
    assert len(said) == 1
    assert said[0].endswith("they are left as they are")
    again[0].unlink()  # nothing is kept of a set that is not whole
    run_recipe(long, tmp_path, budget_s=1e-3, say=said.append)
    assert len(said) == 1
    assert all(path.read_bytes() != content for path, content in first.items())
    whole = {path: weights.read_header(path).score["trained"] for path in run_recipe(long, tmp_path)}
    assert whole == scores  # and without a budget all of it is trained


def test_weights_are_there_when_all_of_them_are(tmp_path):
    tried = recipe(stage("hybrid"), stage("separate"))

    def die(index, task, progress):
        if index == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(tried, tmp_path, told=die)
    assert not list(tmp_path.glob("*.safetensors"))  # those of the first stage neither
    paths = run_recipe(tried, tmp_path)
    assert sorted(made_by(tried, tmp_path)) == sorted(paths)
    assert weights.read_header(made_by(tried, tmp_path)[-1]).component == "estimator/cedun"
    with pytest.raises(KeyboardInterrupt):
        run_recipe(tried, tmp_path / "elsewhere", told=die)
    assert made_by(tried, tmp_path)  # a training of the same in another folder takes nothing away
    paths[0].unlink()
    assert not made_by(tried, tmp_path)


def test_what_is_wrong_with_a_recipe_is_told(tmp_path):
    with pytest.raises(CsisimError, match=r"packaged ones: .*kang2022_joint"):
        read_recipe("nothing")
    bad = tmp_path / "bad.yaml"
    bad.write_text("link: {}\nstages: []\n")
    with pytest.raises(CsisimError, match="stages"):
        read_recipe(str(bad))
    with pytest.raises(CsisimError, match="unknown task 'magic'"):
        recipe(stage("magic")).task(0, {})
    with pytest.raises(CsisimError, match=r"stages.0 \(hybrid\): colour"):
        recipe(stage("hybrid", colour=1)).task(0, {})


def test_all_stages_are_looked_at_before_the_first_is_trained(tmp_path):
    told = []
    late = recipe(stage("hybrid"), stage("separate", colour=1))
    with pytest.raises(CsisimError, match=r"stages.1 \(separate\): colour"):
        run_recipe(late, tmp_path, told=lambda *progress: told.append(progress))
    misspelt = late.model_copy(update={"link": late.link | {"digitel": {}}, "stages": late.stages[:1]})
    with pytest.raises(CsisimError, match=r"link\.digitel"):
        run_recipe(misspelt, tmp_path, told=lambda *progress: told.append(progress))
    assert not told


def test_weights_of_estimates_are_for_pilots_of_their_strength(tmp_path):
    paths = run_recipe(recipe(stage("hybrid"), stage("joint")), tmp_path)
    link = LinkSettings.model_validate({"system": SYSTEM, "channel": IID})
    for header in map(weights.read_header, paths):
        room, kind = header.component.split("/")
        config = configure(room, {"kind": kind, **header.architecture})
        for changed in ({"power": "per_column"}, {"access": "kang_eq4"}):
            pilots = link.pilots.model_copy(update=changed)
            complaint = config.need(circumstances(link.system, link.channel, pilots)).complaint(header)
            assert (complaint is not None) == (header.architecture.get("training") == "joint")
        tdma = link.pilots.model_copy(update={"access": "tdma"})
        assert config.need(circumstances(link.system, link.channel, tdma)).complaint(header) is None


def test_a_budget_is_for_all_stages(tmp_path):
    steps = []
    paths = run_recipe(recipe(stage("hybrid"), stage("separate")), tmp_path, budget_s=1e-3, told=lambda *told: steps.append(told))
    assert len(paths) == 3
    assert not steps
    assert {weights.read_header(path).recipe["steps"] for path in paths} == {0}
