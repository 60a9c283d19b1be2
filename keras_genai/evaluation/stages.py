"""The measures of a comparison, a function for each group of them."""

import numpy as np

from keras_genai.evaluation.checks import checked_features
from keras_genai.evaluation.classes import (
    class_entropy,
    class_histogram,
    divergences,
)
from keras_genai.evaluation.comparison import Measure
from keras_genai.evaluation.distances import (
    extrapolation_sizes,
    frechet_at_sizes,
    frechet_distance,
    frechet_distance_extrapolated,
    kernel_distance,
)
from keras_genai.evaluation.intervals import (
    positive_interval,
    share_interval,
    spread_of_parts,
    student_quantile,
)
from keras_genai.evaluation.manifolds import membership, squared_radii
from keras_genai.evaluation.neighbours import is_memorised, nearest_neighbours
from keras_genai.evaluation.threads import map_in_threads

# The neighbours of density and coverage, the default of their authors.
DENSITY_K = 5


def frechet_measures(comparison):
    """The Fréchet distance, and its extrapolation if the sets are large.

    Args:
        comparison: `Comparison`.

    Returns:
        List of one or two of `Measure`.
    """
    samples, real = comparison.samples.values, comparison.reference.values
    count, width = min(len(real), len(samples)), real.shape[1]
    sizes = max(1, extrapolation_sizes(count, width))
    functions = {comparison.distance_name: frechet_distance}
    if sizes > 1:
        functions[f"{comparison.distance_name}_extrapolated"] = lambda a, b: (
            frechet_distance_extrapolated(a, b, seed=comparison.seed)
        )

    def replicate(random):
        drawn = (
            points[random.integers(len(points), size=len(points))]
            for points in (samples, real)
        )
        return frechet_at_sizes(*drawn, sizes)

    replicates = map_in_threads(
        replicate, comparison.random.spawn(comparison.num_bootstraps)
    )
    measures = []
    for index, (name, function) in enumerate(functions.items()):
        value = function(samples, real)
        low, high = _quantiles([pair[index] for pair in replicates], value)
        if index == 0 and low is not None:
            low = max(low, 0.0)
        floor = comparison.of_floor(
            lambda features, of=function: of(features.values, real)
        )
        measures.append(Measure(name, value, low, high, floor, "lower"))
    return measures


def kernel_measures(comparison):
    """The kernel distance.

    Args:
        comparison: `Comparison`.

    Returns:
        List of one `Measure`.
    """
    real = comparison.reference.values

    def distance(features):
        count = min(len(features.values), len(real))
        return kernel_distance(
            features.values,
            real,
            block_size=max(2, min(1000, count // 10)),
            seed=comparison.seed,
        )

    value, error, num_blocks = distance(comparison.samples)
    floor = comparison.of_floor(lambda features: distance(features).value)
    reach = student_quantile(num_blocks - 1) * error
    low, high = value - reach, value + reach
    return [Measure("kernel_distance", value, low, high, floor, "lower")]


def manifold_measures(samples, reference, floor, k, num_parts, random):
    """Precision, recall, density and coverage.

    Args:
        samples: Float array `(count, feature_dim)`.
        reference: Float array `(reference_count, feature_dim)`.
        floor: Float array `(floor_count, feature_dim)`, or `None`.
        k: Integer >= 1, neighbours of precision and recall.
        num_parts: Integer >= 0, parts for the intervals.
        random: `np.random.Generator`, which draws them.

    Returns:
        List of four of `Measure`.
    """
    sets = real, generated = checked_features(reference, samples)

    def radii_of(real):
        if k == DENSITY_K:
            return squared_radii(real, [k]).repeat(2, axis=0)
        return squared_radii(real, [k, DENSITY_K])

    def means(real, generated, radii=None):
        real_radii, density_radii = radii_of(real) if radii is None else radii
        (generated_radii,) = squared_radii(generated, [k])
        found = membership(
            real, generated, real_radii, generated_radii, density_radii
        )
        return (
            float(found.precise.mean()),
            float(found.recalled.mean()),
            float(found.num_balls.mean() / DENSITY_K),
            float(found.covered.mean()),
        )

    radii = radii_of(real)
    values, floors = means(real, generated, radii), (None,) * 4
    if floor is not None:
        floors = means(real, *checked_features(floor), radii)
    fewest = max(k, DENSITY_K) + 1
    spread = spread_of_parts(means, sets, num_parts, fewest, random)
    counts = {
        "precision": len(generated),
        "recall": len(real),
        "density": len(generated),
        "coverage": len(real),
    }
    measures = []
    for index, (name, count) in enumerate(counts.items()):
        value, ends = values[index], (None, None)
        if spread is not None:
            mean, deviation = (part[index] for part in spread)
            if name != "density":
                ends = share_interval(value, count, deviation**2)
            elif value > 0 and mean > 0:
                ends = positive_interval(value, deviation / mean)
            else:  # no sample lies in any ball
                ends = share_interval(0.0, count)
        measures.append(Measure(name, value, *ends, floors[index], "higher"))
    return measures


def class_measures(comparison):
    """How sure and how varied the classifier finds the samples.

    Args:
        comparison: `Comparison` whose features have probabilities.

    Returns:
        List of two of `Measure`, or of three if labels were asked for.
    """

    def score(features):
        return float(np.exp(divergences(features.probabilities).mean()))

    def shares(features):
        num_classes = features.probabilities.shape[1]
        return class_histogram(_classes(features), num_classes)

    gains = divergences(comparison.samples.probabilities)
    score_ends = _quantiles(
        [
            np.exp(gains[chosen].mean())
            for (chosen,) in comparison.redraws(gains)
        ][1:]
    )
    found, count = shares(comparison.samples), len(comparison.samples.values)
    drawn = comparison.random.multinomial(
        count, found, comparison.num_bootstraps
    )
    entropy = float(class_entropy(found))
    entropies = class_entropy(drawn / count) if len(drawn) else []
    return [
        *_agreement(comparison),
        Measure(
            "classifier_score",
            score(comparison.samples),
            *score_ends,
            comparison.of_floor(score),
            "higher",
        ),
        Measure(
            "class_entropy",
            entropy,
            *_quantiles(entropies, entropy),
            comparison.of_floor(lambda f: float(class_entropy(shares(f)))),
        ),
    ]


def _agreement(comparison):
    """The share of samples that have the requested class."""
    if comparison.asked is None:
        return []
    floor = None
    if comparison.labels is not None:
        floor = (_classes(comparison.reference) == comparison.labels).mean()
    right = _classes(comparison.samples) == comparison.asked
    return [comparison.share("label_agreement", right, floor, "higher")]


def copy_measures(comparison):
    """How many samples are copies of training images, and how near they lie.

    Held-out images are the floor: training images would all be copies.

    Args:
        comparison: `Comparison` with a training set.

    Returns:
        List of two of `Measure`.
    """
    near = comparison.neighbours
    unseen = nearest_neighbours(
        comparison.reference.values, comparison.training
    )
    ratio, *replicates = (
        _ratio(np.median(near.first[a]), np.median(unseen.first[b]))
        for a, b in comparison.redraws(near.first, unseen.first)
    )
    return [
        comparison.share(
            "memorised_share",
            is_memorised(near),
            is_memorised(unseen).mean(),
            "lower",
        ),
        Measure(
            "neighbour_distance_ratio", ratio, *_quantiles(replicates), 1.0
        ),
    ]


def _classes(features):
    return features.probabilities.argmax(axis=1)


def _quantiles(replicates, centre=None):
    """Returns the ends of the 95 % interval, moved to a centre if given."""
    if not len(replicates):
        return None, None
    shift = 0.0 if centre is None else centre - np.mean(replicates)
    return tuple(
        float(end + shift) for end in np.quantile(replicates, (0.025, 0.975))
    )


def _ratio(above, below):
    return float(above / below) if below > 0 else float("inf")
