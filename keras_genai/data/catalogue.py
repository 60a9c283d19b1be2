"""A prepared TFDS set -> decoded images and labels, from the right fields."""

import os

from keras_genai.data.folders import print_once
from keras_genai.data.splits import absolute_split, ended_split


def find_fields(builder):
    """Finds the fields of a set that hold the image and the label.

    First come the fields that the set itself names as input and target of a
    classifier, then `"image"` and `"label"`, then the first of their kind.

    Args:
        builder: `tfds.core.DatasetBuilder`, prepared or not.

    Returns:
        Pair of the image's name and the label's, or `None`.

    Raises:
        ValueError: If there is no image.
    """
    import tensorflow_datasets as tfds

    info = builder.info
    features = dict(getattr(info.features, "items", dict)())
    images, labels = (
        [key for key, value in features.items() if isinstance(value, kind)]
        for kind in (tfds.features.Image, tfds.features.ClassLabel)
    )
    if not images:
        raise ValueError(
            "Expected a data set with an image in each example. "
            f"Received: source={builder.name!r} with {sorted(features)}"
        )
    image, label = (*(info.supervised_keys or ()), None, None)[:2]
    image_order = (image, "image", *images)
    label_order = (label, "label", *labels)
    return (
        next(key for key in image_order if key in images),
        next((key for key in label_order if key in labels), None),
    )


def from_tfds(builder, split, store, background):
    """Decodes a split of a TFDS set.

    Args:
        builder: Prepared `tfds.core.DatasetBuilder`.
        split: String, a split with TFDS's slicing.
        store: `Store`.
        background: Triple of integers in 0..255, the colour behind
            transparent pixels.

    Returns:
        Triple of images, labels (or `None`) and names of the classes.

    Raises:
        ValueError: If there is no image, or no such split.
    """
    import tensorflow as tf

    image_key, label_key = find_fields(builder)
    absolute_split(split, builder.info.splits)  # refuses unknown splits
    split = ended_split(split, builder.info.splits)
    print_once(
        f"{builder.name}: images are its field {image_key!r}, "
        + (f"labels {label_key!r}" if label_key else "and there are no labels")
    )

    def decode(example):
        image = store.resize(_flat(example[image_key], background))
        return image, example[label_key] if label_key else tf.constant(-1)

    dataset = builder.as_dataset(split=split).map(
        decode, num_parallel_calls=os.cpu_count()
    )
    count = builder.info.splits[split].num_examples
    images, labels = store.fill(dataset.as_numpy_iterator(), count)
    if (labels < 0).any():  # no labels, or a test set with secret ones
        return images, None, ()
    return images, labels, builder.info.features[label_key].names


def _flat(image, background):
    """Returns the image in 8 bits and without transparency."""
    import tensorflow as tf

    if image.dtype == tf.uint16:
        image = tf.cast(tf.round(tf.cast(image, "float32") / 257.0), "uint8")
    if image.dtype != tf.uint8:
        raise ValueError(
            "Expected images of 8 or 16 bits: pass others as arrays. "
            f"Received: a field of {image.dtype.name}"
        )

    def on_background():
        alpha = tf.cast(image[..., 3:], "float32") / 255.0
        colours = tf.cast(image[..., :3], "float32")
        under = tf.constant(background, "float32")
        mixed = colours * alpha + under * (1.0 - alpha)
        return tf.cast(tf.round(mixed), "uint8")

    if image.shape[-1] in (1, 3):
        return image
    return tf.cond(tf.shape(image)[-1] == 4, on_background, lambda: image)
