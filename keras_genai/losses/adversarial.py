"""Adversarial games: the losses of a discriminator and a generator.

A discriminator gives each image one logit: above `decision_threshold` for
"real", below it for "generated". Each game is a pair of losses, one for the
discriminator and one for the generator. Both take logits, never probabilities,
and compute in float32, or in float64 if the logits are float64.
"""

import keras
from keras import ops


def minimax_discriminator_loss(real_logits, fake_logits, label_smoothing=0.0):
    """Cross-entropy of telling real images from generated ones.

    Computes `-log D(x) - log(1 - D(G(z)))` with `D = sigmoid(logit)`, in the
    form that neither overflows nor loses precision. Smoothing is one-sided:
    the target of real images becomes `1 - label_smoothing`, and the target of
    generated images stays 0. (If it were smoothed too, the generator would be
    rewarded for images that it already makes.)

    Args:
        real_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's logits of real images.
        fake_logits: Float tensor like `real_logits`, of generated images.
        label_smoothing: Float in [0, 0.5]. Defaults to `0.0`.

    Returns:
        Float tensor `(batch,)`, nats an example: the sum of the two terms
        (`2 ln 2` if every logit is 0).

    Example:
        >>> zeros = ops.zeros((2, 1))
        >>> minimax_discriminator_loss(zeros, zeros).numpy().round(4)
        array([1.3863, 1.3863], dtype=float32)

    Reference:
        Goodfellow et al., 2014, equation 1; Salimans et al., 2016, section
        3.4, for one-sided smoothing.
    """
    real_logits, fake_logits = wide(real_logits), wide(fake_logits)
    # -(1 - s) log D(x) - s log(1 - D(x)) = softplus(-x) + s x
    real_term = ops.softplus(-real_logits) + label_smoothing * real_logits
    fake_term = ops.softplus(fake_logits)
    return per_example(real_term + fake_term)


def minimax_generator_loss(fake_logits):
    """The generator's side of the original zero-sum game.

    Computes `log(1 - D(G(z)))`. Its gradient vanishes when the discriminator
    wins. That is why `non_saturating_generator_loss` is the usual choice.

    Args:
        fake_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's logits of generated images.

    Returns:
        Float tensor `(batch,)`, nats an example, at most 0.

    Example:
        >>> minimax_generator_loss(ops.zeros((1, 1))).numpy().round(4)
        array([-0.6931], dtype=float32)

    Reference:
        Goodfellow et al., 2014, equation 1.
    """
    return per_example(-ops.softplus(wide(fake_logits)))


def non_saturating_generator_loss(fake_logits):
    """The generator's loss that keeps its gradient when the generator loses.

    Computes `-log D(G(z))`. It has the same fixed point as the minimax game,
    and its gradient is strongest for images that the discriminator recognises
    most easily.

    Args:
        fake_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's logits of generated images.

    Returns:
        Float tensor `(batch,)`, nats an example, at least 0.

    Example:
        >>> non_saturating_generator_loss(ops.zeros((1, 1))).numpy().round(4)
        array([0.6931], dtype=float32)

    Reference:
        Goodfellow et al., 2014, section 3.
    """
    return per_example(ops.softplus(-wide(fake_logits)))


def least_squares_discriminator_loss(
    real_logits, fake_logits, label_smoothing=0.0
):
    """Half the squared distance of logits from 1 (real) and 0 (generated).

    Args:
        real_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's unbounded scores of real images.
        fake_logits: Float tensor like `real_logits`, of generated images.
        label_smoothing: Float in [0, 0.5]. The target of real images becomes
            `1 - label_smoothing`. Defaults to `0.0`.

    Returns:
        Float tensor `(batch,)`, the sum of the two terms, at least 0.

    Example:
        >>> least_squares_discriminator_loss(
        ...     ops.ones((1, 1)), ops.zeros((1, 1))
        ... ).numpy()
        array([0.], dtype=float32)

    Reference:
        Mao et al., 2017, equation 9.
    """
    real_logits, fake_logits = wide(real_logits), wide(fake_logits)
    target = 1.0 - label_smoothing
    real_term = ops.square(real_logits - target)
    fake_term = ops.square(fake_logits)
    return per_example(0.5 * (real_term + fake_term))


def least_squares_generator_loss(fake_logits):
    """Half the squared distance of generated images' logits from 1.

    Args:
        fake_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's unbounded scores of generated images.

    Returns:
        Float tensor `(batch,)`, at least 0.

    Example:
        >>> least_squares_generator_loss(ops.zeros((1, 1))).numpy()
        array([0.5], dtype=float32)

    Reference:
        Mao et al., 2017, equation 9.
    """
    return per_example(0.5 * ops.square(wide(fake_logits) - 1.0))


def hinge_discriminator_loss(real_logits, fake_logits, label_smoothing=0.0):
    """Penalises real logits below 1 and generated logits above -1.

    Args:
        real_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's unbounded scores of real images.
        fake_logits: Float tensor like `real_logits`, of generated images.
        label_smoothing: Must be 0: the hinge has margins and no targets.

    Returns:
        Float tensor `(batch,)`, the sum of the two terms, at least 0.

    Raises:
        ValueError: If `label_smoothing` is not 0.

    Example:
        >>> hinge_discriminator_loss(
        ...     ops.zeros((1, 1)), ops.zeros((1, 1))
        ... ).numpy()
        array([2.], dtype=float32)

    Reference:
        Lim and Ye, 2017; Miyato et al., 2018, equation 16.
    """
    if label_smoothing:
        raise ValueError(
            "The hinge loss has margins and no targets to smooth. "
            "Expected: label_smoothing=0. "
            f"Received: label_smoothing={label_smoothing}"
        )
    real_logits, fake_logits = wide(real_logits), wide(fake_logits)
    real_term = ops.relu(1.0 - real_logits)
    fake_term = ops.relu(1.0 + fake_logits)
    return per_example(real_term + fake_term)


def hinge_generator_loss(fake_logits):
    """The negative logit of generated images.

    Args:
        fake_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's unbounded scores of generated images.

    Returns:
        Float tensor `(batch,)`, unbounded on both sides.

    Example:
        >>> hinge_generator_loss(ops.ones((1, 1))).numpy()
        array([-1.], dtype=float32)

    Reference:
        Lim and Ye, 2017; Miyato et al., 2018, equation 17.
    """
    return per_example(-wide(fake_logits))


def wasserstein_discriminator_loss(
    real_logits, fake_logits, label_smoothing=0.0
):
    """How much higher a critic scores generated images than real ones.

    Computes `D(G(z)) - D(x)`, minus the estimate of the Wasserstein-1 distance.
    The slope of the critic must be at most 1 everywhere; without that bound the
    loss has no minimum.

    Args:
        real_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the critic's
            unbounded scores of real images.
        fake_logits: Float tensor like `real_logits`, of generated images.
        label_smoothing: Must be 0: scores have no targets.

    Returns:
        Float tensor `(batch,)`, unbounded on both sides.

    Raises:
        ValueError: If `label_smoothing` is not 0.

    Example:
        >>> wasserstein_discriminator_loss(
        ...     ops.ones((1, 1)), -ops.ones((1, 1))
        ... ).numpy()
        array([-2.], dtype=float32)

    Reference:
        Arjovsky et al., Wasserstein GAN, 2017, equation 2.
    """
    if label_smoothing:
        raise ValueError(
            "The Wasserstein loss has scores and no targets to smooth. "
            "Expected: label_smoothing=0. "
            f"Received: label_smoothing={label_smoothing}"
        )
    return per_example(wide(fake_logits) - wide(real_logits))


def wasserstein_generator_loss(fake_logits):
    """The negative score of generated images.

    Args:
        fake_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the critic's
            unbounded scores of generated images.

    Returns:
        Float tensor `(batch,)`, unbounded on both sides.

    Example:
        >>> wasserstein_generator_loss(ops.ones((1, 1))).numpy()
        array([-1.], dtype=float32)

    Reference:
        Arjovsky et al., Wasserstein GAN, 2017, algorithm 1.
    """
    return per_example(-wide(fake_logits))


def wide(values):
    """Casts to 32 bits or more: in 16 squares overflow, small losses are 0."""
    return ops.cast(values, keras.backend.result_type(values.dtype, "float32"))


def per_example(values):
    """Averages over all axes but the first: patches of an image count once."""
    return ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)
