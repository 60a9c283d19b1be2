"""Nearest neighbours of features: who lies among whom."""

import numpy as np

from keras_genai.evaluation.checks import checked_features


def precision_and_recall(real_features, generated_features, k=3):
    """Fidelity and diversity, each as a share in [0, 1].

    Around each point of a set lies a ball that reaches its `k`-th nearest
    neighbour in the set; the balls together are the set's manifold. Precision
    is the share of generated points on the real manifold, recall the share of
    real points on the generated one. Both depend on the counts.

    Args:
        real_features: Float array `(count, feature_dim)`.
        generated_features: Float array `(count, feature_dim)`.
        k: Integer >= 1. Defaults to `3`.

    Returns:
        Pair of floats in [0, 1]: precision and recall.

    Raises:
        ValueError: If `k` is not below both counts, or if the sets do not fit
            each other.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(50, 2))
        >>> precision_and_recall(points, points)
        (1.0, 1.0)

    Reference:
        Kynkäänniemi et al., 2019, equations 1 and 2.
    """
    real, generated = checked_features(real_features, generated_features)
    if not 1 <= k < min(len(real), len(generated)):
        raise ValueError(
            "`k` must be at least 1 and less than either count. Received: "
            f"k={k}, counts {len(real)} and {len(generated)}"
        )
    precision = _share_inside(generated, real, _radii(real, k))
    recall = _share_inside(real, generated, _radii(generated, k))
    return precision, recall


def _radii(points, k):
    # The nearest neighbour of a point in its own set is itself.
    return np.concatenate(
        [
            np.partition(squared, k, axis=1)[:, k]
            for squared in _squared_distances(points, points)
        ]
    )


def _share_inside(points, centres, radii):
    inside = [
        (squared <= radii).any(axis=1)
        for squared in _squared_distances(points, centres)
    ]
    return float(np.concatenate(inside).mean())


def _squared_distances(points, others, block=500):
    """Yields squared distances `(block, count)`, in bounded memory."""
    norms = (others**2).sum(axis=1)
    for start in range(0, len(points), block):
        chunk = points[start : start + block]
        squared = (chunk**2).sum(axis=1)[:, None] - 2 * chunk @ others.T + norms
        # Rounding: a point is at distance 0 from itself.
        yield np.where(squared < 1e-9 * norms.max(), 0.0, squared)
