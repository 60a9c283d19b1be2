"""Training for a given time, its learning rate annealed along it."""

import math
import time

import keras


class AnnealOverTime(keras.callbacks.Callback):
    """Takes the learning rate to 0 along half a cosine, and then stops.

    Time, not steps: contestants of unlike speed are compared after the same
    seconds.

    Args:
        seconds: Float, how long to train.
        warm_up: Integer, steps that the rate rises for at first.
        with_compiling: Boolean. Whether the seconds count from the first call
            on, compiling included, or from the second batch.

    Attributes:
        steps: Integer, batches so far.
    """

    def __init__(self, seconds, warm_up=0, with_compiling=False):
        super().__init__()
        self.seconds = seconds
        self.warm_up = warm_up
        self.with_compiling = with_compiling
        self.start = None
        self.steps = self._before = 0

    def on_train_begin(self, logs=None):
        self.rate = float(self.model.optimizer.learning_rate)
        if self.with_compiling:
            self.start = time.monotonic()
        self._set_rate(0.0)

    def on_train_batch_end(self, batch, logs=None):
        self.steps = self._before + batch + 1
        self.start = self.start or time.monotonic()
        share = (time.monotonic() - self.start) / self.seconds
        if share >= 1:
            self.model.stop_training = True
        else:
            self._set_rate(share)

    def on_epoch_end(self, epoch, logs=None):
        self._before = self.steps

    def _set_rate(self, share):
        risen = min(1.0, (self.steps + 1) / (self.warm_up + 1))
        left = (1 + math.cos(math.pi * share)) / 2
        self.model.optimizer.learning_rate = self.rate * risen * left
