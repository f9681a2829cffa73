"""Training a codec: it begins as the linear code where it can, ends no worse, and its weights serve the codec."""

import numpy as np
import pytest

from csisim import weights
from csisim.errors import CsisimError
from csisim.registry import build, configure
from csisim.training.base import Schedule
from csisim.training.loop import train
from csisim.training.recipe import Recipe, run_recipe
from csisim.training.tasks.codec import Codec, CodecConfig

torch = pytest.importorskip("torch")

SMALL = {"drops": 600, "validation": 100, "batch": 32}


def task(seed=1, start=None, **fields):
    codec = configure("codec", fields.pop("codec", {"kind": "csinet_res", "delays": 8, "reduction": 16}))
    return Codec(CodecConfig(codec=codec, **(SMALL | fields)), start or {}, seed)


@pytest.fixture(scope="module")
def linear():
    return task()


def test_untrained_it_scores_what_principal_components_do(linear):
    start = linear.initial()
    assert linear.score(start) == pytest.approx(linear.reference(start), abs=1e-3)
    assert linear.train.shape == (600, 2, 32, 8)


def test_a_sets_images_are_in_no_other(linear):
    """Neither is a drop of a data set: those have the preset's own seed."""
    from csisim.channel.cost2100.presets import generate, preset
    from csisim.feedback.sources import trace_images

    test = trace_images(generate(preset("indoor_paper"), 100).delay_angle, 32, centred=False, delays=8)
    sets = [linear.train, linear.validation, test]
    rows = np.concatenate([images.reshape(len(images), -1) for images in sets])
    assert len(np.unique(rows.round(4), axis=0)) == len(rows)


def test_statistics_move_and_nothing_gets_worse(linear):
    trained = train(linear, Schedule(steps=6, learning_rate=0.003, validate_every=3))
    assert trained.score >= trained.untrained
    parameters = linear.initial()
    name = next(name for name in parameters if name.endswith("running_var"))
    before = parameters[name].copy()
    tensors = {key: torch.from_numpy(value) for key, value in parameters.items()}
    linear.loss(tensors, tuple(map(torch.from_numpy, linear.batch(np.random.default_rng(0)))))
    assert not np.array_equal(parameters[name], before)
    linear.score(parameters)
    after = parameters[name].copy()
    linear.score(parameters)
    np.testing.assert_array_equal(parameters[name], after)


@pytest.mark.parametrize("scaling", ["unit", "published"])
def test_a_turned_batch_is_as_strong_and_as_much_in_range(scaling):
    one = task(codec={"kind": "crnet", "scaling": scaling, "delays": 4, "reduction": 16}, drops=100)
    images = one.batch(np.random.default_rng(0))[0]
    assert images.dtype == np.float32
    if scaling == "published":
        assert np.abs(images).max() <= 0.5 + 1e-3
    else:
        np.testing.assert_allclose((images**2).sum(axis=(1, 2, 3)), 32 * 4, rtol=5e-3)


def test_published_loss_is_the_squared_error_of_images_in_the_unit_interval():
    one = task(codec={"kind": "csinet", "delays": 4, "reduction": 16}, drops=100, loss="mse")
    parameters = {name: torch.from_numpy(value) for name, value in one.initial().items()}
    images = torch.from_numpy(one.train[:10])
    with torch.no_grad():
        loss = one.loss(parameters, (images, torch.tensor([one.length])))
        decoded = one.network(images + 0.5)
    assert float(loss) == pytest.approx(float((decoded - images - 0.5).square().mean()), rel=1e-4)


def test_training_passes_a_uniform_quantiser():
    one = task(codec={"kind": "crnet", "delays": 4, "reduction": 16, "quantiser": {"kind": "uniform", "bits": 3}}, drops=100)
    parameters = {name: torch.from_numpy(value).requires_grad_() for name, value in one.initial().items()}
    one.loss(parameters, (torch.from_numpy(one.train[:8]), torch.tensor([one.length]))).backward()
    assert float(parameters["encoder/fc/weight"].grad.abs().max()) > 0


LINEAR = [
    {"kind": "acrnet", "scaling": "unit", "delays": 8, "reduction": 8},
    {"kind": "acrnet", "scaling": "unit", "delays": 8, "reduction": 8, "activation": "sprelu", "expansion": 2},
    {"kind": "deq", "scaling": "unit", "delays": 8, "reduction": 8, "decoder_iterations": 2},
    {"kind": "tilista", "delays": 8, "reduction": 8},
]


@pytest.mark.parametrize("codec", LINEAR, ids=lambda codec: "-".join(map(str, codec.values())))
def test_networks_that_can_begin_as_the_linear_code(codec):
    one = task(codec=codec, drops=300, validation=50)
    start = one.initial()
    assert one.score(start) == pytest.approx(one.reference(start), abs=0.01)
    other = task(codec=codec, drops=300, validation=50, linear_start=False)
    assert other.score(other.initial()) < one.score(start) - 1


BINARY = {"kind": "bacrnet", "binarise": "both"}


@pytest.mark.parametrize("codec", [{"kind": "acrnet", "activation": "lrelu"}, BINARY, {"kind": "crnet"}])
def test_networks_that_cannot_stay_random(codec):
    one = task(codec={**codec, "scaling": "unit", "delays": 4, "reduction": 8}, drops=100, validation=50)
    start = one.initial()
    assert one.score(start) < one.reference(start) - 1


def test_a_binarised_encoder_begins_with_signs_of_principal_components():
    codec = {"kind": "bacrnet", "scaling": "unit", "delays": 4, "reduction": 8}
    one, other = (task(codec=codec, drops=300, validation=50, linear_start=linear) for linear in (True, False))
    start = one.score(one.initial())
    assert other.score(other.initial()) + 2 < start < one.reference({})
    rows = one.components
    weight = one.network.encoder.fc.binary_weight().detach().numpy()
    np.testing.assert_array_equal(weight[::2] >= 0, np.concatenate([rows.real, rows.imag], axis=1) >= 0)


@pytest.mark.parametrize("codec", LINEAR[::2], ids=lambda codec: codec["kind"])
def test_a_linear_start_is_a_saddle_and_no_trap(codec):
    one = task(codec=codec, drops=100, validation=20, rotate=False)
    parameters = {name: torch.from_numpy(v).requires_grad_("running" not in name) for name, v in one.initial().items()}
    batch = torch.from_numpy(one.train[:12]), torch.tensor([one.length])
    optimiser = torch.optim.Adam([value for value in parameters.values() if value.requires_grad], 1e-3)
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        losses.append(one.loss(parameters, batch))
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.97 * losses[0]


NESTED = {"kind": "csi_l2o", "delays": 8, "reduction": 8, "longest": 4, "iterations": 2, "trained_iterations": 2}


class TestSeveralRates:
    def test_one_model_begins_as_the_linear_code_of_every_length(self):
        one = task(codec=NESTED, drops=300, validation=50)
        assert one.lengths == [128, 64, 32, 16, 8]
        start = one.initial()
        tensors = {name: torch.from_numpy(value) for name, value in start.items()}
        for length in one.lengths:
            assert one._nmse_db(tensors, length) == pytest.approx(one._linear_nmse_db(length), abs=0.01)

    def test_a_step_draws_its_lengths_and_a_score_has_them_all(self):
        one = task(codec=NESTED, drops=300, validation=50)
        drawn = {int(one.batch(np.random.default_rng(i))[1][0]) for i in range(40)}
        assert drawn == set(one.lengths)
        every = task(codec=NESTED, drops=300, validation=50, rates_per_step=None)
        assert sorted(every.batch(np.random.default_rng(0))[1]) == sorted(one.lengths)
        tensors = {name: torch.from_numpy(value) for name, value in one.initial().items()}
        assert one.score(one.initial()) == pytest.approx(-np.mean([one._nmse_db(tensors, length) for length in one.lengths]))

    def test_every_decoder_learns(self):
        one = task(
            codec={"kind": "pm_csinetplus", "scaling": "unit", "delays": 4, "reduction": 4}, drops=100, validation=50, rates_per_step=None
        )
        parameters = {name: torch.from_numpy(v).requires_grad_("running" not in name) for name, v in one.initial().items()}
        one.loss(parameters, tuple(map(torch.from_numpy, one.batch(np.random.default_rng(0))))).backward()
        for rate in range(4):
            assert float(parameters[f"decoders/{rate}/0/weight"].grad.abs().max()) > 0

    def test_weights_hold_the_longest_code(self):
        one = task(codec=NESTED, drops=300, validation=50)
        one.score(one.initial())
        (product,) = one.products(one.initial())
        assert product.parameters["calibration.codes"].shape[1] == 128


def test_csi_l2o_learns_its_transform_too():
    """Ma 2024, eq. 11: the error of the image and, a hundredth of it, that of the transform alone."""
    one = task(codec={"kind": "csi_l2o", "delays": 4, "reduction": 4, "iterations": 1, "trained_iterations": 1}, drops=100, loss="mse")
    parameters = {name: torch.from_numpy(value) for name, value in one.initial().items()}
    images = torch.from_numpy(one.train[:10])
    with torch.no_grad():
        loss = one.loss(parameters, (images, torch.tensor([one.length])))
        rows = one.network.decoder.rows(images.flatten(1))
        back = one.network.decoder.transform(rows, torch.tensor(0.0))
        expected = (one.network(images) - images).square().mean() + 0.01 * (back - rows).square().mean()
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_training_passes_tables_fitted_to_the_linear_start():
    quantised = {"kind": "csinet_res", "delays": 8, "reduction": 16, "quantiser": {"kind": "allocated", "bits": 2}}
    one, free = task(codec=quantised), task()
    start = one.initial()
    assert one.score(start) < free.score(start) - 0.1
    assert one.score(start) == pytest.approx(one.reference(start), abs=0.02)  # the same tables behind the same linear code
    parameters = {name: torch.from_numpy(v).requires_grad_("running" not in name) for name, v in start.items()}
    loss = one.loss(parameters, (torch.from_numpy(one.train[:16]), torch.tensor([one.length])))
    loss.backward()
    assert float(parameters["encoder/2/weight"].grad.abs().max()) > 0
    with torch.no_grad():
        assert loss > free.loss(parameters, (torch.from_numpy(one.train[:16]), torch.tensor([one.length])))


def test_mixed_precision_changes_nothing_on_a_cpu():
    single, mixed = task(), task(precision="mixed")
    tensors = {name: torch.from_numpy(value) for name, value in single.initial().items()}
    batch = tuple(map(torch.from_numpy, single.batch(np.random.default_rng(0))))
    assert float(single.loss(tensors, batch)) == float(mixed.loss(tensors, batch))


def test_a_recipe_makes_weights_that_the_codec_finds(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
    codec = {"kind": "csinet_res", "delays": 8, "reduction": 32}
    stage = {"task": "codec", "schedule": {"steps": 4, "validate_every": 2, "learning_rate": 0.001}}
    (path,) = run_recipe(Recipe.model_validate({"link": SMALL | {"codec": codec, "half": True}, "stages": [stage]}))
    header, parameters = weights.read(path)
    assert header.score["trained"] >= header.score["untrained"] == pytest.approx(header.score["reference"], abs=1e-2)
    assert {value.dtype for value in parameters.values()} == {np.dtype(np.float32)}
    assert path.stat().st_size < 60e3  # twice that in single precision
    built = build("codec", configure("codec", codec | {"quantiser": {"kind": "lloyd_max", "bits": 4, "per_element": True}}))
    csi = np.random.default_rng(0).standard_normal((2, 1, 32, 1, 32)) + 0j
    report, _ = built.encode(csi, built.init(csi.shape, csi.dtype))
    assert report.num_bits == 16 + 16 * 4


def test_what_cannot_be_trained_is_told():
    with pytest.raises(CsisimError, match="pca is no network"):
        task(codec="pca")
    with pytest.raises(CsisimError, match="precision mixed needs scaling unit"):
        task(codec="crnet", precision="mixed")
    for source in ("indoor_paper", "cost2100_indoor"):
        with pytest.raises(CsisimError, match="domain beams takes a file of `csisim trace record`"):
            task(codec={"kind": "crnet", "domain": "beams"}, images=source)


def test_a_trace_trains_too():
    one = task(images="cost2100_indoor", drops=100)
    assert (len(one.train), len(one.validation)) == (100, 11)


@pytest.fixture
def reports(tmp_path):
    """What users reported: weak mixtures of few directions, on two subcarriers through 4 x 8 chains."""
    from csisim.random import complex_normal

    rng = np.random.default_rng(0)
    csi = complex_normal(rng, (300, 2, 4, 8)) * 0.2 + complex_normal(rng, (300, 2, 1, 1)) * complex_normal(rng, (4, 8))
    np.savez(tmp_path / "reports.npz", csi=csi)
    return str(tmp_path / "reports.npz")


def test_reports_train_in_their_own_domain(reports):
    codec = {"kind": "csinet_res", "domain": "beams", "reduction": 4}
    one = task(codec=codec, images=reports, drops=200, validation=50)
    assert one.train.shape == (200, 2, 8, 4)
    assert one.validation.shape == (50, 2, 8, 4)
    start = one.initial()
    assert one.score(start) == pytest.approx(one.reference(start), abs=1e-3)
    (product,) = one.products(start)
    assert product.architecture["domain"] == "beams"
    assert (product.dims["angles"], product.dims["delays"]) == (8, 4)
    assert product.statistics == {"images": reports}


def test_reports_have_their_own_taps(reports):
    with pytest.raises(CsisimError, match=r"taps: .* has reports on subcarriers of their own"):
        task(codec={"kind": "csinet_res", "domain": "beams"}, images=reports, taps=2)
    assert task(codec={"kind": "crnet", "delays": 2}, images=reports, linear_start=False).train.shape[2:] == (8, 2)


@pytest.mark.parametrize("kind", ["csinet_res", "csi_l2o"])
def test_a_linear_start_needs_enough_drops(kind):
    with pytest.raises(CsisimError, match="linear_start needs 64 drops"):
        task(drops=50, codec={"kind": kind, "delays": 8, "reduction": 4})
    assert len(task(drops=50, codec={"kind": kind, "delays": 8, "reduction": 4}, linear_start=False).train) == 50


def test_a_code_of_one_number_is_refused():
    with pytest.raises(CsisimError, match="even"):
        task(codec={"kind": "csinet_res", "delays": 8, "reduction": 512})


def test_a_training_goes_on_from_weights(tmp_path):
    codec = {"kind": "csinet", "scaling": "unit", "delays": 4, "reduction": 16}
    stage = {"task": "codec", "schedule": {"steps": 20, "learning_rate": 0.01, "validate_every": 20}}
    link = SMALL | {"codec": codec, "drops": 300, "validation": 50}
    (first,) = run_recipe(Recipe.model_validate({"link": link, "stages": [stage]}), tmp_path / "first")
    further = {"link": link, "start": [str(first)], "stages": [stage | {"schedule": {"steps": 1}}]}
    (second,) = run_recipe(Recipe.model_validate(further), tmp_path / "second")
    scores = [weights.read_header(path).score for path in (first, second)]
    assert scores[0]["trained"] > scores[0]["untrained"]
    assert scores[1]["untrained"] == pytest.approx(scores[0]["trained"], abs=1e-3)
    with pytest.raises(CsisimError, match=r"start: .*: reduction is 16, the recipe.s codec has 8"):
        run_recipe(Recipe.model_validate(further | {"link": link | {"codec": codec | {"reduction": 8}}}))


def test_a_recipe_goes_on_from_its_own_codec_only(tmp_path):
    link = {"codec": {"kind": "csinet", "scaling": "unit", "delays": 8, "reduction": 16}} | SMALL
    stages = [{"task": "codec", "schedule": {"steps": 1}}]
    (path,) = run_recipe(Recipe.model_validate({"link": link, "stages": stages}), tmp_path)
    again = Recipe.model_validate({"link": link, "stages": stages, "start": [str(path)]})
    assert again.task(0, again.learned_before()).start
    for field, other in {"kind": "crnet", "scaling": "published", "reduction": 8}.items():
        wrong = again.model_copy(update={"link": link | {"codec": {**link["codec"], field: other}}})
        with pytest.raises(CsisimError, match=f"start: .*: {field} is "):
            wrong.learned_before()
    with pytest.raises(CsisimError, match="start: shipped are networks for a link with a system"):
        Recipe.model_validate({"link": link, "stages": stages, "start": "shipped"}).learned_before()


def test_binarised_codecs_begin_alike_wherever_their_arrays_lie():
    net = configure("codec", {"kind": "bacrnet", "scaling": "unit", "delays": 8, "reduction": 16}).network(32, 8)
    rng = np.random.default_rng(0)
    components = np.linalg.qr(rng.standard_normal((512, 32)))[0].T
    images = rng.standard_normal((300, 2, 32, 8)).astype(np.float32)
    found = []
    for offset in range(4):
        room = np.zeros(images.size + 4, np.float32)
        room[offset : offset + images.size] = images.ravel()
        net.start_from(components, torch.from_numpy(room[offset : offset + images.size].reshape(images.shape)))
        found.append(net.decoder.fc.weight.detach().clone())
    assert all(torch.equal(found[0], one) for one in found)
