"""Noise, labels, and walks in latent space."""

import statistics

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_choice


def seeded_noise(num_samples, latent_dim, seed):
    """Draws standard normal noise that depends only on the seed.

    The draw is stateless: the same seed gives the same noise in a notebook,
    under `tf.function` and inside an exported SavedModel.

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


def seeded_labels(num_samples, num_classes, seed):
    """Draws labels, all equally likely, that depend only on the seed.

    Args:
        num_samples: Integer, or integer scalar tensor.
        num_classes: Integer >= 1.
        seed: Integer, or integer scalar tensor, which may be the
            seed of `seeded_noise` too.

    Returns:
        Int32 tensor `(num_samples,)` in [0, num_classes).

    Example:
        >>> seeded_labels(4, 10, seed=0).shape
        TensorShape([4])
    """
    return tf.random.stateless_uniform(
        (num_samples,), (seed, 1), 0, num_classes, "int32"
    )


# --- Walks in latent space ---------------------------------------------------


def interpolate(start, end, num_steps, method="spherical"):
    """Walks from one code to another.

    In many dimensions the codes of N(0, 1) lie near a sphere, and a straight
    line cuts through its empty inside. The spherical walk turns evenly from one
    direction to the other, while its length goes evenly from one to the other.

    Args:
        start: Float array `(latent_dim,)`.
        end: Float array `(latent_dim,)`.
        num_steps: Integer >= 2, number of codes, with both ends.
        method: `"spherical"` (default) or `"linear"`.

    Returns:
        Float32 array `(num_steps, latent_dim)`.

    Raises:
        ValueError: If there are fewer than two steps, or no such method.

    Example:
        >>> interpolate(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3).round(2)
        array([[1.  , 0.  ],
               [0.71, 0.71],
               [0.  , 1.  ]], dtype=float32)

    Reference:
        White, Sampling generative networks, 2016, section 2.1.
    """
    check_choice("method", method, ("spherical", "linear"))
    if num_steps < 2:
        raise ValueError(
            "`num_steps` must be 2 or more: the start and the end. "
            f"Received: num_steps={num_steps}"
        )
    start, end = (np.asarray(code, "float64") for code in (start, end))
    share = np.linspace(0.0, 1.0, num_steps)[:, None]
    straight = (1.0 - share) * start + share * end
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if method == "linear" or not min(lengths) > 0:
        return straight.astype("float32")
    first, last = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(first @ last, -1.0, 1.0))
    if np.sin(angle) < 1e-6:  # the same direction, or opposite ones
        return straight.astype("float32")
    # The unit vector at the angle `share * angle`, times `sin(angle)`.
    turning = (
        np.sin((1.0 - share) * angle) * first + np.sin(share * angle) * last
    )
    length = (1.0 - share) * lengths[0] + share * lengths[1]
    return (length * turning / np.sin(angle)).astype("float32")


def latent_grid(num_columns, coverage=0.98):
    """Codes on a grid in the plane, as dense as N(0, 1).

    Args:
        num_columns: Integer >= 2, codes along each of the two axes.
        coverage: Float in (0, 1), probability between the first column and
            the last. Defaults to `0.98`.

    Returns:
        Float32 array `(num_columns ** 2, 2)`, row by row. The second latent
        falls from row to row, as in a diagram.

    Example:
        >>> latent_grid(2, coverage=0.5).round(2)
        array([[-0.67,  0.67],
               [ 0.67,  0.67],
               [-0.67, -0.67],
               [ 0.67, -0.67]], dtype=float32)

    Reference:
        Kingma and Welling, 2014, figure 4.
    """
    tail = (1.0 - coverage) / 2
    quantiles = [
        statistics.NormalDist().inv_cdf(share)
        for share in np.linspace(tail, 1.0 - tail, num_columns)
    ]
    first, second = np.meshgrid(quantiles, quantiles[::-1])
    return np.stack([first, second], axis=-1).reshape(-1, 2).astype("float32")
