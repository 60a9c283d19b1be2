"""Normalisation of weights."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_genai")
class SpectralNormalization(keras.layers.Layer):
    """Divides a linear layer by its spectral norm, and adds a bias.

    The weights are a matrix of inputs by outputs. One power iteration a call
    in training updates the estimate of its largest singular value, and
    gradients pass through it, as in the paper: the gradient along the weights
    themselves is 0, because their size no longer matters. (Keras's own layer
    of this name writes the divided weights back, and treats the norm as a
    constant in gradients.)

    Args:
        layer: `keras.layers.Dense` or `Conv2D` without bias and activation.
        seed: Integer, seed of the iteration's first vector.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: Float tensor, as for the layer.
        training: Boolean, whether the estimate of the norm is updated.

    Raises:
        ValueError: If the layer has a bias or an activation: it would not be
            linear.

    Example:
        >>> layer = SpectralNormalization(keras.layers.Dense(3, use_bias=False))
        >>> layer(ops.ones((2, 4))).shape
        TensorShape([2, 3])

    Reference:
        Miyato et al., Spectral normalization for generative adversarial
        networks, 2018, algorithm 1.
    """

    def __init__(self, layer, seed=None, **kwargs):
        super().__init__(**kwargs)
        if layer.use_bias or layer.activation is not keras.activations.linear:
            raise ValueError(
                "Expected a layer with use_bias=False and no activation. "
                f"Received: {layer.name!r} with use_bias={layer.use_bias}, "
                f"activation={layer.activation.__name__!r}"
            )
        self.layer = layer
        self.seed = seed

    def build(self, input_shape):
        if not self.layer.built:  # true when Keras loads it
            self.layer.build(input_shape)
        units = self.layer.kernel.shape[-1]
        # In 16 bits the iteration's squares and fourth powers overflow.
        self.direction = self.add_weight(
            shape=(units, 1),
            initializer=keras.initializers.RandomNormal(seed=self.seed),
            dtype=keras.backend.result_type(self.compute_dtype, "float32"),
            autocast=False,
            trainable=False,
            name="direction",
        )
        self.bias = self.add_weight(
            shape=(units,), initializer="zeros", name="bias"
        )
        self._iterate(20)  # close to the norm from the first call on

    def call(self, inputs, training=False):
        if training:
            self._iterate(1)
        norm = ops.cast(self.spectral_norm(), self.compute_dtype)
        return self.layer(inputs) / norm + self.bias

    def spectral_norm(self):
        """The estimate of the norm, a scalar tensor of 32 or 64 bits."""
        # |W v| with v, the direction, held constant.
        direction = ops.stop_gradient(ops.convert_to_tensor(self.direction))
        return ops.sqrt(ops.sum(ops.square(self._matrix() @ direction)) + 1e-12)

    def _matrix(self):
        kernel = ops.cast(self.layer.kernel, self.direction.dtype)
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def _iterate(self, times):
        matrix = ops.stop_gradient(self._matrix())
        direction = self.direction
        for _ in range(times):
            direction = ops.transpose(matrix) @ (matrix @ direction)
            direction = direction / (ops.norm(direction) + 1e-12)
        self.direction.assign(direction)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "layer": keras.saving.serialize_keras_object(self.layer),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})
