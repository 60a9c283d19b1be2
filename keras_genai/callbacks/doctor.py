"""What goes wrong in training, said while it does."""

import math

import keras


class RaiseOnNaN(keras.callbacks.Callback):
    """Ends training with an error when a number is no longer finite.

    Keras's `TerminateOnNaN` looks at `"loss"` alone, which a GAN, with a loss
    for each network, does not report; and it lets the epoch end, so that
    a backup of the broken weights takes the place of a good one.

    Raises:
        FloatingPointError: When a reported number is NaN or infinite.

    Example:
        >>> callback = RaiseOnNaN()
    """

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"Training diverged: {name} is {float(value)} at batch "
                    f"{batch} of the epoch. Lower learning rates are the "
                    "first thing to try."
                )
