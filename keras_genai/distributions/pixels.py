"""Distributions of 8-bit pixels."""

import keras
from keras import ops

from keras_genai.distributions.discrete import Categorical
from keras_genai.distributions.distribution import Distribution, float_tensor


class DiscretizedLogistic(Distribution):
    """Probabilities of 8-bit pixels: a logistic density, cut into 256 bins.

    A pixel is `level / 255`, and its bin reaches half a level to each side. The
    first and the last bin have the tails, so that the 256 probabilities sum to
    1. A value between two levels counts as the nearest level.

    Args:
        mean: Float tensor `(batch, ...)`, in the units of pixels, [0, 1].
        log_scale: Float tensor that broadcasts against `mean`: the logarithm
            of the logistic's scale, clipped to [-9, 9]. At -9 the scale is a
            thirtieth of a level; a sharper one would give the same pixels.

    Example:
        >>> pixel = DiscretizedLogistic(ops.array([[0.5]]), -2.0)
        >>> levels = ops.reshape(ops.arange(256.0) / 255.0, (256, 1))
        >>> round(float(ops.sum(ops.exp(pixel.log_prob(levels)))), 4)
        1.0

    Reference:
        Salimans et al., PixelCNN++, 2017, section 2.1.
    """

    def __init__(self, mean, log_scale):
        self.location = float_tensor(mean)
        # For pixels that never change, a network would make the scale ever
        # smaller, until the exponential overflows.
        log_scale = ops.convert_to_tensor(log_scale, self.location.dtype)
        self.log_scale = ops.clip(log_scale, -9.0, 9.0)

    @property
    def mean(self):
        """The location, clipped to [0, 1]."""
        return ops.clip(self.location, 0.0, 1.0)

    def log_prob_per_dimension(self, x):
        level = ops.round(255.0 * x)
        inverse_scale = ops.exp(-self.log_scale)
        width = inverse_scale / 255.0
        upper = (level + 0.5) / 255.0 - self.location
        upper = upper * inverse_scale
        lower = upper - width
        # log s(u) and log(1 - s(l)), the probabilities of the two tails.
        below, above = -ops.softplus(-upper), -ops.softplus(lower)
        # s(u) - s(l) = s(u) (1 - s(l)) (1 - exp(l - u)): no digits cancel.
        inner = below + above + ops.log(-ops.expm1(-width))
        return ops.where(
            level <= 0, below, ops.where(level >= 255, above, inner)
        )

    def kl_per_dimension(self, other):
        """Sums over the 256 levels, in 256 times the memory of `mean`."""
        shape = (256,) + (1,) * len(self.mean.shape)
        levels = ops.reshape(ops.arange(256, dtype="float32") / 255.0, shape)
        log_prob = self.log_prob_per_dimension(levels)
        log_ratio = log_prob - other.log_prob_per_dimension(levels)
        return ops.sum(ops.exp(log_prob) * log_ratio, axis=0)

    def sample(self, seed):
        """Draws once.

        Args:
            seed: Integer, or `keras.random.SeedGenerator`.

        Returns:
            Float tensor of the shape of `mean`, of levels in [0, 1].
        """
        share = keras.random.uniform(
            ops.shape(self.location),
            minval=1e-6,
            maxval=1.0 - 1e-6,
            dtype=self.location.dtype,
            seed=seed,
        )
        logistic = ops.log(share) - ops.log1p(-share)
        x = self.location + ops.exp(self.log_scale) * logistic
        return ops.round(255.0 * ops.clip(x, 0.0, 1.0)) / 255.0


class DiscretizedLogisticMixture(DiscretizedLogistic):
    """Probabilities of 8-bit pixels: several logistics, one chosen at random.

    A pixel is often one of a few values: black, white, or like the pixel to the
    left. One logistic has only one mode.

    Args:
        logits: Float tensor `(batch, ..., num_mixtures)`: how likely each
            logistic is, before the softmax.
        mean: Float tensor like `logits`, in the units of pixels, [0, 1].
        log_scale: Float tensor that broadcasts against `mean`.

    Example:
        >>> black_or_white = DiscretizedLogisticMixture(
        ...     ops.array([[0.0, 0.0]]), ops.array([[0.0, 1.0]]), -9.0
        ... )
        >>> ops.exp(black_or_white.log_prob(ops.array([1.0]))).numpy().round(2)
        array([0.5], dtype=float32)

    Reference:
        Salimans et al., PixelCNN++, 2017, section 2.1.
    """

    def __init__(self, logits, mean, log_scale):
        super().__init__(mean, log_scale)
        self.logits = ops.convert_to_tensor(logits, self.location.dtype)

    @property
    def mean(self):
        """The mean of the locations, each clipped to [0, 1]."""
        each = ops.clip(self.location, 0.0, 1.0)
        return ops.sum(ops.softmax(self.logits) * each, axis=-1)

    def log_prob_per_dimension(self, x):
        each = super().log_prob_per_dimension(ops.expand_dims(x, -1))
        return ops.logsumexp(ops.log_softmax(self.logits) + each, axis=-1)

    def sample(self, seed):
        """Draws once.

        Args:
            seed: Integer, or `keras.random.SeedGenerator`.

        Returns:
            Float tensor of the shape of `mean`, of levels in [0, 1].
        """
        if isinstance(seed, int):  # two draws, which must differ
            seed = keras.random.SeedGenerator(seed)
        chosen = Categorical(self.logits).sample(seed)
        one_hot = ops.one_hot(chosen, self.logits.shape[-1])
        one_hot = ops.cast(one_hot, self.location.dtype)
        return ops.sum(one_hot * super().sample(seed), axis=-1)
