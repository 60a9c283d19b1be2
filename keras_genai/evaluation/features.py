"""Features of images: the space in which sets of them are compared."""

import math
import typing

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_genai.evaluation.checks import checked_images, checked_labels
from keras_genai.evaluation.kept import keep, load_kept
from keras_genai.files import cache_folder

# Raise it with every change of the network or of its training.
_VERSION = 1
_STEPS = 500  # of a training, at least
_BATCH_SIZE = 128


class Features(typing.NamedTuple):
    """Features of images, as an extractor computes them.

    Attributes:
        values: float64 array `(count, feature_dim)`.
        probabilities: float64 array `(count, num_classes)`, or `None` if the
            extractor has no classes.
    """

    values: np.ndarray
    probabilities: np.ndarray | None = None


class FeatureExtractor:
    """A small classifier whose last hidden layer gives the features.

    Sets of images are compared by the features of a network that was trained to
    classify the same kind of data. Do not compare distances of two different
    extractors.

    Args:
        image_shape: `(height, width, channels)`, sides at least 8.
        num_classes: Integer >= 2.
        feature_dim: Integer >= 1, width of the features. Defaults to `64`.
        seed: Integer >= 0, seed of the weights, the dropout and the order of
            the examples.

    Attributes:
        image_shape: `(height, width, channels)`.
        feature_dim: Integer.
        num_classes: Integer.
        name: String, for records.

    Example:
        >>> extractor = FeatureExtractor((8, 8, 1), num_classes=2)
        >>> extractor.features(np.zeros((3, 8, 8, 1), "uint8")).shape
        (3, 64)
    """

    distance_name = "frechet_distance"

    def __init__(self, image_shape, num_classes, feature_dim=64, seed=0):
        self.seed = seed
        self.name = f"classifier, seed {seed}"
        self._set_network(
            _classifier(image_shape, num_classes, feature_dim, seed)
        )

    def _set_network(self, network):
        images, (features, logits) = network.input, network.outputs
        self._network = network
        self.classifier = keras.Model(images, logits, name="classifier")
        self.image_shape = tuple(images.shape[1:])
        self.feature_dim = features.shape[-1]
        self.num_classes = logits.shape[-1]

    @classmethod
    def for_data(
        cls, examples, seed=0, cache=True, epochs=None, verbose="auto"
    ):
        """Trains an extractor on a data set, or loads a kept one.

        Extractors are kept by the digest of their data, in the folder of the
        environment variable `KERAS_GENAI_CACHE` or in `~/.cache/keras_genai`.
        Only their weights are read. If a file is broken, or if the record
        beside it says that it belongs to other data, a warning is given and
        the extractor is trained again. Nothing is kept if the folder cannot be
        written to, or without a home folder.

        Args:
            examples: `Images` with labels, as from `load_images`.
            seed: Integer >= 0. Defaults to `0`.
            cache: Boolean. Whether files are read and written.
            epochs: Integer >= 1, or `None` for 5, or for more if 5 epochs are
                less than 500 steps.
            verbose: As in `keras.Model.fit`.

        Returns:
            `FeatureExtractor`.

        Raises:
            ValueError: If there are no labels, or only one class.
        """
        num_classes = len(examples.class_names)
        if examples.labels is None or num_classes < 2:
            raise ValueError(
                "Only images of two or more classes train a feature "
                "extractor. For other images pass one: "
                "PretrainedFeatures(keras_model). Received: "
                f"{examples.source} with {num_classes} classes"
            )
        if epochs is None:
            steps_per_epoch = math.ceil(len(examples.images) / _BATCH_SIZE)
            epochs = max(5, math.ceil(_STEPS / steps_per_epoch))
        extractor = cls(examples.image_shape, num_classes, seed=seed)
        extractor.name = (
            f"classifier of {examples.source}, seed {seed}, {epochs} epochs"
        )
        folder = cache_folder("extractors") if cache else None
        record = {
            "source": examples.source,
            "digest": examples.digest,
            "images": len(examples.images),
            "seed": seed,
            "epochs": epochs,
            "version": _VERSION,
        }
        path = folder and folder / (
            f"{examples.digest}-seed{seed}-epochs{epochs}-v{_VERSION}.keras"
        )
        network = path and load_kept(path, record, extractor._network)
        if network:
            extractor._set_network(network)
            return extractor
        extractor.fit(
            examples.images, examples.labels, epochs=epochs, verbose=verbose
        )
        if path:
            keep(path, record, extractor._network)
        return extractor

    def fit(self, images, labels, epochs=5, batch_size=128, verbose="auto"):
        """Trains the classifier, with a learning rate that falls to 0.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].
            labels: Integer array `(count,)`, below `num_classes`.
            epochs: Integer >= 1. Defaults to `5`.
            batch_size: Integer >= 1. Defaults to `128`.
            verbose: As in `keras.Model.fit`.

        Raises:
            ValueError: If images or labels do not fit the extractor.
        """
        images = checked_images(images, "images", self.image_shape)
        labels = checked_labels(labels, self.num_classes, len(images))
        steps = epochs * math.ceil(len(images) / batch_size)
        rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
        self.classifier.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        self.classifier.fit(
            _batches(images, labels, batch_size, self.seed),
            shuffle=False,  # the data are shuffled already, by the seed
            epochs=epochs,
            verbose=verbose,
        )

    def describe(self, images):
        """Computes the features and the class probabilities of images.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].

        Returns:
            `Features`.

        Raises:
            ValueError: If the images do not fit the extractor.
        """
        images = checked_images(images, "images", self.image_shape)
        features, logits = in_batches(
            self._network.predict_on_batch, images, unit_floats
        )
        logits = logits.astype("float64")
        # softmax(logits): (count, num_classes)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Features(
            features.astype("float64"), odds / odds.sum(axis=1, keepdims=True)
        )

    def features(self, images):
        """Computes the features of images.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].

        Returns:
            Float64 array `(count, feature_dim)`, at least 0.

        Raises:
            ValueError: If the images do not fit the extractor.
        """
        return self.describe(images).values

    def classify(self, images):
        """Computes the classes of images.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].

        Returns:
            Integer array `(count,)`.

        Raises:
            ValueError: If the images do not fit the extractor.
        """
        return self.describe(images).probabilities.argmax(axis=1)

    def accuracy(self, images, labels):
        """Measures the share of images that are classified as labelled.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].
            labels: Integer array `(count,)`, below `num_classes`.

        Returns:
            Float in [0, 1].

        Raises:
            ValueError: If images or labels do not fit the extractor.
        """
        labels = checked_labels(labels, self.num_classes, len(images))
        return float((self.classify(images) == labels).mean())


def in_batches(function, images, prepare, batch_size=500):
    """Applies a function to images, batch by batch.

    Args:
        function: Function of a float32 array that returns one array or a
            tuple of them.
        images: Array `(count, ...)`.
        prepare: Function that is applied to each batch first.
        batch_size: Integer.

    Returns:
        The joined arrays that the function returns.
    """
    parts = [
        function(prepare(images[start : start + batch_size]))
        for start in range(0, len(images), batch_size)
    ]
    if isinstance(parts[0], (tuple, list)):
        return tuple(map(np.concatenate, zip(*parts, strict=True)))
    return np.concatenate(parts)


def unit_floats(images):
    """Scales images of bytes to [0, 1].

    Args:
        images: Array, uint8 or float in [0, 1].

    Returns:
        float32 array.
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images.astype("float32") / 255.0
    return images.astype("float32")


def _classifier(image_shape, num_classes, feature_dim, seed):
    seeds = iter(range(100 * seed, 100 * seed + 100))

    def he():
        return keras.initializers.HeNormal(seed=next(seeds))

    x = images = layers.Input(image_shape)  # (batch, height, width, channels)
    for channels in (32, 64, 64):
        for strides in (2, 1):
            x = layers.Conv2D(
                channels,
                3,
                strides,
                padding="same",
                use_bias=False,
                kernel_initializer=he(),
            )(x)
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.3, seed=next(seeds))(x)
    features = layers.Dense(
        feature_dim, activation="relu", kernel_initializer=he()
    )(x)
    x = layers.Dropout(0.3, seed=next(seeds))(features)
    logits = layers.Dense(num_classes, kernel_initializer=he())(x)
    return keras.Model(images, (features, logits))


def _batches(images, labels, batch_size, seed):
    """Makes batches in [0, 1], in a new order each epoch, by the seed."""
    scale = 1 / 255 if images.dtype == np.uint8 else 1.0
    images, labels = tf.constant(images), tf.constant(labels)

    def take(places):
        chosen = tf.cast(tf.gather(images, places), "float32")
        return chosen * scale, tf.gather(labels, places)

    dataset = tf.data.Dataset.range(len(labels))
    dataset = dataset.shuffle(len(labels), seed=seed)
    dataset = dataset.batch(batch_size).map(take).prefetch(2)
    options = tf.data.Options()
    options.autotune.enabled = False  # it stalls `fit` on small machines
    return dataset.with_options(options)
