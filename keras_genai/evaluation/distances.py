"""Distances of two sets of features."""

import typing
from itertools import pairwise

import numpy as np

from keras_genai.evaluation.checks import (
    check_enough_for_covariance,
    checked_features,
)


def frechet_distance(features_a, features_b):
    """Fréchet distance of two Gaussians fitted to two sets of features.

    `|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))` with means `m` and
    covariances `C`, in float64. It is biased upwards if sets are small: compare
    only distances of the same counts, or extrapolate. With the features of
    Inception it is called FID.

    Args:
        features_a: Float array `(count_a, feature_dim)`.
        features_b: Float array `(count_b, feature_dim)`.

    Returns:
        Float >= 0, in squared units of the features.

    Raises:
        ValueError: If a set has fewer examples than features, if the widths
            differ, or if values are not finite.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(100, 3))
        >>> round(frechet_distance(features, features + 2.0), 6)
        12.0

    Reference:
        Heusel et al., 2017, equation 6.
    """
    features_a, features_b = _checked_sets(features_a, features_b)
    moments = (_moments(features) for features in (features_a, features_b))
    return max(0.0, _distance(*moments))


def frechet_distance_extrapolated(features_a, features_b, num_sizes=12, seed=0):
    """The Fréchet distance, extrapolated to sets of infinite size.

    The bias of the Fréchet distance falls as 1 / n. So both sets, in random
    order, are cut into `q` parts for `q` = 1, 2, ..., and the distances of the
    parts are averaged. A line is fitted to the averages over 1 / n, and its
    value at 0 is returned. The paper shrinks only one set, so that the bias of
    the other one remains; here both vanish.

    Args:
        features_a: Float array `(count_a, feature_dim)`.
        features_b: Float array `(count_b, feature_dim)`.
        num_sizes: Integer >= 2, the largest number of sizes. Parts have at
            least twice as many examples as features. Defaults to `12`.
        seed: Integer, seed of the order.

    Returns:
        Float, in squared units of the features. Because it has no bias, it
        can be slightly below 0.

    Raises:
        ValueError: If a set has fewer than four times as many examples as
            features, or as for `frechet_distance`.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(400, 2, 3))
        >>> abs(frechet_distance_extrapolated(*np.moveaxis(features, 1, 0))) < 1
        True

    Reference:
        Chong and Forsyth, Effectively unbiased FID and Inception score and
        where to find them, 2020.
    """
    features_a, features_b = _checked_sets(features_a, features_b)
    count = min(len(features_a), len(features_b))
    sizes = extrapolation_sizes(count, features_a.shape[1], num_sizes)
    if sizes < 2:
        raise ValueError(
            "Expected four times as many examples as features or more, and "
            "two sizes or more. Received: counts "
            f"{len(features_a)} and {len(features_b)}, "
            f"{features_a.shape[1]} features, num_sizes={num_sizes}"
        )
    random = np.random.default_rng(seed)
    ordered = (random.permutation(f) for f in (features_a, features_b))
    return frechet_at_sizes(*ordered, sizes)[1]


def extrapolation_sizes(count, width, num_sizes=12):
    """Returns how many sizes of parts the extrapolation can use.

    Args:
        count: Integer, examples.
        width: Integer, features of each.
        num_sizes: Integer, the largest number.

    Returns:
        Integer. Below 2, no extrapolation is possible.
    """
    return min(num_sizes, count // (2 * width))


def frechet_at_sizes(features_a, features_b, num_sizes):
    """Fréchet distances: of whole sets, and extrapolated from their parts.

    Args:
        features_a: float64 array `(count_a, feature_dim)`, in random order.
        features_b: float64 array `(count_b, feature_dim)`, in random order.
        num_sizes: Integer >= 1, the largest number of parts.

    Returns:
        Pair of floats: the distance of the whole sets, and the extrapolated
        one (`nan` for one size).
    """
    centre = features_a.mean(axis=0)
    parts = [
        _moments_of_parts(features - centre, num_sizes)
        for features in (features_a, features_b)
    ]
    means = [
        np.mean([_distance(*pair) for pair in zip(*both, strict=True)])
        for both in zip(*parts, strict=True)
    ]
    if num_sizes < 2:
        return float(means[0]), float("nan")
    # 1 / n is proportional to q, the number of parts.
    _, intercept = np.polyfit(np.arange(1, num_sizes + 1), means, deg=1)
    return float(means[0]), float(intercept)


class KernelDistance(typing.NamedTuple):
    """A kernel distance, and how sure it is.

    Attributes:
        value: Float, the mean over blocks. For two sets of one distribution it
            is about 0, and can be below.
        standard_error: Float, of that mean; `inf` for one block.
        num_blocks: Integer.
    """

    value: float
    standard_error: float
    num_blocks: int


def kernel_distance(features_a, features_b, block_size=1000, seed=0):
    """Squared maximum mean discrepancy with a cubic kernel, unbiased.

    `E k(a, a') + E k(b, b') - 2 E k(a, b)` with the kernel
    `k(x, y) = (x . y / feature_dim + 1)^3`; a point is never paired with
    itself. The sets, in random order, are cut into blocks, and each block gives
    an estimate. With Inception's features this is the KID.

    Args:
        features_a: Float array `(count_a, feature_dim)`.
        features_b: Float array `(count_b, feature_dim)`.
        block_size: Integer >= 2, examples of each set in a block. A smaller
            set is one block. Defaults to `1000`.
        seed: Integer, seed of the order.

    Returns:
        `KernelDistance`.

    Raises:
        ValueError: If a set has fewer than two examples, if `block_size` is
            below 2, or if the sets do not fit each other.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(2, 300, 3))
        >>> distance = kernel_distance(*features, block_size=100)
        >>> distance.num_blocks, abs(distance.value) < 0.1
        (3, True)

    Reference:
        Bińkowski et al., Demystifying MMD GANs, 2018, section 4.
    """
    features_a, features_b = checked_features(features_a, features_b)
    count = min(len(features_a), len(features_b))
    if count < 2 or block_size < 2:
        raise ValueError(
            "Expected two or more examples in a set and in a block. Received: "
            f"counts {len(features_a)} and {len(features_b)}, {block_size=}"
        )
    num_blocks = max(1, count // block_size)
    random = np.random.default_rng(seed)
    sets = (
        np.array_split(random.permutation(features), num_blocks)
        for features in (features_a, features_b)
    )
    values = [_discrepancy(a, b) for a, b in zip(*sets, strict=True)]
    error = np.inf
    if num_blocks > 1:
        error = np.std(values, ddof=1) / np.sqrt(num_blocks)
    return KernelDistance(float(np.mean(values)), float(error), num_blocks)


def _checked_sets(features_a, features_b):
    sets = checked_features(features_a, features_b)
    for name, features in zip("ab", sets, strict=True):
        check_enough_for_covariance(*features.shape, f"features_{name}")
    return sets


def _moments(features):
    covariance = np.cov(features, rowvar=False)
    return features.mean(axis=0), np.atleast_2d(covariance)


def _distance(moments_a, moments_b):
    (mean_a, covariance_a), (mean_b, covariance_b) = moments_a, moments_b
    gap = mean_a - mean_b
    # (C_a C_b)^(1/2) has the trace of (R' C_b R)^(1/2) with R R' = C_a, and
    # that product is symmetric, so that its eigenvalues are safe.
    root_a = _root(covariance_a)
    eigenvalues = np.linalg.eigvalsh(root_a.T @ covariance_b @ root_a)
    root_trace = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    traces = np.trace(covariance_a) + np.trace(covariance_b)
    return float(gap @ gap + traces - 2 * root_trace)


def _root(matrix):
    """Returns R with R R' = matrix. A constant feature has a row of zeros."""
    alive = np.flatnonzero(np.diag(matrix) > 0)
    root = np.zeros((len(matrix), len(alive)))
    part = matrix[np.ix_(alive, alive)]
    try:
        # Many times faster than eigenvectors, whose threads block each other
        # on a busy machine.
        root[alive] = np.linalg.cholesky(part)
    except np.linalg.LinAlgError:  # some feature is a sum of others
        values, vectors = np.linalg.eigh(part)
        root[alive] = vectors * np.sqrt(np.clip(values, 0, None))
    return root


def _moments_of_parts(features, num_sizes):
    """Returns the moments of the parts of a set cut into 1, 2, ... parts.

    Sums are accumulated up to each cut, so that a part is a difference of two.
    """
    count, width = features.shape
    cuts = {
        parts: [round(count * part / parts) for part in range(parts + 1)]
        for parts in range(1, num_sizes + 1)
    }
    edges = sorted({cut for parts in cuts.values() for cut in parts})
    sums = np.zeros((len(edges), width))
    products = np.zeros((len(edges), width, width))
    for index, (start, stop) in enumerate(pairwise(edges), start=1):
        chunk = features[start:stop]
        sums[index] = sums[index - 1] + chunk.sum(axis=0)
        products[index] = products[index - 1] + chunk.T @ chunk
    place = {edge: index for index, edge in enumerate(edges)}

    def moments(start, stop):
        first, last, number = place[start], place[stop], stop - start
        mean = (sums[last] - sums[first]) / number
        product = products[last] - products[first]
        outer = np.outer(mean, mean)
        return mean, (product - number * outer) / (number - 1)

    return [
        [moments(*pair) for pair in pairwise(parts)] for parts in cuts.values()
    ]


def _discrepancy(a, b):
    def kernel(x, y):
        values = x @ y.T / x.shape[1] + 1
        return values * values * values  # much faster than ** 3

    def mean_of_pairs(x):
        values = kernel(x, x)
        return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))

    return mean_of_pairs(a) + mean_of_pairs(b) - 2 * kernel(a, b).mean()
