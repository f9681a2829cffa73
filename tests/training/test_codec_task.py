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
    linear.loss(tensors, (torch.from_numpy(linear.batch(np.random.default_rng(0))[0]),))
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
        loss = one.loss(parameters, (images,))
        decoded = one.network(images + 0.5)
    assert float(loss) == pytest.approx(float((decoded - images - 0.5).square().mean()), rel=1e-4)


def test_training_passes_a_uniform_quantiser():
    one = task(codec={"kind": "crnet", "delays": 4, "reduction": 16, "quantiser": {"kind": "uniform", "bits": 3}}, drops=100)
    parameters = {name: torch.from_numpy(value).requires_grad_() for name, value in one.initial().items()}
    one.loss(parameters, (torch.from_numpy(one.train[:8]),)).backward()
    assert float(parameters["encoder/fc/weight"].grad.abs().max()) > 0


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
    with pytest.raises(CsisimError, match="domain must be delay_angle"):
        task(codec={"kind": "crnet", "domain": "beams"})


def test_a_trace_trains_too():
    one = task(images="cost2100_indoor", drops=100)
    assert (len(one.train), len(one.validation)) == (100, 11)
