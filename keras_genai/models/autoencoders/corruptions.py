"""Corruptions: images in [0, 1], a level and a seed to images in [0, 1]."""

import keras
from keras import ops

from keras_genai.replicas import draw


def add_gaussian_noise(images, stddev, seed):
    """Adds normal noise to each pixel."""
    noise = draw(
        keras.random.normal, ops.shape(images), stddev=stddev, seed=seed
    )
    return ops.clip(images + noise, 0.0, 1.0)


def mask_block(images, share, seed):
    """Blackens a block of each image, `share` of both sides, anywhere."""
    batch, height, width, _ = ops.shape(images)

    def hidden(side):
        length = max(1, round(share * side))
        start = draw(
            keras.random.randint, (batch, 1), 0, side - length + 1, seed=seed
        )
        place = ops.arange(side)[None]
        return (place >= start) & (place < start + length)

    block = hidden(height)[:, :, None] & hidden(width)[:, None, :]
    return ops.where(block[..., None], 0.0, images)


def add_salt_and_pepper(images, share, seed):
    """Makes a share of the pixels white or black, each equally likely."""
    batch, height, width, _ = ops.shape(images)
    u = draw(keras.random.uniform, (batch, height, width, 1), seed=seed)
    images = ops.where(u < share, 0.0, images)
    return ops.where(u < share / 2, 1.0, images)


def drop_pixels(images, share, seed):
    """Blackens a share of the pixels."""
    batch, height, width, _ = ops.shape(images)
    u = draw(keras.random.uniform, (batch, height, width, 1), seed=seed)
    return ops.where(u < share, 0.0, images)


CORRUPTIONS = {
    "gaussian": add_gaussian_noise,
    "mask": mask_block,
    "salt_and_pepper": add_salt_and_pepper,
    "dropout": drop_pixels,
}
