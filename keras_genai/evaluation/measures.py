"""All measures of two sets of features: value, interval, floor."""

from keras_genai.evaluation.checks import (
    check_enough_for_covariance,
    check_k,
    checked_features,
)
from keras_genai.evaluation.comparison import Comparison
from keras_genai.evaluation.stages import (
    DENSITY_K,
    class_measures,
    copy_measures,
    frechet_measures,
    kernel_measures,
    manifold_measures,
)


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
    """Measures samples against a reference, by the features of both.

    All intervals are of 95 %:

    - precision, recall, density, coverage: for the mean over all samples and
      references of the same counts that could be drawn; with other counts these
      measures differ. The width comes from parts of both sets, drawn without
      replacement, because a set with duplicates has other neighbourhoods. It is
      too small if a few outliers decide, as in sets that lie far apart.
    - share memorised, agreement with labels: Wilson's interval.
    - classifier score: a mean over points, which are drawn again with
      replacement; the mean over the classes stays fixed.
    - Fréchet distances, entropy of the classes: both sets are drawn again with
      replacement. Such sets are more biased than the original ones, so the
      spread of the replicates about their own mean is laid around the estimate.
    - kernel distance: from the standard error of its blocks, three or more.

    Args:
        samples: `Features` of samples.
        reference: `Features` of held-out images.
        floor: `Features` of real images, as many as samples, measured in place
            of the samples, or `None`.
        training: Float array `(training_count, feature_dim)`, features of all
            training images, or `None`.
        asked: Integer array `(count,)`, labels that were given to the model
            for the samples, or `None`.
        labels: Integer array `(reference_count,)`, labels of the reference,
            or `None`. The classifier's accuracy on them is the floor of the
            agreement with `asked`.
        k: Integer >= 1, neighbours of precision and recall. Defaults to `3`.
        num_bootstraps: Integer >= 0, replicates and parts; with `0` only the
            kernel distance has an interval. Defaults to `100`.
        seed: Integer.
        distance_name: String, the name of the Fréchet distance.
        progress: Function without arguments, called after each group of
            measures, or `None`.

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
    comparison = Comparison(
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
    measures = []
    for stage in _stages(
        samples.probabilities is not None, training is not None
    ):
        measures += stage(comparison)
        if progress is not None:
            progress()
    return measures, comparison.neighbours


def num_stages(probabilities, training):
    """Returns how often `measure_features` reports progress.

    Args:
        probabilities: Boolean, whether the features have them.
        training: Boolean, whether there are training features.

    Returns:
        Integer.
    """
    return len(_stages(probabilities, training))


def _stages(probabilities, training):
    """Lists the groups of measures, in order."""
    stages = [frechet_measures, kernel_measures, _manifolds]
    if probabilities:
        stages.append(class_measures)
    if training:
        stages.append(copy_measures)
    return stages


def _manifolds(comparison):
    return manifold_measures(
        comparison.samples.values,
        comparison.reference.values,
        comparison.of_floor(lambda features: features.values),
        comparison.k,
        comparison.num_bootstraps,
        comparison.random,
    )
