"""Features of images: the space in which sets of them are compared."""

import hashlib
import json
import typing
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_genai.archives import check_keras_archive
from keras_genai.evaluation.checks import checked_images, checked_labels
from keras_genai.files import cache_folder, complete_or_absent

# To be raised with every change of the network or of its training.
_VERSION = 1
_LONGEST_RECORD = 10_000  # bytes


class Features(typing.NamedTuple):
    """What an extractor says of images.

    Attributes:
        values: float64 array `(count, feature_dim)`.
        probabilities: float64 array `(count, num_classes)`, or `None` where
            the extractor knows no classes.
    """

    values: np.ndarray
    probabilities: np.ndarray | None = None


class FeatureExtractor:
    """A small classifier whose last hidden layer is the space of comparison.

    Sets of images are compared in the features of a network that tells the
    classes of the data at hand apart. Distances in the features of two
    different extractors must not be compared.

    Args:
        image_shape: `(height, width, channels)`, sides at least 8.
        num_classes: Integer >= 2.
        feature_dim: Integer >= 1, width of the features. Defaults to `64`.
        seed: Integer >= 0. Seeds the weights, the dropout and the order of
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
        """Trains an extractor on a data set, or takes the one trained before.

        It is kept in the folder that the environment variable
        `KERAS_GENAI_CACHE` names (`~/.cache/keras_genai`), by the digest of
        the data, and only its weights are read. A file that is broken, or
        that the record beside it does not know as an extractor of these data,
        is trained anew, with a warning. A folder that cannot be written to is
        left alone; without a home folder nothing is kept.

        Args:
            examples: `Images` with labels, as from `load_images`.
            seed: Integer >= 0. Defaults to `0`.
            cache: Boolean. Whether files are read and written.
            epochs: Integer >= 1, or `None` for 5, and more for a data set of
                which 5 are less than 500 steps.
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
                "extractor; for others hand one in: "
                "PretrainedFeatures(keras_model). Received: "
                f"{examples.source} with {num_classes} classes"
            )
        if epochs is None:
            epochs = max(5, -(-500 // -(-len(examples.images) // 128)))
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
        if path and extractor._load(path, record):
            return extractor
        extractor.fit(
            examples.images, examples.labels, epochs=epochs, verbose=verbose
        )
        if path:
            extractor._save(path, record)
        return extractor

    def _load(self, path, record):
        """Takes the weights of a kept file; whether it is one of these data."""
        try:
            if not path.is_file():
                return False
            _check_record(path, record)
            check_keras_archive(path)
            kept = keras.saving.load_model(path, compile=False)
            # What the file says of layers is not believed.
            network = keras.models.clone_model(self._network)
            network.set_weights(kept.get_weights())
        except Exception as error:  # whatever a broken file makes Keras raise
            reason = str(error).partition("\n")[0][:200]
            warnings.warn(
                "The extractor that was kept is refused, and trained anew: "
                f"{reason}. Received: {str(path)!r}",
                stacklevel=3,
            )
            return False
        self._set_network(network)
        return True

    def _save(self, path, record):
        try:
            with (
                complete_or_absent(path.with_suffix(".json")) as about,
                complete_or_absent(path) as partial,
            ):
                self._network.save(partial)
                record = {**record, "sha256": _sha256(partial)}
                about.write_text(json.dumps(record, indent=2) + "\n")
        except OSError:
            return

    def fit(self, images, labels, epochs=5, batch_size=128, verbose="auto"):
        """Trains the classifier, its learning rate annealed to 0.

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
        steps = epochs * -(-len(images) // batch_size)
        rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
        self.classifier.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        self.classifier.fit(
            _batches(images, labels, batch_size, self.seed),
            shuffle=False,  # the data are shuffled, and by a seed
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
        """Measures how many images are given their label.

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
    """Applies a function to images, prepared a batch at a time.

    Args:
        function: Function of a float32 array that returns one array or a
            tuple of them.
        images: Array `(count, ...)`.
        prepare: Function of a batch as it is given.
        batch_size: Integer.

    Returns:
        What the function returns, its arrays joined.
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

    x = images = layers.Input(image_shape)  # in [0, 1]
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
    """Shuffles anew each epoch, by the seed, and scales what is taken."""
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


def _check_record(path, record):
    """Refuses a file that the record beside it does not know."""
    about = path.with_suffix(".json")
    if not about.is_file() or about.stat().st_size > _LONGEST_RECORD:
        raise ValueError(f"there is no record of it, {about.name}")
    said = json.loads(about.read_text())
    for name, value in {**record, "sha256": _sha256(path)}.items():
        found = said.get(name) if isinstance(said, dict) else None
        if found != value:
            raise ValueError(
                f"its record, {about.name}, has for {name} {found!r} "
                f"and not {value!r}"
            )


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
