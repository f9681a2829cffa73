"""Training of the precoders of Hu 2021: better than untrained within seconds, deterministic, and resumed exactly."""

import numpy as np
import pytest

from csisim.beamforming.digital.cnn import CnnConfig
from csisim.beamforming.digital.iaidnn import Iaidnn, IaidnnConfig
from csisim.phy.dims import System
from csisim.registry import configure
from csisim.training.base import Schedule
from csisim.training.loop import train
from csisim.training.tasks.cnn import CnnTask, CnnTaskConfig
from csisim.training.tasks.iaidnn import IaidnnTask, IaidnnTaskConfig
from csisim.weights import Header, write

SYSTEM = System(
    num_tx=8, num_rf=8, num_rx=2, num_rx_rf=2, num_users=4, num_streams=2, snr_db=20.0, snr_definition="total", power_constraint="total"
)
LINK = {"system": SYSTEM, "channel": configure("channel", {"kind": "rayleigh", "normalisation": "hu"})}


def iaidnn_task(structure="improved", tied=False, layers=3, batch=10, seed=0, **fields):
    digital = IaidnnConfig(structure=structure, tied=tied, layers=layers)
    return IaidnnTask(IaidnnTaskConfig(**LINK, digital=digital, batch=batch, validation=40, **fields), {}, seed)


def cnn_task(stage="cnn", start=None, seed=0, **fields):
    digital = CnnConfig(channels=4, hidden=32, convolutions=1, kernel=3)
    return CnnTask(CnnTaskConfig(**LINK, task=stage, digital=digital, batch=16, validation=40, **fields), start or {}, seed)


@pytest.mark.parametrize("make", [iaidnn_task, cnn_task])
def test_seeds_are_compared_on_one_validation_set(make):
    one, another = make(seed=0), make(seed=1)
    known = one.initial()
    assert one.score(known) == another.score(known)
    assert not np.array_equal(one.batch(np.random.default_rng(0))[0], one.batch(np.random.default_rng(1))[0])


@pytest.mark.parametrize("make", [iaidnn_task, cnn_task])
def test_a_training_of_few_samples_sees_no_other_channel(make):
    task = make(samples=12)
    batches = np.concatenate([task.batch(np.random.default_rng(i))[0] for i in range(6)])
    seen = {channel.tobytes() for channel in batches}
    assert len(seen) == 12
    assert task.score(task.initial()) == make().score(task.initial())  # validated on the same set as any other
    assert task.config.handicap == {"training_data": {"samples": 12}}  # so that no scenario finds the network unasked
    assert make().config.handicap == {}


@pytest.mark.parametrize(("structure", "tied", "rate"), [("improved", False, 0.003), ("improved", True, 0.01), ("plain", False, 0.1)])
def test_a_short_training_helps_and_repeats(structure, tied, rate):
    batch = 10 if structure == "plain" else 40  # near WMMSE, noisy gradients lead away before they lead on
    schedule = Schedule(steps=40 if structure == "plain" else 100, learning_rate=rate, validate_every=20, warm_up=10)
    first = train(iaidnn_task(structure, tied, batch=batch), schedule)
    second = train(iaidnn_task(structure, tied, batch=batch), schedule)
    assert first.score > first.untrained * 1.003
    for name, value in first.parameters.items():
        np.testing.assert_array_equal(value, second.parameters[name])


def test_resumed_training_is_uninterrupted_training(tmp_path):
    schedule = Schedule(steps=20, learning_rate=0.003, validate_every=5)
    whole = train(iaidnn_task(), schedule)

    def kill(progress):
        if progress.step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(iaidnn_task(), schedule, checkpoint=tmp_path / "half", report=kill)
    resumed = train(iaidnn_task(), schedule, checkpoint=tmp_path / "half")
    assert resumed.history == whole.history
    for name, value in whole.parameters.items():
        np.testing.assert_array_equal(value, resumed.parameters[name])


def test_trained_weights_are_found_again_by_the_designer(tmp_path, make_channel):
    task = iaidnn_task()
    parameters = task.initial()
    parameters["w_z"] += np.complex64(0.5)
    product = task.products(parameters)[0]
    header = Header(product.component, dict(product.architecture), dict(product.dims), dict(product.statistics), product.snr_db, {}, 0, {})
    path = write(tmp_path / "net.safetensors", product.parameters, header)
    config = task.config.digital.model_copy(update={"weights": str(path)})
    power = SYSTEM.power
    trained, _ = Iaidnn(config).design(make_channel(4, 8), 0.01, power, 2)
    untrained, _ = Iaidnn(config.model_copy(update={"weights": "untrained"})).design(make_channel(4, 8), 0.01, power, 2)
    assert np.isfinite(trained).all()
    assert not np.allclose(trained, untrained)
    np.testing.assert_allclose((np.abs(trained) ** 2).sum(axis=(1, 3, 4)), 1.0)
    smaller, _ = Iaidnn(config).design(make_channel(3, 6), 0.01, power, 2)  # named on purpose: zeros fill up
    np.testing.assert_allclose((np.abs(smaller) ** 2).sum(axis=(1, 3, 4)), 1.0)


@pytest.fixture
def make_channel():
    def make(users, num_tx):
        draws = np.random.default_rng(5).standard_normal((2, 6, users, 1, 2, num_tx))
        return draws[0] + 1j * draws[1]

    return make


def test_csi_errors_are_seen_and_not_measured():
    """The network sees a disturbed channel, its rate is that on the channel itself."""
    exact, disturbed = iaidnn_task(), iaidnn_task(error_variance=0.2)
    np.testing.assert_allclose(exact.held_out[0], exact.held_out[1])
    assert not np.allclose(disturbed.held_out[0], disturbed.held_out[1])
    assert disturbed.score(disturbed.initial()) < 0.8 * exact.score(exact.initial())
    assert abs(exact.reference({}) / 30.82 * np.log(2.0) - 1.0) < 0.05


def test_black_box_learns_in_both_stages():
    pytest.importorskip("torch")
    first = cnn_task("cnn_supervised")
    batch = first.batch(np.random.default_rng(0))
    copied = train(first, Schedule(steps=10, learning_rate=0.001, validate_every=10))
    torch = pytest.importorskip("torch")
    tensors = tuple(torch.as_tensor(item) for item in batch)

    def loss(parameters):
        return float(first.loss({name: torch.as_tensor(value) for name, value in parameters.items()}, tensors))

    assert loss(copied.parameters) <= loss(first.initial())
    second = train(cnn_task("cnn", copied.parameters), Schedule(steps=30, learning_rate=0.003, validate_every=10))
    assert second.score > second.untrained
