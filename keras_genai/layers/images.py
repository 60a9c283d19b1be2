"""Networks from images to codes, and back."""

import math

import keras
from keras import layers

from keras_genai.checks import check_choice
from keras_genai.layers.seeds import glorot, he, layer_seeds


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
    check_choice("networks", name, pairs)
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
        >>> dense_encoder((8, 8, 1), 4)(keras.ops.zeros((2, 8, 8, 1))).shape
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
    """Builds a perceptron from codes to images, the reverse of the encoder.

    Args:
        code_dim: Integer, width of the codes.
        output_shape: `(height, width, channels)`; channels are numbers for
            each pixel, not only colours.
        units: Integers, widths of the hidden layers. Defaults to `(400,)`.
        activation: String, of the hidden layers. Defaults to `"relu"`.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, code_dim)` to `(batch, height,
        width, channels)`, unbounded.

    Example:
        >>> dense_decoder(4, (8, 8, 1))(keras.ops.zeros((2, 4))).shape
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
    codes, with half the decoder's channels: twice as many made a VAE slower
    and improved it little.

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
        >>> network(keras.ops.zeros((2, 8, 12, 3))).shape
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
            channels are numbers for each pixel, not only colours.
        width: Integer, channels before the last layer.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, code_dim)` to `(batch, height,
        width, channels)`, unbounded.

    Example:
        >>> network = convolutional_decoder(4, (8, 12, 3), width=2)
        >>> network(keras.ops.zeros((2, 4))).shape
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
