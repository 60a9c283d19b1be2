"""The two perceptrons of the plain GAN."""

import math

import keras
from keras import layers

from keras_genai.layers import Dropout, glorot, layer_seeds


def mlp_generator(image_shape, latent_dim, seed=None):
    """Builds a perceptron from noise to images.

    Args:
        image_shape: `(height, width, channels)`.
        latent_dim: Integer, width of the noise.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, latent_dim)` to `(batch, height,
        width, channels)` in [-1, 1].
    """
    seeds = layer_seeds(seed, "generator")
    network = [layers.Input((latent_dim,))]
    for units in (256, 512, 1024):
        network.append(layers.Dense(units, kernel_initializer=glorot(seeds)))
        network.append(layers.LeakyReLU(0.2))
        network.append(layers.BatchNormalization(momentum=0.8))
    network.append(
        layers.Dense(
            math.prod(image_shape),
            activation="tanh",
            kernel_initializer=glorot(seeds),
        )
    )
    network.append(layers.Reshape(image_shape))
    return keras.Sequential(network, name="generator")


def mlp_discriminator(image_shape, seed=None):
    """Builds a perceptron from images to one logit.

    Args:
        image_shape: `(height, width, channels)`.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, height, width, channels)` to
        `(batch, 1)`, unbounded.
    """
    seeds = layer_seeds(seed, "discriminator")
    network = [layers.Input(image_shape), layers.Flatten()]
    for units in (1024, 512, 256):
        network.append(layers.Dense(units, kernel_initializer=glorot(seeds)))
        network.append(layers.LeakyReLU(0.2))
        network.append(Dropout(0.3, seed=next(seeds)))
    network.append(layers.Dense(1, kernel_initializer=glorot(seeds)))
    return keras.Sequential(network, name="discriminator")
