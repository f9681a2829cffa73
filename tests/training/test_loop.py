"""A small complex least-squares problem, learned by both steppers."""

import time
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from csisim.errors import CsisimError
from csisim.training import loop
from csisim.training.base import Schedule
from csisim.training.loop import _Rates, train
from csisim.training.stepper import NumpyStepper, stepper

TARGET = np.array([1 + 2j, -0.5j, 3], np.complex64)
SCHEDULE = Schedule(steps=60, learning_rate=0.2, validate_every=10)


class Fit:
    """min |w - target|^2 + (b - 2)^2 in noise; ``poison`` makes the gradient of one step infinite."""

    def __init__(self, poison=None):
        self.poison, self.steps = poison, 0

    def initial(self):
        return {"w": np.zeros(3, np.complex64), "b": np.zeros(1, np.float32)}

    def batch(self, rng):
        self.steps += 1
        noise = rng.standard_normal((2, 3)).astype(np.float32) * 0.1
        wrong = np.float32(np.inf if self.poison == self.steps else 1.0)
        return ((noise[0] + 1j * noise[1]).astype(np.complex64), np.array(wrong))

    def score(self, parameters):
        return -float(np.sum(np.abs(parameters["w"] - TARGET) ** 2) + np.sum((parameters["b"] - 2) ** 2))


class TorchFit(Fit):
    def loss(self, parameters, batch):
        import torch

        noise, wrong = batch
        error = parameters["w"] - torch.tensor(TARGET) - noise
        return wrong * (torch.sum(torch.abs(error) ** 2) + torch.sum((parameters["b"] - 2) ** 2))


class NumpyFit(Fit):
    def gradient(self, parameters, batch):
        noise, wrong = batch
        error = parameters["w"] - TARGET - noise
        slopes = {"w": 2 * error * wrong, "b": 2 * (parameters["b"] - 2) * wrong}
        return wrong * float(np.sum(np.abs(error) ** 2)), slopes


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(params=[TorchFit, NumpyFit])
def fit(request):
    return request.param


def test_training_learns_and_is_deterministic(fit):
    first, second = train(fit(), SCHEDULE), train(fit(), SCHEDULE)
    assert first.untrained == pytest.approx(-18.25)
    assert first.score > -0.2
    assert first.parameters["w"].dtype == np.complex64
    assert same(first.parameters, second.parameters)
    assert not same(first.parameters, train(fit(), SCHEDULE.model_copy(update={"seed": 8})).parameters)


def test_hand_written_and_automatic_gradients_take_the_same_steps():
    ours, torchs = train(NumpyFit(), SCHEDULE), train(TorchFit(), SCHEDULE)
    for name in ours.parameters:
        assert np.allclose(ours.parameters[name], torchs.parameters[name], atol=1e-4)


def test_rates_by_the_beginning_of_a_name():
    """The longest beginning counts, whole parts of names only."""
    rates = _Rates(Schedule(learning_rate=1.0, rates={"encoder": 0.1, "encoder/fc": 0.2, "decoder/fc/bias": 0.3}), factor=0.5)
    names = ("encoder/conv/weight", "encoder/fc/weight", "encoders/weight", "decoder/fc/bias", "decoder/fc/weight", "encoder")
    assert [rates[name] for name in names] == [0.05, 0.1, 0.5, 0.15, 0.5, 0.05]


@pytest.mark.parametrize("key", ["encodr", "w/", "b/bias"])
def test_a_rate_for_no_parameter_is_refused(fit, key):
    with pytest.raises(CsisimError, match=f"rates: '{key}' is no parameter"):
        train(fit(), SCHEDULE.model_copy(update={"rates": {"w": 0.1, key: 0.1}}))


@pytest.mark.parametrize("rate", [-1.0, 0.0])
def test_rates_are_positive(rate):
    with pytest.raises(ValidationError, match="greater than 0"):
        Schedule(rates={"w": rate})


def test_resumed_is_uninterrupted(fit, tmp_path):
    class Killed(Exception):
        pass

    def die(progress):
        if progress.step == 30:
            raise Killed

    place = tmp_path / "half.safetensors"
    with pytest.raises(Killed):
        train(fit(), SCHEDULE, checkpoint=place, report=die)
    resumed = train(fit(), SCHEDULE, checkpoint=place)
    whole = train(fit(), SCHEDULE)
    assert same(resumed.parameters, whole.parameters)
    assert resumed.history == whole.history
    assert not place.exists()


def test_resumed_between_two_validations_is_uninterrupted(fit, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    class Dying(fit):
        def batch(self, rng):
            if self.steps == 17:
                raise Killed
            return super().batch(rng)

    monkeypatch.setattr(loop, "_SAVE_EVERY_S", 0.0)
    place = tmp_path / "half.safetensors"
    with pytest.raises(Killed):
        train(Dying(), SCHEDULE, checkpoint=place)
    rest = fit()
    resumed, whole = train(rest, SCHEDULE, checkpoint=place), train(fit(), SCHEDULE)
    assert rest.steps == SCHEDULE.steps - 17
    assert same(resumed.parameters, whole.parameters)
    assert resumed.history == whole.history


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    place = tmp_path / "half.safetensors"

    def die(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(NumpyFit(), SCHEDULE, checkpoint=place, report=die)
    with pytest.raises(CsisimError, match="another schedule"):
        train(NumpyFit(), SCHEDULE.model_copy(update={"steps": 61}), checkpoint=place)
    place.write_bytes(place.read_bytes()[:100])
    with pytest.raises(CsisimError, match="damaged"):
        train(NumpyFit(), SCHEDULE, checkpoint=place)


def test_a_checkpoint_that_another_process_has_just_removed_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda path: True)  # it was there when this process looked
    trained = train(NumpyFit(), SCHEDULE, checkpoint=tmp_path / "gone" / "half.safetensors")
    assert same(trained.parameters, train(NumpyFit(), SCHEDULE).parameters)


def test_a_step_without_a_finite_gradient_is_left_out(fit):
    trained = train(fit(poison=5), SCHEDULE)
    assert trained.skipped == 1
    assert trained.score > -0.3


def test_never_worse_than_untrained(fit):
    diverging = Schedule(steps=20, learning_rate=100.0, validate_every=5)
    trained = train(fit(), diverging)
    assert trained.score == trained.untrained
    assert same(trained.parameters, fit().initial())


def test_patience_and_budget_end_early(fit):
    impatient = Schedule(steps=400, learning_rate=100.0, validate_every=5, patience=2)
    assert train(fit(), impatient).steps == 10
    assert train(fit(), SCHEDULE, budget_s=1e-9).steps == 0


def test_a_budget_includes_what_comes_before_the_first_step():
    class Slow(NumpyFit):
        def initial(self):
            time.sleep(0.1)
            return super().initial()

    slow = train(Slow(), SCHEDULE, budget_s=0.05)
    assert slow.steps == 0
    assert slow.seconds >= 0.1


def test_setting_up_again_is_no_time_of_a_resumed_training(tmp_path):
    class Slow(NumpyFit):
        def initial(self):
            time.sleep(0.3)
            return super().initial()

    def die(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(NumpyFit(), SCHEDULE, budget_s=1e3, checkpoint=tmp_path / "half", report=die)
    resumed = train(Slow(), SCHEDULE, budget_s=1e3, checkpoint=tmp_path / "half")
    assert resumed.steps == SCHEDULE.steps
    assert resumed.seconds < 0.3


def test_within_a_budget_the_learning_rate_warms_up_and_falls(monkeypatch):
    """As far as the time after setting up has gone, whatever the steps."""
    rates = []

    class Clock:
        now = 0.0

        def perf_counter(self):
            self.now += 0.0005
            return self.now

    class Watched(NumpyStepper):
        def step(self, batch, given, clip, limit):
            rates.append(given["b"])
            return super().step(batch, given, clip, limit)

    class Slow(NumpyFit):
        def initial(self):
            clock.now += 0.1
            return super().initial()

        def stepper(self):
            return Watched(self)

    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    train(Slow(), Schedule(steps=10**6, warm_up=2 * 10**5, learning_rate=1.0), budget_s=0.4)
    assert rates[0] < 0.02
    assert max(rates) > 0.8
    assert rates[-1] < 0.02


def test_gradients_are_clipped(fit):
    work = stepper(fit())
    norm, taken = work.step(fit().batch(np.random.default_rng(0)), {"w": 0.1, "b": 0.1}, 1e-3, np.inf)
    assert taken
    assert norm > 1.0
    first = next(value for name, value in work.memory().items() if name in ("first.w", "exp_avg.w"))
    assert np.linalg.norm(first) <= 1.1e-4


def test_a_device_that_is_not_there_is_named():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(CsisimError, match="cuda"):
        train(TorchFit(), SCHEDULE, device="cuda")
