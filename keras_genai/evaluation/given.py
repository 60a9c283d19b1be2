"""Sets of images for an evaluation, and draws from them."""

import typing

import numpy as np

from keras_genai.digests import array_digest
from keras_genai.evaluation.checks import checked_images

MOST_SAMPLES = 10_000


class Drawn(typing.NamedTuple):
    """Images that were drawn from a set, and their labels or `None`."""

    images: np.ndarray
    labels: np.ndarray | None


class Given:
    """A set of images, given as `Images` or as an array.

    Args:
        source: `Images`, or array `(count, height, width, channels)`.
        name: String, name of the argument, for errors.
        image_shape: `(height, width, channels)` that they must have, or
            `None` for any.

    Raises:
        ValueError: If they are not such images.
    """

    def __init__(self, source, name, image_shape=None):
        self.name = name
        self.images = checked_images(
            getattr(source, "images", source), name, image_shape
        )
        self.labels = getattr(source, "labels", None)
        self.class_names = getattr(source, "class_names", ())
        self.source = getattr(source, "source", "array")
        self.digest = getattr(source, "digest", None)
        self.digest = self.digest or array_digest(self.images)

    @property
    def about(self):
        """Dictionary of the source, the count and the digest."""
        return {
            "source": self.source,
            "images": len(self.images),
            "digest": self.digest,
        }

    def drawn(self, count, random):
        """Draws images without replacement, in the order of the set.

        Args:
            count: Integer, at most as many as there are.
            random: `np.random.Generator`. It is not used for all images.

        Returns:
            `Drawn`.
        """
        places = np.arange(count)
        if count < len(self.images):
            places = random.choice(len(self.images), count, replace=False)
        places = np.sort(places)
        labels = None
        if self.labels is not None:
            labels = np.asarray(self.labels)[places]
        return Drawn(self.images[places], labels)


def common_count(num_samples, *sets):
    """Finds how many images all sets can give.

    Args:
        num_samples: Integer that was asked for, or `None` for as many as all
            sets have, at most 10,000.
        *sets: `Given`, or `None`, which is skipped.

    Returns:
        Integer.

    Raises:
        ValueError: If a set has fewer than were asked for.
    """
    sizes = {each.name: len(each.images) for each in sets if each is not None}
    most = min(sizes.values())
    if num_samples is None:
        return min(most, MOST_SAMPLES)
    if not 1 <= num_samples <= most:
        counts = ", ".join(f"{name} of {n}" for name, n in sizes.items())
        raise ValueError(
            f"Expected `num_samples` from 1 to {most}, the smallest set. "
            f"Received: num_samples={num_samples}, {counts}"
        )
    return num_samples
