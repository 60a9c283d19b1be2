"""Labels as inputs of networks."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_genai")
class LabelPlanes(keras.layers.Layer):
    """Adds labels to images for a convolution: one plane for each class.

    The plane of an image's own class is 1 everywhere, the others are 0. (To
    reshape embedded labels into planes would scramble them instead: each
    place of the image would see another part of the label.)

    Args:
        num_classes: Integer >= 1.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Call arguments:
        images: Float tensor `(batch, height, width, channels)`.
        labels: Integer tensor `(batch,)` in [0, num_classes).

    Returns:
        Float tensor `(batch, height, width, channels + num_classes)`.

    Raises:
        ValueError: If `num_classes` is below 1.

    Example:
        >>> planes = LabelPlanes(3)
        >>> planes(ops.zeros((2, 4, 4, 1)), ops.array([0, 2])).shape
        TensorShape([2, 4, 4, 4])

    Reference:
        Mirza and Osindero, Conditional generative adversarial nets, 2014.
    """

    def __init__(self, num_classes, **kwargs):
        super().__init__(**kwargs)
        if num_classes < 1:
            raise ValueError(
                "`num_classes` must be at least 1. "
                f"Received: num_classes={num_classes}"
            )
        self.num_classes = num_classes

    def call(self, images, labels):
        batch, height, width, _ = ops.shape(images)
        one_hot = ops.one_hot(labels, self.num_classes, dtype=images.dtype)
        planes = ops.broadcast_to(
            one_hot[:, None, None, :], (batch, height, width, self.num_classes)
        )
        return ops.concatenate([images, planes], axis=-1)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}
