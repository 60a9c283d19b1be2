"""From noise or logits to samples."""

import tensorflow as tf


def seeded_noise(num_samples, latent_dim, seed):
    """Draws standard normal noise that depends on the seed alone.

    The draw is stateless, so that the same seed gives the same noise in a
    notebook, under `tf.function` and inside an exported SavedModel.

    Args:
        num_samples: Integer, or integer scalar tensor.
        latent_dim: Integer, width of the noise.
        seed: Integer, or integer scalar tensor.

    Returns:
        Float tensor `(num_samples, latent_dim)`, unbounded.

    Example:
        >>> seeded_noise(2, 3, seed=0).shape
        TensorShape([2, 3])
    """
    return tf.random.stateless_normal((num_samples, latent_dim), (seed, 0))
