"""Codes -> points."""

import numpy as np

from keras_genai.plotting.figures import new_figure


def plot_codes(codes, labels, class_names=None):
    """Draws codes of two numbers as points, coloured by class.

    Args:
        codes: Float array `(count, 2)`.
        labels: Integer array `(count,)`.
        class_names: Strings, one a class, or `None` for their numbers.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: If the codes are not pairs of numbers, one for each label.

    Example:
        >>> figure = plot_codes(np.zeros((3, 2)), [0, 1, 1])
    """
    codes, labels = np.asarray(codes), np.asarray(labels)
    if codes.ndim != 2 or codes.shape[1] != 2 or len(codes) != len(labels):
        raise ValueError(
            "Expected codes (count, 2) and as many labels. Received: codes "
            f"of shape {codes.shape}, {len(labels)} labels"
        )
    figure = new_figure(5.5, 4.8)
    axes = figure.add_subplot()
    for label in np.unique(labels):
        chosen = codes[labels == label]
        axes.scatter(
            *chosen.T,
            s=6,
            color=f"C{label}" if label < 10 else None,
            alpha=0.6,
            label=str(class_names[label] if class_names else label),
        )
    axes.set_xlabel("first latent")
    axes.set_ylabel("second latent")
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(
        fontsize=8, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5)
    )
    figure.tight_layout()
    return figure
