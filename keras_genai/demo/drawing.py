"""The user's picture -> an image like those that a model learned."""

import io
import warnings
from pathlib import Path

import numpy as np

from keras_genai.demo.checks import shortened

MAX_PIXELS = 2048 * 2048
_FORMATS = ("PNG", "JPEG", "WEBP")
_INK = 0.1  # less ink counts as paper


def read_picture(file):
    """Reads a picture whose size is known to be bounded before it is decoded.

    Args:
        file: Path, or binary file object.

    Returns:
        uint8 array `(height, width, 3)`; transparent parts are white.

    Raises:
        ValueError: If it is too large, or is not a valid PNG, JPEG or WebP.
    """
    from PIL import Image

    # Pillow reads as many bytes as a PNG declares, at once: a file on disk
    # would reserve gigabytes, bytes in memory do not.
    content = file.read() if hasattr(file, "read") else Path(file).read_bytes()
    try:
        with warnings.catch_warnings():
            # A warning about sizes that are refused below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(content), formats=_FORMATS)
        with opened:
            _check_size(*opened.size)
            picture = opened.convert("RGBA")
    except (
        *(OSError, SyntaxError, EOFError, OverflowError),
        Image.DecompressionBombError,
    ) as error:
        raise ValueError(
            "Expected a PNG, JPEG or WebP that can be read, of at most "
            f"{MAX_PIXELS} pixels. Received: {type(error).__name__}"
        ) from None
    white = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(white, picture))[..., :3]


def _check_size(width, height):
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(
            f"Expected a picture of at most {MAX_PIXELS} pixels. "
            f"Received: {shortened(width)} x {shortened(height)}"
        )


def fit_picture(picture, image_shape):
    """Turns a picture to an input of a model.

    With one channel it is a drawing, dark on white: it becomes white on black
    and is centred like MNIST's digits. With three channels it is a photo: its
    middle is cut out.

    Args:
        picture: uint8 array `(height, width, 3)`.
        image_shape: `(height, width, channels)`, 1 or 3 channels.

    Returns:
        Float32 array of that shape, in [0, 1].

    Raises:
        ValueError: If nothing is drawn.
    """
    height, width, channels = image_shape
    if channels == 1:
        ink = 1.0 - picture.mean(axis=-1, dtype="float32") / 255.0
        return centre_drawing(ink, height, width)[..., None]
    tall, wide = picture.shape[:2]
    scale = min(tall / height, wide / width)
    rows, columns = round(height * scale), round(width * scale)
    top, left = (tall - rows) // 2, (wide - columns) // 2
    middle = picture[top : top + rows, left : left + columns]
    planes = [
        _resize(middle[..., channel] / np.float32(255), height, width)
        for channel in range(3)
    ]
    return np.stack(planes, axis=-1)


def centre_drawing(ink, height, width):
    """Scales and centres a drawing like MNIST's digits.

    They were fitted into 20 x 20 pixels, their proportions kept, and laid into
    28 x 28 with their centre of mass in the middle; other sizes use the same
    proportion.

    Args:
        ink: Float array `(rows, columns)`, 0 for paper, 1 for ink.
        height: Integer, of the image.
        width: Integer, of the image.

    Returns:
        Float32 array `(height, width)`, in [0, 1].

    Raises:
        ValueError: If there is no ink.

    Example:
        >>> image = centre_drawing(np.ones((50, 10)), 28, 28)
        >>> image.any(axis=1).nonzero()[0].tolist()
        [4, 5, ..., 22, 23]

    Reference:
        LeCun et al., Gradient-based learning applied to document recognition,
        1998, section III.
    """
    rows, columns = np.nonzero(ink > _INK)
    if len(rows) == 0:
        raise ValueError("Expected a drawing. Received: an empty sheet")
    ink = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = min(height, width) * 20 / 28 / max(ink.shape)
    ink = _resize(ink, *(max(1, round(side * scale)) for side in ink.shape))
    top = _place(ink.sum(axis=1), height)
    left = _place(ink.sum(axis=0), width)
    image = np.zeros((height, width), "float32")
    image[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return image


def _place(ink, side):
    """Where a row of ink begins, for its centre of mass in the middle."""
    middle = (ink * (np.arange(len(ink)) + 0.5)).sum() / ink.sum()
    return int(np.clip(round(side / 2 - middle), 0, side - len(ink)))


def _resize(plane, height, width):
    from PIL import Image

    plane = Image.fromarray(np.asarray(plane, "float32"))
    # A box as wide as the pixels that become one, so that none is skipped.
    plane = plane.resize((width, height), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(plane), 0.0, 1.0)
