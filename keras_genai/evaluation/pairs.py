"""Passes over all pairs of points, in blocks, so that memory stays bounded."""

import numpy as np

from keras_genai.evaluation.threads import map_in_threads

# Squared distances this close to each other, relative to themselves, are equal:
# rounding must not decide.
TIE = 1e-9
# By |a|^2 + |b|^2 - 2 a.b a squared distance has an error of about 1e-15 of
# |a|^2 + |b|^2. Distances below this share of it are computed again, from
# differences.
_CLOSE = 1e-3


def over_blocks(function, points, others, pairs=1_000_000):
    """Applies a function to squared distances, a block of points at a time.

    Args:
        function: Function of a slice of `points` and their squared distances
            to `others`, float64 `(block, others_count)`, which it may change.
        points: float64 array `(count, feature_dim)`.
        others: float64 array `(others_count, feature_dim)`.
        pairs: Integer, the largest number of distances in a block.

    Returns:
        List of the function's results, block after block.
    """
    # Near 0 there is less rounding. No outlier moves the median. For integers
    # it is a multiple of 1 / 2, so that their distances are exact.
    centre = np.median(others, axis=0)
    shifted = others - centre
    norms = np.einsum("nd,nd->n", shifted, shifted)

    def apply(start):
        rows = slice(start, min(start + block, len(points)))
        chunk = points[rows] - centre
        # |a|^2 + |b|^2 - 2 a.b: (block, others_count)
        sums = norms + np.einsum("nd,nd->n", chunk, chunk)[:, None]
        squared = (-2 * chunk) @ shifted.T
        squared += sums
        sums *= _CLOSE
        close = np.flatnonzero(squared < sums)
        step = max(1, pairs // points.shape[1])
        for begin in range(0, len(close), step):
            places = np.divmod(close[begin : begin + step], len(others))
            gaps = points[rows][places[0]] - others[places[1]]
            squared[places] = np.einsum("nd,nd->n", gaps, gaps)
        return function(rows, squared)

    block = max(1, pairs // len(others))
    if len(points) <= block:
        return [apply(0)]
    return map_in_threads(apply, range(0, len(points), block))


def mean_distance(points):
    """Mean Euclidean distance of two points of a set.

    Args:
        points: Float array `(count, feature_dim)`, two points or more.

    Returns:
        Float >= 0; `0.0` if all points are equal.

    Example:
        >>> mean_distance([[0.0, 0.0], [3.0, 4.0]])
        5.0
    """
    points = np.asarray(points, "float64")
    count = len(points)
    sums = over_blocks(
        lambda _, squared: np.sqrt(squared).sum(), points, points
    )
    return float(sum(sums) / (count * (count - 1)))
