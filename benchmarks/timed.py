"""Training for a given time, its learning rate annealed along it."""

import math
import time

import keras


class AnnealOverTime(keras.callbacks.Callback):
    """Takes the learning rate to 0 along half a cosine, and then stops.

    Time, not steps: contestants of unlike speed are compared after the same
    seconds, counted from their second batch, when everything is compiled.

    Args:
        seconds: Float, how long to train.
    """

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds
        self.start = None
        self.steps = 0

    def on_train_begin(self, logs=None):
        self.rate = float(self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self.start = self.start or time.monotonic()
        share = (time.monotonic() - self.start) / self.seconds
        if share >= 1:
            self.model.stop_training = True
        elif self.steps % 10 == 0:
            self.model.optimizer.learning_rate = (
                self.rate * (1 + math.cos(math.pi * share)) / 2
            )
