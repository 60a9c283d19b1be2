"""GAN: the adversarial step for any two networks."""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_genai import keras_private, losses
from keras_genai.checks import check_at_least_one
from keras_genai.models.core.averaging import (
    copy_network,
    move_averages,
    warm_decay,
)
from keras_genai.models.core.batches import (
    check_image_batch,
    look_below_zero,
    packed,
)
from keras_genai.models.core.checks import check_image_shape
from keras_genai.models.core.endings import check_logits, probes
from keras_genai.models.gans.augmentation import (
    check_not_adaptive,
    get_augmentation,
)
from keras_genai.models.gans.mlp import mlp_discriminator, mlp_generator
from keras_genai.models.gans.noise_to_images import NoiseToImages
from keras_genai.models.gans.optimizer_pair import OptimizerPair, d_of_two
from keras_genai.models.gans.two_players import TwoPlayers
from keras_genai.replicas import batch_mean


@keras.saving.register_keras_serializable("keras_genai")
class GAN(TwoPlayers, NoiseToImages):
    """Generative adversarial network: a generator against a discriminator.

    The generator `G` turns noise into images; the discriminator `D` learns to
    tell them from real ones; each learns from the other. Both networks may be
    given; by default they are perceptrons (100-256-512-1024-pixels, and the
    reverse).

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
            generator's weights, which `generate` and `export` use. Defaults to
            `0.999`.
        discriminator_augmentation: Augmentation of every image before the
            discriminator sees it, so that few images are not learned by heart:
            `"fixed"`, `"adaptive"` (as strong as needed), a
            `DifferentiableAugmentation`, or `None` (default).
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

    recipe = {
        "kind": "gan",
        "quick": {"split": "train[:1000]", "batch_size": 32, "epochs": 30},
    }

    network_names = ("generator", "discriminator")
    learning_rate = 1e-3  # of both optimizers that `compile` makes
    _threshold = 0.0  # of the verdict; `compile` sets it for the loss

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=100,
        generator=None,
        discriminator=None,
        discriminator_steps=1,
        ema_decay=0.999,
        discriminator_augmentation=None,
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

        self.discriminator_augmentation = get_augmentation(
            discriminator_augmentation, seed
        )

        self.generator = generator or mlp_generator(
            self.image_shape, latent_dim, seed=seed
        )
        self.discriminator = discriminator or mlp_discriminator(
            self.image_shape, seed=seed
        )
        self._check_networks()
        noise, example = ops.zeros((2, latent_dim)), self.condition.example(2)
        self.averaged_generator = copy_network(
            self.generator, self.condition.beside(noise, example)
        )
        self.averaged_generator.trainable = False
        self.built = True
        self._trackers = {
            name: keras.metrics.Mean(name, dtype="float64")
            for name in _REPORTED
        }
        for name in ("d_real_accuracy", "d_fake_accuracy"):
            keras_private.say_direction(self._trackers[name], "up")

    @classmethod
    def make_optimizer(cls, learning_rate):
        return keras.optimizers.Adam(learning_rate, beta_1=0.5)

    def compile(
        self,
        optimizer=None,
        g_optimizer=None,
        d_optimizer=None,
        loss="non_saturating",
        label_smoothing=0.0,
        gradient_penalty=0.0,
        **kwargs,
    ):
        """Chooses the two optimizers and the loss.

        Args:
            optimizer: `None`. If two optimizers are given without names, this
                is the discriminator's; one for both is refused.
            g_optimizer: The generator's optimizer, or `None` for that of
                `make_optimizer` with the family's `learning_rate`.
            d_optimizer: The discriminator's optimizer, as `g_optimizer`.
            loss: `"non_saturating"` (default), `"minimax"`, `"least_squares"`,
                `"hinge"` or `"wasserstein"`, which needs a critic whose slope
                is bounded, by the penalty or by spectral normalisation.
                Accuracies use the verdict of the loss:
                `losses.decision_threshold`.
            label_smoothing: Float in [0, 0.5], subtracted from the target of
                real images only. Defaults to `0.0`.
            gradient_penalty: Float >= 0, weight of
                `losses.gradient_penalty` in the discriminator's loss, for a
                discriminator without BatchNorm. Defaults to `0.0`.
            **kwargs: `steps_per_execution`, `jit_compile` and the like, as in
                `GenerativeModel.compile`.

        Raises:
            ValueError: If the loss is unknown, the smoothing or the penalty is
                out of range, the discriminator has BatchNorm under a penalty,
                augmentation is to be adapted to a loss without verdicts, or
                one optimizer is given for both networks.
        """
        d_optimizer = d_of_two(optimizer, d_optimizer, g_optimizer)
        self._compile(**kwargs)
        if not 0 <= label_smoothing <= 0.5:
            raise ValueError(
                "`label_smoothing` must be in [0, 0.5]: targets stay "
                "probabilities, and real stays likelier than generated. "
                f"Received: label_smoothing={label_smoothing}"
            )
        if not 0 <= gradient_penalty < math.inf:
            raise ValueError(
                "`gradient_penalty` is a weight, 0 or more. "
                f"Received: gradient_penalty={gradient_penalty}"
            )
        if gradient_penalty:
            losses.check_critic(self.discriminator)
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.gradient_penalty = float(gradient_penalty)
        self._discriminator_loss, self._generator_loss = (
            losses.get_adversarial_loss(loss)
        )
        self._discriminator_loss(  # refuses a loss that cannot be smoothed
            ops.zeros((1, 1)), ops.zeros((1, 1)), label_smoothing
        )
        self._threshold = losses.decision_threshold(loss, label_smoothing)
        if self._threshold is None:
            check_not_adaptive(self.discriminator_augmentation, loss)
        rate = self.learning_rate
        self.d_optimizer, self.g_optimizer = (
            self.scaled(keras.optimizers.get(each or self.make_optimizer(rate)))
            for each in (d_optimizer, g_optimizer)
        )
        # Slots must exist before `load_model` can fill them.
        self.d_optimizer.build(self.discriminator.trainable_variables)
        self.g_optimizer.build(self.generator.trainable_variables)
        self.optimizer = OptimizerPair(self)

    @property
    def metrics(self):
        names = ["d_loss", "g_loss", "d_real_accuracy", "d_fake_accuracy"]
        if self._threshold is None:  # scores cannot be right or wrong
            names[2:] = ["wasserstein_distance"]
        if getattr(self, "gradient_penalty", 0.0):
            names.append("gradient_penalty")
        if self.discriminator_augmentation is not None:
            names.append("augmentation_probability")
        return [self._trackers[name] for name in names]

    def discriminate(self, images, labels=None, training=False):
        """The discriminator's logits `(batch, 1)` of images in [-1, 1].

        Args:
            images: Float tensor `(batch, height, width, channels)`.
            labels: For a conditional GAN only: integer tensor `(batch,)`.
            training: Boolean.

        Returns:
            Float32 tensor `(batch, 1)`, unbounded; above 0 is "real".
        """
        inputs = self.condition.beside(images, labels)
        logits = self.discriminator(inputs, training=training)
        return ops.cast(logits, "float32")

    def train_step(self, data):
        real_images, labels = self.unpack(data)
        batch_size = ops.shape(real_images)[0]

        with tf.GradientTape() as tape:
            # One forward pass of the generator serves both networks.
            noise = self.sample_noise(batch_size)
            generated_images = self._make_images(noise, labels)

            # First the step of the discriminator.
            with tape.stop_recording():
                self._update_discriminator(
                    real_images, generated_images, labels
                )
                for _ in range(self.discriminator_steps - 1):
                    noise = self.sample_noise(batch_size)
                    more_images = self._make_images(noise, labels)
                    self._update_discriminator(real_images, more_images, labels)

            # Then the step of the generator, against the updated
            # discriminator.
            g_losses = self.generator_losses(
                self._augment(generated_images), labels, training=True
            )
            g_loss = batch_mean(g_losses)

        self.minimize(g_loss, tape, self.generator, self.g_optimizer)
        self._update_average()
        self._trackers["g_loss"].update_state(g_losses)
        return self.results()

    def _update_discriminator(self, real_images, generated_images, labels=None):
        real_images = self._augment(real_images)
        generated_images = self._augment(generated_images)
        with tf.GradientTape() as tape:
            # Two passes: in one, BatchNorm would mix the statistics of both,
            # and the discriminator could use this to tell them apart.
            d_losses, real_logits, fake_logits = self.discriminator_losses(
                real_images, generated_images, labels, training=True
            )
            d_losses += self._penalties(
                real_images, generated_images, labels, training=True
            )
            d_loss = batch_mean(d_losses)

        self.minimize(d_loss, tape, self.discriminator, self.d_optimizer)
        self._report_discriminator(d_losses, real_logits, fake_logits)
        if self.discriminator_augmentation is not None:
            self.discriminator_augmentation.adapt(real_logits, self._threshold)

    def discriminator_losses(
        self, real_images, generated_images, labels=None, training=False
    ):
        """Scores the discriminator on real and generated images.

        Args:
            real_images: Float tensor `(batch, height, width, channels)`.
            generated_images: Float tensor like `real_images`.
            labels: Integer tensor `(batch,)`, or `None`.
            training: Boolean, mode of the discriminator.

        Returns:
            Tuple of float tensors: losses `(batch,)`, and the logits
            `(batch, 1)` of real and of generated images.
        """
        real_logits = self.discriminate(real_images, labels, training=training)
        fake_logits = self.discriminate(
            generated_images, labels, training=training
        )
        d_losses = self._discriminator_loss(
            real_logits, fake_logits, self.label_smoothing
        )
        return d_losses, real_logits, fake_logits

    def _penalties(self, real_images, generated_images, labels, training):
        """The penalty in the discriminator's losses, `(batch,)` or 0."""
        if not self.gradient_penalty:
            return 0.0
        penalties = losses.gradient_penalty(
            lambda images: self.discriminate(images, labels, training=training),
            real_images,
            generated_images,
            self.seed_generator,
        )
        self._trackers["gradient_penalty"].update_state(penalties)
        return self.gradient_penalty * penalties

    def generator_losses(self, generated_images, labels=None, training=False):
        """Scores the generator by the discriminator's logits, `(batch,)`."""
        fake_logits = self.discriminate(
            generated_images, labels, training=training
        )
        return self._generator_loss(fake_logits)

    def _augment(self, images):
        if self.discriminator_augmentation is None:
            return images
        return self.discriminator_augmentation(images)

    def _update_average(self):
        move_averages(
            self.averaged_generator.weights,
            self.generator.weights,
            warm_decay(self.ema_decay, self.g_optimizer.iterations),
        )

    def test_step(self, data):
        real_images, labels = self.unpack(data)
        noise = self.sample_noise(ops.shape(real_images)[0])
        generated_images = self._make_images(noise, labels, training=False)
        d_losses, real_logits, fake_logits = self.discriminator_losses(
            real_images, generated_images, labels, training=False
        )
        d_losses += self._penalties(
            real_images, generated_images, labels, training=False
        )
        self._report_discriminator(d_losses, real_logits, fake_logits)
        g_losses = self.generator_losses(
            generated_images, labels, training=False
        )
        self._trackers["g_loss"].update_state(g_losses)
        return self.results()

    def _report_discriminator(self, d_losses, real_logits, fake_logits):
        reports = {"d_loss": d_losses}
        if self._threshold is None:
            reports["wasserstein_distance"] = real_logits - fake_logits
        else:
            is_real = real_logits > self._threshold
            is_fake = fake_logits < self._threshold
            reports["d_real_accuracy"] = ops.cast(is_real, "float32")
            reports["d_fake_accuracy"] = ops.cast(is_fake, "float32")
        if self.discriminator_augmentation is not None:
            reports["augmentation_probability"] = (
                self.discriminator_augmentation.probability
            )
        for name, values in reports.items():
            self._trackers[name].update_state(values)

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "discriminator_steps": self.discriminator_steps,
            "ema_decay": self.ema_decay,
            "discriminator_augmentation": keras.saving.serialize_keras_object(
                self.discriminator_augmentation
            ),
        }

    def check(self, data):
        data = check_image_batch(data, self, -1, 1)
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is not None:
            raise ValueError(
                "Generated images have no sample weights, so real images "
                f"cannot have them: {type(self).__name__} takes no "
                "`sample_weight` and no `class_weight`. "
                "Received: weights beside images"
            )
        is_first = self.g_optimizer.iterations == 0
        return packed(look_below_zero(images, self, is_first), labels, None)

    def _check_networks(self):
        self._check_generator()
        labels, shape = self.condition.example(2), (2, *self.image_shape)
        logits = self.discriminate(ops.zeros(shape), labels)
        if tuple(logits.shape) != (2, 1):
            raise ValueError(
                "The discriminator must give one logit an image. "
                "Expected: (2, 1) from two images. "
                f"Received: {tuple(logits.shape)}"
            )
        check_logits(
            self.discriminator,
            lambda scale: self.discriminate(scale * probes(*shape), labels),
            "The discriminator",
        )


# Everything that a GAN may report; `metrics` chooses from it.
_REPORTED = (
    *("d_loss", "g_loss", "d_real_accuracy", "d_fake_accuracy"),
    *("wasserstein_distance", "gradient_penalty", "augmentation_probability"),
)
