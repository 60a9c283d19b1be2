"""Images -> pictures."""

import math

import numpy as np

from keras_genai.plotting.figures import new_figure


def image_grid(images, columns=None, padding=2, zoom=1):
    """Lays images out on a grid in one image.

    Args:
        images: Array `(count, height, width, channels)`, float in [0, 1] or
            uint8.
        columns: Integer, or `None` for a grid that is nearly square.
        padding: Integer >= 0, white pixels around each image.
        zoom: Integer >= 1, how often each pixel is repeated each way.

    Returns:
        uint8 array `(grid_height, grid_width, 3)`.

    Raises:
        ValueError: If there are no images, or if they have another form.

    Example:
        >>> image_grid(np.zeros((4, 8, 8, 1)), padding=1).shape
        (19, 19, 3)
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "Expected images (count, height, width, channels) with 1 or 3 "
            f"channels. Received: shape {images.shape}"
        )
    if images.dtype != np.uint8:
        images = np.round(np.clip(images, 0, 1) * 255).astype("uint8")
    count, height, width, _ = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    images = images.repeat(zoom, axis=1).repeat(zoom, axis=2)
    tall, wide = height * zoom + padding, width * zoom + padding
    grid = np.full(
        (rows * tall + padding, columns * wide + padding, 3), 255, "uint8"
    )
    for index, image in enumerate(images):
        top = padding + index // columns * tall
        left = padding + index % columns * wide
        grid[top : top + height * zoom, left : left + width * zoom] = image
    return grid


def plot_images(images, titles=None, columns=None):
    """Draws images on a grid.

    Args:
        images: Array `(count, height, width, channels)`, float in [0, 1] or
            uint8.
        titles: Strings, one an image, or `None`.
        columns: Integer, or `None` for a grid that is nearly square.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: As `image_grid`.
    """
    images = np.asarray(images)
    if titles is None:
        grid = image_grid(images, columns)
        height, width = (side / 60 for side in grid.shape[:2])
        figure = new_figure(width, height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(grid, interpolation="nearest")
        axes.axis("off")
        return figure
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    figure = new_figure(1.5 * columns, 1.75 * rows)
    for index, (image, title) in enumerate(zip(images, titles, strict=True)):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(image_grid(image[None], padding=0))
        axes.set_title(title, fontsize=9)
        axes.axis("off")
    return figure


def plot_rows(rows):
    """Draws rows of images under each other, each with its name.

    For example originals, their corrupted form and the reconstructions.

    Args:
        rows: Dictionary: name -> array `(count, height, width, channels)`,
            float in [0, 1] or uint8, of one count.

    Returns:
        matplotlib `Figure`, which a notebook shows.

    Raises:
        ValueError: As `image_grid`.

    Example:
        >>> images = np.zeros((4, 8, 8, 1))
        >>> figure = plot_rows({"original": images, "again": images})
    """
    figure = None
    for index, (name, images) in enumerate(rows.items()):
        grid = image_grid(images, columns=len(images))
        height, width = grid.shape[:2]
        if figure is None:
            margin = 0.5 + 0.08 * max(map(len, rows))  # for the names
            figure = new_figure(width / 60 + margin, len(rows) * height / 60)
        axes = figure.add_subplot(len(rows), 1, index + 1)
        axes.imshow(grid, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_frame_on(False)
        axes.set_ylabel(
            name, rotation=0, horizontalalignment="right", fontsize=9
        )
    figure.tight_layout(pad=0.3)
    return figure
