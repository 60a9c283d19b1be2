"""What a classifier says of samples."""

import numpy as np


def class_histogram(classes, num_classes):
    """Counts how samples are spread over the classes.

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
    if classes.size == 0 or classes.max() >= num_classes:
        raise ValueError(
            "Expected classes below `num_classes`. Received: "
            + (f"up to {classes.max()}" if classes.size else "no classes")
            + f", num_classes={num_classes}"
        )
    counts = np.bincount(classes, minlength=num_classes)
    return counts / counts.sum()
