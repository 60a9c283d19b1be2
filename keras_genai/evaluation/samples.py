"""Samples of a model against held-out images: one call, one result."""

import keras
import numpy as np

from keras_genai.digests import array_digest
from keras_genai.evaluation.checks import (
    check_enough_for_covariance,
    check_k,
    checked_images,
    checked_labels,
)
from keras_genai.evaluation.classes import class_histogram
from keras_genai.evaluation.features import FeatureExtractor
from keras_genai.evaluation.given import Given, common_count
from keras_genai.evaluation.measures import measure_features, num_stages
from keras_genai.evaluation.result import SampleEvaluation
from keras_genai.evaluation.stages import DENSITY_K

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

    The floor is the value of as many training images in the samples' place: a
    perfect model would reach it. (If the extractor was trained on the same
    images, the floor is a little too good.) Samples, reference and floor have
    the same count, because most measures depend on it. Read all measures
    together: samples that are all alike, or pale, can be more precise than real
    images, but then have no recall.

    Args:
        samples: Model with `generate(num_samples, seed=)`, or array `(count,
            height, width, channels)`, uint8 or float in [0, 1]. A conditional
            model generates labels as frequent as in `training`, and one more
            measure is the share of samples in which the extractor finds the
            label.
        reference: Held-out `Images`, or an array like `samples`.
        training: `Images` that the model was trained on, or an array, or
            `None`. Without it there is no floor and no search for copies.
        extractor: `FeatureExtractor` or `PretrainedFeatures`, or `None` for
            `FeatureExtractor.for_data(training)`.
        num_samples: Integer, images of each set, or `None` for as many as all
            sets have, at most 10,000. Larger sets are drawn from.
        seed: Integer, seed of the samples, the draws and the replicates.
        k: Integer >= 1, neighbours of precision and recall. Defaults to `3`.
        num_bootstraps: Integer >= 0, replicates for the intervals; `0` for
            none. With thousands of features they take long. Defaults to `100`.
        verbose: 0, or 1 for progress bars.

    Returns:
        `SampleEvaluation`: `result["precision"].value`, `print(result)`,
        `result.save(path)`.

    Raises:
        ValueError: If a set has another shape, range or dtype; if it has
            fewer images than asked for or than the extractor has features; if
            all samples are identical; if `k` is too large; or if there is
            neither an extractor nor a training set with labels.

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
    # Check the sets.
    held_out = Given(reference, "reference")
    shape = held_out.images.shape[1:]
    trained_on = own = None
    if training is not None:
        trained_on = Given(training, "training", shape)
    if not hasattr(samples, "generate"):
        own = Given(samples, "samples", shape)
    _check_extractor(extractor, held_out, trained_on)
    count = common_count(num_samples, held_out, trained_on, own)
    _check_count(count, k, extractor)

    # Draw as many images of each set.
    random = np.random.default_rng(seed)
    real = held_out.drawn(count, random)
    asked = None
    if own is not None:
        images = own.drawn(count, random).images
    else:
        if _obeys(samples, trained_on, extractor):
            asked = random.choice(np.asarray(trained_on.labels), count)
        images = _generate(samples, count, asked, seed, shape)
    _check_varied(images)
    floor = None if trained_on is None else trained_on.drawn(count, random)

    # Describe them by features.
    if extractor is None:
        extractor = FeatureExtractor.for_data(training, verbose=verbose)
    is_classifier = extractor.num_classes is not None
    num_descriptions = 2 if trained_on is None else 4
    progress = keras.utils.Progbar(
        num_descriptions + num_stages(is_classifier, trained_on is not None),
        unit_name="stage",
        verbose=verbose,
    )

    def describe(images):
        features = extractor.describe(images)
        progress.add(1)
        return features

    of_samples, of_reference = describe(images), describe(real.images)
    of_floor = of_training = None
    if trained_on is not None:
        of_floor = describe(floor.images)
        of_training = describe(trained_on.images).values

    # Measure the features.
    labels = real.labels if is_classifier else None
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
    shares, accuracy = {}, None
    if is_classifier:
        shares = {
            "samples": _class_shares(of_samples),
            "reference": _class_shares(of_reference),
        }
        if labels is not None:
            classes = of_reference.probabilities.argmax(axis=1)
            accuracy = float((classes == labels).mean())
    shown, nearest = _shown(neighbours, count)
    return SampleEvaluation(
        measures=tuple(measures),
        num_samples=count,
        seed=seed,
        k=k,
        extractor=extractor.name,
        extractor_accuracy=accuracy,
        reference=held_out.about,
        training=None if trained_on is None else trained_on.about,
        samples_digest=array_digest(images),
        class_names=held_out.class_names,
        class_shares=shares,
        shown=np.asarray(images[shown]),
        nearest=None if nearest is None else trained_on.images[nearest],
    )


def _check_extractor(extractor, held_out, trained_on):
    """Refuses an extractor that does not fit, or data without labels."""
    if extractor is None:
        if trained_on is None or trained_on.labels is None:
            raise ValueError(
                "Expected an `extractor`, or `training` images with labels to "
                "train one on. Received: extractor=None, "
                + (
                    "training=None"
                    if trained_on is None
                    else "training images without labels"
                )
            )
        return
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


def _check_count(count, k, extractor):
    """Refuses too few images, before anything is drawn or trained."""
    check_k(k, count)
    check_k(DENSITY_K, count, name="k of density and coverage")
    width = 64 if extractor is None else extractor.feature_dim
    check_enough_for_covariance(count, width, "a set")


def _check_varied(images):
    if (images == images[0]).all():
        raise ValueError(
            f"Expected samples that differ. Received: {len(images)} samples, "
            "all identical"
        )


def _obeys(model, trained_on, extractor):
    """Tells whether the model can generate the labels of the extractor."""
    num_classes = getattr(model, "num_classes", None)
    has_labels = trained_on is not None and trained_on.labels is not None
    known = None if extractor is None else extractor.num_classes
    return (
        has_labels and num_classes is not None and known in (None, num_classes)
    )


def _generate(model, count, labels, seed, image_shape):
    request = {"num_samples": count} if labels is None else {"labels": labels}
    images = model.generate(**request, seed=seed)
    return checked_images(images, "generated images", image_shape)


def _class_shares(features):
    classes = features.probabilities.argmax(axis=1)
    return class_histogram(classes, features.probabilities.shape[1]).tolist()


def _shown(neighbours, count):
    """Returns places of samples to show, and of their nearest neighbours."""
    if neighbours is None:
        return np.arange(min(count, _NUM_SHOWN)), None
    ratios = neighbours.first / np.maximum(neighbours.second, 1e-12)
    shown = np.argsort(ratios, kind="stable")[:_NUM_SHOWN]
    return shown, neighbours.indices[shown]
