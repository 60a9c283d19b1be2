"""Prepares the callbacks of `fit` before Keras receives them."""

import keras
import tensorflow as tf

from keras_genai.keras_private import is_default


def looks_at_batches(callback):
    """Whether a callback does something at each batch."""
    if isinstance(callback, keras.callbacks.ProgbarLogger):
        return False
    if getattr(callback, "looks_at_executions", False):  # of this package
        return False
    # These attributes give a number of batches, or "epoch".
    for name in ("save_freq", "update_freq"):
        if getattr(callback, name, None) == "epoch":
            return False
    return not all(
        is_default(getattr(callback, name))
        for name in (
            *("on_batch_begin", "on_train_batch_begin", "on_test_batch_begin"),
            *("on_batch_end", "on_train_batch_end", "on_test_batch_end"),
        )
    )


class _ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, but it does not count beyond the last batch.

    With several steps an execution Keras counts whole executions, and would
    show 40 of 36 steps.
    """

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(self._within(batch), logs)

    def on_test_batch_end(self, batch, logs=None):
        super().on_test_batch_end(self._within(batch), logs)

    def _within(self, batch):
        return batch if self.target is None else min(batch, self.target - 1)


def joined(callbacks, ours):
    """The user's callbacks, ours, and a progress bar if it is missing."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        for callback in ours:
            callbacks.append(callback)
        return callbacks
    theirs = tf.nest.flatten(callbacks or [])
    if any(isinstance(each, keras.callbacks.ProgbarLogger) for each in theirs):
        return [*theirs, *ours]
    return [*theirs, *ours, _ProgressBar()]
