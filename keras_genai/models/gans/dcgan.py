"""DCGAN: the convolutional networks that made GANs train."""

import math

import keras
from keras import layers

from keras_genai.checks import check_at_least_one, check_choice
from keras_genai.layers import (
    SpectralNormalization,
    check_sides,
    layer_seeds,
)
from keras_genai.models.core.checks import check_image_shape
from keras_genai.models.gans.gan import GAN


@keras.saving.register_keras_serializable("keras_genai")
class DCGAN(GAN):
    """Deep convolutional GAN: `GAN` with two convolutional networks.

    Strided convolutions in place of pooling, BatchNorm in all but the layers
    that touch pixels, ReLU in the generator, LeakyReLU in the discriminator.
    The generator is light, with one more convolution at half the size of the
    image; the discriminator has few channels but goes down to sides of 2, so
    that it judges the image as a whole. For digits, more levels improve the
    samples far more than wide layers next to the pixels, at the same training
    time.

    Args:
        image_shape: `(height, width, channels)`; both sides a multiple of 4,
            1 or 3 channels. Defaults to `(28, 28, 1)`.
        latent_dim: Integer >= 1, width of the noise. Defaults to `64`.
        width: Integer >= 1, channels of the generator's last layers before
            the image; each level below has twice as many. The discriminator
            starts with half of it. Multiples of 16 fill a processor's vectors:
            16 trains 1.3 times as fast as 20. Defaults to `16`.
        discriminator_steps: Integer >= 1, as in `GAN`. Defaults to `1`.
        ema_decay: Float in [0, 1), as in `GAN`. Defaults to `0.999`.
        normalization: `"batch"` (default), `"layer"`, `"spectral"` or
            `"none"`, of the discriminator, as in `dcgan_discriminator`.
        discriminator_augmentation: As in `GAN`. Defaults to `None`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        noise: Float tensor `(batch, latent_dim)`, standard normal.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = DCGAN(image_shape=(12, 8, 3), width=4, seed=0)
        >>> model.generate(2, seed=0).shape
        (2, 12, 8, 3)

    Reference:
        Radford et al., Unsupervised representation learning with deep
        convolutional generative adversarial networks, 2016.
    """

    recipe = {
        "kind": "gan",
        "default": {"d_learning_rate": 2e-3, "g_learning_rate": 2e-3},
        "quick": {"split": "train[:1000]", "batch_size": 32, "epochs": 20},
    }

    network_names = ()  # `width` determines both networks
    # Ten times Radford's 2e-4: the best, and the highest, of the few rates
    # tried on digits (one seed each, partly on other widths).
    learning_rate = 2e-3

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=64,
        width=16,
        discriminator_steps=1,
        ema_decay=0.999,
        normalization="batch",
        discriminator_augmentation=None,
        seed=None,
        **kwargs,
    ):
        check_at_least_one(latent_dim=latent_dim, width=width)
        check_image_shape(image_shape)
        check_sides(image_shape)
        super().__init__(
            image_shape=image_shape,
            latent_dim=latent_dim,
            generator=dcgan_generator(image_shape, latent_dim, width, seed),
            discriminator=dcgan_discriminator(
                image_shape, width, normalization, seed
            ),
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
            discriminator_augmentation=discriminator_augmentation,
            seed=seed,
            **kwargs,
        )
        self.width = width
        self.normalization = normalization

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "normalization": self.normalization,
        }


def dcgan_generator(image_shape, latent_dim, width=16, seed=None):
    """Builds the generator: a projection, then transposed convolutions.

    For 28x28 digits and `width=16`: noise -> 7x7x32 -> 14x14x16 -> 14x14x16
    -> 28x28x1.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4.
        latent_dim: Integer, width of the noise.
        width: Integer, channels of the last layers before the image.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, latent_dim)` to `(batch, height,
        width, channels)` in [-1, 1].
    """
    seeds = layer_seeds(seed, "generator")
    doublings = count_doublings(image_shape)
    height, breadth = (side // 2**doublings for side in image_shape[:2])
    network = [layers.Input((latent_dim,))]

    def add(layer, *arguments, **options):
        options["kernel_initializer"] = _normal(seeds)
        network.append(layer(*arguments, **options))

    def normalise():
        network.append(layers.BatchNormalization(momentum=0.9))
        network.append(layers.ReLU())

    # No biases: BatchNorm would subtract them again.
    inner = {"padding": "same", "use_bias": False}
    channels = width * 2 ** (doublings - 1)
    add(layers.Dense, height * breadth * channels, use_bias=False)
    network.append(layers.Reshape((height, breadth, channels)))
    normalise()
    while channels > width:
        channels //= 2
        add(layers.Conv2DTranspose, channels, 4, strides=2, **inner)
        normalise()
    add(layers.Conv2D, width, 3, **inner)
    normalise()
    add(
        layers.Conv2DTranspose,
        image_shape[2],
        4,
        strides=2,
        padding="same",
        activation="tanh",
    )
    return keras.Sequential(network, name="generator")


def dcgan_discriminator(
    image_shape, width=16, normalization="batch", seed=None
):
    """Builds the discriminator: strided convolutions down to one logit.

    For 28x28 digits and `width=16`: 28x28x1 -> 14x14x8 -> 7x7x16 -> 4x4x32
    -> 2x2x64 -> 1.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4.
        width: Integer; the first layer has half as many channels.
        normalization: `"batch"`; `"layer"`, for a gradient penalty, over
            the channels of each place; `"spectral"`, of the weights in place
            of activations; or `"none"`.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Sequential` from `(batch, height, width, channels)` to
        `(batch, 1)`, unbounded.

    Raises:
        ValueError: If there is no such normalisation.
    """
    network = dcgan_features(
        image_shape, width, normalization, seed, name="discriminator"
    )
    seeds = layer_seeds(seed, "discriminator's verdict")
    network.add(verdict_layer(1, normalization, seeds))
    return network


def dcgan_features(
    image_shape, width=16, normalization="batch", seed=None, name="features"
):
    """Builds the discriminator's body, up to the features before the logit.

    Args:
        image_shape: As in `dcgan_discriminator`; any number of channels.
        width: Integer, as in `dcgan_discriminator`.
        normalization: String, as in `dcgan_discriminator`.
        seed: Integer, or `None` for weights drawn at random.
        name: String, of the network. Defaults to `"features"`.

    Returns:
        `keras.Sequential` from `(batch, height, width, channels)` to
        `(batch, feature_dim)`.

    Raises:
        ValueError: If there is no such normalisation.
    """
    check_choice("normalization", normalization, NORMALIZATIONS)
    seeds = layer_seeds(seed, "discriminator")
    network = [layers.Input(image_shape)]
    halvings = max(2, math.ceil(math.log2(min(image_shape[:2]))) - 1)
    for level in range(halvings):
        normalised = normalization in ("batch", "layer") and level > 0
        convolution = layers.Conv2D(
            min(max(1, width // 2) * 2**level, 8 * width),
            kernel_size=4,
            strides=2,
            padding="same",
            # No biases: BatchNorm would subtract them again.
            use_bias=not (normalised or normalization == "spectral"),
            kernel_initializer=_normal(seeds),
        )
        if normalization == "spectral":
            convolution = SpectralNormalization(convolution, seed=next(seeds))
        network.append(convolution)
        if normalised:  # not on pixels
            network.append(NORMALIZATIONS[normalization]())
        network.append(layers.LeakyReLU(0.2))
    network.append(layers.Flatten())
    return keras.Sequential(network, name=name)


NORMALIZATIONS = {
    "batch": lambda: layers.BatchNormalization(momentum=0.9),
    "layer": layers.LayerNormalization,
    "spectral": None,
    "none": None,
}


def verdict_layer(units, normalization, seeds):
    """Makes a discriminator's last layer, normalised like its body.

    Args:
        units: Integer, logits an image.
        normalization: String, as in `dcgan_discriminator`.
        seeds: Iterator, as from `layer_seeds`.

    Returns:
        `keras.layers.Layer` from features to logits.
    """
    spectral = normalization == "spectral"
    dense = layers.Dense(
        units, use_bias=not spectral, kernel_initializer=_normal(seeds)
    )
    return SpectralNormalization(dense, seed=next(seeds)) if spectral else dense


def count_doublings(image_shape):
    """How often the generator doubles its sides, which start at 4 or more.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4.

    Returns:
        Integer >= 2.

    Example:
        >>> count_doublings((28, 28, 1)), count_doublings((64, 64, 3))
        (2, 4)
    """
    height, width = image_shape[0] // 4, image_shape[1] // 4
    doublings = 2
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, doublings = height // 2, width // 2, doublings + 1
    return doublings


def _normal(seeds):
    return keras.initializers.RandomNormal(stddev=0.02, seed=next(seeds))
