"""Decoded images -> shuffled, augmented, scaled, batched `tf.data`."""

import random

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_genai.checks import check_choice
from keras_genai.data.epochs import epoch_dataset
from keras_genai.data.folders import print_once
from keras_genai.data.sources import load_images


def image_dataset(
    source,
    split="train",
    image_size=None,
    batch_size=128,
    value_range=(-1, 1),
    binarize=None,
    labels=False,
    augment=None,
    shuffle=True,
    seed=None,
    drop_remainder=False,
    cache="auto",
    offline=False,
    skip_broken=False,
    background="white",
):
    """Feeds images from any source as a `tf.data.Dataset` of batches.

    The images are decoded once and kept as uint8. Each epoch takes them in a
    new order, augments, scales and batches them. Order and augmentation depend
    only on (seed, epoch). Each pass is the next epoch. The models' `fit` calls
    `dataset.set_epoch(epoch)`, so that a resumed run sees the same batches as
    an unbroken one.

    Args:
        source: A name, a path or an array, as for `load_images`.
        split: String, a split with TFDS's slicing. Defaults to `"train"`.
        image_size: `(height, width)` to resize to, an integer for both, or
            `None`.
        batch_size: Integer >= 1. Defaults to `128`.
        value_range: `(low, high)` of the pixels. Defaults to `(-1, 1)`.
        binarize: `"dynamic"`, `"threshold"` or `None`. Dynamic draws each
            pixel again in each epoch, white with its grey level as the
            probability. Threshold makes it white above the middle.
        labels: Boolean. Whether batches are pairs (images, labels).
        augment: Dictionary: augmentation -> the argument of its Keras
            layer: `"flip"` (`"horizontal"`), `"rotation"` (fraction of a
            turn), `"translation"` and `"zoom"` (fraction of the sides),
            `"contrast"` and `"brightness"` (fraction), `"noise"` (standard
            deviation, on pixels in [0, 1]). Or `None`.
        shuffle: Boolean. Whether each epoch has a new order.
        seed: Integer, or `None` for one drawn at random.
        drop_remainder: Boolean. Whether to leave out a short last batch.
        cache: `"auto"`, `"memory"` or `"disk"`, as for `load_images`.
        offline: Boolean. Whether to use no network.
        skip_broken: Boolean. Whether to skip broken files.
        background: Colour behind transparent pixels, as for `load_images`.
            Defaults to `"white"`.

    Returns:
        `tf.data.Dataset` of float32 images `(batch, height, width,
        channels)`, or of pairs with int64 labels `(batch,)`. Its attribute
        `examples` holds the decoded `Images`.

    Raises:
        ValueError: If an argument is out of range, if the source has no
            labels and `labels` is true, or as for `load_images`.
        ConnectionError: As for `load_images`.

    Example:
        >>> pixels = np.zeros((5, 8, 8, 1), "uint8")
        >>> dataset = image_dataset(pixels, batch_size=2, seed=0)
        array/train: 5 images 8x8x1, sha256 ...
        >>> [len(batch) for batch in dataset]
        [2, 2, 1]
    """
    if batch_size < 1:
        raise ValueError(
            f"`batch_size` must be at least 1. Received: {batch_size=}"
        )
    low, high = value_range
    if not low < high:
        raise ValueError(
            "`value_range` must be (low, high) with low < high. "
            f"Received: value_range={value_range}"
        )
    if binarize not in (None, "dynamic", "threshold"):
        raise ValueError(
            "Expected `binarize` to be 'dynamic', 'threshold' or None. "
            f"Received: binarize={binarize!r}"
        )
    augmentations = _augmentations(augment)
    decoded = load_images(
        source, split, image_size, cache, offline, skip_broken, background
    )
    print_once(str(decoded))
    if labels and decoded.labels is None:
        raise ValueError(
            "The source has no labels: give a folder for each class, or a "
            "pair of images and labels. "
            f"Received: labels=True, source={decoded.source!r}"
        )
    count = len(decoded.images)
    if drop_remainder and batch_size > count:
        raise ValueError(
            "No batch would be left. Received: drop_remainder=True, "
            f"batch_size={batch_size}, {count} images"
        )
    if seed is None:
        seed = random.randrange(2**31)
    num_batches = count // batch_size
    if count % batch_size and not drop_remainder:
        num_batches += 1
    gather = _gather(decoded.images)

    def load_batch(epoch, batch):
        start = batch * batch_size
        stop = tf.minimum(start + batch_size, count)
        indices = tf.range(start, stop)
        if shuffle:
            indices = _shuffled(indices, seed, epoch, count)
        images = tf.cast(gather(indices), "float32")
        if count % batch_size == 0 or drop_remainder:  # helps XLA
            images = tf.ensure_shape(images, (batch_size, None, None, None))
        seeds = _Seeds(seed, epoch, batch)
        if augmentations:
            for augmentation in augmentations:
                images = augmentation(images, seeds)
            images = tf.clip_by_value(images, 0.0, 255.0)
        if binarize is not None:
            level = 127.5
            if binarize == "dynamic":
                level = keras.random.uniform(
                    tf.shape(images), maxval=255.0, seed=seeds
                )
            images = tf.where(images > level, 255.0, 0.0)
        images = images * ((high - low) / 255.0) + low
        if labels:
            return images, tf.gather(decoded.labels, indices)
        return images

    dataset = epoch_dataset(
        load_batch, num_batches, num_parallel_calls=2 if augmentations else None
    )
    dataset.examples = decoded
    return dataset


def undo_scaling(images, value_range=(-1, 1)):
    """Turns scaled images back to bytes.

    Args:
        images: Float array or tensor of any shape, in `value_range`. Values
            outside are clipped.
        value_range: `(low, high)`. Defaults to `(-1, 1)`.

    Returns:
        uint8 NumPy array of that shape.

    Example:
        >>> undo_scaling(np.array([-1.0, 0.0, 1.0]))
        array([  0, 128, 255], dtype=uint8)
    """
    low, high = value_range
    unit = (np.asarray(images, "float32") - low) / (high - low)
    return np.round(np.clip(unit, 0, 1) * 255).astype("uint8")


def _shuffled(indices, seed, epoch, count):
    """Maps places in an epoch to indices: a permutation of `range(count)`.

    TensorFlow's shuffle has only 256 permutations. Three of them, one after
    another, give 16 million.
    """
    seeds = tf.random.stateless_uniform(
        (3, 2), tf.stack([tf.cast(seed, "int64"), epoch]), None, None, "int64"
    )
    for each in tf.unstack(seeds):
        indices = tf.random.experimental.index_shuffle(indices, each, count - 1)
    return indices


def _gather(pixels):
    if not isinstance(pixels, np.memmap):
        tensor = tf.constant(pixels)
        return lambda indices: tf.gather(tensor, indices)

    def gather_from_disk(indices):
        images = tf.numpy_function(
            lambda chosen: np.asarray(pixels[chosen]), [indices], "uint8"
        )
        return tf.ensure_shape(images, (None, *pixels.shape[1:]))

    return gather_from_disk


_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


def _augmentations(augment):
    known = {
        "flip": layers.RandomFlip,
        "rotation": lambda f: layers.RandomRotation(f, fill_mode="nearest"),
        "translation": lambda f: layers.RandomTranslation(
            f, f, fill_mode="nearest"
        ),
        "zoom": lambda f: layers.RandomZoom(f, fill_mode="nearest"),
        "contrast": layers.RandomContrast,
        "brightness": layers.RandomBrightness,
    }

    def from_layer(layer):
        return lambda images, seeds: layer.transform_images(
            images, layer.get_random_transformation(images, seed=seeds)
        )

    def add_noise(stddev):
        return lambda images, seeds: (
            images
            + keras.random.normal(
                tf.shape(images), stddev=255.0 * stddev, seed=seeds
            )
        )

    augmentations = []
    for name, argument in (augment or {}).items():
        check_choice("augment", name, [*known, "noise"])
        try:
            if name == "flip":
                check_choice("flip", argument, _FLIPS)
            if name == "noise":
                if not 0 <= float(argument) < float("inf"):
                    raise ValueError("noise is a standard deviation, 0 or more")
                augmentations.append(add_noise(float(argument)))
            else:
                augmentations.append(from_layer(known[name](argument)))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"The argument of an augmentation is out of its range: {error} "
                f"Received: augment={{{name!r}: {argument!r}}}"
            ) from error
    return augmentations


class _Seeds(keras.random.SeedGenerator):
    """Seeds that depend only on (seed, epoch, batch), not on a state."""

    def __init__(self, seed, epoch, batch):
        self._seed = tf.random.experimental.stateless_fold_in(
            tf.stack([tf.cast(seed, "int64"), epoch]), batch
        )
        self._draws = 0

    def next(self, ordered=True):
        self._draws += 1
        return tf.cast(
            tf.random.experimental.stateless_fold_in(self._seed, self._draws),
            "int32",
        )
