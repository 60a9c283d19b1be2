"""The distributions of a pixel that a VAE's decoder can give."""

import numpy as np
from keras import ops

from keras_genai.checks import check_choice
from keras_genai.distributions import Bernoulli, DiscretizedLogistic, Normal

# How many numbers of the decoder make the distribution of a pixel.
LIKELIHOODS = {"bernoulli": 1, "gaussian": 1, "discretized_logistic": 2}


def pixel_distribution(likelihood, outputs, log_var):
    """p(x | z) from the outputs of a decoder.

    Args:
        likelihood: String, one of `LIKELIHOODS`.
        outputs: Float32 tensor `(batch, height, width, channels * n)`.
        log_var: Float, log-variance of the Gaussian likelihood, or `None`.

    Returns:
        `keras_genai.distributions.Distribution` of `(batch, height, width,
        channels)`.
    """
    if likelihood == "bernoulli":
        return Bernoulli(outputs)
    if likelihood == "gaussian":
        return Normal(outputs, log_var)
    # Locations start in the middle, scales near 1/16.
    location, log_scale = ops.split(outputs, 2, axis=-1)
    return DiscretizedLogistic(location + 0.5, log_scale - 2.75)


def check_encoder(encoder, input_shape, latent_dim):
    """Refuses an encoder whose outputs are not means and log-variances."""
    made = encoder(np.zeros((2, *input_shape), "float32"))
    expected = (2, 2 * latent_dim)
    if isinstance(made, (list, tuple)):
        fits = len(made) in (2, 3) and all(
            tuple(part.shape) == (2, latent_dim) for part in made
        )
        received = [tuple(part.shape) for part in made]
    else:
        fits = tuple(made.shape) == expected
        received = tuple(made.shape)
    if not fits:
        raise ValueError(
            f"The encoder must make (2, *({2 * latent_dim},)) of "
            f"(2, *{tuple(input_shape)}): means, then log-variances; or both "
            f"apart, [z_mean, z_log_var], each (2, {latent_dim}). "
            f"Received: {received}"
        )


def check_likelihood(likelihood, pixel_stddev):
    check_choice("likelihood", likelihood, LIKELIHOODS)
    if pixel_stddev is None:
        return
    if likelihood != "gaussian" or not pixel_stddev > 0:
        raise ValueError(
            "`pixel_stddev` is the standard deviation, above 0, of the "
            f"Gaussian likelihood. Received: pixel_stddev={pixel_stddev}, "
            f"likelihood={likelihood!r}"
        )
