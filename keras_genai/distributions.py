"""Distributions: log-probabilities, draws and divergences, in nats.

Each is made of the tensors that a network gives, examples along the first
axis. The axes after it are independent of each other: `log_prob` and
`kl_divergence` add them up, one value an example; `log_prob_per_dimension`
and `kl_per_dimension` do not.
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_genai.replicas import draw


class Distribution:
    """What all of them share: sums over the axes of an example.

    A subclass gives `mean`, `log_prob_per_dimension`, `kl_per_dimension` and
    `sample`.
    """

    def log_prob(self, x):
        """Log-probability of each example.

        Args:
            x: Tensor of the distribution's shape, examples first.

        Returns:
            Float tensor `(batch,)`, nats an example: a density for continuous
            values, a probability for discrete ones.
        """
        return _sum_per_example(self.log_prob_per_dimension(x))

    def kl_divergence(self, other):
        """`KL(self || other)`: nats lost by taking `other` for this one.

        Args:
            other: Distribution of the same class, whose tensors broadcast
                against this one's.

        Returns:
            Float tensor `(batch,)`, nats an example, at least 0.
        """
        return _sum_per_example(self.kl_per_dimension(other))


class Normal(Distribution):
    """Normal distribution, diagonal: `N(mean, exp(log_var))`.

    Args:
        mean: Float tensor `(batch, ...)`.
        log_var: Float tensor that broadcasts against `mean`: the logarithm
            of the variance, so that any number a network gives is allowed.

    Example:
        >>> standard = Normal(ops.zeros((2, 3)), 0.0)
        >>> standard.log_prob(ops.zeros((2, 3))).numpy().round(4)
        array([-2.7568, -2.7568], dtype=float32)
        >>> standard.kl_divergence(standard).numpy()
        array([0., 0.], dtype=float32)

    Reference:
        Kingma and Welling, 2014, appendix B, for the divergence from N(0, 1).
    """

    def __init__(self, mean, log_var):
        self.mean = _float_tensor(mean)
        self.log_var = ops.convert_to_tensor(log_var, self.mean.dtype)

    def log_prob_per_dimension(self, x):
        # -(x - m)^2 / (2 v) - log(2 pi v) / 2
        squared = ops.square(x - self.mean) * ops.exp(-self.log_var)
        return -0.5 * (squared + self.log_var + math.log(2 * math.pi))

    def kl_per_dimension(self, other):
        # [v / w + (m - n)^2 / w - 1 - log(v / w)] / 2
        log_ratio = self.log_var - other.log_var
        squared = ops.square(self.mean - other.mean)
        return 0.5 * (
            ops.exp(log_ratio)
            + squared * ops.exp(-other.log_var)
            - 1.0
            - log_ratio
        )

    def sample(self, seed):
        """Draws once, differentiably: `mean + stddev * noise`.

        Args:
            seed: Integer, or `keras.random.SeedGenerator`.

        Returns:
            Float tensor of the shape of `mean`.
        """
        noise = draw(
            keras.random.normal,
            ops.shape(self.mean),
            dtype=self.mean.dtype,
            seed=seed,
        )
        return self.mean + ops.exp(0.5 * self.log_var) * noise


class Bernoulli(Distribution):
    """A coin a dimension, thrown with probability `sigmoid(logits)`.

    `log_prob` also takes shares in [0, 1], grey pixels for instance, for
    which it is the negative cross-entropy and not the logarithm of
    a probability.

    Args:
        logits: Float tensor `(batch, ...)`.

    Example:
        >>> coins = Bernoulli(ops.zeros((1, 3)))
        >>> coins.log_prob(ops.array([[0.0, 1.0, 1.0]])).numpy().round(4)
        array([-2.0794], dtype=float32)
    """

    def __init__(self, logits):
        self.logits = _float_tensor(logits)

    @property
    def mean(self):
        return ops.sigmoid(self.logits)

    def log_prob_per_dimension(self, x):
        # x log s(l) + (1 - x) log(1 - s(l)) = x l - softplus(l)
        return x * self.logits - ops.softplus(self.logits)

    def kl_per_dimension(self, other):
        return self.log_prob_per_dimension(
            self.mean
        ) - other.log_prob_per_dimension(self.mean)

    def sample(self, seed):
        """Draws once.

        Args:
            seed: Integer, or `keras.random.SeedGenerator`.

        Returns:
            Float tensor of the shape of `logits`, of zeros and ones.
        """
        threshold = keras.random.uniform(
            ops.shape(self.logits), dtype=self.logits.dtype, seed=seed
        )
        return ops.cast(threshold < self.mean, self.logits.dtype)


class Categorical(Distribution):
    """One of several classes, with probabilities `softmax(logits)`.

    Args:
        logits: Float tensor `(batch, ..., num_classes)`; `-inf` for what never
            comes up.

    Example:
        >>> die = Categorical(ops.zeros((1, 6)))
        >>> die.log_prob(ops.array([3])).numpy().round(4)
        array([-1.7918], dtype=float32)
    """

    def __init__(self, logits):
        self.logits = _float_tensor(logits)

    @property
    def mean(self):
        """Float tensor of the shape of `logits`: the probabilities."""
        return ops.softmax(self.logits)

    def log_prob_per_dimension(self, x):
        one_hot = ops.one_hot(x, self.logits.shape[-1], dtype=self.logits.dtype)
        return _weighed_sum(one_hot, ops.log_softmax(self.logits))

    def kl_per_dimension(self, other):
        log_ratio = ops.log_softmax(self.logits) - ops.log_softmax(other.logits)
        return _weighed_sum(self.mean, log_ratio)

    def sample(self, seed):
        """Draws once.

        Args:
            seed: Integer, or `keras.random.SeedGenerator`.

        Returns:
            Integer tensor of the shape of `logits` without its last axis.
        """
        *shape, num_classes = ops.shape(self.logits)
        rows = ops.reshape(self.logits, (-1, num_classes))
        return ops.reshape(keras.random.categorical(rows, 1, seed=seed), shape)


class Binomial(Distribution):
    """Heads in `total_count` throws of a coin of `sigmoid(logits)`.

    Args:
        total_count: Integer >= 0, or tensor that broadcasts.
        logits: Float tensor `(batch, ...)`.

    Example:
        >>> throws = Binomial(2, ops.zeros((1, 1)))
        >>> ops.exp(throws.log_prob(ops.array([[1.0]]))).numpy()
        array([0.5], dtype=float32)
    """

    def __init__(self, total_count, logits):
        self.coin = Bernoulli(logits)
        self.logits = self.coin.logits
        self.total_count = ops.cast(total_count, self.logits.dtype)

    @property
    def mean(self):
        return self.total_count * self.coin.mean

    def log_prob_per_dimension(self, x):
        count = self.total_count
        log_ways = (
            _log_factorial(count)
            - _log_factorial(x)
            - _log_factorial(count - x)
        )
        return log_ways + x * self.logits - count * ops.softplus(self.logits)

    def kl_per_dimension(self, other):
        """As of the coins, `total_count` times: the counts must agree."""
        return self.total_count * self.coin.kl_per_dimension(other.coin)

    def sample(self, seed):
        """Draws once.

        Args:
            seed: Integer, or `keras.random.SeedGenerator`.

        Returns:
            Float tensor of the shape of `logits`, of whole numbers.
        """
        return keras.random.binomial(
            ops.shape(self.logits),
            self.total_count,
            self.coin.mean,
            dtype=self.logits.dtype,
            seed=seed,
        )


class Multinomial(Distribution):
    """How often each class comes up in `total_count` draws.

    Args:
        total_count: Integer >= 0.
        logits: Float tensor `(batch, ..., num_classes)`; `-inf` for what never
            comes up.

    Example:
        >>> dice = Multinomial(2, ops.zeros((1, 2)))
        >>> ops.exp(dice.log_prob(ops.array([[1.0, 1.0]]))).numpy()
        array([0.5], dtype=float32)
    """

    def __init__(self, total_count, logits):
        self.total_count = total_count
        self.one_draw = Categorical(logits)
        self.logits = self.one_draw.logits

    @property
    def mean(self):
        return self.total_count * self.one_draw.mean

    def log_prob_per_dimension(self, x):
        total = ops.cast(self.total_count, self.logits.dtype)
        log_ways = _log_factorial(total) - ops.sum(_log_factorial(x), axis=-1)
        return log_ways + _weighed_sum(x, ops.log_softmax(self.logits))

    def kl_per_dimension(self, other):
        """As of one draw, `total_count` times: the counts must agree."""
        return self.total_count * self.one_draw.kl_per_dimension(other.one_draw)

    def sample(self, seed):
        """Draws once.

        Args:
            seed: Integer, or `keras.random.SeedGenerator`.

        Returns:
            Float tensor of the shape of `logits`, of whole numbers that sum
            to `total_count` along the last axis.
        """
        num_classes = self.logits.shape[-1]
        rows = ops.reshape(self.logits, (-1, num_classes))
        draws = keras.random.categorical(rows, self.total_count, seed=seed)
        one_hot = ops.one_hot(draws, num_classes, dtype=self.logits.dtype)
        return ops.reshape(ops.sum(one_hot, axis=1), ops.shape(self.logits))


class DiscretizedLogistic(Distribution):
    """Probabilities of 8-bit pixels: a logistic density, cut into 256 bins.

    A pixel is `level / 255` and its bin reaches half a level to each side;
    the first and the last bin take the tails, so that the 256 probabilities
    sum to 1. Values between the levels count as the nearest one.

    Args:
        mean: Float tensor `(batch, ...)`, in the units of pixels, [0, 1].
        log_scale: Float tensor that broadcasts against `mean`: the logarithm
            of the logistic's scale, cut to [-9, 9]. At -9 a thirtieth of a
            level, so that nothing sharper says more of pixels.

    Example:
        >>> pixel = DiscretizedLogistic(ops.array([[0.5]]), -2.0)
        >>> levels = ops.reshape(ops.arange(256.0) / 255.0, (256, 1))
        >>> round(float(ops.sum(ops.exp(pixel.log_prob(levels)))), 4)
        1.0

    Reference:
        Salimans et al., PixelCNN++, 2017, section 2.1.
    """

    def __init__(self, mean, log_scale):
        self.location = _float_tensor(mean)
        # A network of constant pixels would sharpen them without end, until
        # exponentials overflow.
        log_scale = ops.convert_to_tensor(log_scale, self.location.dtype)
        self.log_scale = ops.clip(log_scale, -9.0, 9.0)

    @property
    def mean(self):
        """The location, where pixels are: clipped to [0, 1]."""
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
        # s(u) - s(l) = s(u) (1 - s(l)) (1 - exp(l - u)), never a difference.
        inner = below + above + ops.log(-ops.expm1(-width))
        return ops.where(
            level <= 0, below, ops.where(level >= 255, above, inner)
        )

    def kl_per_dimension(self, other):
        """By enumeration of the levels, 256 times the memory of `mean`."""
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
    """Probabilities of 8-bit pixels: several logistics, one chosen by chance.

    Pixels are often one of a few values, black or white or like the one to
    the left, and one logistic has one mode.

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
        """Of the locations, where pixels are: clipped to [0, 1]."""
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
        if isinstance(seed, int):  # two draws, which are not to be one
            seed = keras.random.SeedGenerator(seed)
        chosen = Categorical(self.logits).sample(seed)
        one_hot = ops.one_hot(chosen, self.logits.shape[-1])
        one_hot = ops.cast(one_hot, self.location.dtype)
        return ops.sum(one_hot * super().sample(seed), axis=-1)


def _float_tensor(x):
    # Keras's float type for numbers and arrays; a tensor keeps its own.
    dtype = None if ops.is_tensor(x) else keras.config.floatx()
    return ops.convert_to_tensor(x, dtype)


def _log_factorial(x):
    return tf.math.lgamma(ops.convert_to_tensor(x) + 1.0)


def _weighed_sum(weights, logarithms):
    """Over the last axis; 0 times minus infinity is 0."""
    there = ops.where(weights > 0, logarithms, 0.0)
    return ops.sum(weights * there, axis=-1)


def _sum_per_example(values):
    return ops.sum(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)
