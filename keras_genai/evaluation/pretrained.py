"""Features of any Keras model, Inception's among them."""

import keras
import numpy as np
from keras import layers

from keras_genai.evaluation.checks import checked_images
from keras_genai.evaluation.features import Features, in_batches, unit_floats


class PretrainedFeatures:
    """Features from any Keras model.

    Args:
        model: Keras model from images `(batch, height, width, channels)` to
            `(batch, feature_dim)`, or to `(batch, rows, columns,
            feature_dim)`, which is averaged over rows and columns.
        value_range: Pair of floats, the model's values of black and white.
            Defaults to `(0, 1)`.
        name: String for records, or `None` for the name of the model.

    Attributes:
        image_shape: `(height, width, channels)`, with `None` for any.
        feature_dim: Integer.
        num_classes: `None`, because it has no classes.
        name: String.

    Raises:
        ValueError: If the model has other inputs or outputs.

    Example:
        >>> images = layers.Input((8, 8, 1))
        >>> model = keras.Model(images, layers.Conv2D(5, 3)(images))
        >>> PretrainedFeatures(model).features(np.zeros((2, 8, 8, 1))).shape
        (2, 5)
    """

    num_classes = None
    distance_name = "frechet_distance"

    def __init__(self, model, value_range=(0, 1), name=None):
        shapes = (
            getattr(model, "input_shape", None),
            getattr(model, "output_shape", None),
        )
        if not all(isinstance(shape, tuple) for shape in shapes) or (
            len(shapes[0]) != 4 or len(shapes[1]) not in (2, 4)
        ):
            raise ValueError(
                "Expected a Keras model from images (batch, height, width, "
                "channels) to features (batch, feature_dim) or (batch, rows, "
                "columns, feature_dim). "
                f"Received: model with shapes {shapes[0]}, {shapes[1]}"
            )
        self.model = model
        self.value_range = tuple(value_range)
        self.name = name or model.name
        self.image_shape = shapes[0][1:]
        self.feature_dim = shapes[1][-1]

    @classmethod
    def inception(cls):
        """The last features of Inception; their Fréchet distance is the FID.

        Images of any size, grey or in colour, are resized to 299x299,
        bilinearly. The weights are Keras's, trained on ImageNet. A FID that was
        published with another port of Inception is not comparable.

        Returns:
            `PretrainedFeatures`.

        Raises:
            ConnectionError: If the weights cannot be downloaded.

        Reference:
            Heusel et al., 2017; Szegedy et al., 2016.
        """
        try:
            network = keras.applications.InceptionV3(
                include_top=False,
                pooling="avg",
                weights="imagenet",
                input_shape=(299, 299, 3),
            )
        except Exception as error:  # Keras raises this kind
            raise ConnectionError(
                "No download of the weights of keras.applications.InceptionV3: "
                f"{error}. Received: weights='imagenet'"
            ) from error
        images = layers.Input((None, None, 3))
        resized = layers.Resizing(299, 299)(images)
        model = keras.Model(images, network(resized))
        extractor = cls(model, value_range=(-1, 1), name="inception_v3")
        extractor.image_shape = (None, None, None)
        extractor.distance_name = "fid"
        return extractor

    def describe(self, images):
        """Computes the features of images.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].

        Returns:
            `Features`, without probabilities.

        Raises:
            ValueError: If the images do not fit the model.
        """
        images = checked_images(images, "images", self.image_shape)
        low, high = self.value_range
        channels = self.model.input_shape[-1]

        def prepare(batch):
            if batch.shape[-1] == 1 and channels == 3:
                batch = batch.repeat(3, axis=-1)
            return unit_floats(batch) * (high - low) + low

        features = in_batches(
            self.model.predict_on_batch, images, prepare, batch_size=100
        )
        if features.ndim == 4:
            features = features.mean(axis=(1, 2))
        return Features(np.asarray(features, "float64"))

    def features(self, images):
        """Computes the features of images.

        Args:
            images: Array `(count, height, width, channels)`, uint8 or float
                in [0, 1].

        Returns:
            Float64 array `(count, feature_dim)`.

        Raises:
            ValueError: If the images do not fit the model.
        """
        return self.describe(images).values
