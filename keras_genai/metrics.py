"""Metrics (`keras.metrics.Metric`), which add up over batches.

They add up in 64 bits: in 32 bits a sum over 1e8 tokens loses the last ones.
"""

import math

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("keras_genai")
class PSNR(keras.metrics.Mean):
    """Peak signal-to-noise ratio in decibels, averaged over images.

    `-10 log10(mean squared error)` of each image, 100 dB at most, so that one
    image without any error does not make the average infinite.

    Args:
        name: String. Defaults to `"psnr"`.
        dtype: The type of the sums. Defaults to `"float64"`.

    Example:
        >>> metric = PSNR()
        >>> images = ops.ones((2, 8, 8, 1))
        >>> metric.update_state(images, images - 0.1)
        >>> round(float(metric.result()), 3)
        20.0
    """

    _direction = "up"  # for callbacks that monitor it

    def __init__(self, name="psnr", dtype="float64"):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, images, reconstructions):
        """Adds a batch.

        Args:
            images: Float tensor `(batch, height, width, channels)`, in
                [0, 1].
            reconstructions: Float tensor like `images`.
        """
        ratios = tf.image.psnr(images, reconstructions, max_val=1.0)
        return super().update_state(ops.minimum(ratios, 100.0))


@keras.saving.register_keras_serializable("keras_genai")
class SSIM(keras.metrics.Mean):
    """Structural similarity, averaged over images: 1 for equal images.

    TensorFlow's `ssim`, over windows of 11 pixels, or of the image's shorter
    side if that is less.

    Args:
        name: String. Defaults to `"ssim"`.
        dtype: The type of the sums. Defaults to `"float64"`.

    Example:
        >>> metric = SSIM()
        >>> images = keras.random.uniform((2, 12, 12, 1), seed=0)
        >>> metric.update_state(images, images)
        >>> float(metric.result())
        1.0

    Reference:
        Wang et al., Image quality assessment, 2004.
    """

    _direction = "up"  # for callbacks that monitor it

    def __init__(self, name="ssim", dtype="float64"):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, images, reconstructions):
        """Adds a batch.

        Args:
            images: Float tensor `(batch, height, width, channels)`, in
                [0, 1].
            reconstructions: Float tensor like `images`.
        """
        window = min(11, *images.shape[1:3])
        return super().update_state(
            tf.image.ssim(images, reconstructions, 1.0, filter_size=window)
        )


@keras.saving.register_keras_serializable("keras_genai")
class ActiveUnits(keras.metrics.Metric):
    """Number of latents whose posterior mean varies over the data.

    A latent is active if the variance of `z_mean` over the images is above
    0.01. An inactive latent contains nothing about its image: it has collapsed
    to the prior.

    Args:
        latent_dim: Integer >= 1.
        name: String. Defaults to `"active_units"`.
        dtype: The type of the sums. Defaults to `"float64"`.

    Example:
        >>> metric = ActiveUnits(latent_dim=2)
        >>> metric.update_state(ops.array([[0.0, 1.0], [0.0, -1.0]]))
        >>> float(metric.result())
        1.0

    Reference:
        Burda et al., Importance weighted autoencoders, 2016, section 5.2.
    """

    threshold = 0.01

    _direction = "up"  # for callbacks that monitor it

    def __init__(self, latent_dim, name="active_units", dtype="float64"):
        super().__init__(name=name, dtype=dtype)
        self.latent_dim = latent_dim

        def zeros(name, shape):
            return self.add_weight(shape, "zeros", self.dtype, name)

        self.count = zeros("count", ())
        self.total = zeros("total", (latent_dim,))
        self.total_squared = zeros("total_squared", (latent_dim,))

    def update_state(self, z_mean):
        """Adds a batch.

        Args:
            z_mean: Float tensor `(batch, latent_dim)`.
        """
        z_mean = ops.cast(z_mean, self.dtype)
        self.count.assign_add(ops.cast(ops.shape(z_mean)[0], self.dtype))
        self.total.assign_add(ops.sum(z_mean, axis=0))
        self.total_squared.assign_add(ops.sum(ops.square(z_mean), axis=0))

    def result(self):
        count = ops.maximum(self.count, 1.0)
        # Sums, which replicas can add up. The difference cancels: in 32 bits
        # it would lose all digits if means are far from 0.
        variance = self.total_squared / count - ops.square(self.total / count)
        return ops.sum(ops.cast(variance > self.threshold, self.dtype))

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim}


@keras.saving.register_keras_serializable("keras_genai")
class Perplexity(keras.metrics.Metric):
    """Exponential of the mean loss a token: the number of equal choices.

    Args:
        name: String. Defaults to `"perplexity"`.
        dtype: The type of the sums. Defaults to `"float64"`.

    Example:
        >>> metric = Perplexity()
        >>> metric.update_state(ops.log([2.0, 8.0]), ops.ones(2))
        >>> round(float(metric.result()), 4)
        4.0
    """

    def __init__(self, name="perplexity", dtype="float64"):
        super().__init__(name=name, dtype=dtype)
        self.loss = keras.metrics.Mean(dtype=self.dtype)

    def update_state(self, losses, weights):
        """Adds a batch.

        Args:
            losses: Float tensor of any shape, nats a token.
            weights: Float tensor like `losses`, 0 for ignored tokens.
        """
        # One value for each token, or Keras would average the rows of a batch
        # first.
        self.loss.update_state(
            ops.reshape(losses, (-1,)),
            sample_weight=ops.reshape(weights, (-1,)),
        )

    def result(self):
        return ops.exp(self.loss.result())

    def reset_state(self):
        self.loss.reset_state()


class _CostPerUnit(keras.metrics.Metric):
    """The losses of all tokens, divided by the units in these tokens."""

    def __init__(self, units_per_token, name, dtype):
        super().__init__(name=name, dtype=dtype)
        self.units_per_token = list(map(float, units_per_token))
        for part in ("nats", "units"):
            weight = self.add_weight((), "zeros", self.dtype, part)
            setattr(self, part, weight)

    def update_state(self, losses, targets):
        """Adds a batch.

        Args:
            losses: Float tensor of any shape, nats, 0 for ignored tokens.
            targets: Integer tensor like `losses`; -1 is ignored.
        """
        units = ops.take(
            ops.array(self.units_per_token, self.dtype),
            ops.maximum(targets, 0),
        )
        units = ops.where(targets >= 0, units, 0.0)
        self.nats.assign_add(ops.sum(ops.cast(losses, self.dtype)))
        self.units.assign_add(ops.sum(units))

    def result(self):
        return self.nats / ops.maximum(self.units, 1.0)


@keras.saving.register_keras_serializable("keras_genai")
class BitsPerCharacter(_CostPerUnit):
    """Mean bits for each character, on one scale for all tokenizers.

    The losses of all tokens, in bits, divided by the number of characters. It
    compares models of characters with those of bytes or byte pairs, which
    perplexity does not.

    Args:
        characters_per_token: Floats `(vocabulary_size,)`.
        name: String. Defaults to `"bits_per_character"`.
        dtype: The type of the sums. Defaults to `"float64"`.

    Example:
        >>> metric = BitsPerCharacter([1.0, 3.0])  # id 1 is three characters
        >>> metric.update_state(ops.log([[2.0, 8.0]]), ops.array([[0, 1]]))
        >>> round(float(metric.result()), 4)
        1.0
    """

    def __init__(
        self, characters_per_token, name="bits_per_character", dtype="float64"
    ):
        super().__init__(characters_per_token, name, dtype)

    def result(self):
        return super().result() / math.log(2.0)

    def get_config(self):
        return {
            **super().get_config(),
            "characters_per_token": self.units_per_token,
        }


@keras.saving.register_keras_serializable("keras_genai")
class NatsPerStep(_CostPerUnit):
    """Mean nats for each sixteenth step of music, all voices together.

    It compares models whose tokens stand for different stretches of time.

    Args:
        steps_per_token: Floats `(vocabulary_size,)`.
        name: String. Defaults to `"nats_per_step"`.
        dtype: The type of the sums. Defaults to `"float64"`.

    Example:
        >>> metric = NatsPerStep([0.0, 2.0])  # id 0 is a note, id 1 its time
        >>> metric.update_state(ops.array([[3.0, 1.0]]), ops.array([[0, 1]]))
        >>> float(metric.result())
        2.0
    """

    def __init__(self, steps_per_token, name="nats_per_step", dtype="float64"):
        super().__init__(steps_per_token, name, dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "steps_per_token": self.units_per_token,
        }
