"""Nearest neighbours of features: who lies among whom.

Squared distances that differ by less than a billionth of themselves are equal:
rounding decides no tie. A point at the distance of the radius lies in the ball,
and of training points that are equally near the first is the nearest. So all
that is counted is exact on lattices, duplicates and binary vectors, and on any
integers whose squared distances are below 1e9.
"""

import os
import typing
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_genai.evaluation.checks import check_k, checked_features

# Squared distances this much apart, relative to themselves, are equal.
_TIE = 1e-9
# By |a|^2 + |b|^2 - 2 a.b a squared distance has an error of some 1e-15 of
# |a|^2 + |b|^2. Those below this share of it are computed from differences.
_CLOSE = 1e-3


def precision_and_recall(real_features, generated_features, k=3):
    """Fidelity and diversity, each as a share in [0, 1].

    Around each point of a set lies a ball that reaches its `k`-th nearest
    neighbour in the set, its surface included; the balls together are the
    set's manifold. Precision is the share of generated points on the real
    manifold, recall the share of real points on the generated one. Both depend
    on the counts. Distances within a billionth are equal.

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
    check_k(k, len(real), len(generated))
    (real_radii,), (generated_radii,) = (
        squared_radii(points, [k]) for points in (real, generated)
    )
    points = membership(real, generated, real_radii, generated_radii)
    return float(points.precise.mean()), float(points.recalled.mean())


def density_and_coverage(real_features, generated_features, k=5):
    """Fidelity and diversity that outliers do not inflate.

    Density counts in how many balls of real points a generated one lies,
    divided by `k`; its mean is 1 where both sets are of one distribution, and
    may be greater. Coverage is the share of real points whose ball holds a
    generated one. Only balls of real points are used: those of `k`
    neighbours, their surface included. Distances within a billionth are equal.

    Args:
        real_features: Float array `(count, feature_dim)`.
        generated_features: Float array `(count, feature_dim)`.
        k: Integer >= 1. Defaults to `5`.

    Returns:
        Pair of floats: density, at least 0, and coverage, in [0, 1].

    Raises:
        ValueError: If `k` is not below the count of the real points, or if
            the sets do not fit each other.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(50, 2))
        >>> density_and_coverage(points, points + 100.0)
        (0.0, 0.0)

    Reference:
        Naeem et al., Reliable fidelity and diversity metrics, 2020.
    """
    real, generated = checked_features(real_features, generated_features)
    check_k(k, len(real))
    (radii,) = squared_radii(real, [k])
    points = membership(real, generated, density_radii=radii)
    return float(points.num_balls.mean() / k), float(points.covered.mean())


class Neighbours(typing.NamedTuple):
    """The nearest training points of points.

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
        `Neighbours`: indices of the nearest, the first of those that are
        equally near, and the distances, Euclidean, to the nearest and to the
        second nearest.

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
        indices = (squared <= least * (1 + _TIE)).argmax(axis=1)
        first = squared[places, indices]
        squared[places, indices] = np.inf
        return indices, first, squared.min(axis=1)

    indices, first, second = (
        np.concatenate(parts) for parts in _columns(nearest, features, training)
    )
    return Neighbours(indices, np.sqrt(first), np.sqrt(second))


def is_memorised(neighbours, ratio=1 / 3):
    """Tells which points are copies, by the ratio test.

    A point is taken for a copy of its nearest training point if that is
    nearer than `ratio` of the way to the second nearest, by more than
    rounding; or if the distance is 0, for training sets that hold an image
    twice.

    Args:
        neighbours: `Neighbours` of the points.
        ratio: Float in (0, 1). Defaults to `1 / 3`.

    Returns:
        Boolean array `(count,)`.
    """
    first, second = neighbours.first, neighbours.second
    return (first * (1 + _TIE) < ratio * second) | (first == 0)


def memorised_share(features, training_features, ratio=1 / 3):
    """The share of points that are copies of training points.

    The test is that of `is_memorised`. A copy whose original has a
    near-duplicate in the training set escapes it.

    Args:
        features: Float array `(count, feature_dim)`.
        training_features: Float array `(training_count, feature_dim)`.
        ratio: Float in (0, 1). Defaults to `1 / 3`.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: As `nearest_neighbours`.

    Example:
        >>> training = np.random.default_rng(0).normal(size=(50, 4))
        >>> memorised_share(training[:7], training)
        1.0

    Reference:
        Yoon et al., Diffusion probabilistic models generalize when they fail
        to memorize, 2023, which takes the distances between pixels.
    """
    neighbours = nearest_neighbours(features, training_features)
    return float(is_memorised(neighbours, ratio).mean())


def neighbour_distance_ratio(features, held_out_features, training_features):
    """How near samples lie to training points, compared with unseen ones.

    The median distance of samples to their nearest training point, over that
    of held-out points. Below 1, samples lie nearer than unseen real ones do.

    Args:
        features: Float array `(count, feature_dim)`, of samples.
        held_out_features: Float array `(held_out_count, feature_dim)`.
        training_features: Float array `(training_count, feature_dim)`.

    Returns:
        Float >= 0; `inf` if the held-out points are training points.

    Raises:
        ValueError: As `nearest_neighbours`.

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


# --- Passes over all pairs ---------------------------------------------------


class Membership(typing.NamedTuple):
    """Who lies in whose balls; `None` where its radii were not given.

    Attributes:
        precise: Boolean array `(generated_count,)`, on the real manifold.
        recalled: Boolean array `(real_count,)`, on the generated manifold.
        num_balls: int64 array `(generated_count,)`, balls of real points that
            a generated point lies in.
        covered: Boolean array `(real_count,)`, with a generated point in the
            ball.
    """

    precise: np.ndarray | None
    recalled: np.ndarray | None
    num_balls: np.ndarray | None
    covered: np.ndarray | None


def squared_radii(points, ks):
    """Squared distances of points to their `k`-th neighbours in their set.

    Args:
        points: float64 array `(count, feature_dim)`.
        ks: Integers in [1, count).

    Returns:
        float64 array `(len(ks), count)`.
    """

    def neighbours(rows, squared):
        # A point is no neighbour of its own.
        squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = -1
        squared.partition(ks, axis=1)
        return squared[:, ks].T.copy()

    return np.concatenate(_over_blocks(neighbours, points, points), axis=1)


def membership(
    real,
    generated,
    real_radii=None,
    generated_radii=None,
    density_radii=None,
):
    """Tells in one pass over all pairs who lies in whose balls.

    A ball holds its surface, ties included.

    Args:
        real: float64 array `(real_count, feature_dim)`.
        generated: float64 array `(generated_count, feature_dim)`.
        real_radii: Squared radii `(real_count,)` for precision, or `None`.
        generated_radii: Squared radii `(generated_count,)` for recall, or
            `None`.
        density_radii: Squared radii `(real_count,)` for density and coverage,
            or `None`.

    Returns:
        `Membership`.
    """
    real_radii, generated_radii, density_radii = (
        None if radii is None else radii * (1 + _TIE)
        for radii in (real_radii, generated_radii, density_radii)
    )

    def members(rows, squared):  # (generated points of the block, real_count)
        found = dict.fromkeys(Membership._fields)
        if real_radii is not None:
            found["precise"] = (squared <= real_radii).any(axis=1)
        if generated_radii is not None:
            inside = squared <= generated_radii[rows, None]
            found["recalled"] = inside.any(axis=0)
        if density_radii is not None:
            inside = squared <= density_radii
            found["num_balls"] = np.count_nonzero(inside, axis=1)
            found["covered"] = inside.any(axis=0)
        return Membership(**found)

    blocks = Membership(*_columns(members, generated, real))

    def joined(name, join):
        parts = getattr(blocks, name)
        return None if parts[0] is None else join(parts)

    return Membership(
        joined("precise", np.concatenate),
        joined("recalled", np.logical_or.reduce),
        joined("num_balls", np.concatenate),
        joined("covered", np.logical_or.reduce),
    )


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
    sums = _over_blocks(
        lambda _, squared: np.sqrt(squared).sum(), points, points
    )
    return float(sum(sums) / (count * (count - 1)))


def _columns(function, points, others):
    return zip(*_over_blocks(function, points, others), strict=True)


def _over_blocks(function, points, others, pairs=1_000_000):
    """Applies a function to squared distances, a block of points at a time.

    Memory stays bounded, and two threads share the blocks: NumPy lets go of
    the interpreter within them.

    Args:
        function: Function of a slice of `points` and their squared distances
            to `others`, float64 `(block, others_count)`, which it may change.
        points: float64 array `(count, feature_dim)`.
        others: float64 array `(others_count, feature_dim)`.
        pairs: Integer, how many distances a block has at most.

    Returns:
        List of what the function returned, block after block.
    """
    # Near 0 there is less rounding. No outlier moves the median; of integers
    # it is a multiple of 1 / 2, so that their distances are exact.
    centre = np.median(others, axis=0)
    shifted = others - centre
    norms = np.einsum("nd,nd->n", shifted, shifted)

    def apply(start):
        rows = slice(start, min(start + block, len(points)))
        chunk = points[rows] - centre
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
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        return list(pool.map(apply, range(0, len(points), block)))
