"""Formulas that score tensors: one value an example, no state, no weights."""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_genai.replicas import draw

# --- Adversarial losses ------------------------------------------------------
#
# A discriminator gives each image one logit: above `decision_threshold` for
# "real", below it for "generated". Each game is a pair, what the discriminator
# minimises and what the generator minimises; both take logits, never
# probabilities, and compute in float32, or in float64 where given it.


def minimax_discriminator_loss(real_logits, fake_logits, label_smoothing=0.0):
    """Cross-entropy of telling real images from generated ones.

    Computes `-log D(x) - log(1 - D(G(z)))` with `D = sigmoid(logit)`, in the
    form that neither overflows nor loses precision. Smoothing is one-sided:
    the target of real images becomes `1 - label_smoothing`, that of generated
    images stays 0 (smoothing it too would reward a generator for standing
    still).

    Args:
        real_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's logits of real images.
        fake_logits: Float tensor like `real_logits`, of generated images.
        label_smoothing: Float in [0, 0.5]. Defaults to `0.0`.

    Returns:
        Float tensor `(batch,)`, nats an example: the sum of the two terms
        (`2 ln 2` where every logit is 0).

    Example:
        >>> zeros = ops.zeros((2, 1))
        >>> minimax_discriminator_loss(zeros, zeros).numpy().round(4)
        array([1.3863, 1.3863], dtype=float32)

    Reference:
        Goodfellow et al., 2014, equation 1; Salimans et al., 2016, section
        3.4, for one-sided smoothing.
    """
    real_logits, fake_logits = _wide(real_logits), _wide(fake_logits)
    # -(1 - s) log D(x) - s log(1 - D(x)) = softplus(-x) + s x
    real_term = ops.softplus(-real_logits) + label_smoothing * real_logits
    fake_term = ops.softplus(fake_logits)
    return _per_example(real_term + fake_term)


def minimax_generator_loss(fake_logits):
    """The generator's side of the original zero-sum game.

    Computes `log(1 - D(G(z)))`. Its gradient vanishes where the discriminator
    wins, which is why `non_saturating_generator_loss` is the usual choice.

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
    return _per_example(-ops.softplus(_wide(fake_logits)))


def non_saturating_generator_loss(fake_logits):
    """The generator's loss that keeps its gradient when it is losing.

    Computes `-log D(G(z))`: the same fixed point as the minimax game, with
    the strongest gradient where generated images are told apart most easily.

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
    return _per_example(ops.softplus(-_wide(fake_logits)))


def least_squares_discriminator_loss(
    real_logits, fake_logits, label_smoothing=0.0
):
    """Half the squared distance of logits from 1 (real) and 0 (generated).

    Args:
        real_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's unbounded scores of real images.
        fake_logits: Float tensor like `real_logits`, of generated images.
        label_smoothing: Float in [0, 0.5]; the target of real images becomes
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
    real_logits, fake_logits = _wide(real_logits), _wide(fake_logits)
    target = 1.0 - label_smoothing
    real_term = ops.square(real_logits - target)
    fake_term = ops.square(fake_logits)
    return _per_example(0.5 * (real_term + fake_term))


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
    return _per_example(0.5 * ops.square(_wide(fake_logits) - 1.0))


def hinge_discriminator_loss(real_logits, fake_logits, label_smoothing=0.0):
    """Penalty for real logits below 1 and generated logits above -1.

    Args:
        real_logits: Float tensor `(batch, 1)` or `(batch, ...)`, the
            discriminator's unbounded scores of real images.
        fake_logits: Float tensor like `real_logits`, of generated images.
        label_smoothing: Must be 0: the hinge has margins, not targets.

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
            "The hinge loss has margins, not targets that could be smoothed. "
            "Expected: label_smoothing=0. "
            f"Received: label_smoothing={label_smoothing}"
        )
    real_logits, fake_logits = _wide(real_logits), _wide(fake_logits)
    real_term = ops.relu(1.0 - real_logits)
    fake_term = ops.relu(1.0 + fake_logits)
    return _per_example(real_term + fake_term)


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
    return _per_example(-_wide(fake_logits))


def wasserstein_discriminator_loss(
    real_logits, fake_logits, label_smoothing=0.0
):
    """How much higher a critic scores generated images than real ones.

    Minus the estimate of the Wasserstein-1 distance, for a critic whose slope
    is at most 1 everywhere; without that bound it has no minimum.

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
            "The Wasserstein loss has scores, not targets that could be "
            "smoothed. Expected: label_smoothing=0. "
            f"Received: label_smoothing={label_smoothing}"
        )
    return _per_example(_wide(fake_logits) - _wide(real_logits))


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
    return _per_example(-_wide(fake_logits))


ADVERSARIAL_LOSSES = {
    "non_saturating": (
        minimax_discriminator_loss,
        non_saturating_generator_loss,
    ),
    "minimax": (minimax_discriminator_loss, minimax_generator_loss),
    "least_squares": (
        least_squares_discriminator_loss,
        least_squares_generator_loss,
    ),
    "hinge": (hinge_discriminator_loss, hinge_generator_loss),
    "wasserstein": (
        wasserstein_discriminator_loss,
        wasserstein_generator_loss,
    ),
}


def get_adversarial_loss(name):
    """Looks up the pair of losses of an adversarial game.

    Args:
        name: One of `"non_saturating"`, `"minimax"`, `"least_squares"`,
            `"hinge"` and `"wasserstein"`.

    Returns:
        Pair of functions: `discriminator_loss(real_logits, fake_logits,
        label_smoothing)` and `generator_loss(fake_logits)`.

    Raises:
        ValueError: If there is no game of that name.

    Example:
        >>> get_adversarial_loss("hinge")[1].__name__
        'hinge_generator_loss'
    """
    try:
        return ADVERSARIAL_LOSSES[name]
    except (KeyError, TypeError):
        names = ", ".join(repr(known) for known in ADVERSARIAL_LOSSES)
        raise ValueError(
            f"`loss` names an adversarial game. Expected one of {names}. "
            f"Received: loss={name!r}"
        ) from None


def decision_threshold(name, label_smoothing=0.0):
    """The logit above which a game's discriminator calls an image real.

    It is the best discriminator's logit of an image that is as likely to be
    real as generated. Where the two have targets, that is halfway between
    `1 - label_smoothing` and 0: a logit of least squares, a probability of
    cross-entropy. The margins of the hinge lie around 0.

    Args:
        name: String, as for `get_adversarial_loss`.
        label_smoothing: Float in [0, 0.5]. Defaults to `0.0`.

    Returns:
        Float, or `None` for `"wasserstein"`: its scores are no verdicts, and
        are the same game with any number added to all of them.

    Raises:
        ValueError: If there is no game of that name.

    Example:
        >>> decision_threshold("non_saturating")
        0.0
        >>> decision_threshold("least_squares")
        0.5

    Reference:
        Goodfellow et al., 2014, proposition 1; Mao et al., 2017, equation 5.
    """
    get_adversarial_loss(name)  # refuses a game that does not exist
    halfway = (1.0 - label_smoothing) / 2.0
    logit = math.log(halfway / (1.0 - halfway))
    return {
        "non_saturating": logit,
        "minimax": logit,
        "least_squares": halfway,
        "hinge": 0.0,
        "wasserstein": None,
    }[name]


def gradient_penalty(critic, real_images, generated_images, seed):
    """How far a critic's slope between real and generated is from 1.

    Computes `(|grad D(x)| - 1)^2` at one point `x` of the line between each
    real image and a generated one, drawn uniformly. It is 0 for a critic that
    is linear with a slope of norm 1.

    Args:
        critic: Function or network from images to `(batch, 1)`, without
            BatchNorm, which would make one image's slope depend on the others.
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
    real_images, generated_images = _wide(real_images), _wide(generated_images)
    batch = ops.shape(real_images)[0]
    share = draw(
        keras.random.uniform,
        (batch, 1, 1, 1),
        dtype=real_images.dtype,
        seed=seed,
    )
    images = share * real_images + (1.0 - share) * generated_images
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = critic(images)
    slopes = ops.reshape(tape.gradient(scores, images), (batch, -1))
    # The root has no slope at 0: epsilon keeps the penalty differentiable.
    norms = ops.sqrt(ops.sum(ops.square(slopes), axis=1) + 1e-12)
    return ops.square(norms - 1.0)


def check_critic(critic):
    """Refuses a network that a gradient penalty cannot be asked of.

    Args:
        critic: Network, or any function.

    Raises:
        ValueError: If it has a BatchNormalization layer, however deep.
    """
    inner = getattr(critic, "_flatten_layers", list)
    for layer in inner():
        if isinstance(layer, keras.layers.BatchNormalization):
            raise ValueError(
                "A gradient penalty is for each image alone, and BatchNorm "
                "mixes them: use LayerNormalization, or none. "
                f"Received: a critic with {layer.name!r}"
            )


def _wide(values):
    """In 32 bits or more: squares of 16 overflow, small losses become 0."""
    return ops.cast(values, keras.backend.result_type(values.dtype, "float32"))


def _per_example(values):
    """Averages all but the batch axis: a patch's logits are one verdict."""
    return ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)


# --- Language models ---------------------------------------------------------


def next_token_losses(logits, targets):
    """Scores predictions of the next token, where there is one.

    Args:
        logits: Float tensor `(batch, length, vocabulary_size)`.
        targets: Integer tensor `(batch, length)`; -1 is ignored.

    Returns:
        Pair of float32 tensors `(batch, length)`: losses in nats, and
        weights, both 0 where the target is ignored and weights else 1.

    Example:
        >>> losses, weights = next_token_losses(
        ...     ops.zeros((1, 3, 4)), ops.array([[2, 0, -1]])
        ... )
        >>> losses.numpy().round(3)
        array([[1.386, 1.386, 0.   ]], dtype=float32)
        >>> weights.numpy()
        array([[1., 1., 0.]], dtype=float32)
    """
    there = targets >= 0
    losses = ops.sparse_categorical_crossentropy(
        ops.where(there, targets, 0),
        ops.cast(logits, "float32"),
        from_logits=True,
    )
    weights = ops.cast(there, "float32")
    return losses * weights, weights
