"""Numbers that need a trained model or a whole data set."""

import keras
from keras import layers


class FeatureExtractor:
    """A small classifier whose last hidden layer is the space of comparison.

    Distances between sets of images are measured in the features of a network
    that tells the classes of the data at hand apart. Distances in the
    features of two different extractors must not be compared.

    Args:
        image_shape: `(height, width, channels)`, sides at least 8.
        num_classes: Integer >= 2.
        feature_dim: Integer >= 1, width of the features. Defaults to `64`.
        seed: Integer. Seeds the weights, the dropout and the order of data.

    Example:
        >>> extractor = FeatureExtractor((8, 8, 1), num_classes=2)
        >>> extractor.features(np.zeros((3, 8, 8, 1), "uint8")).shape
        (3, 64)
    """

    def __init__(self, image_shape, num_classes, feature_dim=64, seed=0):
        self.image_shape = tuple(image_shape)
        self.seed = seed
        seeds = iter(range(100 * seed, 100 * seed + 100))

        def he():
            return keras.initializers.HeNormal(seed=next(seeds))

        images = layers.Input(self.image_shape)  # in [0, 1]
        x = images
        for channels in (32, 64, 64):
            x = layers.Conv2D(
                channels, 3, strides=2, padding="same", kernel_initializer=he()
            )(x)
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
            x = layers.Conv2D(
                channels, 3, padding="same", kernel_initializer=he()
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
        self._both = keras.Model(images, [features, logits])
