"""Features of images: the space in which sets of them are compared."""

import keras
import numpy as np
from keras import layers


class FeatureExtractor:
    """A small classifier whose last hidden layer is the space of comparison.

    Sets of images are compared in the features of a network that tells the
    classes of the data at hand apart. Distances in the features of two
    different extractors must not be compared.

    Args:
        image_shape: `(height, width, channels)`, sides at least 8.
        num_classes: Integer >= 2.
        feature_dim: Integer >= 1, width of the features. Defaults to `64`.
        seed: Integer >= 0. Seeds the weights and the dropout.

    Example:
        >>> extractor = FeatureExtractor((8, 8, 1), num_classes=2)
        >>> extractor.features(np.zeros((3, 8, 8, 1), "uint8")).shape
        (3, 64)
    """

    def __init__(self, image_shape, num_classes, feature_dim=64, seed=0):
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
        self.classifier = keras.Model(images, logits, name="classifier")
        self._network = keras.Model(images, (features, logits))

    def fit(self, images, labels, epochs=5, batch_size=128, verbose="auto"):
        """Trains the classifier, its learning rate annealed to 0.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].
            labels: Integer array `(count,)`.
            epochs: Integer >= 1. Defaults to `5`.
            batch_size: Integer >= 1. Defaults to `128`.
            verbose: As in `keras.Model.fit`.
        """
        steps = epochs * -(-len(images) // batch_size)
        rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
        self.classifier.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        self.classifier.fit(
            _unit_floats(images),
            np.asarray(labels),
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
        )

    def features(self, images):
        """Computes the features of images.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].

        Returns:
            Float64 array `(count, feature_dim)`, at least 0.
        """
        return self._predict(images)[0].astype("float64")

    def classify(self, images):
        """Computes the classes of images.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].

        Returns:
            Integer array `(count,)`.
        """
        return self._predict(images)[1].argmax(axis=1)

    def accuracy(self, images, labels):
        """Measures how many images are given their label.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].
            labels: Integer array `(count,)`.

        Returns:
            Float in [0, 1].
        """
        return float((self.classify(images) == np.asarray(labels)).mean())

    def _predict(self, images):
        return self._network.predict(
            _unit_floats(images), batch_size=500, verbose=0
        )


def _unit_floats(images):
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images.astype("float32") / 255.0
    return images.astype("float32")
