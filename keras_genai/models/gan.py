"""GAN: the adversarial step for any two networks, and the plain MLP pair."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from keras_genai import losses
from keras_genai.layers import glorot, layer_seeds
from keras_genai.models.base import NUM_SAMPLES, SEED, GenerativeModel
from keras_genai.models.checks import (
    check_at_least_one,
    check_image_shape,
    check_images,
    check_num_samples,
)
from keras_genai.sampling import seeded_noise


@keras.saving.register_keras_serializable("keras_genai")
class GAN(GenerativeModel):
    """Generative adversarial network: a generator against a discriminator.

    The generator `G` turns noise into images; the discriminator `D` learns to
    tell them from real ones; each learns from the other. Both networks may be
    handed in; without them they are perceptrons (100-256-512-1024-pixels and
    its mirror).

    Args:
        image_shape: `(height, width, channels)` of the images.
        latent_dim: Integer >= 1, width of the noise. Defaults to `100`.
        generator: Network from noise `(batch, latent_dim)` to images
            `(batch, height, width, channels)` in [-1, 1], or `None`.
        discriminator: Network from images to one logit `(batch, 1)`, or
            `None`. It must not end in a sigmoid: the losses take logits.
        discriminator_steps: Integer >= 1, updates of the discriminator, each
            against fresh noise, before one of the generator. Defaults to `1`.
        ema_decay: Float in [0, 1), decay of the moving average of the
            generator's weights, which is what `generate` and `export` use.
            Defaults to `0.999`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        noise: Float tensor `(batch, latent_dim)`, standard normal.

    Raises:
        ValueError: If an argument is out of its range, or if the networks do
            not fit each other.

    Example:
        >>> model = GAN(image_shape=(8, 8, 1), latent_dim=4, seed=0)
        >>> model.generate(2, seed=0).shape
        (2, 8, 8, 1)

    Reference:
        Goodfellow et al., Generative adversarial nets, 2014.
    """

    network_names = ("generator", "discriminator")
    learning_rate = 1e-3  # of both, unless `compile` is given others

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=100,
        generator=None,
        discriminator=None,
        discriminator_steps=1,
        ema_decay=0.999,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        check_image_shape(image_shape)
        check_at_least_one(
            latent_dim=latent_dim, discriminator_steps=discriminator_steps
        )
        if not 0 <= ema_decay < 1:
            raise ValueError(
                "`ema_decay` must be in [0, 1); 0 follows the generator "
                f"without averaging. Received: ema_decay={ema_decay}"
            )
        self.image_shape = tuple(image_shape)
        self.latent_dim = latent_dim
        self.discriminator_steps = discriminator_steps
        self.ema_decay = ema_decay

        self.generator = generator or mlp_generator(
            self.image_shape, latent_dim, seed=seed
        )
        self.discriminator = discriminator or mlp_discriminator(
            self.image_shape, seed=seed
        )
        self._check_networks()
        self.averaged_generator = _copy(self.generator, latent_dim)
        self.averaged_generator.trainable = False
        self.built = True

        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.g_loss_tracker = keras.metrics.Mean(name="g_loss")
        self.d_real_accuracy_tracker = keras.metrics.Mean(
            name="d_real_accuracy"
        )
        self.d_fake_accuracy_tracker = keras.metrics.Mean(
            name="d_fake_accuracy"
        )

    def compile(
        self,
        d_optimizer=None,
        g_optimizer=None,
        loss="non_saturating",
        label_smoothing=0.0,
        **kwargs,
    ):
        """Chooses the two optimizers and the game.

        Args:
            d_optimizer: The discriminator's optimizer, or `None` for Adam
                with the family's `learning_rate` and `beta_1=0.5`.
            g_optimizer: The generator's optimizer, as `d_optimizer`.
            loss: `"non_saturating"` (default), `"minimax"`,
                `"least_squares"` or `"hinge"`.
            label_smoothing: Float in [0, 0.5], taken off the target of real
                images alone. Defaults to `0.0`.
            **kwargs: `steps_per_execution`, `jit_compile` and the like, as in
                `GenerativeModel.compile`.

        Raises:
            ValueError: If the loss is unknown, the smoothing is out of range,
                or one optimizer is given for both networks.
        """
        super().compile(optimizer=None, **kwargs)
        if not 0 <= label_smoothing <= 0.5:
            raise ValueError(
                "`label_smoothing` must be in [0, 0.5]: targets stay "
                "probabilities, and real stays likelier than generated. "
                f"Received: label_smoothing={label_smoothing}"
            )
        if d_optimizer is not None and d_optimizer is g_optimizer:
            raise ValueError(
                "The two networks play against each other and need an "
                "optimizer each. Received: the same object as d_optimizer "
                "and g_optimizer"
            )
        self.loss = loss
        self.label_smoothing = label_smoothing
        self._discriminator_loss, self._generator_loss = (
            losses.get_adversarial_loss(loss)
        )
        self._discriminator_loss(  # refuses what the game cannot smooth
            ops.zeros((1, 1)), ops.zeros((1, 1)), label_smoothing
        )
        self.d_optimizer = self._optimizer(d_optimizer)
        self.g_optimizer = self._optimizer(g_optimizer)
        # Slots must exist before `load_model` can fill them.
        self.d_optimizer.build(self.discriminator.trainable_variables)
        self.g_optimizer.build(self.generator.trainable_variables)

    @property
    def metrics(self):
        return [
            self.d_loss_tracker,
            self.g_loss_tracker,
            self.d_real_accuracy_tracker,
            self.d_fake_accuracy_tracker,
        ]

    def call(self, noise, training=False):
        if len(noise.shape) != 2 or noise.shape[1] != self.latent_dim:
            raise ValueError(
                f"Expected noise (batch, {self.latent_dim}). "
                f"Received: noise of shape {tuple(noise.shape)}"
            )
        return self.generator(noise, training=training)

    def sample_noise(self, batch_size):
        """Draws the noise of a training step.

        Args:
            batch_size: Integer, or integer scalar tensor.

        Returns:
            Float tensor `(batch_size, latent_dim)`, standard normal.
        """
        return keras.random.normal(
            (batch_size, self.latent_dim), seed=self.seed_generator
        )

    def train_step(self, data):
        real_images = self._real_images(data)
        batch_size = ops.shape(real_images)[0]

        with tf.GradientTape() as tape:
            # One forward pass of the generator serves both players.
            noise = self.sample_noise(batch_size)
            generated_images = self.generator(noise, training=True)

            # The discriminator moves first ...
            with tape.stop_recording():
                self._update_discriminator(real_images, generated_images)
                for _ in range(self.discriminator_steps - 1):
                    noise = self.sample_noise(batch_size)
                    more_images = self.generator(noise, training=True)
                    self._update_discriminator(real_images, more_images)

            # ... and the generator answers the discriminator as it is now.
            fake_logits = self.discriminator(generated_images, training=True)
            g_losses = self._generator_loss(fake_logits)
            g_loss = ops.mean(g_losses)

        variables = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(g_loss, variables), variables)
        self._update_average()
        self.g_loss_tracker.update_state(g_losses)
        return {metric.name: metric.result() for metric in self.metrics}

    def _update_discriminator(self, real_images, generated_images):
        with tf.GradientTape() as tape:
            # Two passes: in one, BatchNorm would let the discriminator tell
            # the two apart by what each does to the other's statistics.
            real_logits = self.discriminator(real_images, training=True)
            fake_logits = self.discriminator(generated_images, training=True)
            d_losses = self._discriminator_loss(
                real_logits, fake_logits, self.label_smoothing
            )
            d_loss = ops.mean(d_losses)

        variables = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(d_loss, variables), variables)
        self._report_discriminator(d_losses, real_logits, fake_logits)

    def _update_average(self):
        # The first steps move fast and should be forgotten fast: the decay
        # grows as (1 + t) / (10 + t) until it reaches `ema_decay`.
        step = ops.cast(self.g_optimizer.iterations, "float32")
        decay = ops.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        for average, value in zip(
            self.averaged_generator.weights,
            self.generator.weights,
            strict=True,
        ):
            average.assign(value + decay * (average - value))

    def test_step(self, data):
        real_images = self._real_images(data)
        noise = self.sample_noise(ops.shape(real_images)[0])
        generated_images = self.generator(noise, training=False)
        real_logits = self.discriminator(real_images, training=False)
        fake_logits = self.discriminator(generated_images, training=False)
        d_losses = self._discriminator_loss(
            real_logits, fake_logits, self.label_smoothing
        )
        self._report_discriminator(d_losses, real_logits, fake_logits)
        self.g_loss_tracker.update_state(self._generator_loss(fake_logits))
        return {metric.name: metric.result() for metric in self.metrics}

    def _report_discriminator(self, d_losses, real_logits, fake_logits):
        self.d_loss_tracker.update_state(d_losses)
        self.d_real_accuracy_tracker.update_state(
            ops.cast(real_logits > 0, "float32")
        )
        self.d_fake_accuracy_tracker.update_state(
            ops.cast(fake_logits < 0, "float32")
        )

    def generate(self, num_samples=None, seed=None, noise=None, averaged=True):
        """Generates images.

        Args:
            num_samples: Integer >= 0. May be left out where `noise` is given.
            seed: Integer: the same seed gives the same images. `None` draws
                one from the model's own generator.
            noise: Float array `(num_samples, latent_dim)` to use instead of a
                draw, or `None`.
            averaged: Boolean. Whether the averaged generator is used, or the
                one that is being trained. Defaults to `True`.

        Returns:
            Float32 NumPy array `(num_samples, height, width, channels)`, in
            [0, 1].

        Raises:
            ValueError: If `num_samples` is negative or missing, or if `noise`
                has another shape or a seed beside it.

        Example:
            >>> model = GAN(image_shape=(4, 4, 1), latent_dim=2, seed=0)
            >>> first, second = (model.generate(3, seed=7) for _ in range(2))
            >>> bool((first == second).all())
            True
        """
        noise = self._noise(num_samples, seed, noise)
        decode = "decode" if averaged else "decode_unaveraged"
        return self._run(decode, noise)["images"]

    def signatures(self):
        def generate(num_samples, seed):
            return decode(seeded_noise(num_samples, self.latent_dim, seed))

        decode, specs = self._decoder(self.averaged_generator)
        return {
            "generate": (generate, [NUM_SAMPLES, SEED]),
            "decode": (decode, specs),
        }

    def _functions(self):
        unaveraged = self._decoder(self.generator)
        return {**self.signatures(), "decode_unaveraged": unaveraged}

    def _decoder(self, generator):
        def decode(noise):
            images = generator(noise, training=False)
            return {"images": to_unit_range(images)}

        return decode, [
            tf.TensorSpec((None, self.latent_dim), "float32", "noise")
        ]

    def _optimizer(self, given):
        if given is None:
            return keras.optimizers.Adam(self.learning_rate, beta_1=0.5)
        return keras.optimizers.get(given)

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "discriminator_steps": self.discriminator_steps,
            "ema_decay": self.ema_decay,
        }

    def get_compile_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "d_optimizer": serialize(self.d_optimizer),
            "g_optimizer": serialize(self.g_optimizer),
            "loss": self.loss,
            "label_smoothing": self.label_smoothing,
            **self._given,
        }

    def _real_images(self, data):
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return check_images(images, self.image_shape, -1, 1)

    def _noise(self, num_samples, seed, noise):
        if noise is not None:
            noise = np.asarray(noise, "float32")
            if noise.ndim != 2 or noise.shape[1] != self.latent_dim:
                raise ValueError(
                    f"Expected noise (num_samples, {self.latent_dim}). "
                    f"Received: noise of shape {noise.shape}"
                )
            if seed is not None or num_samples not in (None, len(noise)):
                raise ValueError(
                    "`noise` takes the place of `num_samples` and `seed`. "
                    f"Received: noise of shape {noise.shape}, "
                    f"num_samples={num_samples}, seed={seed}"
                )
            return noise
        check_num_samples(num_samples)
        return seeded_noise(
            num_samples, self.latent_dim, self._seed(seed)
        ).numpy()

    def _check_networks(self):
        noise = ops.zeros((2, self.latent_dim))
        images = self.generator(noise)
        if tuple(images.shape) != (2, *self.image_shape):
            raise ValueError(
                "The generator must make images of the data's shape. "
                f"Expected: (2, *{self.image_shape}) from two noise vectors. "
                f"Received: {tuple(images.shape)}"
            )
        logits = self.discriminator(images)
        if tuple(logits.shape) != (2, 1):
            raise ValueError(
                "The discriminator must give one logit an image. "
                "Expected: (2, 1) from two images. "
                f"Received: {tuple(logits.shape)}"
            )
        last = getattr(self.discriminator, "layers", [None])[-1]
        if getattr(last, "activation", None) is keras.activations.sigmoid:
            raise ValueError(
                "The discriminator must end in logits; the losses apply the "
                f"sigmoid. Received: a last layer {last.name!r} with "
                "activation='sigmoid'"
            )


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
    network = keras.Sequential(name="generator")
    network.add(layers.Input((latent_dim,)))
    for units in (256, 512, 1024):
        network.add(layers.Dense(units, kernel_initializer=glorot(seeds)))
        network.add(layers.LeakyReLU(0.2))
        network.add(layers.BatchNormalization(momentum=0.8))
    network.add(
        layers.Dense(
            math.prod(image_shape),
            activation="tanh",
            kernel_initializer=glorot(seeds),
        )
    )
    network.add(layers.Reshape(image_shape))
    return network


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
    network = keras.Sequential(name="discriminator")
    network.add(layers.Input(image_shape))
    network.add(layers.Flatten())
    for units in (1024, 512, 256):
        network.add(layers.Dense(units, kernel_initializer=glorot(seeds)))
        network.add(layers.LeakyReLU(0.2))
        network.add(layers.Dropout(0.3, seed=next(seeds)))
    network.add(layers.Dense(1, kernel_initializer=glorot(seeds)))
    return network


def to_unit_range(images):
    """Takes images from [-1, 1], where networks work, to [0, 1].

    Args:
        images: Float tensor or array of any shape.

    Returns:
        Float tensor of that shape, clipped to [0, 1].
    """
    return ops.clip((images + 1.0) / 2.0, 0.0, 1.0)


def _copy(network, latent_dim):
    copy = keras.models.clone_model(network)
    copy(ops.zeros((1, latent_dim)))
    # A clone has weights of its own; the average starts from the network's.
    copy.set_weights(network.get_weights())
    return copy
