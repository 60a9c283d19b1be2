"""Measures of samples by the classes that a classifier finds."""

import numpy as np

from keras_genai.evaluation.checks import checked_probabilities


def class_histogram(classes, num_classes):
    """Computes the share of each class in the samples.

    Args:
        classes: Integer array `(count,)`.
        num_classes: Integer >= 1.

    Returns:
        Float array `(num_classes,)` that sums to 1.

    Raises:
        ValueError: If there are no classes, or one is out of range.

    Example:
        >>> class_histogram([0, 0, 1, 2], num_classes=4)
        array([0.5 , 0.25, 0.25, 0.  ])
    """
    classes = np.asarray(classes, "int64")
    if classes.size == 0 or classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(
            "Expected classes from 0 to below `num_classes`. Received: "
            + (
                f"classes from {classes.min()} to {classes.max()}"
                if classes.size
                else "no classes"
            )
            + f", num_classes={num_classes}"
        )
    counts = np.bincount(classes, minlength=num_classes)
    return counts / counts.sum()


def class_entropy(shares):
    """How evenly samples are spread over the classes.

    Args:
        shares: Float array `(..., num_classes)`, each row at least 0 and
            summing to 1.

    Returns:
        Float, nats, or an array of them: 0 if all are of one class, the
        logarithm of the number of classes if all are as frequent.

    Raises:
        ValueError: If the rows are not shares.

    Example:
        >>> round(float(class_entropy([0.5, 0.5, 0.0])), 4)
        0.6931
    """
    shares = np.asarray(shares, "float64")
    rows = checked_probabilities(shares.reshape(-1, shares.shape[-1]))
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    # abs: for a single class it gives 0, not -0.
    return np.abs((rows * logs).sum(axis=1)).reshape(shares.shape[:-1])[()]


def classifier_score(probabilities):
    """How sure a classifier is of each sample, and how varied they are.

    `exp(E KL(p(y | x) || p(y)))`, where `p(y)` is the mean over the samples:
    from 1 to the number of classes. With the probabilities of Inception, this
    is the Inception score. It does not compare with data: one memorised image
    for each class would score best.

    Args:
        probabilities: Float array `(count, num_classes)`.

    Returns:
        Float in [1, num_classes].

    Raises:
        ValueError: If the rows are not distributions.

    Example:
        >>> round(classifier_score(np.eye(4)), 6)
        4.0

    Reference:
        Salimans et al., Improved techniques for training GANs, 2016.
    """
    return float(np.exp(divergences(probabilities).mean()))


def divergences(probabilities):
    """KL(p(y | x) || p(y)) of each sample, in nats.

    Args:
        probabilities: Float array `(count, num_classes)`.

    Returns:
        float64 array `(count,)`.

    Raises:
        ValueError: If the rows are not distributions.
    """
    rows = checked_probabilities(probabilities)
    marginal = rows.mean(axis=0)
    used = rows > 0
    logs = np.log(rows, out=np.zeros_like(rows), where=used)
    logs -= np.log(marginal, out=np.zeros_like(marginal), where=marginal > 0)
    return (rows * logs).sum(axis=1)
