"""ConditionalGAN: a GAN whose two networks receive labels."""

import keras
from keras import layers

from keras_genai.checks import check_at_least_one, check_choice
from keras_genai.layers import LabelPlanes, check_sides, layer_seeds
from keras_genai.models.core.checks import check_image_shape
from keras_genai.models.core.condition import ClassCondition
from keras_genai.models.gans.dcgan import (
    dcgan_features,
    dcgan_generator,
    verdict_layer,
)
from keras_genai.models.gans.gan import GAN


@keras.saving.register_keras_serializable("keras_genai")
class ConditionalGAN(GAN):
    """Generative adversarial network of images given their labels.

    The generator receives a label, and the discriminator judges whether an
    image is a real one *of that label*. Generated images take the labels of
    the real ones in the same batch, so that the frequency of a label tells the
    discriminator nothing. The default networks are those of DCGAN.

    Args:
        image_shape: `(height, width, channels)`; sides multiples of 4.
            Defaults to `(28, 28, 1)`.
        num_classes: Integer >= 1. Defaults to `10`.
        latent_dim: Integer >= 1, width of the noise. Defaults to `64`.
        width: Integer >= 1, as in `DCGAN`. Defaults to `16`.
        conditioning: How the discriminator receives the label: `"projection"`
            (default) adds to its logit the product of the image's features
            with a vector learned for the label; `"planes"` lays constant
            planes, one a class, on the image; `"embedding"` lays one plane on
            it that is learned for each label. The generator has a vector
            learned for the label beside its noise.
        normalization: String, as in `DCGAN`. Defaults to `"batch"`.
        generator: Network from `[noise, labels]`, `(batch, latent_dim)` and
            int32 `(batch,)`, to images in [-1, 1], or `None`.
        discriminator: Network from `[images, labels]` to one logit, or
            `None`.
        discriminator_steps: Integer >= 1, as in `GAN`. Defaults to `1`.
        ema_decay: Float in [0, 1), as in `GAN`. Defaults to `0.999`.
        discriminator_augmentation: As in `GAN`. Defaults to `None`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        inputs: Pair of noise `(batch, latent_dim)`, standard normal, and
            integer labels `(batch,)`.

    Raises:
        ValueError: If an argument is out of its range, or if the networks do
            not fit each other.

    Example:
        >>> model = ConditionalGAN((8, 8, 1), num_classes=3, width=4, seed=0)
        >>> model.generate(labels=[2, 0, 0, 1], seed=0).shape
        (4, 8, 8, 1)

    Reference:
        Mirza and Osindero, Conditional generative adversarial nets, 2014;
        Miyato and Koyama, cGANs with projection discriminator, 2018.
    """

    recipe = {
        "kind": "gan",
        "labels": True,
        "default": {"d_learning_rate": 2e-3, "g_learning_rate": 2e-3},
        "quick": {"split": "train[:1000]", "batch_size": 32, "epochs": 20},
        "also_called": ("cgan",),
    }

    learning_rate = 2e-3

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        latent_dim=64,
        width=16,
        conditioning="projection",
        normalization="batch",
        generator=None,
        discriminator=None,
        discriminator_steps=1,
        ema_decay=0.999,
        discriminator_augmentation=None,
        seed=None,
        **kwargs,
    ):
        check_at_least_one(latent_dim=latent_dim, width=width)
        check_image_shape(image_shape)
        if generator is None or discriminator is None:
            check_sides(image_shape)
        self.condition = ClassCondition(num_classes)  # `GAN` tries the networks
        super().__init__(
            image_shape=image_shape,
            latent_dim=latent_dim,
            generator=generator
            or conditional_generator(
                image_shape, num_classes, latent_dim, width, seed
            ),
            discriminator=discriminator
            or self._make_discriminator(
                image_shape,
                num_classes,
                width,
                conditioning,
                normalization,
                seed,
            ),
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
            discriminator_augmentation=discriminator_augmentation,
            seed=seed,
            **kwargs,
        )
        self.width = width
        self.conditioning = conditioning
        self.normalization = normalization

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "width": self.width,
            "conditioning": self.conditioning,
            "normalization": self.normalization,
        }

    @staticmethod
    def _make_discriminator(*arguments):
        return conditional_discriminator(*arguments)


def conditional_generator(
    image_shape, num_classes, latent_dim, width=16, seed=None
):
    """Builds DCGAN's generator, with a vector for the label next to the noise.

    The vector is as long as the noise, and starts with a twentieth of its
    strength. With equal strength from the start, the generator learned labels
    before it learned to use the noise, and made only one digit of each class.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4.
        num_classes: Integer >= 1.
        latent_dim: Integer, width of the noise.
        width: Integer, as in `dcgan_generator`.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Model` from `[noise, labels]` to images in [-1, 1].
    """
    seeds = layer_seeds(seed, "generator's labels")
    noise = layers.Input((latent_dim,), name="noise")
    labels = layers.Input((), dtype="int32", name="labels")
    vectors = layers.Embedding(
        num_classes,
        latent_dim,
        embeddings_initializer=keras.initializers.RandomNormal(
            stddev=0.05, seed=next(seeds)
        ),
    )(labels)
    network = dcgan_generator(image_shape, 2 * latent_dim, width, seed)
    images = network(layers.Concatenate()([noise, vectors]))
    return keras.Model([noise, labels], images, name="generator")


def conditional_discriminator(
    image_shape,
    num_classes,
    width=16,
    conditioning="projection",
    normalization="batch",
    seed=None,
):
    """Builds DCGAN's discriminator, with the label of each image as input.

    Args:
        image_shape: `(height, width, channels)`, sides multiples of 4.
        num_classes: Integer >= 1.
        width: Integer, as in `dcgan_discriminator`.
        conditioning: `"projection"`, `"planes"` or `"embedding"`, as in
            `ConditionalGAN`.
        normalization: String, as in `dcgan_discriminator`.
        seed: Integer, or `None` for weights drawn at random.

    Returns:
        `keras.Model` from `[images, labels]` to `(batch, 1)`, unbounded.

    Raises:
        ValueError: If there is no such conditioning or normalisation.
    """
    height, breadth, channels = image_shape
    extra = {"projection": 0, "planes": num_classes, "embedding": 1}
    check_choice("conditioning", conditioning, extra)
    seeds = layer_seeds(seed, "discriminator's labels")
    images = layers.Input(image_shape, name="images")
    labels = layers.Input((), dtype="int32", name="labels")
    body = dcgan_features(
        (height, breadth, channels + extra[conditioning]),
        width,
        normalization,
        seed,
    )

    def vectors(length):
        initializer = keras.initializers.RandomNormal(
            stddev=0.02, seed=next(seeds)
        )
        return layers.Embedding(
            num_classes, length, embeddings_initializer=initializer
        )(labels)

    x = images
    if conditioning == "planes":
        x = LabelPlanes(num_classes)(images, labels)
    elif conditioning == "embedding":
        plane = vectors(height * breadth)
        plane = layers.Reshape((height, breadth, 1))(plane)
        x = layers.Concatenate()([images, plane])
    features = body(x)
    logits = verdict_layer(1, normalization, seeds)(features)
    if conditioning == "projection":
        product = layers.Dot(axes=1)([features, vectors(features.shape[-1])])
        logits = layers.Add()([logits, product])
    return keras.Model([images, labels], logits, name="discriminator")
