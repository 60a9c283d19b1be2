"""What is refused where it enters an evaluation."""

import numpy as np


def checked_features(*sets):
    """Refuses what are not finite features of one width.

    Args:
        *sets: Arrays `(count, feature_dim)`.

    Returns:
        List of float64 arrays.

    Raises:
        ValueError: If one has another form, or their widths differ.
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
