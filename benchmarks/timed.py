"""Training for a given time, its learning rates annealed along it."""

import math
import time

import keras


class AnnealOverTime(keras.callbacks.Callback):
    """Takes the learning rates to 0 along half a cosine, and then stops.

    Time, not steps: contestants of unlike speed are compared after the same
    seconds. A GAN's two rates are annealed alike.

    Args:
        seconds: Float, how long to train.
        warm_up: Integer, steps that the rates rise for at first.
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
        names = ("optimizer", "d_optimizer", "g_optimizer")
        found = [getattr(self.model, name, None) for name in names]
        self.rates = [
            (optimizer, float(optimizer.learning_rate))
            for optimizer in found
            if optimizer is not None
        ]
        if self.with_compiling:
            self.start = time.monotonic()
        self._set_rates(0.0)

    def on_train_batch_end(self, batch, logs=None):
        self.steps = self._before + batch + 1
        self.start = self.start or time.monotonic()
        share = (time.monotonic() - self.start) / self.seconds
        if share >= 1:
            self.model.stop_training = True
        else:
            self._set_rates(share)

    def on_epoch_end(self, epoch, logs=None):
        self._before = self.steps

    def _set_rates(self, share):
        risen = min(1.0, (self.steps + 1) / (self.warm_up + 1))
        left = (1 + math.cos(math.pi * share)) / 2
        for optimizer, rate in self.rates:
            optimizer.learning_rate = rate * risen * left
