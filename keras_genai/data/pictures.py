"""A folder of image files -> pixels, the right way up, and labels."""

import collections
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_genai.data.folders import (
    are_strays,
    explain,
    list_folder,
    print_once,
)
from keras_genai.data.labels import sort_names
from keras_genai.data.splits import absolute_split, sizes_of
from keras_genai.files import open_regular

SUFFIXES = {
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif"),
    *(".bmp", ".dib", ".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm"),
}
# The formats of these. Pillow reads some others by starting programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM")
_SHOWN = 50  # broken files in one error


def from_folder(folder, split, store, skip_broken, background):
    """Decodes a split of a folder of images.

    Args:
        folder: `pathlib.Path`. Its sub-folders are splits or classes.
        split: String, a split with TFDS's slicing.
        store: `Store`.
        skip_broken: Boolean. Whether to skip broken files.
        background: Triple of integers in 0..255 (red, green, blue), the
            colour behind transparent pixels.

    Returns:
        Triple of images, labels (or `None`) and names of the classes.

    Raises:
        ValueError: If there are no images, or if some are broken. The error
            names all of them.
    """
    from PIL import Image

    Image.init()  # once, before the threads start
    listing = list_folder(folder, SUFFIXES, "images")
    files = {}
    for name, found in listing.splits.items():
        found = _with_classes(found, listing)
        # In random order, so that a slice has every class.
        order = np.random.default_rng(0).permutation(len(found))
        files[name] = [found[index] for index in order]
    listing.print_left_out()
    sizes = sizes_of({name: len(found) for name, found in files.items()})
    chosen = [
        file
        for name, start, stop in absolute_split(split, sizes)
        for file in files[name][start:stop]
    ]
    if not chosen:
        raise ValueError(
            "The split has no images. "
            f"Received: source={str(folder)!r}, split={split!r}"
        )
    decoder = _Decoder(store, background)
    # The filters are set for all threads: a thread must not change them.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        # For a header that asks for more than 89 million pixels.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        class_names = _class_names(files, decoder if skip_broken else None)
        index = {name: number for number, name in enumerate(class_names)}
        images, labels = store.fill(
            (
                pixels is not None and (pixels, index.get(name, -1))
                for pixels, name in decoder.decode_all(chosen, skip_broken)
            ),
            len(chosen),
            show_from=1_000,
        )
    if len(images) == 0:
        raise ValueError(
            "The split has no images that can be read. "
            f"Received: source={str(folder)!r}, split={split!r}"
        )
    if decoder.animations:
        print_once(
            f"{folder}: animations or pages, of which the first is taken: "
            f"{decoder.animations:,}"
        )
    if (labels < 0).any():
        return images, None, ()
    return images, labels, class_names


def read_colour(background):
    """Reads a colour.

    Args:
        background: Name of a colour, `"#rrggbb"` or a triple.

    Returns:
        Triple of integers in 0..255: red, green, blue.

    Raises:
        ValueError: If it is not a colour.

    Example:
        >>> read_colour("#ffcc00")
        (255, 204, 0)
    """
    colour = background
    try:
        if isinstance(background, str):
            from PIL import ImageColor

            colour = ImageColor.getrgb(background)[:3]
        if len(colour) == 3 and all(0 <= int(c) <= 255 for c in colour):
            return tuple(map(int, colour))
    except (TypeError, ValueError):
        pass
    raise ValueError(
        "Expected `background` to be a colour: 'white', '#ffcc00' or (red, "
        f"green, blue) in 0..255. Received: background={background!r}"
    )


def _with_classes(found, listing):
    """Pairs each path with its class, the uppermost folder, or `None`."""
    inside = [(path, parts[0]) for path, parts in found if len(parts) > 1]
    num_beside = len(found) - len(inside)
    if are_strays(num_beside, len(inside)):
        listing.left_out["beside the folders of classes"] += num_beside
    elif num_beside:
        if inside:
            print_once(
                f"{listing.path}: no labels, since {num_beside:,} images lie "
                "beside the folders of classes"
            )
        return [(path, None) for path, _ in found]
    return inside


def _class_names(files, decoder):
    """Returns the classes with an image, one that a given decoder can read."""
    paths = collections.defaultdict(list)
    for found in files.values():
        for path, name in found:
            if name is not None:
                paths[name].append(path)
    if decoder is not None:
        for name in sort_names(paths):
            if not any(map(decoder.can_read, paths[name])):
                print_once(
                    f"No class {name!r}: none of its {len(paths[name]):,} "
                    "images can be read"
                )
                del paths[name]
    return sort_names(paths)


class _Decoder:
    """Decodes files in order, a few at a time, with several threads."""

    def __init__(self, store, background):
        self.store = store
        self.background = background
        self.animations = 0

    def decode_all(self, files, skip_broken):
        """Yields pairs of pixels (`None` for a broken file) and a class."""
        broken = []
        threads = os.cpu_count() or 1
        with ThreadPoolExecutor(threads) as pool:
            waiting = collections.deque()
            for place in range(len(files) + 2 * threads):
                if place < len(files):
                    path, name = files[place]
                    future = pool.submit(self._decode, path)
                    waiting.append((future, path, name))
                if place >= 2 * threads and waiting:
                    future, path, name = waiting.popleft()
                    pixels, has_frames, error = future.result()
                    self.animations += has_frames
                    if error is not None:
                        broken.append(f"{str(path)!r} ({explain(error)})")
                        if skip_broken:
                            print(f"Skipping {path}: {explain(error)}")
                    yield pixels, name
        if broken and not skip_broken:
            shown = ", ".join(broken[:_SHOWN])
            if len(broken) > _SHOWN:
                shown += f" and {len(broken) - _SHOWN:,} more"
            raise ValueError(
                f"{len(broken):,} of {len(files):,} images cannot be decoded; "
                "`skip_broken=True` skips them (--skip-broken on the command "
                f"line). Received: {shown}"
            )

    def can_read(self, path):
        """Tells whether a file can be decoded."""
        try:
            decode(path, self.background)
        except Exception:
            return False
        return True

    def _decode(self, path):
        try:
            pixels, has_frames = decode(path, self.background)
        except Exception as error:  # a broken file can raise any kind
            return None, False, error
        return np.asarray(self.store.resize(pixels)), has_frames, None


def decode(path, background):
    """Decodes an image file, turned the right way up.

    Args:
        path: Path of the file.
        background: Triple of integers in 0..255, the colour behind
            transparent pixels.

    Returns:
        Pair of a uint8 array `(height, width, channels)`, with 1 channel if
        the file is grey and else with 3, and a boolean: whether the file has
        more frames or pages than this first one.
    """
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    # From bytes: if Pillow opens the path, it turns some TIFFs wrongly, and it
    # reserves as many bytes as a PNG declares, even gigabytes.
    with open_regular(path) as file:
        content = io.BytesIO(file.read())
    with _opened(content) as image:
        image.load()
        flat = _flat(image, background)
        turn = turns.get(_tried(lambda: image.getexif().get(0x0112)))
        if turn is not None:
            flat = flat.transpose(turn)
        # The preview inside a photo (MPO) is not a frame.
        has_frames = image.format != "MPO" and bool(
            _tried(lambda: getattr(image, "is_animated", False))
        )
    pixels = np.asarray(flat)
    return pixels.reshape(*pixels.shape[:2], -1), has_frames


def _opened(file):
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise ValueError(
            f"Pillow cannot identify it as one of {', '.join(_FORMATS)}"
        ) from error


def _flat(image, background):
    """Returns the image in 8 bits, grey or colour, without transparency."""
    from PIL import Image

    if image.mode[0] in "IF":
        return Image.fromarray(_to_8_bits(image))
    is_grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        if image.mode == "La":
            image = image.convert("LA")
        canvas = Image.new("RGBA", image.size, (*background, 255))
        canvas.alpha_composite(image.convert("RGBA"))
        image = canvas
        is_grey = is_grey and len(set(background)) == 1
    return image.convert("L" if is_grey else "RGB")


def _to_8_bits(image):
    """Turns grey levels in 16 bits, or in floats, to uint8."""
    levels = np.asarray(image)
    low, high = levels.min(), levels.max()
    if image.mode == "F":
        # In [0, 1] or in [0, 255].
        most = 1 if high <= 1 else 255
    else:
        # A TIFF can store 8 bits in 32.
        is_8_bits = image.mode == "I" and image.format == "TIFF" and high <= 255
        most = 255 if is_8_bits else 65535
    if not 0 <= low <= high <= most:
        raise ValueError(
            f"its grey levels are from {low} to {high}: expected [0, 1], "
            "[0, 255] or 16 bits"
        )
    return np.round(levels * (255 / most)).astype("uint8")


def _tried(read):
    """Reads a part that may be broken, of an image that is complete."""
    try:
        return read()
    except Exception:
        return None
