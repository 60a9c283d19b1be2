"""The normal distribution."""

import math

import keras
from keras import ops

from keras_genai.distributions.distribution import Distribution, float_tensor
from keras_genai.replicas import draw


class Normal(Distribution):
    """Normal distribution, diagonal: `N(mean, exp(log_var))`.

    Args:
        mean: Float tensor `(batch, ...)`.
        log_var: Float tensor that broadcasts against `mean`: the logarithm
            of the variance, so that a network may give any number.

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
        self.mean = float_tensor(mean)
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
        """Draws once, with gradients: `mean + stddev * noise`.

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
