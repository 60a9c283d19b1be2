"""Checks of the arguments of a model, with one wording of errors."""

import numpy as np


def check_image_shape(image_shape):
    """Refuses an image shape that is not `(height, width, channels)`.

    Args:
        image_shape: The argument of a model.

    Raises:
        ValueError: If it is not three positive integers, or if the number of
            channels is not 1 or 3.
    """
    sizes = tuple(image_shape)
    if (
        len(sizes) != 3
        or any(not isinstance(size, int) or size < 1 for size in sizes)
        or sizes[2] not in (1, 3)
    ):
        raise ValueError(
            "`image_shape` must be (height, width, channels) with 1 or 3 "
            f"channels. Received: image_shape={image_shape}"
        )


def check_num_samples(num_samples):
    """Refuses an invalid number of samples.

    Args:
        num_samples: The argument of `generate`.

    Raises:
        ValueError: If it is missing or negative.
    """
    if num_samples is None or num_samples < 0:
        raise ValueError(
            "`num_samples` must be an integer, 0 or more. "
            f"Received: num_samples={num_samples}"
        )


def check_image_array(images, image_shape):
    """Refuses an array that is not of images in [0, 1].

    Args:
        images: The argument of a method.
        image_shape: `(height, width, channels)` of the model.

    Returns:
        Float32 NumPy array `(batch, height, width, channels)`.

    Raises:
        ValueError: If the shape, the type or the range is wrong.
    """
    images = np.asarray(images)
    if images.shape[1:] != image_shape or images.ndim != 4:
        raise ValueError(
            f"Expected images (batch, *{image_shape}). "
            f"Received: images of shape {images.shape}"
        )
    low, high = images.min(initial=0), images.max(initial=0)
    # Written so that it fails for NaN too: no comparison with NaN is true.
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise ValueError(
            "Expected finite images in [0, 1]. "
            f"Received: images from {low} to {high}"
        )
    return images.astype("float32")


def check_code_array(z, latent_dim):
    """Refuses an array that does not hold codes.

    Args:
        z: The argument of a method.
        latent_dim: Integer, width of the model's codes.

    Returns:
        Float32 NumPy array `(batch, latent_dim)`.

    Raises:
        ValueError: If the shape is wrong.
    """
    z = np.asarray(z, "float32")
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise ValueError(
            f"Expected codes (batch, {latent_dim}). "
            f"Received: z of shape {z.shape}"
        )
    return z


def check_label_array(labels, count, num_classes):
    """Refuses an array that does not hold one label for each example.

    Args:
        labels: The argument of a method.
        count: Integer, number of examples.
        num_classes: Integer, classes of the model.

    Returns:
        Int32 NumPy array `(count,)`.

    Raises:
        ValueError: If they are missing, too few, too many, or out of range.
    """
    if labels is None:
        raise ValueError(
            "A conditional model needs labels. Received: labels=None"
        )
    labels = np.asarray(labels)
    if labels.shape != (count,) or not (
        np.issubdtype(labels.dtype, np.integer) or count == 0
    ):
        raise ValueError(
            f"Expected {count} integer labels. Received: labels of shape "
            f"{labels.shape} and type {labels.dtype}"
        )
    if count and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"Expected labels in [0, {num_classes}). "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    return labels.astype("int32")


def check_network(network, input_shape, output_shape):
    """Refuses a network that does not fit its model.

    Args:
        network: `keras.Model`.
        input_shape: Tuple of integers, without the batch axis.
        output_shape: Tuple of integers, without the batch axis.

    Raises:
        ValueError: If its outputs for two examples have another shape.
    """
    outputs = network(np.zeros((2, *input_shape), "float32"))
    if tuple(outputs.shape) != (2, *output_shape):
        raise ValueError(
            f"The network {network.name!r} must make (2, *{output_shape}) of "
            f"(2, *{tuple(input_shape)}). Received: {tuple(outputs.shape)}"
        )
