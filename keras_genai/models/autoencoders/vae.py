"""VAE: a bound on the likelihood of images, through a code for each."""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_genai import layers, sampling
from keras_genai.checks import check_at_least_one
from keras_genai.distributions import Normal
from keras_genai.metrics import ActiveUnits
from keras_genai.models.autoencoders.image_coder import ImageCoder
from keras_genai.models.autoencoders.latent_walks import LatentWalks
from keras_genai.models.autoencoders.likelihoods import (
    LIKELIHOODS,
    check_encoder,
    check_likelihood,
    pixel_distribution,
)
from keras_genai.models.core.checks import (
    check_image_shape,
    check_network,
    check_num_samples,
)
from keras_genai.models.core.endings import check_logits, probes
from keras_genai.replicas import batch_mean, total


@keras.saving.register_keras_serializable("keras_genai")
class VAE(LatentWalks, ImageCoder):
    """Variational autoencoder: a decoder of codes, an encoder to train it.

    The decoder says how likely an image is for a code, `p(x | z)`, and codes
    come from the prior `p(z) = N(0, 1)`. The encoder guesses the code of an
    image, `q(z | x) = N(z_mean, exp(z_log_var))`. Together they bound the
    likelihood that training raises, in nats an image:

        log p(x) >= E_q[log p(x | z)] - KL(q(z | x) || p(z)) = ELBO
        loss = reconstruction_loss + beta * kl_loss

    With `beta=1` the loss is the negative ELBO. Images are in [0, 1].

    Args:
        image_shape: `(height, width, channels)`; for convolutions both sides
            a multiple of 4. Defaults to `(28, 28, 1)`.
        latent_dim: Integer >= 1, width of the codes. Defaults to `32`.
        networks: `"convolutional"` (default) or `"dense"`, for the networks
            that are not given.
        encoder: Network from images to `(batch, 2 * latent_dim)`, means then
            log-variances, or `None`.
        decoder: Network from `(batch, latent_dim)` to `(batch, height, width,
            channels * n)`, or `None`. `n` is 1; for `"discretized_logistic"`
            2, means then log-scales.
        likelihood: `"bernoulli"` (default), for pixels that are 0 or 1 (for
            grey pixels the loss is a cross-entropy and not a bound);
            `"gaussian"`, a density; or `"discretized_logistic"`, for 8-bit
            pixels.
        pixel_stddev: Float > 0, for the Gaussian likelihood, or `None` to
            learn it, one for all pixels.
        beta: Float >= 0, weight of the KL term. Defaults to `1.0`.
        kl_warmup_steps: Integer >= 0. The weight of the KL term grows from 0
            to `beta` over these steps. This changes the gradients, but not the
            loss in the log. Defaults to `0`.
        free_bits: Float >= 0. Nats a latent, on average over the batch: a KL
            term below this number has no gradient. The log does not show this
            either. Defaults to `0.0`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: `name` and the like, for `keras.Model`.

    Call arguments:
        images: Float tensor `(batch, height, width, channels)`, in [0, 1].

    Raises:
        ValueError: If an argument is out of its range, or if the networks do
            not fit.

    Example:
        >>> import numpy as np
        >>> model = VAE(image_shape=(8, 8, 1), latent_dim=2, seed=0)
        >>> z_mean, z_log_var = model.encode(np.zeros((3, 8, 8, 1)))
        >>> z_mean.shape, model.decode(z_mean).shape
        ((3, 2), (3, 8, 8, 1))

    Reference:
        Kingma and Welling, Auto-encoding variational Bayes, 2014; Higgins et
        al., beta-VAE, 2017; Kingma et al., 2016, appendix C.8 (free bits).
    """

    recipe = {
        "kind": "annealed",
        "default": {"binarize": "dynamic", "learning_rate": 3e-3},
        "quick": {"split": "train[:1000]", "batch_size": 32, "epochs": 20},
    }

    code_name = "z"
    _pixel_log_var = None  # of the Gaussian likelihood
    objective = (
        "the negative ELBO, which `likelihood` and `beta` of the model choose"
    )
    prediction = "reconstructions"

    def __init__(
        self,
        image_shape=(28, 28, 1),
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
        super().__init__(seed=seed, **kwargs)
        check_image_shape(image_shape)
        check_at_least_one(latent_dim=latent_dim)
        check_likelihood(likelihood, pixel_stddev)
        for name, value in {
            "beta": beta,
            "kl_warmup_steps": kl_warmup_steps,
            "free_bits": free_bits,
        }.items():
            if not value >= 0:
                raise ValueError(
                    f"`{name}` must be 0 or more. Received: {name}={value}"
                )
        self.image_shape = tuple(image_shape)
        self.latent_dim = latent_dim
        self.networks = networks
        self.likelihood = likelihood
        self.pixel_stddev = pixel_stddev
        self.beta = beta
        self.kl_warmup_steps = kl_warmup_steps
        self.free_bits = free_bits

        # The networks of a conditional model take the label as a second input.
        encoder_shape, code_dim = self._input_shapes()
        *sides, channels = self.image_shape
        pixel_shape = (*sides, channels * LIKELIHOODS[likelihood])
        make_encoder, make_decoder = layers.get_networks(networks)
        self.encoder = encoder or make_encoder(
            encoder_shape, 2 * latent_dim, seed=seed
        )
        self.decoder = decoder or make_decoder(code_dim, pixel_shape, seed=seed)
        check_encoder(self.encoder, encoder_shape, latent_dim)
        check_network(self.decoder, (code_dim,), pixel_shape)
        if likelihood == "bernoulli":
            check_logits(
                self.decoder,
                lambda scale: self.decoder(scale * probes(2, code_dim)),
                "The decoder",
            )
        if pixel_stddev is not None:
            self._pixel_log_var = 2.0 * math.log(pixel_stddev)
        elif likelihood == "gaussian":
            self._pixel_log_var = self.add_weight(
                shape=(), initializer="zeros", name="pixel_log_var"
            )
        self.built = True

        self.loss_tracker = keras.metrics.Mean("loss", dtype="float64")
        self.reconstruction_loss_tracker = keras.metrics.Mean(
            "reconstruction_loss", dtype="float64"
        )
        self.kl_loss_tracker = keras.metrics.Mean("kl_loss", dtype="float64")
        self.active_units = ActiveUnits(latent_dim)

    def _input_shapes(self):
        return self.image_shape, self.latent_dim

    @property
    def metrics(self):
        return [
            self.loss_tracker,
            self.reconstruction_loss_tracker,
            self.kl_loss_tracker,
            self.active_units,
            *self._users_metrics,
        ]

    def call(self, inputs, training=False):
        """The mean image of the most likely code of each image."""
        images, labels = self.condition.split(inputs)
        z = self.posterior(images, labels, training=training).mean
        return self.pixels(z, labels, training=training).mean

    # The three distributions of the model.

    @property
    def prior(self):
        """p(z), a `Normal` that broadcasts."""
        return Normal(0.0, 0.0)

    def posterior(self, images, labels=None, training=False):
        """q(z | x), a `Normal` of shape `(batch, latent_dim)`."""
        self.condition.expect(labels)
        outputs = self.encoder(images, training=training)
        if isinstance(outputs, (list, tuple)):  # a third one, a draw, is unused
            return Normal(*(ops.cast(part, "float32") for part in outputs[:2]))
        return Normal(*ops.split(ops.cast(outputs, "float32"), 2, axis=-1))

    def pixels(self, z, labels=None, training=False):
        """p(x | z), of shape `(batch, height, width, channels)`."""
        self.condition.expect(labels)
        outputs = ops.cast(self.decoder(z, training=training), "float32")
        return pixel_distribution(self.likelihood, outputs, self._pixel_log_var)

    def loss_terms(self, images, labels=None, training=False):
        """The two terms of the loss, before anything is averaged.

        Args:
            images: Float tensor `(batch, height, width, channels)`, in
                [0, 1].
            labels: For a conditional model only: integer tensor `(batch,)`.
            training: Boolean.

        Returns:
            Triple: reconstruction losses `(batch,)`, nats an example; KL
            `(batch, latent_dim)`, nats a latent; `z_mean`.
        """
        # The encoder guesses the code of each image: q(z | x).
        posterior = self.posterior(images, labels, training=training)
        # A draw z = z_mean + exp(z_log_var / 2) * noise lets gradients through.
        z = posterior.sample(self.seed_generator)  # (batch, latent_dim)
        # The decoder says how likely the image is for that code: p(x | z).
        pixels = self.pixels(z, labels, training=training)
        reconstruction_losses = -pixels.log_prob(images)  # (batch,)
        # KL(q(z | x) || p(z)), in closed form.
        kl = posterior.kl_per_dimension(self.prior)  # (batch, latent_dim)
        return reconstruction_losses, kl, posterior.mean

    def train_step(self, data):
        images, labels = self.unpack(data)
        with tf.GradientTape() as tape:
            reconstruction_losses, kl, z_mean = self.loss_terms(
                images, labels, training=True
            )
            reconstruction_losses = self.weighed(reconstruction_losses, data)
            kl = self.weighed(kl, data)
            objective = batch_mean(reconstruction_losses) + self._kl_term(kl)

        self.minimize(objective, tape)
        self._compare(data, z_mean)
        return self._report(reconstruction_losses, kl, z_mean)

    def test_step(self, data):
        images, labels = self.unpack(data)
        reconstruction_losses, kl, z_mean = self.loss_terms(images, labels)
        self._compare(data, z_mean)
        return self._report(
            self.weighed(reconstruction_losses, data),
            self.weighed(kl, data),
            z_mean,
        )

    def _compare(self, data, z_mean):
        if self._users_metrics:
            images, labels = self.unpack(data)
            self.compare(images, self.pixels(z_mean, labels).mean, data)

    def _kl_term(self, kl):
        per_latent = batch_mean(kl)
        if self.free_bits:
            pushes = total(per_latent) > self.free_bits
            per_latent = ops.where(pushes, per_latent, self.free_bits)
        weight = self.beta
        if self.kl_warmup_steps:
            step = ops.cast(self.optimizer.iterations, "float32")
            weight *= ops.minimum(1.0, step / self.kl_warmup_steps)
        return weight * ops.sum(per_latent)

    def _report(self, reconstruction_losses, kl, z_mean):
        kl_losses = ops.sum(kl, axis=1)
        self.loss_tracker.update_state(
            reconstruction_losses + self.beta * kl_losses
        )
        self.reconstruction_loss_tracker.update_state(reconstruction_losses)
        self.kl_loss_tracker.update_state(kl_losses)
        self.active_units.update_state(z_mean)
        return self.results()

    def log_weights(self, images, labels=None, num_samples=1, seed=None):
        """Log-weights of codes drawn from the posterior, which bounds average.

        `log p(x | z) + log p(z) - log q(z | x)`. Their mean estimates the
        ELBO; the logarithm of the mean of their exponentials is closer to `log
        p(x)`, and gets closer with more samples.

        Args:
            images: Float tensor `(batch, height, width, channels)`, in
                [0, 1].
            labels: For a conditional model only: integer tensor `(batch,)`.
            num_samples: Integer, or scalar tensor: codes an image.
            seed: Integer or `keras.random.SeedGenerator`, or `None` for the
                model's own generator.

        Returns:
            Float tensor `(num_samples, batch)`, nats.
        """
        posterior = self.posterior(images, labels)

        def repeat(x):  # (batch, ...) -> (num_samples * batch, ...)
            if x is None:
                return None
            rows = ops.broadcast_to(x[None], (num_samples, *ops.shape(x)))
            return ops.reshape(rows, (-1, *x.shape[1:]))

        posterior = Normal(repeat(posterior.mean), repeat(posterior.log_var))
        z = posterior.sample(self.seed_generator if seed is None else seed)
        pixels = self.pixels(z, repeat(labels))
        log_weights = (
            pixels.log_prob(repeat(images))
            + self.prior.log_prob(z)
            - posterior.log_prob(z)
        )
        return ops.reshape(log_weights, (num_samples, -1))

    def generate(self, num_samples=None, seed=None, z=None, labels=None):
        """Generates images: decodes draws from the prior.

        Args:
            num_samples: Integer >= 0. May be left out if `z` or `labels` is
                given.
            seed: Integer: the same seed gives the same images; more samples
                leave the first ones unchanged. `None` draws one from the
                model's own generator.
            z: Float array `(num_samples, latent_dim)` to decode instead, or
                `None`.
            labels: For a conditional model only: integer array
                `(num_samples,)`; one integer, for all of them; or `None` to
                draw labels evenly.

        Returns:
            Float32 NumPy array `(num_samples, height, width, channels)`, in
            [0, 1]: the mean of each pixel.

        Raises:
            ValueError: If `num_samples` is negative or missing, if `z` has
                another shape, or if labels are out of range or not needed.

        Example:
            >>> model = VAE(image_shape=(4, 4, 1), latent_dim=2, seed=0)
            >>> first, second = (model.generate(3, seed=7) for _ in range(2))
            >>> bool((first == second).all())
            True
        """
        if z is None:
            num_samples = self.condition.count(num_samples, labels)
            check_num_samples(num_samples)
            seed = self._seed(seed)
            z = sampling.seeded_noise(num_samples, self.latent_dim, seed)
        elif num_samples not in (None, len(z)):
            raise ValueError(
                "`z` replaces `num_samples`: give only one. "
                f"Received: {len(z)} codes, num_samples={num_samples}"
            )
        labels = self.condition.given(labels, len(z), lambda: self._seed(seed))
        return self.decode(z, labels)

    def encode(self, images, labels=None):
        """Gives the codes of images, the mean and variance of each.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            labels: Integer array `(batch,)`, for a conditional model only.

        Returns:
            Pair of float32 NumPy arrays `(batch, latent_dim)`: `z_mean` and
            `z_log_var`.

        Raises:
            ValueError: If the images have another shape or range.
        """
        codes = self._encode(images, labels)
        return codes["z_mean"], codes["z_log_var"]

    def decode(self, z, labels=None):
        """Gives the images of codes.

        Args:
            z: Float array `(batch, latent_dim)`.
            labels: Integer array `(batch,)`, for a conditional model only.

        Returns:
            Float32 NumPy array `(batch, height, width, channels)`, in [0, 1]:
            the mean of each pixel.

        Raises:
            ValueError: If `z` has another shape.
        """
        return self._decode(z, labels)

    def codes_of(self, images, labels=None):
        posterior = self.posterior(images, labels)
        return {"z_mean": posterior.mean, "z_log_var": posterior.log_var}

    def images_of(self, codes, labels=None):
        return self.pixels(codes, labels).mean

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "networks": self.networks,
            "likelihood": self.likelihood,
            "pixel_stddev": self.pixel_stddev,
            "beta": self.beta,
            "kl_warmup_steps": self.kl_warmup_steps,
            "free_bits": self.free_bits,
        }
