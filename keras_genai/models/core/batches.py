"""Checks of the batches that `fit` and `evaluate` receive."""

import keras
import numpy as np
import tensorflow as tf


def check_image_batch(data, model, low, high):
    """Refuses a batch that is not of images as the model needs them.

    Args:
        data: The argument of `fit` or `evaluate`, in Keras's form.
        model: The model, with `image_shape` and a `condition`.
        low: Float, the least value allowed.
        high: Float, the greatest value allowed.

    Returns:
        The images, a float32 tensor; or a tuple of them, labels (`None` where
        the model is not conditional) and sample weights.

    Raises:
        ValueError: As the checks of each of them.
    """
    images, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
    images = check_images(images, model.image_shape, low, high)
    images, labels = model.condition.check(targets, images, model)
    return packed(images, labels, check_weights(weights))


def packed(inputs, targets, weights):
    """A batch in Keras's form, without `None` at its end."""
    if targets is None and weights is None:
        return inputs
    return (inputs, targets) if weights is None else (inputs, targets, weights)


def check_images(images, image_shape, low, high):
    """Refuses images of another shape, type or range than a model's.

    Args:
        images: Float tensor `(batch, height, width, channels)`, or without the
            last axis if there is one channel.
        image_shape: `(height, width, channels)` of the model.
        low: Float, the least value allowed.
        high: Float, the greatest value allowed.

    Returns:
        The images, a float32 tensor with all axes.

    Raises:
        ValueError: If the shape or the type is wrong. Values outside the range
            are refused as by `check_finite_range`.
    """
    images = tf.convert_to_tensor(images)
    if images.shape.rank == 3 and image_shape[-1] == 1:
        images = images[..., None]
    if images.shape.rank != 4 or tuple(images.shape[1:]) != image_shape:
        raise ValueError(
            f"Expected batches of images (batch, *{image_shape}). "
            f"Received: images of shape {_shown(images.shape)}"
        )
    if not images.dtype.is_floating:
        raise ValueError(
            f"Expected float images in [{low}, {high}], as image_dataset(..., "
            f"value_range=({low}, {high})) makes them of bytes. "
            f"Received: images of type {images.dtype.name}"
        )
    return check_finite_range(tf.cast(images, "float32"), low, high)


def look_below_zero(images, model, is_first):
    """Prints a hint, once, if the first batch seems to be in [0, 1].

    Args:
        images: Float tensor, checked to be in [-1, 1].
        model: The model, which prints the hint.
        is_first: Boolean tensor, whether this is the first batch.

    Returns:
        The images.
    """

    def say(least, greatest):
        if least >= 0 and greatest > 0.5:
            model.say_once(
                f"No pixel of the first batch is below 0. "
                f"{type(model).__name__} works on images in [-1, 1]: images in "
                "[0, 1] would teach it grey backgrounds. image_dataset(..., "
                "value_range=(-1, 1)) gives images in [-1, 1]; "
                "2 * images - 1 converts images in [0, 1]."
            )
        return False

    ends = [tf.reduce_min(images), tf.reduce_max(images)]
    said = tf.cond(
        is_first,
        lambda: tf.numpy_function(say, ends, tf.bool),
        lambda: False,
    )
    return after(said, images)


def check_no_targets(targets, images, model):
    """Refuses targets that a model of images cannot use.

    Args:
        targets: The argument `y` of `fit`: `None`, labels, which are ignored,
            or the images again.
        images: Float32 tensor, the images, checked.
        model: The model; it prints once that labels are ignored.

    Returns:
        The images.

    Raises:
        ValueError: If the targets are anything else. Targets that are other
            images are refused when they arrive.
    """
    if targets is None:
        return images
    targets = tf.convert_to_tensor(targets)
    name = type(model).__name__
    if targets.shape.rank in (1, 2) and targets.shape[1:] in ([], [1]):
        model.say_once(f"{name} does not use labels, and ignores them.")
        return images
    if targets.shape.rank == 2 and targets.shape[1] == 0:  # see `Fitting.fit`
        return images
    expected = (
        f"{name} learns from images only: y must be None, their labels, or "
        "the images again. To learn clean images from corrupted ones, use "
        "DenoisingAutoencoder."
    )
    if targets.shape.rank == 3 and model.image_shape[-1] == 1:
        targets = targets[..., None]
    if targets.shape.rank is None:  # TensorFlow traced it for several ranks
        are_images = tf.size(targets) == tf.size(images)
        are_labels = tf.size(targets) == tf.shape(images)[0]
        targets = tf.cond(
            are_images & ~are_labels,
            lambda: tf.reshape(tf.cast(targets, "float32"), tf.shape(images)),
            lambda: tf.where(are_labels, images, np.inf),
        )
    elif targets.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"{expected} Received: y of shape {tuple(targets.shape)}"
        )
    far = tf.reduce_max(tf.abs(tf.cast(targets, "float32") - images))
    same = tf.debugging.Assert(
        far <= 1e-6, [f"{expected} Received: other images, different by", far]
    )
    return after(same, images)


def check_weights(weights):
    """Refuses sample weights unless each example has one, 0 or more.

    Args:
        weights: The argument `sample_weight` of `fit`, or `None`.

    Returns:
        Float32 tensor, or `None`.

    Raises:
        ValueError: If the type is wrong. Negative or non-finite weights are
            refused when they arrive.
    """
    if weights is None:
        return None
    weights = tf.cast(tf.convert_to_tensor(weights), "float32")
    least, greatest = tf.reduce_min(weights), tf.reduce_max(weights)
    fits = tf.debugging.Assert(
        (least >= 0) & (greatest < np.inf),
        [
            "Expected sample weights that are finite and 0 or more. "
            "Received: weights from",
            least,
            "to",
            greatest,
        ],
    )
    return after(fits, weights)


def _shown(shape):
    # After batches of several ranks TensorFlow takes any.
    return "another rank than before" if shape.rank is None else tuple(shape)


def after(assertion, tensor):
    """The tensor, usable only after an assertion has been checked.

    Args:
        assertion: The result of `tf.debugging.Assert`, `None` in eager mode.
        tensor: Tensor.

    Returns:
        The tensor.
    """
    with tf.control_dependencies([] if assertion is None else [assertion]):
        return tf.identity(tensor)


def check_labels(labels, num_classes):
    """Refuses labels that are not integers below `num_classes`.

    Args:
        labels: The labels given to `fit` or `evaluate`, or `None`.
        num_classes: Integer, classes of the model.

    Returns:
        The labels, an int32 tensor `(batch,)`.

    Raises:
        ValueError: If labels are missing, or the shape or the type is wrong.
            Labels out of range are refused as by `check_finite_range`.
    """
    if labels is None:
        raise ValueError(
            "A conditional model needs the labels of its images: "
            "image_dataset(..., labels=True). Received: only images"
        )
    labels = tf.convert_to_tensor(labels)
    if labels.shape.rank == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape.rank != 1 or not labels.dtype.is_integer:
        raise ValueError(
            f"Expected integer labels (batch,) in [0, {num_classes}): of "
            "one-hot rows np.argmax(labels, axis=1), of names "
            "np.unique(names, return_inverse=True)[1]. Received: labels of "
            f"shape {tuple(labels.shape)} and type {labels.dtype.name}"
        )
    labels = tf.cast(labels, "int32")
    least, greatest = tf.reduce_min(labels), tf.reduce_max(labels)
    in_range = tf.debugging.Assert(
        (least >= 0) & (greatest < num_classes),
        [
            f"Expected labels in [0, {num_classes}). Received: labels from",
            least,
            "to",
            greatest,
        ],
    )
    return after(in_range, labels)


def check_token_ids(token_ids, least, vocabulary_size):
    """Refuses a batch that is not of token ids.

    Args:
        token_ids: The argument of `fit` or `evaluate`.
        least: Integer, the least id allowed: 0, or -1 for targets.
        vocabulary_size: Integer.

    Returns:
        The ids, an int32 tensor `(batch, length)`.

    Raises:
        ValueError: If the shape or the type is wrong. Ids out of range are
            refused as by `check_finite_range`.
    """
    token_ids = tf.convert_to_tensor(token_ids)
    if len(token_ids.shape) != 2 or not token_ids.dtype.is_integer:
        raise ValueError(
            "Expected integer token ids (batch, length). Received: shape "
            f"{tuple(token_ids.shape)} and type {token_ids.dtype.name}"
        )
    token_ids = tf.cast(token_ids, "int32")
    lowest, highest = tf.reduce_min(token_ids), tf.reduce_max(token_ids)
    fits = tf.debugging.Assert(
        (lowest >= least) & (highest < vocabulary_size),
        [
            f"Expected token ids in [{least}, {vocabulary_size}), of the "
            "tokenizer that the model was made with. Received: ids from",
            lowest,
            "to",
            highest,
        ],
    )
    # Otherwise the lookup of an embedding may fail before this message.
    return after(fits, token_ids)


def check_finite_range(images, low, high):
    """Refuses images outside [low, high] or not finite, when they arrive.

    Works inside `tf.function`; XLA leaves such checks out. `fit` and
    `evaluate` check outside the steps that XLA compiles, and turn the refusal
    into a `ValueError`.

    Args:
        images: Float tensor of any shape.
        low: Float, the least value allowed.
        high: Float, the greatest value allowed.

    Returns:
        The images.
    """
    least, greatest = tf.reduce_min(images), tf.reduce_max(images)
    tolerance = 1e-3
    # Written so that it fails for NaN too: no comparison with NaN is true.
    fits = (least >= low - tolerance) & (greatest <= high + tolerance)
    assertion = tf.debugging.Assert(
        fits,
        [
            f"Expected finite images in [{low}, {high}], which "
            f"image_dataset(..., value_range=({low}, {high})) gives. "
            "Received: images from",
            least,
            "to",
            greatest,
        ],
    )
    return after(assertion, images)
