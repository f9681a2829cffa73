"""A slow training in a process of its own: ``python drive_training.py CHECKPOINT SECONDS_BETWEEN_CHECKPOINTS``; tells its steps."""

import signal
import sys
import time

import numpy as np

from csisim.training import loop
from csisim.training.base import Schedule

SCHEDULE = Schedule(steps=200, learning_rate=0.2, validate_every=150)
STOP = np.arange(3, dtype=np.float32)


class Fit:
    """min |w - STOP|^2 in noise."""

    pause, steps = 0.0, 0

    def initial(self):
        return {"w": np.zeros(3, np.float32)}

    def batch(self, rng):
        if self.pause:
            sys.stdout.write("step\n")
            sys.stdout.flush()
            self.steps += 1
            time.sleep(self.pause if self.steps < 9 else 20 * self.pause)  # who is to send a signal may be slow
        return (rng.standard_normal(3).astype(np.float32),)

    def score(self, parameters):
        return -float(np.sum((parameters["w"] - STOP) ** 2))

    def gradient(self, parameters, batch):
        return 0.0, {"w": 2 * (parameters["w"] - STOP) - batch[0]}


def main():
    # whoever starts a job in the background has it ignore Ctrl-C, and all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    loop._SAVE_EVERY_S = float(sys.argv[2])
    task = Fit()
    task.pause = 0.02
    loop.train(task, SCHEDULE, checkpoint=sys.argv[1])


if __name__ == "__main__":
    main()
