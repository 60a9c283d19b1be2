"""The base of all distributions: sums over the axes of an example."""

import keras
from keras import ops


class Distribution:
    """The base of all distributions.

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
        """`KL(self || other)`: nats lost by using `other` instead of this one.

        Args:
            other: Distribution of the same class, whose tensors broadcast
                against this one's.

        Returns:
            Float tensor `(batch,)`, nats an example, at least 0.
        """
        return _sum_per_example(self.kl_per_dimension(other))


def float_tensor(x):
    """Casts to Keras's float type; a tensor keeps its own type."""
    dtype = None if ops.is_tensor(x) else keras.config.floatx()
    return ops.convert_to_tensor(x, dtype)


def _sum_per_example(values):
    # (batch, ...) -> (batch,)
    return ops.sum(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)
