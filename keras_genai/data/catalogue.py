"""A prepared TFDS set -> decoded images and labels, from the right fields."""

import os

from keras_genai.data.files import absolute_split
from keras_genai.data.folders import print_once


def find_fields(builder):
    """Finds the features of a set that are the image and the label.

    They are those that the set itself names as input and target of a
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


def from_tfds(builder, split, store):
    """Decodes a split of a TFDS set.

    Args:
        builder: Prepared `tfds.core.DatasetBuilder`.
        split: String, a split with TFDS's slicing.
        store: `Store`.

    Returns:
        Triple of images, labels (or `None`) and names of the classes.

    Raises:
        ValueError: If there is no image, or no such split.
    """
    import tensorflow as tf

    image_key, label_key = find_fields(builder)
    absolute_split(split, builder.info.splits)  # refuses what does not exist
    print_once(
        f"{builder.name}: images are its field {image_key!r}, "
        + (f"labels {label_key!r}" if label_key else "and there are no labels")
    )

    def decode(example):
        image = store.resize(example[image_key])
        return image, example[label_key] if label_key else tf.constant(-1)

    dataset = builder.as_dataset(split=split).map(
        decode, num_parallel_calls=os.cpu_count()
    )
    count = builder.info.splits[split].num_examples
    images, labels = store.fill(dataset.as_numpy_iterator(), count)
    if (labels < 0).any():  # none, or a test set whose labels are secret
        return images, None, ()
    return images, labels, builder.info.features[label_key].names
