"""Intervals of 95 %: for shares, for values of sets, for a few blocks."""

import math

import numpy as np

from keras_genai.evaluation.threads import map_in_threads

_NORMAL = 1.959964  # 97.5 % of a normal distribution lies below
_LARGEST_PART = 700  # points


def share_interval(share, count, variance=0.0):
    """Wilson's interval of a share, which is not empty at 0 and 1 either.

    `(p + z^2 / 2n ± z sqrt(v + z^2 / 4n^2)) / (1 + z^2 / n)` with the
    variance `v = p (1 - p) / n` of independent points, or with the given one if
    it is larger.

    Args:
        share: Float in [0, 1].
        count: Integer, points that it is the share of.
        variance: Float, variance of the share if points depend on each other.

    Returns:
        Pair of floats in [0, 1].

    Example:
        >>> [round(end, 3) for end in share_interval(0.0, 100)]
        [0.0, 0.037]

    Reference:
        Wilson, Probable inference, the law of succession, and statistical
        inference, 1927.
    """
    variance = max(variance, share * (1 - share) / count)
    extra = _NORMAL**2 / count
    reach = _NORMAL * math.sqrt(variance + extra / (4 * count))
    middle = share + extra / 2
    return (
        max(0.0, float(middle - reach) / (1 + extra)),
        min(1.0, float(middle + reach) / (1 + extra)),
    )


def positive_interval(value, relative_error):
    """An interval of a positive value: a normal interval of its logarithm.

    Args:
        value: Float >= 0.
        relative_error: Float, standard deviation over the mean.

    Returns:
        Pair of floats >= 0.

    Example:
        >>> [round(end, 2) for end in positive_interval(2.0, 0.1)]
        [1.64, 2.43]
    """
    factor = math.exp(_NORMAL * relative_error)
    return float(value / factor), float(value * factor)


def spread_of_parts(function, sets, num_parts, fewest, random):
    """How much a function of sets would vary if all sets were drawn again.

    It is computed from parts drawn without replacement: two thirds of each set,
    but at most 700 points of the smallest. (A set drawn with replacement has
    points twice, and these are neighbours of each other.)

    Let `V(n)` be the variance for sets of `n` points. Parts of a share `f` vary
    about the whole by `V(fn) (1 - f)` if each point has its own effect, and by
    more if pairs have one; and `V(n) = f V(fn)`. So the variance of the parts
    is multiplied by `f / (1 - f)`. It is rather too large than too small.

    Args:
        function: Function of the parts, one of each set, that returns floats.
        sets: Sequence of arrays `(count, ...)`.
        num_parts: Integer, number of draws.
        fewest: Integer, points that a part must have at least.
        random: `np.random.Generator`.

    Returns:
        Pair of arrays, the means of the parts and the standard deviations of
        whole sets, an entry for each float; `None` if parts would be too
        small, or with fewer than two draws.

    Reference:
        Politis and Romano, Large sample confidence regions based on
        subsamples under minimal assumptions, 1994.
    """
    share = min(2 / 3, _LARGEST_PART / min(map(len, sets)))
    sizes = [int(share * len(points)) for points in sets]
    if num_parts < 2 or min(sizes) < fewest:
        return None

    def of_part(random):
        return function(
            *(
                points[random.choice(len(points), size, replace=False)]
                for points, size in zip(sets, sizes, strict=True)
            )
        )

    values = np.array(map_in_threads(of_part, random.spawn(num_parts)))
    scale = math.sqrt(share / (1 - share))
    return values.mean(axis=0), scale * values.std(axis=0, ddof=1)


def student_quantile(freedom):
    """Student's 97.5 % quantile, exact.

    The probability of `|t| < sqrt(freedom) tan(angle)` is a finite sum. The
    angle at which it is 0.95 is found by bisection.

    Args:
        freedom: Integer >= 1, degrees of freedom.

    Returns:
        Float.

    Example:
        >>> round(student_quantile(1), 2)
        12.71

    Reference:
        Abramowitz and Stegun, 1964, equations 26.7.3 and 26.7.4.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        if _student_inside(angle, freedom) < 0.95:
            low = angle
        else:
            high = angle
    return math.sqrt(freedom) * math.tan(low)


def _student_inside(angle, freedom):
    odd = freedom % 2
    cosine = math.cos(angle)
    term, total = math.sin(angle) * (cosine if odd else 1.0), 0.0
    for power in range(1 + odd, freedom, 2):
        total += term
        term *= power / (power + 1) * cosine**2
    return 2 / math.pi * (angle + total) if odd else total
