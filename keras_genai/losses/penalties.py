"""Penalties on the slope of a critic."""

import keras
import tensorflow as tf
from keras import ops

from keras_genai.losses.adversarial import wide
from keras_genai.replicas import draw


def gradient_penalty(critic, real_images, generated_images, seed):
    """Penalises a critic's slope other than 1 between real and generated.

    Computes `(|grad D(x)| - 1)^2`, where `x` is a random point on the line
    between a real image and a generated one. It is 0 for a linear critic with
    a slope of norm 1.

    Args:
        critic: Function or network from images to `(batch, 1)`, without
            BatchNorm, with which the slope at one image depends on the others.
        real_images: Float tensor `(batch, height, width, channels)`.
        generated_images: Float tensor like `real_images`.
        seed: Integer, or `keras.random.SeedGenerator`.

    Returns:
        Float tensor `(batch,)`, at least 0, differentiable in the critic's
        weights.

    Raises:
        ValueError: If the critic has a BatchNormalization layer.

    Example:
        >>> critic = keras.Sequential(
        ...     [keras.layers.Flatten(), keras.layers.Dense(1)]
        ... )
        >>> images = ops.zeros((2, 4, 4, 1))
        >>> gradient_penalty(critic, images, images + 1.0, seed=0).shape
        TensorShape([2])

    Reference:
        Gulrajani et al., 2017, algorithm 1.
    """
    check_critic(critic)
    real_images, generated_images = wide(real_images), wide(generated_images)
    batch = ops.shape(real_images)[0]
    share = draw(
        keras.random.uniform,
        (batch, 1, 1, 1),
        dtype=real_images.dtype,
        seed=seed,
    )
    # x = e real + (1 - e) generated, with e uniform in [0, 1)
    images = share * real_images + (1.0 - share) * generated_images
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = critic(images)
    # (batch, pixels): the gradient of each score at its image
    slopes = ops.reshape(tape.gradient(scores, images), (batch, -1))
    # The root has no gradient at 0: epsilon keeps the penalty differentiable.
    norms = ops.sqrt(ops.sum(ops.square(slopes), axis=1) + 1e-12)
    return ops.square(norms - 1.0)


def check_critic(critic):
    """Refuses a network for which a gradient penalty makes no sense.

    Args:
        critic: Network, or any function.

    Raises:
        ValueError: If it has a BatchNormalization layer, at any depth.
    """
    inner = getattr(critic, "_flatten_layers", list)
    for layer in inner():
        if isinstance(layer, keras.layers.BatchNormalization):
            raise ValueError(
                "A gradient penalty is for one image at a time, and BatchNorm "
                "mixes images: use LayerNormalization or no normalisation. "
                f"Received: a critic with {layer.name!r}"
            )
