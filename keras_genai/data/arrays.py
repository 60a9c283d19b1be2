"""Arrays and files of arrays -> decoded images and their labels."""

import math
from pathlib import Path

import numpy as np

from keras_genai.archives import open_archive
from keras_genai.data.labels import index_labels
from keras_genai.data.splits import absolute_split, sizes_of

_ARRAYS = {
    *("x_train", "y_train", "x_test", "y_test"),
    *("images", "labels", "x", "y"),
}
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def from_arrays(splits, split, store, background=(255, 255, 255)):
    """Takes a split out of arrays.

    Args:
        splits: Dictionary: name of a split -> pair of images and labels, or
            of images and `None`.
        split: String, a split with TFDS's slicing.
        store: `Store`.
        background: Triple of integers in 0..255, the colour behind
            transparent pixels.

    Returns:
        Triple of images, labels (or `None`) and names of the classes.

    Raises:
        ValueError: If the split does not exist, if the arrays are not
            images, or if there are more or fewer labels.
    """
    splits = {
        name: (_as_array(images), labels)
        for name, (images, labels) in splits.items()
    }
    indices, class_names = index_labels(
        {name: labels for name, (_, labels) in splits.items()}
    )
    counts = {
        name: len(images) if images.ndim else 0
        for name, (images, _) in splits.items()
    }
    for name, count in counts.items():
        if indices[name] is not None and len(indices[name]) != count:
            raise ValueError(
                "Expected as many labels as images. Received: "
                f"{count} images and {len(indices[name])} labels"
            )
    parts = absolute_split(split, sizes_of(counts))
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
            "The images differ in size and do not form an array: put them in "
            "a folder and pass image_size=(height, width). "
            f"Received: {type(images).__name__} of length {len(images)}"
        ) from error


def _as_uint8(images, background):
    shape, channels = images.shape, (1, 3, 4)
    # (height, width, channels): a row of one to four pixels is not an image.
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
        ValueError: If there is no such file, if it is broken or far too
            large when unpacked, or if its arrays have unknown names.
    """
    if not Path(path).exists():
        raise ValueError(f"There is no such file. Received: {str(path)!r}")
    try:
        arrays, names = _read_arrays(path)
    except Exception as error:  # a broken file can raise any kind
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
    """The arrays of a `.npz` file with known names, and all names."""
    arrays, names = {}, []
    with open_archive(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            names.append(name)
            if name not in _ARRAYS:
                continue
            # NumPy reserves as much memory as the header asks for: check it.
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
