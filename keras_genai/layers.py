"""Layers that more than one family uses."""

import math
import random

import keras
from keras import layers, ops

from keras_genai.replicas import draw


@keras.saving.register_keras_serializable("keras_genai")
class LabelPlanes(keras.layers.Layer):
    """Shows labels to a convolution: one plane of the image a class.

    The plane of an image's own class is 1 everywhere, the others are 0. (To
    reshape embedded labels into planes would scramble them instead: each
    place of the image would see another part of the label.)

    Args:
        num_classes: Integer >= 1.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Call arguments:
        images: Float tensor `(batch, height, width, channels)`.
        labels: Integer tensor `(batch,)` in [0, num_classes).

    Returns:
        Float tensor `(batch, height, width, channels + num_classes)`.

    Raises:
        ValueError: If `num_classes` is below 1.

    Example:
        >>> planes = LabelPlanes(3)
        >>> planes(ops.zeros((2, 4, 4, 1)), ops.array([0, 2])).shape
        TensorShape([2, 4, 4, 4])

    Reference:
        Mirza and Osindero, Conditional generative adversarial nets, 2014.
    """

    def __init__(self, num_classes, **kwargs):
        super().__init__(**kwargs)
        if num_classes < 1:
            raise ValueError(
                "`num_classes` must be at least 1. "
                f"Received: num_classes={num_classes}"
            )
        self.num_classes = num_classes

    def call(self, images, labels):
        batch, height, width, _ = ops.shape(images)
        one_hot = ops.one_hot(labels, self.num_classes, dtype=images.dtype)
        planes = ops.broadcast_to(
            one_hot[:, None, None, :], (batch, height, width, self.num_classes)
        )
        return ops.concatenate([images, planes], axis=-1)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable("keras_genai")
class SpectralNormalization(keras.layers.Layer):
    """Divides a linear layer by its spectral norm, and adds a bias.

    The largest singular value of the weights, a matrix of inputs by outputs,
    is followed by one power iteration a call in training, and gradients go
    through it, as in the paper: none is left along the weights themselves,
    whose size no longer matters. (Keras's own layer of this name writes the
    divided weights back, and its gradients take the norm for a constant.)

    Args:
        layer: `keras.layers.Dense` or `Conv2D` without bias and activation.
        seed: Integer, seed of where the iteration starts.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: Float tensor, as for the layer.
        training: Boolean, whether the norm is followed.

    Raises:
        ValueError: If the layer has a bias or an activation: it would not be
            linear.

    Example:
        >>> layer = SpectralNormalization(layers.Dense(3, use_bias=False))
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
        if not self.layer.built:  # as it is when Keras loads it
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
        self._iterate(20)  # close to it from the first call on

    def call(self, inputs, training=False):
        if training:
            self._iterate(1)
        norm = ops.cast(self.spectral_norm(), self.compute_dtype)
        return self.layer(inputs) / norm + self.bias

    def spectral_norm(self):
        """The norm as far as it is known, a scalar tensor of 32 bits or 64."""
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


def layer_seeds(seed, network):
    """Seeds for the initializers and dropouts of a network, no two alike.

    Args:
        seed: Integer, or `None` for seeds drawn at random.
        network: String; networks of different names get other seeds.

    Yields:
        Integers in [0, 2**31).

    Example:
        >>> seeds = layer_seeds(0, "generator")
        >>> next(seeds) == next(seeds)
        False
    """
    stream = random.Random(None if seed is None else f"{network} {seed}")
    while True:
        yield stream.randrange(2**31)


# --- Networks from images to codes, and back ---------------------------------


def get_networks(name):
    """Looks up a pair of builders, each taking input, output and `seed`.

    Args:
        name: `"convolutional"` or `"dense"`.

    Returns:
        Pair of functions: `make_encoder(image_shape, code_dim, seed=None)`
        and `make_decoder(code_dim, output_shape, seed=None)`.

    Raises:
        ValueError: If there is no such pair.
    """
    pairs = {
        "convolutional": (convolutional_encoder, convolutional_decoder),
        "dense": (dense_encoder, dense_decoder),
    }
    if name not in pairs:
        raise ValueError(
            f"Expected `networks` among {', '.join(pairs)}. "
            f"Received: networks={name!r}"
        )
    return pairs[name]


def dense_encoder(
    image_shape, code_dim, units=(400,), activation="relu", seed=None
):
    """Builds a perceptron from images to codes.

    Args:
        image_shape: `(height, width, channels)`.
        code_dim: Integer, width of the output.
        units: Integers, widths of the hidden layers. Defaults to `(400,)`.
        activation: String, of the hidden layers. Defaults to `"relu"`.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, height, width, channels)` to
        `(batch, code_dim)`, unbounded.

    Example:
        >>> dense_encoder((8, 8, 1), 4)(ops.zeros((2, 8, 8, 1))).shape
        TensorShape([2, 4])

    Reference:
        Kingma and Welling, 2014, section 5.
    """
    seeds = layer_seeds(seed, "encoder")
    network = [layers.Input(image_shape), layers.Flatten()]
    for width in units:
        network.append(
            layers.Dense(width, activation, kernel_initializer=glorot(seeds))
        )
    network.append(layers.Dense(code_dim, kernel_initializer=glorot(seeds)))
    return keras.Sequential(network, name="encoder")


def dense_decoder(
    code_dim, output_shape, units=(400,), activation="relu", seed=None
):
    """Builds a perceptron from codes to images, the mirror of the encoder.

    Args:
        code_dim: Integer, width of the codes.
        output_shape: `(height, width, channels)`; channels are numbers a
            pixel, which need not be colours.
        units: Integers, widths of the hidden layers. Defaults to `(400,)`.
        activation: String, of the hidden layers. Defaults to `"relu"`.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, code_dim)` to `(batch, height,
        width, channels)`, unbounded.

    Example:
        >>> dense_decoder(4, (8, 8, 1))(ops.zeros((2, 4))).shape
        TensorShape([2, 8, 8, 1])
    """
    seeds = layer_seeds(seed, "decoder")
    network = [layers.Input((code_dim,))]
    for width in units:
        network.append(
            layers.Dense(width, activation, kernel_initializer=glorot(seeds))
        )
    network.append(
        layers.Dense(math.prod(output_shape), kernel_initializer=glorot(seeds))
    )
    network.append(layers.Reshape(output_shape))
    return keras.Sequential(network, name="decoder")


def convolutional_encoder(image_shape, code_dim, width=16, seed=None):
    """Builds strided convolutions from images to codes.

    Activations are SiLU: trained for the same two epochs of digits, a VAE was
    20 nats ahead of one with ReLU.

    For 28x28 digits and `width=16`: 28x28x1 -> 14x14x16 -> 7x7x32 -> 256 ->
    codes, half the decoder's channels: to double them cost a VAE more images
    a second than it won.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4.
        code_dim: Integer, width of the output.
        width: Integer, channels after the first layer.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, height, width, channels)` to
        `(batch, code_dim)`, unbounded.

    Example:
        >>> network = convolutional_encoder((8, 12, 3), 4, width=2)
        >>> network(ops.zeros((2, 8, 12, 3))).shape
        TensorShape([2, 4])
    """
    check_sides(image_shape)
    seeds = layer_seeds(seed, "encoder")
    network = [layers.Input(image_shape)]
    for channels in (width, 2 * width):
        network.append(
            layers.Conv2D(
                channels,
                kernel_size=4,
                strides=2,
                padding="same",
                activation="silu",
                kernel_initializer=he(seeds),
            )
        )
    network.append(layers.Flatten())
    network.append(
        layers.Dense(
            16 * width, activation="silu", kernel_initializer=he(seeds)
        )
    )
    network.append(layers.Dense(code_dim, kernel_initializer=glorot(seeds)))
    return keras.Sequential(network, name="encoder")


def convolutional_decoder(code_dim, output_shape, width=32, seed=None):
    """Builds transposed convolutions from codes to images.

    For 28x28 digits and `width=32`: codes -> 256 -> 7x7x64 -> 14x14x32 ->
    28x28x1.

    Args:
        code_dim: Integer, width of the codes.
        output_shape: `(height, width, channels)`, sides multiples of 4;
            channels are numbers a pixel, which need not be colours.
        width: Integer, channels before the last layer.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, code_dim)` to `(batch, height,
        width, channels)`, unbounded.

    Example:
        >>> network = convolutional_decoder(4, (8, 12, 3), width=2)
        >>> network(ops.zeros((2, 4))).shape
        TensorShape([2, 8, 12, 3])
    """
    check_sides(output_shape)
    seeds = layer_seeds(seed, "decoder")
    height, breadth, channels = output_shape
    network = [layers.Input((code_dim,))]
    for units in (8 * width, height // 4 * (breadth // 4) * 2 * width):
        network.append(
            layers.Dense(units, "silu", kernel_initializer=he(seeds))
        )
    network.append(layers.Reshape((height // 4, breadth // 4, 2 * width)))
    network.append(
        layers.Conv2DTranspose(
            width,
            kernel_size=4,
            strides=2,
            padding="same",
            activation="silu",
            kernel_initializer=he(seeds),
        )
    )
    network.append(
        layers.Conv2DTranspose(
            channels,
            kernel_size=4,
            strides=2,
            padding="same",
            kernel_initializer=glorot(seeds),
        )
    )
    return keras.Sequential(network, name="decoder")


def check_sides(image_shape):
    """Refuses images whose sides cannot be halved twice.

    Args:
        image_shape: `(height, width, channels)`.

    Raises:
        ValueError: If a side is not a multiple of 4.
    """
    if image_shape[0] % 4 or image_shape[1] % 4:
        raise ValueError(
            "The sides of images must be multiples of 4, because the "
            "networks halve them twice; "
            "image_dataset(..., image_size=(32, 32)) resizes. "
            f"Received: image_shape={tuple(image_shape)}"
        )


def glorot(seeds):
    """Glorot's uniform initializer, with the next of `layer_seeds`."""
    return keras.initializers.GlorotUniform(seed=next(seeds))


def he(seeds):
    """He's normal initializer, with the next of `layer_seeds`."""
    return keras.initializers.HeNormal(seed=next(seeds))
