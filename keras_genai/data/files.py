"""Arrays and files of arrays -> decoded images and their labels."""

import math
import re
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from keras_genai.archives import open_archive
from keras_genai.data.labels import index_labels

_ARRAYS = {
    *("x_train", "y_train", "x_test", "y_test"),
    *("images", "labels", "x", "y"),
}
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_MEMORY_LIMIT = 2 * 1024**3  # bytes of pixels kept in memory


class Store:
    """Resizes images, and holds them in memory or in a temporary file.

    Args:
        image_size: `(height, width)` to resize to, an integer for both, or
            `None`.
        cache: `"memory"`, `"disk"`, or `"auto"`: the disk for more than 2 GiB.

    Raises:
        ValueError: If a side is no positive integer.
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
        """Cuts an image to the shape asked for, at its centre, and resizes it.

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
            examples: Iterator of pairs (uint8 array, integer); what is
                `None` or `False` instead is passed over.
            count: Integer, how many there are, with those passed over.
            show_from: Integer, the count from which a progress bar is shown.

        Returns:
            Pair of a uint8 array `(count, height, width, channels)` and an
            int64 array `(count,)`. One image in colour makes them all so.

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
        # An unlinked file: it is gone when the last array that uses it is.
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


def from_arrays(splits, split, store, background=(255, 255, 255)):
    """Takes a split out of arrays.

    Args:
        splits: Dictionary: name of a split -> pair of images and labels, or
            of images and `None`.
        split: String, a split with TFDS's slicing.
        store: `Store`.
        background: Triple of integers in 0..255, what transparent pixels lie
            on.

    Returns:
        Triple of images, labels (or `None`) and names of the classes.

    Raises:
        ValueError: If the split does not exist, or the arrays are no images
            with as many labels.
    """
    splits = {
        name: (_as_array(images), labels)
        for name, (images, labels) in splits.items()
    }
    indices, class_names = index_labels(
        {name: labels for name, (_, labels) in splits.items()}
    )
    sizes = {}
    for name, (images, _) in splits.items():
        num_images = len(images) if images.ndim else 0
        sizes[name] = SimpleNamespace(num_examples=num_images)
        if indices[name] is not None and len(indices[name]) != num_images:
            raise ValueError(
                "Expected as many labels as images. Received: "
                f"{num_images} images and {len(indices[name])} labels"
            )
    parts = absolute_split(split, sizes)
    images = np.concatenate(
        [
            _as_uint8(splits[name][0], background)[start:stop]
            for name, start, stop in parts
        ]
    )
    if store.image_size is not None or store.cache == "disk":
        images = store.fill(
            ((np.asarray(store.resize(image)), 0) for image in images),
            len(images),
        )[0]
    if any(indices[name] is None for name, _, _ in parts):
        return images, None, ()
    labels = [indices[name][start:stop] for name, start, stop in parts]
    return images, np.concatenate(labels), class_names


def _as_array(images):
    try:
        return np.asarray(images)
    except ValueError as error:
        raise ValueError(
            "The images differ in size, so that they are no array: put them "
            "in a folder and pass image_size=(height, width). "
            f"Received: {type(images).__name__} of length {len(images)}"
        ) from error


def ended_split(split, sizes):
    """Lets slices end with their split, as Python's do.

    Args:
        split: String, as for `absolute_split`.
        sizes: Mapping, as for `absolute_split`.

    Returns:
        String: `"train[:256]"` for `"train[:512]"` of 256 examples.
    """

    def ended(part):
        name, start, stop = part.groups()
        if name in sizes:
            stop = min(int(stop), sizes[name].num_examples)
        return f"{name}[{start}:{stop}]"

    return re.sub(r"([^\[+\s]+)\[(\d*):(\d+)\]", ended, split)


def absolute_split(split, sizes):
    """Reads a split with TFDS's slicing, as in `"train[:10%]+test"`.

    Args:
        split: String. Slices end with their split, as `ended_split` has it.
        sizes: Mapping: name of a split -> object with `num_examples`.

    Returns:
        List of triples (name, start, stop).

    Raises:
        ValueError: If there is no such split.
    """
    import tensorflow_datasets as tfds

    try:
        instructions = tfds.core.ReadInstruction.from_spec(
            ended_split(split, sizes)
        ).to_absolute(sizes)
    except (AssertionError, TypeError, ValueError) as error:
        raise ValueError(
            f"There is no such split. Known: {', '.join(sizes)}, with slices "
            f"as in 'train[:10%]'. Received: split={split!r}"
        ) from error
    return [(part.splitname, part.from_, part.to) for part in instructions]


def _as_uint8(images, background):
    shape, channels = images.shape, (1, 3, 4)
    # (height, width, channels); no image is one to four pixels wide.
    if len(shape) == 3 and shape[1] > 4 and shape[2] in channels:
        raise ValueError(
            "Expected images (count, height, width) or (count, height, width, "
            "channels); one image is image[None]. "
            f"Received: one of shape {images.shape}"
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in channels:
        raise ValueError(
            "Expected images (count, height, width) or (count, height, width, "
            "channels) with 1 channel, 3, or 4 of which the last is "
            "transparency; one image is image[None]. "
            f"Received: shape {images.shape}"
        )
    images = _in_bytes(images)
    if images.shape[-1] < 4:
        return images
    # (count, height, width, 1)
    alpha = images[..., 3:] / np.float32(255)
    images = images[..., :3] * alpha + np.float32(background) * (1 - alpha)
    return np.round(images).astype("uint8")


def _in_bytes(images):
    if images.dtype == np.uint8:
        return images
    if images.dtype == bool:
        return images * np.uint8(255)
    if np.issubdtype(images.dtype, np.integer):
        if images.size and not (images.min() >= 0 and images.max() <= 255):
            raise ValueError(
                "Expected integers in 0..255 (16 bits are images // 257). "
                f"Received: {images.dtype} from {images.min()} to "
                f"{images.max()}"
            )
        return images.astype("uint8")
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            "Expected integers in 0..255, floats in [0, 1] or booleans. "
            f"Received: {images.dtype}"
        )
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            "Expected finite floats in [0, 1] (for [0, 255] pass uint8). "
            f"Received: values from {images.min()} to {images.max()}"
        )
    return np.round(images * 255).astype("uint8")


def read_npz(path):
    """Reads the splits of a `.npz` file.

    Args:
        path: Path with the suffix `.npz`.

    Returns:
        Dictionary for `from_arrays`.

    Raises:
        ValueError: If there is no such file, if it is broken or would be
            absurdly large, or if its arrays have names that are not known.
    """
    if not Path(path).exists():
        raise ValueError(f"There is no such file. Received: {str(path)!r}")
    try:
        arrays, names = _read_arrays(path)
    except Exception as error:  # of whatever kind a broken file makes
        raise ValueError(
            f"Expected a .npz file that can be read: {error}. "
            f"Received: {str(path)!r}"
        ) from error
    splits = {}
    for split in ("train", "test"):
        if f"x_{split}" in arrays:
            splits[split] = arrays[f"x_{split}"], arrays.get(f"y_{split}")
    for images, labels in (("images", "labels"), ("x", "y")):
        if not splits and images in arrays:
            splits["train"] = arrays[images], arrays.get(labels)
    if not splits:
        raise ValueError(
            "Expected arrays named x_train and y_train (and x_test, y_test), "
            "or images and labels, or x and y. "
            f"Received: {str(path)!r} with {names}"
        )
    return splits


def _read_arrays(path):
    """Arrays of a `.npz` file by their names, if known, and all names."""
    arrays, names = {}, []
    with open_archive(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            names.append(name)
            if name not in _ARRAYS:
                continue
            # NumPy sets as much memory aside as the header asks for.
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                shape, _, dtype = _READ_HEADER[version](file)
                size = math.prod(shape) * dtype.itemsize
                if size != member.file_size - file.tell():
                    raise ValueError(f"{name!r} is not {dtype} of {shape}")
            with archive.open(member) as file:
                arrays[name] = np.lib.format.read_array(
                    file, allow_pickle=False
                )
    return arrays, sorted(names)
