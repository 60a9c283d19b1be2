"""Distributions of coins, classes and counts."""

import keras
import tensorflow as tf
from keras import ops

from keras_genai.distributions.distribution import Distribution, float_tensor


class Bernoulli(Distribution):
    """A coin for each dimension, 1 with probability `sigmoid(logits)`.

    `log_prob` also takes values in [0, 1], such as grey pixels. For these it is
    the negative cross-entropy and not the logarithm of a probability.

    Args:
        logits: Float tensor `(batch, ...)`.

    Example:
        >>> coins = Bernoulli(ops.zeros((1, 3)))
        >>> coins.log_prob(ops.array([[0.0, 1.0, 1.0]])).numpy().round(4)
        array([-2.0794], dtype=float32)
    """

    def __init__(self, logits):
        self.logits = float_tensor(logits)

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
        logits: Float tensor `(batch, ..., num_classes)`; `-inf` for a class
            that never comes.

    Example:
        >>> die = Categorical(ops.zeros((1, 6)))
        >>> die.log_prob(ops.array([3])).numpy().round(4)
        array([-1.7918], dtype=float32)
    """

    def __init__(self, logits):
        self.logits = float_tensor(logits)

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
        """`total_count` times that of one coin: the counts must be equal."""
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
    """How often each class comes in `total_count` draws.

    Args:
        total_count: Integer >= 0.
        logits: Float tensor `(batch, ..., num_classes)`; `-inf` for a class
            that never comes.

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
        """`total_count` times that of one draw: the counts must be equal."""
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


def _log_factorial(x):
    return tf.math.lgamma(ops.convert_to_tensor(x) + 1.0)


def _weighed_sum(weights, logarithms):
    """Sums over the last axis; 0 times minus infinity is 0."""
    finite = ops.where(weights > 0, logarithms, 0.0)
    return ops.sum(weights * finite, axis=-1)
