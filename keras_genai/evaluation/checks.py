"""Checks of the data that enter an evaluation."""

import numpy as np


def checked_features(*sets):
    """Refuses features that are not finite or differ in width.

    Args:
        *sets: Arrays `(count, feature_dim)`.

    Returns:
        List of float64 arrays.

    Raises:
        ValueError: If one has a wrong form, or if the widths differ.
    """
    sets = [np.asarray(features, "float64") for features in sets]
    for features in sets:
        if features.ndim != 2 or not np.isfinite(features).all():
            raise ValueError(
                "Expected finite features (count, feature_dim). "
                f"Received: shape {features.shape}"
            )
    if len({features.shape[1] for features in sets}) > 1:
        widths = " and ".join(str(features.shape[1]) for features in sets)
        raise ValueError(
            f"Expected features of one extractor. Received: widths {widths}"
        )
    return sets


def check_enough_for_covariance(count, width, name):
    """Refuses fewer examples than a covariance needs.

    Args:
        count: Integer, examples.
        width: Integer, features of each.
        name: String, the name of the set.

    Raises:
        ValueError: If there are not more examples than features.
    """
    if count <= width:
        raise ValueError(
            "A Fréchet distance fits a covariance, which needs more examples "
            f"than features: {width + 1} would do, {10 * width} are better. "
            f"Received: {name} of {count} examples and {width} features"
        )


def check_k(k, *counts, name="k"):
    """Refuses a number of neighbours that a set of points does not have.

    Args:
        k: Integer, number of neighbours.
        *counts: Integers, points of each set.
        name: String, name of the argument.

    Raises:
        ValueError: If `k` is not an integer in [1, count) for every count.
    """
    whole = isinstance(k, (int, np.integer)) and not isinstance(k, bool)
    if not whole or not 1 <= k < min(counts):
        raise ValueError(
            f"`{name}` must be an integer, at least 1 and less than every "
            f"count. Received: {name}={k!r}, counts "
            + " and ".join(map(str, counts))
        )


def checked_images(images, name, image_shape=None):
    """Refuses images of another shape or range than expected.

    Args:
        images: Array `(count, height, width, channels)`, uint8 or float in
            [0, 1].
        name: String, name of the set, for the error.
        image_shape: `(height, width, channels)` that they must have; `None`
            instead of a number, or of all three, means any.

    Returns:
        The array.

    Raises:
        ValueError: If they have another form.
    """
    images = np.asarray(images)
    image_shape = image_shape or (None, None, None)
    if (
        images.ndim != 4
        or len(images) == 0
        or any(
            side not in (None, given)
            for side, given in zip(image_shape, images.shape[1:], strict=True)
        )
    ):
        sides = (
            str(side or axis)
            for side, axis in zip(
                image_shape, ("height", "width", "channels"), strict=True
            )
        )
        raise ValueError(
            f"Expected `{name}` of shape (count, {', '.join(sides)}). "
            f"Received: {name} of shape {images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f"Expected `{name}` of dtype uint8, or floats in [0, 1]. "
            f"Received: {name} of dtype {images.dtype}"
        )
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # so that NaN is refused too
        raise ValueError(
            f"Expected `{name}` in [0, 1], or of dtype uint8. "
            f"Received: {name} from {low:g} to {high:g}"
        )
    return images


def checked_labels(labels, num_classes, count):
    """Refuses labels that are not classes, or not one for each image.

    Args:
        labels: Integer array `(count,)`.
        num_classes: Integer.
        count: Integer.

    Returns:
        int64 array `(count,)`.

    Raises:
        ValueError: If they have another form.
    """
    labels = np.asarray(labels)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"Expected integer labels ({count},), one an image. "
            f"Received: labels of shape {labels.shape}, dtype {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"Expected labels in [0, {num_classes}). Received: labels from "
            f"{labels.min()} to {labels.max()}, num_classes={num_classes}"
        )
    return labels.astype("int64")


def checked_probabilities(probabilities):
    """Refuses rows that are not distributions over classes.

    Args:
        probabilities: Float array `(count, num_classes)`.

    Returns:
        float64 array.

    Raises:
        ValueError: If rows are negative, not finite or do not sum to 1.
    """
    probabilities = np.asarray(probabilities, "float64")
    if (
        probabilities.ndim != 2
        or probabilities.size == 0
        or not (probabilities >= 0).all()
        or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    ):
        raise ValueError(
            "Expected probabilities (count, num_classes), each row at least 0 "
            f"and summing to 1. Received: shape {probabilities.shape}"
        )
    return probabilities
