"""Nearest training points of samples, and whether samples are copies of them.

Squared distances that differ by less than a billionth of themselves are equal,
and of training points that are equally near the first is the nearest.
"""

import typing

import numpy as np

from keras_genai.evaluation.checks import checked_features
from keras_genai.evaluation.pairs import TIE, over_blocks


class Neighbours(typing.NamedTuple):
    """The nearest training points of each point.

    Attributes:
        indices: int64 array `(count,)`, of the nearest.
        first: float64 array `(count,)`, distances to the nearest.
        second: float64 array `(count,)`, distances to the second nearest.
    """

    indices: np.ndarray
    first: np.ndarray
    second: np.ndarray


def nearest_neighbours(features, training_features):
    """Finds the two nearest training points of each point.

    Args:
        features: Float array `(count, feature_dim)`.
        training_features: Float array `(training_count, feature_dim)`.

    Returns:
        `Neighbours`: indices of the nearest (the first, if several are equally
        near), and the Euclidean distances to the nearest and to the second
        nearest.

    Raises:
        ValueError: If there are fewer than two training points, or if the
            sets do not fit each other.

    Example:
        >>> training = np.array([[0.0, 0.0], [3.0, 4.0]])
        >>> nearest_neighbours(np.array([[0.0, 0.0]]), training).second
        array([5.])
    """
    features, training = checked_features(features, training_features)
    if len(training) < 2:
        raise ValueError(
            "Expected two or more training points. "
            f"Received: training_features of {len(training)}"
        )

    def nearest(_, squared):
        places = np.arange(len(squared))
        least = squared.min(axis=1, keepdims=True)
        indices = (squared <= least * (1 + TIE)).argmax(axis=1)
        first = squared[places, indices]
        squared[places, indices] = np.inf
        return indices, first, squared.min(axis=1)

    blocks = over_blocks(nearest, features, training)
    indices, first, second = (
        np.concatenate(parts) for parts in zip(*blocks, strict=True)
    )
    return Neighbours(indices, np.sqrt(first), np.sqrt(second))


def is_memorised(neighbours, ratio=1 / 3):
    """Tells which points are copies, by the ratio test.

    A point counts as a copy of its nearest training point if the distance is
    less than `ratio` times the distance to the second nearest, by more than
    rounding. It also counts if the distance is 0, because a training set can
    have an image twice.

    Args:
        neighbours: `Neighbours` of the points.
        ratio: Float in (0, 1). Defaults to `1 / 3`.

    Returns:
        Boolean array `(count,)`.
    """
    first, second = neighbours.first, neighbours.second
    return (first * (1 + TIE) < ratio * second) | (first == 0)


def memorised_share(features, training_features, ratio=1 / 3):
    """The share of points that are copies of training points.

    The test is `is_memorised`. It does not find a copy whose original has a
    near-duplicate in the training set.

    Args:
        features: Float array `(count, feature_dim)`.
        training_features: Float array `(training_count, feature_dim)`.
        ratio: Float in (0, 1). Defaults to `1 / 3`.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: As for `nearest_neighbours`.

    Example:
        >>> training = np.random.default_rng(0).normal(size=(50, 4))
        >>> memorised_share(training[:7], training)
        1.0

    Reference:
        Yoon et al., Diffusion probabilistic models generalize when they fail
        to memorize, 2023 (with distances between pixels).
    """
    neighbours = nearest_neighbours(features, training_features)
    return float(is_memorised(neighbours, ratio).mean())


def neighbour_distance_ratio(features, held_out_features, training_features):
    """How near samples lie to training points, compared with unseen ones.

    The median distance of samples to their nearest training point, divided by
    that of held-out points. Below 1, samples lie nearer to training points than
    unseen real images.

    Args:
        features: Float array `(count, feature_dim)`, of samples.
        held_out_features: Float array `(held_out_count, feature_dim)`.
        training_features: Float array `(training_count, feature_dim)`.

    Returns:
        Float >= 0; `inf` if the held-out points are training points.

    Raises:
        ValueError: As for `nearest_neighbours`.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(60, 4))
        >>> neighbour_distance_ratio(points[:9], points[30:], points[:30])
        0.0
    """
    first, unseen = (
        np.median(nearest_neighbours(points, training_features).first)
        for points in (features, held_out_features)
    )
    return float(first / unseen) if unseen > 0 else float("inf")
