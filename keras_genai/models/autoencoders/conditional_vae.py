"""ConditionalVAE: a VAE that gets the label of each image."""

import keras
from keras import ops

from keras_genai.layers import LabelPlanes
from keras_genai.models.autoencoders.vae import VAE
from keras_genai.models.core.condition import ClassCondition


@keras.saving.register_keras_serializable("keras_genai")
class ConditionalVAE(VAE):
    """Variational autoencoder of images given their labels.

    Encoder and decoder both receive the label, so that a code need not contain
    the label: the bound is on `log p(x | label)`, and a code keeps its
    meaning, such as the slant of a digit, for every label.

    Args:
        image_shape: `(height, width, channels)`, as in `VAE`.
        num_classes: Integer >= 1. Defaults to `10`.
        latent_dim: Integer >= 1, width of the codes. Defaults to `32`.
        networks: `"convolutional"` (default) or `"dense"`, as in `VAE`.
        encoder: Network from `(batch, height, width, channels +
            num_classes)`, the image and a plane a class, to `(batch,
            2 * latent_dim)`, or `None`.
        decoder: Network from `(batch, latent_dim + num_classes)`, the code
            and the label, one-hot, to pixels as in `VAE`, or `None`.
        likelihood: String, as in `VAE`. Defaults to `"bernoulli"`.
        pixel_stddev: Float > 0 or `None`, as in `VAE`.
        beta: Float >= 0, weight of the KL term. Defaults to `1.0`.
        kl_warmup_steps: Integer >= 0, as in `VAE`. Defaults to `0`.
        free_bits: Float >= 0, as in `VAE`. Defaults to `0.0`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        inputs: Pair of images `(batch, height, width, channels)` in [0, 1]
            and integer labels `(batch,)`.

    Raises:
        ValueError: If an argument is out of its range, or if the networks do
            not fit.

    Example:
        >>> model = ConditionalVAE((8, 8, 1), num_classes=3, latent_dim=2)
        >>> model.generate(labels=[2, 0, 0, 1], seed=0).shape
        (4, 8, 8, 1)

    Reference:
        Sohn et al., Learning structured output representation using deep
        conditional generative models, 2015.
    """

    recipe = {
        "kind": "annealed",
        "labels": True,
        "default": {"binarize": "dynamic", "learning_rate": 3e-3},
        "quick": {"split": "train[:1000]", "batch_size": 32, "epochs": 20},
        "also_called": ("cvae",),
    }

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        latent_dim=32,
        networks="convolutional",
        encoder=None,
        decoder=None,
        likelihood="bernoulli",
        pixel_stddev=None,
        beta=1.0,
        kl_warmup_steps=0,
        free_bits=0.0,
        seed=None,
        **kwargs,
    ):
        self.condition = ClassCondition(num_classes)  # networks depend on it
        super().__init__(
            image_shape=image_shape,
            latent_dim=latent_dim,
            networks=networks,
            encoder=encoder,
            decoder=decoder,
            likelihood=likelihood,
            pixel_stddev=pixel_stddev,
            beta=beta,
            kl_warmup_steps=kl_warmup_steps,
            free_bits=free_bits,
            seed=seed,
            **kwargs,
        )
        self.label_planes = LabelPlanes(num_classes)

    def posterior(self, images, labels=None, training=False):
        """q(z | x, label), a `Normal` of shape `(batch, latent_dim)`."""
        self.condition.expect(labels)
        images = self.label_planes(images, labels)
        return super().posterior(images, labels, training=training)

    def pixels(self, z, labels=None, training=False):
        """p(x | z, label), of shape `(batch, height, width, channels)`."""
        self.condition.expect(labels)
        one_hot = ops.one_hot(labels, self.num_classes, dtype=z.dtype)
        z = ops.concatenate([z, one_hot], axis=-1)
        return super().pixels(z, labels, training=training)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}

    def _input_shapes(self):
        *sides, channels = self.image_shape
        return (
            (*sides, channels + self.num_classes),
            self.latent_dim + self.num_classes,
        )
