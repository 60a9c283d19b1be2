"""Autoencoders: images through a narrow code, clean or from corrupted ones."""

import keras
import tensorflow as tf
from keras import ops

from keras_genai import layers, sampling
from keras_genai.checks import check_at_least_one
from keras_genai.distributions import Bernoulli
from keras_genai.metrics import PSNR
from keras_genai.models.autoencoders.image_coder import ImageCoder
from keras_genai.models.core.averaging import move_averages
from keras_genai.models.core.checks import (
    check_image_shape,
    check_network,
    check_num_samples,
)
from keras_genai.models.core.endings import check_logits, probes
from keras_genai.replicas import batch_mean, total


@keras.saving.register_keras_serializable("keras_genai")
class Autoencoder(ImageCoder):
    """Autoencoder: an image to a code of few numbers, and back.

    The loss is the cross-entropy of pixels in [0, 1], summed over them. Like
    the squared error it is least where each pixel is the expected one, and
    its slope does not vanish where a pixel is far off.

    No prior shapes the codes. So that the model can be compared with a VAE,
    `generate` decodes draws from the normal distribution that has the mean and
    the covariance of the codes seen in training.

    Args:
        image_shape: `(height, width, channels)`; for convolutions both sides
            a multiple of 4. Defaults to `(28, 28, 1)`.
        latent_dim: Integer >= 1, width of the codes. Defaults to `20`.
        networks: `"dense"` (default: 784-400-20 and back, for digits) or
            `"convolutional"`, for the networks that are not given.
        encoder: Network from images to `(batch, latent_dim)`, or `None`.
        decoder: Network from codes to logits of pixels `(batch, height,
            width, channels)`, or `None`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        images: Float tensor `(batch, height, width, channels)`, in [0, 1].

    Raises:
        ValueError: If an argument is out of its range, or if the networks do
            not fit.

    Example:
        >>> import numpy as np
        >>> model = Autoencoder(image_shape=(8, 8, 1), latent_dim=2, seed=0)
        >>> model.reconstruct(np.zeros((3, 8, 8, 1))).shape
        (3, 8, 8, 1)

    Reference:
        Hinton and Salakhutdinov, Reducing the dimensionality of data with
        neural networks, 2006.
    """

    recipe = {
        "kind": "annealed",
        "quick": {"split": "train[:1000]", "batch_size": 32, "epochs": 20},
        "also_called": ("ae",),
    }

    objective = "the cross-entropy of pixels, summed over an image"
    prediction = "reconstructions"

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=20,
        networks="dense",
        encoder=None,
        decoder=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        check_image_shape(image_shape)
        check_at_least_one(latent_dim=latent_dim)
        self.image_shape = tuple(image_shape)
        self.latent_dim = latent_dim
        self.networks = networks
        make_encoder, make_decoder = layers.get_networks(networks)
        self.encoder = encoder or make_encoder(
            self.image_shape, latent_dim, seed=seed
        )
        self.decoder = decoder or make_decoder(
            latent_dim, self.image_shape, seed=seed
        )
        check_network(self.encoder, self.image_shape, (latent_dim,))
        check_network(self.decoder, (latent_dim,), self.image_shape)
        check_logits(
            self.decoder,
            lambda scale: self.decoder(scale * probes(2, latent_dim)),
            "The decoder",
        )
        # Moving averages over the batches seen in training.
        self.code_mean = self.add_weight(
            shape=(latent_dim,),
            initializer="zeros",
            trainable=False,
            name="code_mean",
        )
        self.code_covariance = self.add_weight(
            shape=(latent_dim, latent_dim),
            initializer="identity",
            trainable=False,
            name="code_covariance",
        )
        self.built = True

        self.loss_tracker = keras.metrics.Mean("loss", dtype="float64")
        self.psnr = PSNR()

    @property
    def metrics(self):
        return [self.loss_tracker, self.psnr, *self._users_metrics]

    def call(self, images, training=False):
        codes = self._codes(images, training)
        return ops.sigmoid(self._logits(codes, training))

    def _codes(self, images, training=False):
        return ops.cast(self.encoder(images, training=training), "float32")

    def _logits(self, codes, training=False):
        return ops.cast(self.decoder(codes, training=training), "float32")

    def losses_per_example(self, inputs, images, training=False):
        """Encodes and decodes the inputs, and compares the result with images.

        Args:
            inputs: Float tensor `(batch, height, width, channels)`, in
                [0, 1]: the images, or corrupted ones.
            images: Float tensor like `inputs`: the targets.
            training: Boolean.

        Returns:
            Triple: losses `(batch,)`, nats an example; reconstructions like
            `images`; codes `(batch, latent_dim)`.
        """
        codes = self._codes(inputs, training)
        pixels = Bernoulli(self._logits(codes, training))
        return -pixels.log_prob(images), pixels.mean, codes

    def corrupt(self, images, seed=None):
        """The encoder's inputs for images: here, the images."""
        return images

    def unpack(self, data):
        """Takes from a batch the encoder's inputs and the targets.

        Args:
            data: A batch, as from `check`.

        Returns:
            Pair of float tensors `(batch, height, width, channels)`.
        """
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return self.corrupt(images), images

    def train_step(self, data):
        inputs, images = self.unpack(data)
        with tf.GradientTape() as tape:
            losses, reconstructions, codes = self.losses_per_example(
                inputs, images, training=True
            )
            losses = self.weighed(losses, data)
            loss = batch_mean(losses)

        self.minimize(loss, tape)
        self._update_code_statistics(codes)
        self.compare(images, reconstructions, data)
        return self._report(losses, images, inputs, reconstructions)

    def test_step(self, data):
        inputs, images = self.unpack(data)
        losses, reconstructions, _ = self.losses_per_example(inputs, images)
        losses = self.weighed(losses, data)
        self.compare(images, reconstructions, data)
        return self._report(losses, images, inputs, reconstructions)

    def _report(self, losses, images, inputs, reconstructions):
        self.loss_tracker.update_state(losses)
        self.psnr.update_state(images, reconstructions)
        return self.results()

    def _update_code_statistics(self, codes, momentum=0.99):
        codes = ops.cast(codes, self.code_mean.dtype)
        centred = codes - self.code_mean
        count, sums, products = total(
            ops.cast(ops.shape(codes)[0], codes.dtype),
            ops.sum(codes, axis=0),
            ops.matmul(ops.transpose(centred), centred),
        )
        move_averages(
            (self.code_mean, self.code_covariance),
            (sums / count, products / count),
            decay=momentum,
        )

    def generate(self, num_samples=None, seed=None):
        """Generates images: decodes codes like those of the training images.

        Args:
            num_samples: Integer >= 0.
            seed: Integer: the same seed gives the same images. `None` draws
                one from the model's own generator.

        Returns:
            Float32 NumPy array `(num_samples, height, width, channels)`, in
            [0, 1].

        Raises:
            ValueError: If `num_samples` is negative or missing.
        """
        check_num_samples(num_samples)
        noise = sampling.seeded_noise(
            num_samples, self.latent_dim, self._seed(seed)
        )
        return self.decode(self.codes_of_noise(noise))

    def codes_of(self, images, labels=None):
        return {"codes": self._codes(images)}

    def images_of(self, codes, labels=None):
        return ops.sigmoid(self._logits(codes))

    def codes_of_noise(self, noise):
        """Codes with the mean and the covariance of the training images'."""
        # Against rounding: the covariance must keep a matrix root.
        covariance = self.code_covariance + 1e-4 * ops.eye(self.latent_dim)
        root = ops.cholesky(covariance)
        return self.code_mean + ops.matmul(noise, ops.transpose(root))

    def encode(self, images):
        """Gives the codes of images.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].

        Returns:
            Float32 NumPy array `(batch, latent_dim)`.

        Raises:
            ValueError: If the images have another shape or range.
        """
        return self._encode(images, None)["codes"]

    def decode(self, codes):
        """Gives the images of codes.

        Args:
            codes: Float array `(batch, latent_dim)`.

        Returns:
            Float32 NumPy array `(batch, height, width, channels)`, in [0, 1].

        Raises:
            ValueError: If the codes have another shape.
        """
        return self._decode(codes, None)

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "networks": self.networks,
        }
