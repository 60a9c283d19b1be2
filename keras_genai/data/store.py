"""Where decoded images are kept: resized, in memory or in a temporary file."""

import math
import tempfile

import numpy as np

_MEMORY_LIMIT = 2 * 1024**3  # bytes of pixels kept in memory


class Store:
    """Resizes images, and keeps them in memory or in a temporary file.

    Args:
        image_size: `(height, width)` to resize to, an integer for both, or
            `None`.
        cache: `"memory"`, `"disk"`, or `"auto"`: the disk for more than 2 GiB.

    Raises:
        ValueError: If a side is not a positive integer.
    """

    def __init__(self, image_size, cache):
        sides = image_size
        if isinstance(image_size, (int, np.integer)):
            sides = (image_size, image_size)
        if sides is not None and not _are_sides(sides):
            raise ValueError(
                "`image_size` must be (height, width), both positive, or one "
                "integer for both (--image-size HEIGHT WIDTH on the command "
                f"line). Received: image_size={image_size}"
            )
        self.image_size = None if sides is None else tuple(map(int, sides))
        self.cache = cache

    def resize(self, image):
        """Cuts an image at its centre to the new shape, and resizes it.

        Args:
            image: uint8 array or tensor `(height, width, channels)`.

        Returns:
            uint8 tensor `(*image_size, channels)`, or the image itself.
        """
        from keras import ops

        if self.image_size is None:
            return image
        image = ops.image.resize(
            ops.cast(image, "float32"),
            self.image_size,
            antialias=True,
            crop_to_aspect_ratio=True,
        )
        return ops.cast(ops.clip(ops.round(image), 0, 255), "uint8")

    def fill(self, examples, count, show_from=20_000):
        """Collects pairs of an image and a label into two arrays.

        Args:
            examples: Iterator of pairs (uint8 array, integer). `None` and
                `False` are skipped.
            count: Integer, the number of examples, skipped ones included.
            show_from: Integer, the count from which a progress bar is shown.

        Returns:
            Pair of a uint8 array `(count, height, width, channels)` and an
            int64 array `(count,)`. One image in colour makes all of them
            images in colour.

        Raises:
            ValueError: If the images differ in size.
        """
        import keras

        images, labels, filled = None, np.zeros(count, "int64"), 0
        progress = keras.utils.Progbar(
            count, verbose=int(count >= show_from), unit_name="image"
        )
        step = max(1, min(1000, count // 50))
        for index, example in enumerate(examples):
            if example:
                image, labels[filled] = example
                images = self._with_room_for(image, images, count)
                images[filled] = image
                filled += 1
            if (index + 1) % step == 0 or index == count - 1:
                progress.update(index + 1)
        if images is None:
            images = np.zeros((0, 1, 1, 1), "uint8")
        return images[:filled], labels[:filled]

    def _with_room_for(self, image, images, count):
        if images is None:
            return self._allocate((count, *image.shape))
        if image.shape[:2] != images.shape[1:3]:
            raise ValueError(
                "The images differ in size: pass image_size=(height, width) "
                "(--image-size HEIGHT WIDTH on the command line). Received: "
                f"{images.shape[1:]} and {image.shape}"
            )
        if image.shape[2] <= images.shape[3]:
            return images
        wider = self._allocate((*images.shape[:3], image.shape[2]))
        wider[:] = images
        return wider

    def _allocate(self, shape):
        large = math.prod(shape) > _MEMORY_LIMIT
        if self.cache == "memory" or (self.cache == "auto" and not large):
            return np.zeros(shape, "uint8")
        # The file has no name: it goes with the last array that uses it.
        with tempfile.TemporaryFile(prefix="keras_genai_") as file:
            return np.memmap(file, dtype="uint8", mode="w+", shape=shape)


def _are_sides(sides):
    return (
        np.ndim(sides) == 1
        and len(sides) == 2
        and all(
            isinstance(side, (int, np.integer))
            and not isinstance(side, bool)
            and side >= 1
            for side in sides
        )
    )
