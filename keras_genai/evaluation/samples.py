"""Samples of a model against held-out images: one call, one result."""

import hashlib

import keras
import numpy as np

from keras_genai.evaluation.checks import (
    check_enough_for_covariance,
    check_k,
    checked_images,
    checked_labels,
)
from keras_genai.evaluation.classes import class_histogram
from keras_genai.evaluation.features import FeatureExtractor
from keras_genai.evaluation.measures import (
    DENSITY_K,
    measure_features,
    num_stages,
)
from keras_genai.evaluation.result import SampleEvaluation

MOST_SAMPLES = 10_000
_NUM_SHOWN = 10


def evaluate_samples(
    samples,
    reference,
    training=None,
    extractor=None,
    num_samples=None,
    seed=0,
    k=3,
    num_bootstraps=100,
    verbose=1,
):
    """Measures how good and how varied samples are, with intervals and floors.

    The floor is what as many images, drawn from the training set, get in the
    samples' place: a perfect model would come out there. (Where the extractor
    was trained on them too, it is a little too good.) Samples, reference and
    floor are of one count, because most measures depend on it. No measure is
    to be read alone: samples that are all alike, or washed out, may be more
    precise than real images, and then have no recall.

    Args:
        samples: Model with `generate(num_samples, seed=)`, or array `(count,
            height, width, channels)`, uint8 or float in [0, 1]. A conditional
            model is asked for labels as they are spread in `training`, and
            how often the extractor finds them is one measure more.
        reference: Held-out `Images`, or an array like `samples`.
        training: `Images` that the model was trained on, or an array, or
            `None`: then there is no floor, and copies are not looked for.
        extractor: `FeatureExtractor` or `PretrainedFeatures`, or `None` for
            `FeatureExtractor.for_data(training)`.
        num_samples: Integer, how many of each, or `None` for as many as all
            sets have, 10,000 at most. From larger sets they are drawn.
        seed: Integer, of the samples, the draws and the replicates.
        k: Integer >= 1, neighbours of precision and recall. Defaults to `3`.
        num_bootstraps: Integer >= 0, replicates for the intervals; `0` for
            none. With thousands of features they take long. Defaults to `100`.
        verbose: 0, or 1 for progress bars.

    Returns:
        `SampleEvaluation`: `result["precision"].value`, `print(result)`,
        `result.save(path)`.

    Raises:
        ValueError: If sets have other shapes, ranges or dtypes, or fewer
            images than asked for, or than the extractor has features; if all
            samples are identical; if `k` is too large; or if there is
            neither an extractor nor a labelled training set.

    Example:
        >>> random = np.random.default_rng(0)
        >>> images = random.integers(0, 256, (40, 8, 8, 1), "uint8")
        >>> extractor = FeatureExtractor((8, 8, 1), 2, feature_dim=4)
        >>> result = evaluate_samples(
        ...     images[:20], images[20:], extractor=extractor, verbose=0
        ... )
        >>> result.num_samples, 0 <= result["precision"].value <= 1
        (20, True)
    """
    held_out = _Given(reference, "reference")
    shape = held_out.images.shape[1:]
    trained_on = training
    if training is not None:
        trained_on = _Given(training, "training", shape)
    given = None
    if not hasattr(samples, "generate"):
        given = _Given(samples, "samples", shape)
    if extractor is None and (training is None or trained_on.labels is None):
        raise ValueError(
            "Expected an `extractor`, or `training` images with labels to "
            f"train one on. Received: extractor=None, training={training!r:.60}"
        )
    if extractor is not None:
        _check_extractor(extractor, held_out)
    count = _count(num_samples, held_out, trained_on, given)
    check_k(k, count)
    check_k(DENSITY_K, count, name="k of density and coverage")
    width = 64 if extractor is None else extractor.feature_dim
    check_enough_for_covariance(count, width, "a set")

    random = np.random.default_rng(seed)
    real = held_out.drawn(count, random)
    asked = None
    if given is None:
        request = {"num_samples": count}
        if _obeys(samples, trained_on, extractor):
            asked = random.choice(np.asarray(trained_on.labels), count)
            request = {"labels": asked}
        images = samples.generate(**request, seed=seed)
        images = checked_images(images, "generated images", shape)
    else:
        images = given.images[given.drawn(count, random)]
    if (images == images[0]).all():
        raise ValueError(
            f"Expected samples that differ. Received: {count} samples, all "
            "identical"
        )

    if extractor is None:
        extractor = FeatureExtractor.for_data(training, verbose=verbose)
    labelled = extractor.num_classes is not None
    labels = None
    if labelled and held_out.labels is not None:
        labels = np.asarray(held_out.labels)[real]
    progress = keras.utils.Progbar(
        2
        + 2 * (training is not None)
        + num_stages(labelled, training is not None),
        unit_name="stage",
        verbose=verbose,
    )

    def described(some):
        features = extractor.describe(some)
        progress.add(1)
        return features

    of_samples = described(images)
    of_reference = described(held_out.images[real])
    of_floor = of_training = None
    if training is not None:
        floor = trained_on.drawn(count, random)
        of_floor = described(trained_on.images[floor])
        of_training = described(trained_on.images).values
    measures, neighbours = measure_features(
        of_samples,
        of_reference,
        of_floor,
        of_training,
        asked,
        labels,
        k=k,
        num_bootstraps=num_bootstraps,
        seed=seed,
        distance_name=extractor.distance_name,
        progress=lambda: progress.add(1),
    )
    shown, nearest = _shown(neighbours, count)
    accuracy, shares = None, {}
    if labelled:
        classes, real_classes = (
            features.probabilities.argmax(axis=1)
            for features in (of_samples, of_reference)
        )
        shares = {
            name: class_histogram(found, extractor.num_classes).tolist()
            for name, found in (
                ("samples", classes),
                ("reference", real_classes),
            )
        }
        if labels is not None:
            accuracy = float((real_classes == labels).mean())
    return SampleEvaluation(
        measures=tuple(measures),
        num_samples=count,
        seed=seed,
        k=k,
        extractor=extractor.name,
        extractor_accuracy=accuracy,
        reference=held_out.about,
        training=None if training is None else trained_on.about,
        samples_digest=_digest(images),
        class_names=held_out.class_names,
        class_shares=shares,
        shown=np.asarray(images[shown]),
        nearest=None if nearest is None else trained_on.images[nearest],
    )


def _obeys(model, trained_on, extractor):
    """Whether it can be asked for labels that the extractor knows."""
    classes = getattr(model, "num_classes", None)
    labelled = trained_on is not None and trained_on.labels is not None
    known = None if extractor is None else extractor.num_classes
    return labelled and classes is not None and known in (None, classes)


def _shown(neighbours, count):
    """Places of the samples to show, and of their nearest training images."""
    if neighbours is None:
        return np.arange(min(count, _NUM_SHOWN)), None
    ratios = neighbours.first / np.maximum(neighbours.second, 1e-12)
    shown = np.argsort(ratios, kind="stable")[:_NUM_SHOWN]
    return shown, neighbours.indices[shown]


def _check_extractor(extractor, held_out):
    try:
        checked_images(held_out.images[:1], "images", extractor.image_shape)
    except ValueError as error:
        raise ValueError(
            "Expected an extractor for images of shape "
            f"{held_out.images.shape[1:]}. Received: extractor="
            f"{extractor.name!r} for {extractor.image_shape}"
        ) from error
    if extractor.num_classes is not None and held_out.labels is not None:
        checked_labels(
            held_out.labels, extractor.num_classes, len(held_out.images)
        )


class _Given:
    """Images handed in, as `Images` or as an array."""

    def __init__(self, source, name, image_shape=None):
        self.name = name
        self.images = checked_images(
            getattr(source, "images", source), name, image_shape
        )
        self.labels = getattr(source, "labels", None)
        self.class_names = getattr(source, "class_names", ())
        self.source = getattr(source, "source", "array")
        self.digest = getattr(source, "digest", None) or _digest(self.images)

    @property
    def about(self):
        return {
            "source": self.source,
            "images": len(self.images),
            "digest": self.digest,
        }

    def drawn(self, count, random):
        """Places of so many images, all of them in their order if they are."""
        if count == len(self.images):
            return np.arange(count)
        return np.sort(random.choice(len(self.images), count, replace=False))


def _count(num_samples, *sets):
    sets = {each.name: len(each.images) for each in sets if each is not None}
    most = min(sets.values())
    if num_samples is None:
        return min(most, MOST_SAMPLES)
    if not 1 <= num_samples <= most:
        counts = ", ".join(f"{name} of {n}" for name, n in sets.items())
        raise ValueError(
            f"Expected `num_samples` from 1 to {most}, the smallest set. "
            f"Received: num_samples={num_samples}, {counts}"
        )
    return num_samples


def _digest(images):
    sha = hashlib.sha256()
    for start in range(0, len(images), 4096):
        sha.update(np.ascontiguousarray(images[start : start + 4096]))
    return sha.hexdigest()[:16]
