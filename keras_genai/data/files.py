"""Arrays, files and folders -> decoded images and their labels."""

import math
import os
import re
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from keras_genai.archives import open_archive

_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}
# What these are; others Pillow would read by starting other programs.
_IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
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
        image_size: `(height, width)` to resize to, or `None`.
        cache: `"memory"`, `"disk"`, or `"auto"`: the disk for more than 2 GiB.

    Raises:
        ValueError: If a side is not positive.
    """

    def __init__(self, image_size, cache):
        if image_size is not None:
            height, width = image_size
            if height < 1 or width < 1:
                raise ValueError(
                    "`image_size` must be (height, width), both positive. "
                    f"Received: image_size={image_size}"
                )
        self.image_size = image_size
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
            tuple(self.image_size),
            antialias=True,
            crop_to_aspect_ratio=True,
        )
        return ops.cast(ops.clip(ops.round(image), 0, 255), "uint8")

    def fill(self, examples, count):
        """Collects pairs of an image and a label into two arrays.

        Args:
            examples: Iterator of pairs (uint8 array, integer).
            count: Integer, how many there are.

        Returns:
            Pair of a uint8 array `(count, height, width, channels)` and an
            int64 array `(count,)`.

        Raises:
            ValueError: If the images differ in size.
        """
        import keras

        images, labels = None, np.zeros(count, "int64")
        progress = keras.utils.Progbar(
            count, verbose=int(count >= 20_000), unit_name="image"
        )
        for index, (image, label) in enumerate(examples):
            if images is None:
                images = self._allocate((count, *image.shape))
            if image.shape != images.shape[1:]:
                raise ValueError(
                    "The images differ in size: pass image_size=(height, "
                    f"width). Received: {images.shape[1:]} and {image.shape}"
                )
            images[index], labels[index] = image, label
            if index % 1000 == 999 or index == count - 1:
                progress.update(index + 1)
        if images is None:
            images = np.zeros((0, 1, 1, 1), "uint8")
        return images, labels

    def _allocate(self, shape):
        large = math.prod(shape) > _MEMORY_LIMIT
        if self.cache == "memory" or (self.cache == "auto" and not large):
            return np.zeros(shape, "uint8")
        # An unlinked file: it is gone when the last array that uses it is.
        with tempfile.TemporaryFile(prefix="keras_genai_") as file:
            return np.memmap(file, dtype="uint8", mode="w+", shape=shape)


def from_arrays(splits, split, store):
    """Takes a split out of arrays.

    Args:
        splits: Dictionary: name of a split -> pair of images and labels, or
            of images and `None`.
        split: String, a split with TFDS's slicing.
        store: `Store`.

    Returns:
        Triple of images, labels (or `None`) and names of the classes.

    Raises:
        ValueError: If the split does not exist, or the arrays are no images
            with as many labels.
    """
    sizes = {
        name: SimpleNamespace(num_examples=len(images))
        for name, (images, _) in splits.items()
    }
    parts = []
    for name, start, stop in absolute_split(split, sizes):
        images, labels = splits[name]
        images = _as_uint8(np.asarray(images))[start:stop]
        if labels is None:
            labels = np.full(len(splits[name][0]), -1)
        labels = np.asarray(labels).reshape(-1)
        if len(labels) != len(splits[name][0]):
            raise ValueError(
                "Expected as many labels as images. Received: "
                f"{len(splits[name][0])} images and {len(labels)} labels"
            )
        parts.append((images, labels[start:stop]))
    images = np.concatenate([images for images, _ in parts])
    labels = np.concatenate([labels for _, labels in parts]).astype("int64")
    if store.image_size is not None:
        images = store.fill(
            ((store.resize(image).numpy(), 0) for image in images), len(images)
        )[0]
    if (labels < 0).any():  # a split without labels
        return images, None, ()
    return images, labels, [str(label) for label in np.unique(labels)]


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


def _as_uint8(images):
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "Expected images (count, height, width) or (count, height, width, "
            f"channels) with 1 or 3 channels. Received: shape {images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            "Expected uint8 in [0, 255] or floats in [0, 1]. "
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
    if not Path(path).is_file():
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


def from_folder(folder, split, store, skip_broken):
    """Decodes a split of a folder of images.

    Args:
        folder: `pathlib.Path`; its sub-folders are splits, or classes.
        split: String, a split with TFDS's slicing.
        store: `Store`.
        skip_broken: Boolean. Whether broken files are passed over.

    Returns:
        Triple of images, labels (or `None`) and names of the classes.

    Raises:
        ValueError: If there are no images, or if one is broken.
    """
    from PIL import Image

    splits = {
        name: folder / name
        for name in ("train", "validation", "test")
        if (folder / name).is_dir()
    }
    splits.setdefault("train", folder)
    files, class_names = {}, set()
    for name, root in splits.items():
        found = [
            (path, path.relative_to(root).parts)
            for path in sorted(root.rglob("*"))
            if path.suffix.lower() in _IMAGE_SUFFIXES
        ]
        if root == folder:  # what is held out stays held out
            found = [(p, parts) for p, parts in found if parts[0] not in splits]
        class_names |= {parts[0] for _, parts in found if len(parts) > 1}
        # Not sorted by class, so that a slice has all of them.
        order = np.random.default_rng(0).permutation(len(found))
        files[name] = [found[index] for index in order]
    class_names = sorted(class_names)
    sizes = {
        name: SimpleNamespace(num_examples=len(found))
        for name, found in files.items()
    }
    chosen = [
        file
        for name, start, stop in absolute_split(split, sizes)
        for file in files[name][start:stop]
    ]
    if not chosen:
        raise ValueError(
            "The folder has no images "
            f"({', '.join(sorted(_IMAGE_SUFFIXES))}). "
            f"Received: source={str(folder)!r}, split={split!r}"
        )

    decoded = []
    for path, parts in chosen:
        try:
            with warnings.catch_warnings():
                # Of a header that asks for more than 89 million pixels.
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                opened = Image.open(path, formats=_IMAGE_FORMATS)
            with opened as image:
                image.load()
                grey = image.mode in ("1", "L", "LA")
                pixels = np.asarray(image.convert("L" if grey else "RGB"))
            pixels = pixels.reshape(*pixels.shape[:2], 1 if grey else 3)
        except Exception as error:
            if not skip_broken:
                raise ValueError(
                    "An image cannot be decoded; `skip_broken=True` passes "
                    f"over it. Received: {str(path)!r} ({error})"
                ) from error
            print(f"Skipping {path}: {error}")
            continue
        label = class_names.index(parts[0]) if len(parts) > 1 else -1
        decoded.append((np.asarray(store.resize(pixels)), label))
    # Any colour: all RGB.
    channels = max((pixels.shape[-1] for pixels, _ in decoded), default=1)
    images, labels = store.fill(
        (
            (np.broadcast_to(pixels, (*pixels.shape[:2], channels)), label)
            for pixels, label in decoded
        ),
        len(decoded),
    )
    if (labels < 0).any():  # images beside the folders of classes, or alone
        return images, None, ()
    return images, labels, class_names


def cache_folder(name):
    """Where what is costly to make is kept between runs.

    Args:
        name: String, of whom it is kept.

    Returns:
        `pathlib.Path` in the folder of the environment variable
        `KERAS_GENAI_CACHE`, or in `~/.cache/keras_genai`.
    """
    folder = os.environ.get("KERAS_GENAI_CACHE", "~/.cache/keras_genai")
    return Path(folder).expanduser() / name
