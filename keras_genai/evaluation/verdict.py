"""One line on an evaluation: how near the samples are, and how varied."""

# Up to so many times the floor -> what that means.
_DISTANCES = (
    (1.5, "as near as real images"),
    (3.0, "close"),
    (10.0, "visibly off"),
    (float("inf"), "far off"),
)
# From this share of real images within reach of the samples on -> the same.
_RECALLS = (
    (0.8, "most of the variety is there"),
    (0.5, "some of the variety is missing"),
    (0.0, "most of the variety is missing"),
)
# A share of samples nearer to a training image than images ever are by chance.
_COPIES = 0.01


def verdict(distance, floor, recall, memorised=None):
    """Says what three numbers mean together.

    The words are for orientation. The limits between them are choices, and no
    test of significance.

    Args:
        distance: Float, Fréchet distance of the samples to held-out images.
        floor: Float, that of as many training images, or `None`.
        recall: Float in [0, 1].
        memorised: Float in [0, 1], the share of samples that are copies of
            training images, or `None`.

    Returns:
        String, a sentence.

    Example:
        >>> verdict(8.1, 3.1, 0.87)
        '2.6 times the floor: close; recall 0.87: most of the variety is there.'
    """
    parts = []
    if floor is not None and floor > 0:
        ratio = distance / floor
        words = next(words for most, words in _DISTANCES if ratio <= most)
        parts.append(f"{ratio:.1f} times the floor: {words}")
    words = next(words for least, words in _RECALLS if recall >= least)
    parts.append(f"recall {recall:.2f}: {words}")
    if memorised is not None and memorised > _COPIES:
        parts.append(f"{memorised:.0%} of the samples are copies")
    return f"{'; '.join(parts)}."
