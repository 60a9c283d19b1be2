"""All that is measured of two sets of features: value, interval, floor."""

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_genai.evaluation.checks import (
    check_enough_for_covariance,
    check_k,
    checked_features,
)
from keras_genai.evaluation.classes import (
    class_entropy,
    class_histogram,
    divergences,
)
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
from keras_genai.evaluation.neighbours import (
    Neighbours,
    is_memorised,
    membership,
    nearest_neighbours,
    squared_radii,
)

# The neighbours of density and coverage, the default of their authors.
DENSITY_K = 5


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number, how sure it is, and what real images would get.

    Attributes:
        name: String.
        value: Float.
        low: Float, where the 95 % interval begins, or `None`.
        high: Float, where it ends, or `None`.
        floor: Float, the value of as many real images, or `None`.
        better: `"lower"`, `"higher"`, or `""` where the floor is best.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    better: str = ""


def measure_features(
    samples,
    reference,
    floor=None,
    training=None,
    asked=None,
    labels=None,
    k=3,
    num_bootstraps=100,
    seed=0,
    distance_name="frechet_distance",
    progress=None,
):
    """Measures samples against a reference in the features of both.

    Intervals are of 95 %. Those of precision, recall, density and coverage
    are for the mean over all samples and all references that might be drawn,
    of the counts at hand: at other counts these measures differ. Their width
    comes from parts of both sets, drawn without replacement, since a set with
    duplicates has other neighbourhoods. It is too small where a few outliers
    decide, as in sets that lie far apart. The share memorised and the
    agreement with labels have Wilson's intervals. The classifier score is a
    mean over points: these are drawn anew, the classifier's marginal held
    fixed. For the Fréchet distances both sets are drawn anew; such sets are
    more biased than their originals, so that the spread of the replicates
    about their own mean is laid around the estimate, and so for the entropy of
    the classes. The kernel distance has the standard error of its blocks,
    three or more.

    Args:
        samples: `Features` of samples.
        reference: `Features` of held-out images.
        floor: `Features` of real images, as many as samples, measured in
            their place, or `None`.
        training: Float array `(training_count, feature_dim)`, features of all
            training images, or `None`.
        asked: Integer array `(count,)`, labels that the samples were asked
            for, or `None`.
        labels: Integer array `(reference_count,)`, labels of the reference,
            whose accuracy is the floor of what was asked for, or `None`.
        k: Integer >= 1, neighbours of precision and recall. Defaults to `3`.
        num_bootstraps: Integer >= 0, replicates and parts; `0` for no
            intervals but the kernel distance's. Defaults to `100`.
        seed: Integer.
        distance_name: String, what the Fréchet distance is called.
        progress: Function without arguments, called after each stage, or
            `None`.

    Returns:
        Pair: list of `Measure`, and `Neighbours` of the samples in the
        training set (`None` without one).

    Raises:
        ValueError: If `k` is not below the counts, if there are fewer samples
            than features, or if the sets do not fit each other.
    """
    sets = [samples, reference] + [floor] * (floor is not None)
    width = checked_features(*(each.values for each in sets))[0].shape[1]
    count = min(len(each.values) for each in sets)
    check_k(k, count)
    check_k(DENSITY_K, count, name="k of density and coverage")
    check_enough_for_covariance(count, width, "a set")
    job = _Job(
        samples,
        reference,
        floor,
        training,
        asked,
        labels,
        k,
        num_bootstraps,
        seed,
        distance_name,
    )
    stages = [job.frechet, job.kernel, job.manifolds]
    if samples.probabilities is not None:
        stages.append(job.classes)
    if training is not None:
        stages.append(job.memorisation)
    measures = []
    for stage in stages:
        measures += stage()
        if progress is not None:
            progress()
    return measures, job.neighbours


def num_stages(probabilities, training):
    """How often `measure_features` reports progress.

    Args:
        probabilities: Boolean, whether the features have them.
        training: Boolean, whether there are training features.

    Returns:
        Integer.
    """
    return 3 + bool(probabilities) + bool(training)


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
            else:  # nothing was found in any ball
                ends = share_interval(0.0, count)
        measures.append(Measure(name, value, *ends, floors[index], "higher"))
    return measures


@dataclasses.dataclass
class _Job:
    samples: object
    reference: object
    floor: object
    training: np.ndarray | None
    asked: np.ndarray | None
    labels: np.ndarray | None
    k: int
    num_bootstraps: int
    seed: int
    distance_name: str
    neighbours: Neighbours | None = None

    def __post_init__(self):
        self.random = np.random.default_rng(self.seed)

    def of_floor(self, function):
        """What a function of features says of the floor."""
        return None if self.floor is None else function(self.floor)

    def frechet(self):
        real = self.reference.values
        width = real.shape[1]
        count = min(len(real), len(self.samples.values))
        sizes = max(1, extrapolation_sizes(count, width))
        functions = {self.distance_name: frechet_distance}
        if sizes > 1:
            functions[f"{self.distance_name}_extrapolated"] = lambda a, b: (
                frechet_distance_extrapolated(a, b, seed=self.seed)
            )

        def replicate(random):
            drawn = (
                points[random.integers(len(points), size=len(points))]
                for points in (self.samples.values, real)
            )
            return frechet_at_sizes(*drawn, sizes)

        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            replicates = list(
                pool.map(replicate, self.random.spawn(self.num_bootstraps))
            )
        measures = []
        for index, (name, function) in enumerate(functions.items()):
            value = function(self.samples.values, real)
            low, high = _quantiles([pair[index] for pair in replicates], value)
            if index == 0 and low is not None:
                low = max(low, 0.0)
            floor = self.of_floor(lambda f, of=function: of(f.values, real))
            measures.append(Measure(name, value, low, high, floor, "lower"))
        return measures

    def kernel(self):
        def distance(features):
            count = min(len(features.values), len(self.reference.values))
            return kernel_distance(
                features.values,
                self.reference.values,
                block_size=max(2, min(1000, count // 10)),
                seed=self.seed,
            )

        value, error, num_blocks = distance(self.samples)
        floor = self.of_floor(lambda features: distance(features).value)
        reach = student_quantile(num_blocks - 1) * error
        low, high = value - reach, value + reach
        return [Measure("kernel_distance", value, low, high, floor, "lower")]

    def manifolds(self):
        return manifold_measures(
            self.samples.values,
            self.reference.values,
            self.of_floor(lambda features: features.values),
            self.k,
            self.num_bootstraps,
            self.random,
        )

    def classes(self):
        def score(features):
            return float(np.exp(divergences(features.probabilities).mean()))

        def shares(features):
            probabilities = features.probabilities
            return class_histogram(
                probabilities.argmax(axis=1), probabilities.shape[1]
            )

        gains = divergences(self.samples.probabilities)
        low, high = _quantiles(
            [
                np.exp(gains[chosen].mean())
                for (chosen,) in self._all_then_redrawn(gains)
            ][1:]
        )
        found = shares(self.samples)
        count = len(self.samples.values)
        drawn = self.random.multinomial(count, found, self.num_bootstraps)
        entropy = float(class_entropy(found))
        entropies = class_entropy(drawn / count) if len(drawn) else []
        return [
            *self.agreement(),
            Measure(
                "classifier_score",
                score(self.samples),
                low,
                high,
                self.of_floor(score),
                "higher",
            ),
            Measure(
                "class_entropy",
                entropy,
                *_quantiles(entropies, entropy),
                self.of_floor(lambda f: float(class_entropy(shares(f)))),
            ),
        ]

    def agreement(self):
        """Whether samples are what they were asked to be, if they were."""
        if self.asked is None:
            return []

        def classes(features):
            return features.probabilities.argmax(axis=1)

        floor = None
        if self.labels is not None:
            floor = (classes(self.reference) == self.labels).mean()
        right = classes(self.samples) == self.asked
        return [self.share("label_agreement", right, floor, "higher")]

    def memorisation(self):
        # Held-out images are the floor here: training images are copies all.
        near, unseen = (
            nearest_neighbours(features.values, self.training)
            for features in (self.samples, self.reference)
        )
        self.neighbours = near
        ratio, *replicates = (
            _ratio(np.median(near.first[a]), np.median(unseen.first[b]))
            for a, b in self._all_then_redrawn(near.first, unseen.first)
        )
        return [
            self.share(
                "memorised_share",
                is_memorised(near),
                is_memorised(unseen).mean(),
                "lower",
            ),
            Measure(
                "neighbour_distance_ratio", ratio, *_quantiles(replicates), 1.0
            ),
        ]

    def _all_then_redrawn(self, *sets):
        yield (slice(None),) * len(sets)
        for _ in range(self.num_bootstraps):
            yield tuple(
                self.random.integers(len(points), size=len(points))
                for points in sets
            )

    def share(self, name, found, floor, better):
        """The share of points of which something is true."""
        value, ends = float(found.mean()), (None, None)
        if self.num_bootstraps:
            ends = share_interval(value, len(found))
        floor = None if floor is None else float(floor)
        return Measure(name, value, *ends, floor, better)


def _quantiles(replicates, centre=None):
    """The ends of the 95 % interval, moved to a centre if there is one."""
    if not len(replicates):
        return None, None
    shift = 0.0 if centre is None else centre - np.mean(replicates)
    return tuple(
        float(end + shift) for end in np.quantile(replicates, (0.025, 0.975))
    )


def _ratio(above, below):
    return float(above / below) if below > 0 else float("inf")
