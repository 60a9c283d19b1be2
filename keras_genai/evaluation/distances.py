"""Distances of two sets of features."""

import numpy as np

from keras_genai.evaluation.checks import checked_features


def frechet_distance(features_a, features_b):
    """Fréchet distance of two Gaussians fitted to two sets of features.

    `|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))` with means `m` and
    covariances `C`, in float64. It is biased upwards where sets are small:
    compare distances of the same counts alone. The name FID belongs to the
    features of Inception and is not used for others.

    Args:
        features_a: Float array `(count_a, feature_dim)`.
        features_b: Float array `(count_b, feature_dim)`.

    Returns:
        Float >= 0, in squared units of the features.

    Raises:
        ValueError: If a set has fewer examples than features, another width
            than the other, or values that are not finite.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(100, 3))
        >>> round(frechet_distance(features, features + 2.0), 6)
        12.0

    Reference:
        Heusel et al., 2017, equation 6.
    """
    features_a, features_b = checked_features(features_a, features_b)
    for name, features in (("a", features_a), ("b", features_b)):
        count, width = features.shape
        if count <= width:
            raise ValueError(
                "A covariance needs more examples than features. Received: "
                f"features_{name} of {count} examples and {width} features"
            )
    mean_gap = features_a.mean(axis=0) - features_b.mean(axis=0)
    covariance_a = np.cov(features_a, rowvar=False)
    covariance_b = np.cov(features_b, rowvar=False)
    # (C_a C_b)^(1/2) has the trace of (R C_b R)^(1/2) with R = C_a^(1/2),
    # and that product is symmetric, so that its eigenvalues are safe.
    root_a = _symmetric_root(np.atleast_2d(covariance_a))
    product = root_a @ np.atleast_2d(covariance_b) @ root_a
    eigenvalues = np.linalg.eigvalsh(product)
    root_trace = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    distance = (
        mean_gap @ mean_gap
        + np.trace(np.atleast_2d(covariance_a))
        + np.trace(np.atleast_2d(covariance_b))
        - 2 * root_trace
    )
    return max(0.0, float(distance))


def _symmetric_root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
