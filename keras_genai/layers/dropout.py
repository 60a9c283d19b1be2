"""Dropout on one device and on several."""

import keras
from keras import ops

from keras_genai.replicas import draw


@keras.saving.register_keras_serializable("keras_genai")
class Dropout(keras.layers.Dropout):
    """Keras's dropout, also where several devices share a batch.

    Keras's own drops the same units on every device, so that the first
    example of each share has the same mask. Here the masks are those that one
    device would draw for the whole batch. It is made as Keras's own: `rate`,
    a float in [0, 1), is the share of the inputs that are set to 0; the others
    are divided by `1 - rate`.

    Example:
        >>> layer = Dropout(0.5, seed=0)
        >>> bool(ops.all(layer(ops.ones((2, 3))) == 1.0))  # not in training
        True
    """

    def __init__(self, rate, noise_shape=None, **kwargs):
        if noise_shape is not None:
            raise ValueError(
                "Each unit is dropped by itself here. "
                f"Received: noise_shape={noise_shape}"
            )
        super().__init__(rate, **kwargs)

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        return inputs * draw(self._mask, ops.shape(inputs), inputs.dtype)

    def _mask(self, shape, dtype):
        ones = ops.ones(shape, dtype)
        return keras.random.dropout(ones, self.rate, seed=self.seed_generator)
