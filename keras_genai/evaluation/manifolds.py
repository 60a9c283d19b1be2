"""Precision, recall, density and coverage: points inside balls of others.

Each point of a set is the centre of a ball that reaches its `k`-th nearest
neighbour in the set. A point at exactly that distance lies in the ball. Squared
distances that differ by less than a billionth of themselves are equal, so that
rounding decides no tie. All counts are therefore exact on lattices, duplicates
and binary vectors, and on integers whose squared distances are below 1e9.
"""

import typing

import numpy as np

from keras_genai.evaluation.checks import check_k, checked_features
from keras_genai.evaluation.pairs import TIE, over_blocks


def precision_and_recall(real_features, generated_features, k=3):
    """Fidelity and diversity, each as a share in [0, 1].

    Around each point of a set lies a ball that reaches its `k`-th nearest
    neighbour in the set, with its surface. Together the balls are the manifold
    of the set. Precision is the share of generated points on the real manifold,
    recall the share of real points on the generated one. Both depend on the
    counts. Distances within a billionth are equal.

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

    Density counts the balls of real points in which a generated point lies,
    divided by `k`. Its mean is 1 if both sets come from one distribution, and
    may be greater. Coverage is the share of real points with a generated point
    in their ball. Only balls of real points are used, of `k` neighbours, with
    their surface. Distances within a billionth are equal.

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


class Membership(typing.NamedTuple):
    """Which points lie in which balls; `None` without the radii for it.

    Attributes:
        precise: Boolean array `(generated_count,)`, on the real manifold.
        recalled: Boolean array `(real_count,)`, on the generated manifold.
        num_balls: int64 array `(generated_count,)`, number of balls of real
            points that a generated point lies in.
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
        # -1 puts each point itself first: it is not its own neighbour.
        squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = -1
        squared.partition(ks, axis=1)
        return squared[:, ks].T.copy()

    return np.concatenate(over_blocks(neighbours, points, points), axis=1)


def membership(
    real,
    generated,
    real_radii=None,
    generated_radii=None,
    density_radii=None,
):
    """Finds in one pass over all pairs which points lie in which balls.

    A ball includes its surface, and ties.

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
        None if radii is None else radii * (1 + TIE)
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

    blocks = over_blocks(members, generated, real)
    blocks = Membership(*zip(*blocks, strict=True))

    def joined(parts, join):
        return None if parts[0] is None else join(parts)

    return Membership(
        joined(blocks.precise, np.concatenate),
        joined(blocks.recalled, np.logical_or.reduce),
        joined(blocks.num_balls, np.concatenate),
        joined(blocks.covered, np.logical_or.reduce),
    )
