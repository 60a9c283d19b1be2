"""Autoencoders: images through a narrow code, clean or from corrupted ones."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import layers, sampling
from keras_genai.distributions import Bernoulli
from keras_genai.metrics import PSNR
from keras_genai.models.core.averaging import move_averages
from keras_genai.models.core.base import NUM_SAMPLES, SEED, GenerativeModel
from keras_genai.models.core.checks import (
    check_at_least_one,
    check_code_array,
    check_image_array,
    check_image_batch,
    check_image_shape,
    check_images,
    check_network,
    check_num_samples,
    check_weights,
    packed,
)
from keras_genai.models.core.endings import check_logits, probes
from keras_genai.replicas import batch_mean, draw, total


@keras.saving.register_keras_serializable("keras_genai")
class Autoencoder(GenerativeModel):
    """Autoencoder: a code of few numbers, from which the image comes back.

    The loss is the cross-entropy of pixels in [0, 1], summed over them. Like
    the squared error it is least where each pixel is the expected one, and
    its slope does not vanish where a pixel is far off.

    Codes are wherever training left them. To have something to compare
    a VAE with, `generate` decodes draws from the normal distribution that has
    the mean and the covariance of the codes seen in training.

    Args:
        image_shape: `(height, width, channels)`; for convolutions both sides
            a multiple of 4. Defaults to `(28, 28, 1)`.
        latent_dim: Integer >= 1, width of the codes. Defaults to `20`.
        networks: `"dense"` (default: 784-400-20 and back, for digits) or
            `"convolutional"`, for what is not handed in.
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
        >>> model = Autoencoder(image_shape=(8, 8, 1), latent_dim=2, seed=0)
        >>> model.reconstruct(np.zeros((3, 8, 8, 1))).shape
        (3, 8, 8, 1)

    Reference:
        Hinton and Salakhutdinov, Reducing the dimensionality of data with
        neural networks, 2006.
    """

    network_names = ("encoder", "decoder")
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
        """How far what comes back from the inputs is from the images.

        Args:
            inputs: Float tensor `(batch, height, width, channels)`, in
                [0, 1]: the images, or corrupted ones.
            images: Float tensor like `inputs`: what should come back.
            training: Boolean.

        Returns:
            Triple: losses `(batch,)`, nats an example; reconstructions like
            `images`; codes `(batch, latent_dim)`.
        """
        codes = self._codes(inputs, training)
        pixels = Bernoulli(self._logits(codes, training))
        return -pixels.log_prob(images), pixels.mean, codes

    def corrupt(self, images, seed=None):
        """What the encoder is shown of images: here, the images."""
        return images

    def check(self, data):
        return check_image_batch(data, self, 0, 1)

    def unpack(self, data):
        """Takes from a batch what the encoder sees and what is to come back.

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
        return self.decode(self._codes_like_training(noise))

    def _codes_like_training(self, noise):
        # Rounding must not make the covariance lose its root.
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
        images = check_image_array(images, self.image_shape)
        return self._run("encode", images)["codes"]

    def decode(self, codes):
        """Gives the images of codes.

        Args:
            codes: Float array `(batch, latent_dim)`.

        Returns:
            Float32 NumPy array `(batch, height, width, channels)`, in [0, 1].

        Raises:
            ValueError: If the codes have another shape.
        """
        codes = check_code_array(codes, self.latent_dim)
        return self._run("decode", codes)["images"]

    def reconstruct(self, images):
        """Takes images to their codes and back.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].

        Returns:
            Float32 NumPy array like `images`.

        Raises:
            ValueError: If the images have another shape or range.
        """
        return self.decode(self.encode(images))

    def signatures(self):
        def generate(num_samples, seed):
            noise = sampling.seeded_noise(num_samples, self.latent_dim, seed)
            return decode(self._codes_like_training(noise))

        def encode(images):
            return {"codes": self._codes(images)}

        def decode(codes):
            return {"images": ops.sigmoid(self._logits(codes))}

        def reconstruct(images):
            return decode(encode(images)["codes"])

        images = tf.TensorSpec((None, *self.image_shape), "float32", "images")
        codes = tf.TensorSpec((None, self.latent_dim), "float32", "codes")
        return {
            "generate": (generate, [NUM_SAMPLES, SEED]),
            "encode": (encode, [images]),
            "decode": (decode, [codes]),
            "reconstruct": (reconstruct, [images]),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "networks": self.networks,
        }


@keras.saving.register_keras_serializable("keras_genai")
class DenoisingAutoencoder(Autoencoder):
    """Autoencoder that is shown corrupted images and gives clean ones back.

    The corruption is drawn afresh in every step, inside the model, so that no
    image is ever corrupted twice in the same way. Where `fit` is given pairs,
    `fit(corrupted, clean)`, those are learned as they are. What comes back is
    the expected clean image: where several are possible, their average.

    Args:
        image_shape: `(height, width, channels)`, as in `Autoencoder`.
        latent_dim: Integer >= 1, width of the codes. Defaults to `128`: what
            must come back is a whole image, not its gist.
        networks: `"convolutional"` (default) or `"dense"`.
        encoder: Network, as in `Autoencoder`, or `None`.
        decoder: Network, as in `Autoencoder`, or `None`.
        corruption: `"gaussian"` (default), `"mask"`, `"salt_and_pepper"` or
            `"dropout"`, as in `corrupt`.
        corruption_level: Float > 0: the noise's standard deviation, or
            a share in (0, 1]: of the sides that the mask covers, or of the
            pixels that are lost. Defaults to `0.3`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        images: Float tensor `(batch, height, width, channels)`, in [0, 1]:
            corrupted images.

    Raises:
        ValueError: If an argument is out of its range, or if the networks do
            not fit.

    Example:
        >>> model = DenoisingAutoencoder((8, 8, 1), corruption="mask", seed=0)
        >>> corrupted = model.corrupt(np.ones((3, 8, 8, 1), "float32"))
        >>> model.denoise(corrupted).shape
        (3, 8, 8, 1)

    Reference:
        Vincent et al., Extracting and composing robust features with
        denoising autoencoders, 2008.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=128,
        networks="convolutional",
        encoder=None,
        decoder=None,
        corruption="gaussian",
        corruption_level=0.3,
        seed=None,
        **kwargs,
    ):
        if corruption not in CORRUPTIONS:
            raise ValueError(
                f"Expected `corruption` among {', '.join(CORRUPTIONS)}. "
                f"Received: corruption={corruption!r}"
            )
        limit = np.inf if corruption == "gaussian" else 1.0
        if not 0 < corruption_level <= limit:
            raise ValueError(
                "`corruption_level` must be above 0 and, as a share, at most "
                f"1. Received: corruption_level={corruption_level}, "
                f"corruption={corruption!r}"
            )
        super().__init__(
            image_shape, latent_dim, networks, encoder, decoder, seed, **kwargs
        )
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.corrupted_psnr = PSNR(name="corrupted_psnr")

    @property
    def metrics(self):
        return [*super().metrics, self.corrupted_psnr]

    def check(self, data):
        images, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        if targets is None or len(targets.shape) < 3:  # labels
            return super().check(data)
        return packed(
            check_images(images, self.image_shape, 0, 1),
            check_images(targets, self.image_shape, 0, 1),
            check_weights(weights),
        )

    def unpack(self, data):
        images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        if targets is None:
            return self.corrupt(images), images
        return images, targets

    def corrupt(self, images, seed=None):
        """Corrupts images as in training; pixels stay in [0, 1].

        Args:
            images: Float tensor or array `(batch, height, width, channels)`,
                in [0, 1].
            seed: Integer, or `None` for the model's own generator.

        Returns:
            Float tensor like `images`.
        """
        # A corruption may draw twice, and must not draw the same.
        seed = (
            self.seed_generator
            if seed is None
            else keras.random.SeedGenerator(seed)
        )
        return CORRUPTIONS[self.corruption](
            ops.convert_to_tensor(images), self.corruption_level, seed
        )

    def _report(self, losses, images, inputs, reconstructions):
        self.corrupted_psnr.update_state(images, inputs)
        return super()._report(losses, images, inputs, reconstructions)

    def denoise(self, images):
        """Gives clean images for corrupted ones.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1],
                corrupted already.

        Returns:
            Float32 NumPy array like `images`.

        Raises:
            ValueError: If the images have another shape or range.
        """
        return self.reconstruct(images)

    def signatures(self):
        signatures = super().signatures()
        return {**signatures, "denoise": signatures["reconstruct"]}

    def get_config(self):
        return {
            **super().get_config(),
            "corruption": self.corruption,
            "corruption_level": self.corruption_level,
        }


# --- Corruptions: images in [0, 1], a level and a seed to images in [0, 1] ---


def add_gaussian_noise(images, stddev, seed):
    """Adds normal noise to each pixel."""
    noise = draw(
        keras.random.normal, ops.shape(images), stddev=stddev, seed=seed
    )
    return ops.clip(images + noise, 0.0, 1.0)


def mask_block(images, share, seed):
    """Blackens a block of each image, `share` of both sides, anywhere."""
    batch, height, width, _ = ops.shape(images)

    def hidden(side):
        length = max(1, round(share * side))
        start = draw(
            keras.random.randint, (batch, 1), 0, side - length + 1, seed=seed
        )
        place = ops.arange(side)[None]
        return (place >= start) & (place < start + length)

    block = hidden(height)[:, :, None] & hidden(width)[:, None, :]
    return ops.where(block[..., None], 0.0, images)


def add_salt_and_pepper(images, share, seed):
    """Makes a share of the pixels white or black, each equally likely."""
    batch, height, width, _ = ops.shape(images)
    u = draw(keras.random.uniform, (batch, height, width, 1), seed=seed)
    images = ops.where(u < share, 0.0, images)
    return ops.where(u < share / 2, 1.0, images)


def drop_pixels(images, share, seed):
    """Blackens a share of the pixels."""
    batch, height, width, _ = ops.shape(images)
    u = draw(keras.random.uniform, (batch, height, width, 1), seed=seed)
    return ops.where(u < share, 0.0, images)


CORRUPTIONS = {
    "gaussian": add_gaussian_noise,
    "mask": mask_block,
    "salt_and_pepper": add_salt_and_pepper,
    "dropout": drop_pixels,
}
