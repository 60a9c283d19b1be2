"""Two sets of features that are compared, and one number about them."""

import dataclasses
import functools

import numpy as np

from keras_genai.evaluation.intervals import share_interval
from keras_genai.evaluation.neighbours import nearest_neighbours


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number, how sure it is, and the value of real images.

    Attributes:
        name: String.
        value: Float.
        low: Float, the lower end of the 95 % interval, or `None`.
        high: Float, its upper end, or `None`.
        floor: Float, the value of as many real images, or `None`.
        better: `"lower"`, `"higher"`, or `""` if the floor is best.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    better: str = ""


@dataclasses.dataclass
class Comparison:
    """Sets of features to compare, and how.

    The attributes are the arguments of `measure_features`. All measures of a
    comparison share one random generator, so that a seed repeats them all.
    """

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

    def __post_init__(self):
        self.random = np.random.default_rng(self.seed)

    @functools.cached_property
    def neighbours(self):
        """`Neighbours` of the samples in the training set, or `None`."""
        if self.training is None:
            return None
        return nearest_neighbours(self.samples.values, self.training)

    def of_floor(self, function):
        """Applies a function of `Features` to the floor, if there is one."""
        return None if self.floor is None else function(self.floor)

    def redraws(self, *sets):
        """Yields places of sets: all of them, then `num_bootstraps` draws."""
        yield (slice(None),) * len(sets)
        for _ in range(self.num_bootstraps):
            yield tuple(
                self.random.integers(len(points), size=len(points))
                for points in sets
            )

    def share(self, name, found, floor, better):
        """Makes the `Measure` of a share of points, from booleans."""
        value, ends = float(found.mean()), (None, None)
        if self.num_bootstraps:
            ends = share_interval(value, len(found))
        floor = None if floor is None else float(floor)
        return Measure(name, value, *ends, floor, better)
