"""Pictures -> a file that moves."""

import os

from keras_genai.plotting.images import image_grid


def write_gif(pictures, path, seconds=6.0, zoom=1):
    """Makes a GIF of pictures, which pauses on the last one.

    Args:
        pictures: Paths of pictures of one size, in order, or arrays `(height,
            width, channels)`, float in [0, 1] or uint8; at least one.
        path: Path of the GIF to write.
        seconds: Float, how long the pictures before the last take together.
        zoom: Integer >= 1, how often each pixel of an array is repeated.

    Raises:
        ValueError: If there are no pictures.
    """
    from PIL import Image

    if len(pictures) == 0:
        raise ValueError(f"Expected pictures. Received: {pictures=}")
    frames = [
        Image.open(picture)
        if isinstance(picture, (str, os.PathLike))
        else Image.fromarray(image_grid(picture[None], padding=0, zoom=zoom))
        for picture in pictures
    ]
    # Colours of their own: the default palette has six shades of grey.
    frames = [
        frame.convert("P", palette=Image.Palette.ADAPTIVE) for frame in frames
    ]
    each = max(40, round(1000 * seconds / len(frames)))
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=[each] * (len(frames) - 1) + [2000],
        loop=0,
    )
