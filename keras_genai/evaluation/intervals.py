"""Intervals of 95 %: of shares, of what parts of sets spread, of few blocks."""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_NORMAL = 1.959964  # 97.5 % of a normal distribution lies below
_LARGEST_PART = 700


def share_interval(share, count, variance=0.0):
    """Wilson's interval of a share, which is never empty at 0 and at 1.

    `(p + z^2 / 2n ± z sqrt(v + z^2 / 4n^2)) / (1 + z^2 / n)` with the
    variance `v = p (1 - p) / n` of independent points, or the one given where
    that is larger.

    Args:
        share: Float in [0, 1].
        count: Integer, points that it is the share of.
        variance: Float, the variance of the share, if points hang together.

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
    """An interval of what is positive: a normal one of its logarithm.

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
    """How a function of sets would spread if all sets were drawn anew.

    It is computed of parts drawn without replacement, two thirds of each set
    but 700 points of the smallest at most: a set drawn with replacement has
    points twice, which are each other's neighbours. Parts of a share `f` vary
    by `V(fn) (1 - f)` about the whole, if points weigh in one by one, and by
    more if they do in pairs; `V(n)` is `f V(fn)`. So the variance of the parts
    is multiplied by `f / (1 - f)`, and rather too large than too small.

    Args:
        function: Function of the parts, one a set, that returns floats.
        sets: Sequence of arrays `(count, ...)`.
        num_parts: Integer, how often parts are drawn.
        fewest: Integer, points that a part must have.
        random: `np.random.Generator`.

    Returns:
        Pair of arrays, the means of the parts and the standard deviations of
        whole sets, one a float; `None` if parts would be too small, or fewer
        than two.

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

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        values = np.array(list(pool.map(of_part, random.spawn(num_parts))))
    scale = math.sqrt(share / (1 - share))
    return values.mean(axis=0), scale * values.std(axis=0, ddof=1)


def student_quantile(freedom):
    """Student's 97.5 % quantile, exact.

    `sqrt(freedom) tan(angle)` exceeds `|t|` with a probability that is a
    finite sum; the angle at which it is 0.95 is found by bisection.

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
