"""Trainings whose process is ended by a signal go on where they were."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drive_training import SCHEDULE, Fit
from safetensors import safe_open

from csisim.training.loop import train

DRIVE = Path(__file__).with_name("drive_training.py")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")


def step_of(checkpoint):
    with safe_open(str(checkpoint), framework="numpy") as file:
        return json.loads(file.metadata()["state"])["step"]


@pytest.mark.parametrize(
    ("number", "between", "least"),
    [(signal.SIGINT, 1e9, 9), (signal.SIGTERM, 1e9, 9), (signal.SIGKILL, 0.0, 8)],  # nobody hears the last one
)
def test_the_steps_before_a_signal_are_kept(tmp_path, number, between, least):
    place = tmp_path / "half.safetensors"
    process = subprocess.Popen([sys.executable, str(DRIVE), str(place), str(between)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(9):
        assert process.stdout.readline() == b"step\n"
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == -number
    assert least <= step_of(place) < SCHEDULE.validate_every
    resumed, whole = (train(Fit(), SCHEDULE, checkpoint=place) for _ in range(2))
    assert np.array_equal(resumed.parameters["w"], whole.parameters["w"])
    assert resumed.history == whole.history


class Interrupted(Fit):
    """Ctrl-C in the middle of the third step."""

    def __init__(self, times):
        self.times, self.steps, self.ended = times, 0, []

    def gradient(self, parameters, batch):
        self.steps += 1
        for _ in range(self.times * (self.steps == 3)):
            signal.raise_signal(signal.SIGINT)
        self.ended.append(self.steps)
        return super().gradient(parameters, batch)


@pytest.mark.parametrize(("times", "ended"), [(1, 3), (2, 2)])
def test_the_first_ctrl_c_waits_for_the_step_and_the_second_does_not(tmp_path, times, ended):
    place, task = tmp_path / "half.safetensors", Interrupted(times)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(task, SCHEDULE, checkpoint=place)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert task.ended[-1] == ended
    assert place.exists() == (times == 1)


def test_an_error_in_the_step_takes_no_ctrl_c_away(tmp_path):
    class Broken(Interrupted):
        def gradient(self, parameters, batch):
            super().gradient(parameters, batch)
            if self.steps == 3:
                raise ZeroDivisionError
            return Fit.gradient(self, parameters, batch)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as ended:
            train(Broken(1), SCHEDULE, checkpoint=tmp_path / "half.safetensors")
    finally:
        signal.signal(signal.SIGINT, before)
    assert isinstance(ended.value.__context__, ZeroDivisionError)
    assert not (tmp_path / "half.safetensors").exists()


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        trained = train(Interrupted(1), SCHEDULE, checkpoint=tmp_path / "half.safetensors")
    finally:
        signal.signal(signal.SIGINT, before)
    assert trained.steps == SCHEDULE.steps
