"""ConditionalVAE: a VAE that is told the label of each image."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import sampling
from keras_genai.layers import LabelPlanes
from keras_genai.models.autoencoders.vae import VAE
from keras_genai.models.core.base import NUM_SAMPLES, SEED
from keras_genai.models.core.checks import (
    check_at_least_one,
    check_image_batch,
    check_label_array,
    check_num_samples,
)


@keras.saving.register_keras_serializable("keras_genai")
class ConditionalVAE(VAE):
    """Variational autoencoder of images given their labels.

    Encoder and decoder are both shown the label, so that codes need not tell
    what it tells already: the bound is on `log p(x | label)`, and a code keeps
    its meaning, the slant of a digit say, from label to label.

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
        check_at_least_one(num_classes=num_classes)
        self.num_classes = num_classes  # its networks depend on it
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

    def call(self, inputs, training=False):
        images, labels = inputs
        z = self.posterior(images, labels, training=training).mean
        return self.pixels(z, labels, training=training).mean

    def posterior(self, images, labels, training=False):
        """q(z | x, label), a `Normal` of shape `(batch, latent_dim)`."""
        images = self.label_planes(images, labels)
        return super().posterior(images, training=training)

    def pixels(self, z, labels, training=False):
        """p(x | z, label), of shape `(batch, height, width, channels)`."""
        one_hot = ops.one_hot(labels, self.num_classes, dtype=z.dtype)
        z = ops.concatenate([z, one_hot], axis=-1)
        return super().pixels(z, training=training)

    def generate(self, num_samples=None, seed=None, z=None, labels=None):
        """Generates images: decodes draws from the prior, each with its label.

        Args:
            num_samples: Integer >= 0. May be left out where `labels` or `z`
                is given.
            seed: Integer: the same seed gives the same images. `None` draws
                one from the model's own generator.
            z: Float array `(num_samples, latent_dim)` to decode instead, or
                `None`.
            labels: Integer array `(num_samples,)`; one integer, for all of
                them; or `None` to draw labels evenly.

        Returns:
            Float32 NumPy array `(num_samples, height, width, channels)`, in
            [0, 1]: the mean of each pixel.

        Raises:
            ValueError: If the numbers of samples do not agree, or labels are
                out of range.
        """
        if num_samples is None:
            given = labels if z is None else z
            num_samples = None if np.ndim(given) == 0 else len(given)
        check_num_samples(num_samples)
        seed = self._seed(seed)
        if z is None:
            z = sampling.seeded_noise(num_samples, self.latent_dim, seed)
        if labels is None:
            labels = sampling.seeded_labels(num_samples, self.num_classes, seed)
        elif np.ndim(labels) == 0:
            labels = np.full(num_samples, labels)
        return self.decode(z, labels)

    def signatures(self):
        def generate(num_samples, seed):
            labels = sampling.seeded_labels(num_samples, self.num_classes, seed)
            return {**generate_labels(labels, seed), "labels": labels}

        def generate_labels(labels, seed):
            count = tf.shape(labels)[0]
            z = sampling.seeded_noise(count, self.latent_dim, seed)
            return decode(z, labels)

        def encode(images, labels):
            posterior = self.posterior(images, labels)
            return {"z_mean": posterior.mean, "z_log_var": posterior.log_var}

        def decode(z, labels):
            pixels = self.pixels(z, labels)
            return {"images": ops.clip(pixels.mean, 0.0, 1.0)}

        def reconstruct(images, labels):
            return decode(encode(images, labels)["z_mean"], labels)

        images = tf.TensorSpec((None, *self.image_shape), "float32", "images")
        z = tf.TensorSpec((None, self.latent_dim), "float32", "z")
        labels = tf.TensorSpec((None,), "int32", "labels")
        return {
            "generate": (generate, [NUM_SAMPLES, SEED]),
            "generate_labels": (generate_labels, [labels, SEED]),
            "encode": (encode, [images, labels]),
            "decode": (decode, [z, labels]),
            "reconstruct": (reconstruct, [images, labels]),
        }

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}

    def unpack(self, data):
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        return images, (labels,)

    def check(self, data):
        return check_image_batch(data, self, 0, 1, self.num_classes)

    def _labels(self, labels, examples):
        return (check_label_array(labels, len(examples), self.num_classes),)

    def _input_shapes(self):
        *sides, channels = self.image_shape
        return (
            (*sides, channels + self.num_classes),
            self.latent_dim + self.num_classes,
        )
