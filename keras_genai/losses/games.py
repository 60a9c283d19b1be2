"""Adversarial games by name: pairs of losses, and their thresholds."""

import math

from keras_genai.checks import check_choice
from keras_genai.losses.adversarial import (
    hinge_discriminator_loss,
    hinge_generator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    minimax_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
)

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
    check_choice("loss", name, ADVERSARIAL_LOSSES)
    return ADVERSARIAL_LOSSES[name]


def decision_threshold(name, label_smoothing=0.0):
    """The logit above which a game's discriminator calls an image real.

    It is the logit that the best discriminator gives an image that is as likely
    to be real as generated. In games with targets it lies halfway between the
    targets, `1 - label_smoothing` and 0: for least squares as a logit, for
    cross-entropy as a probability. The margins of the hinge lie around 0.

    Args:
        name: String, as for `get_adversarial_loss`.
        label_smoothing: Float in [0, 0.5]. Defaults to `0.0`.

    Returns:
        Float, or `None` for `"wasserstein"`: the game stays the same if a
        number is added to all scores.

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
    check_choice("loss", name, ADVERSARIAL_LOSSES)
    halfway = (1.0 - label_smoothing) / 2.0
    logit = math.log(halfway / (1.0 - halfway))
    return {
        "non_saturating": logit,
        "minimax": logit,
        "least_squares": halfway,
        "hinge": 0.0,
        "wasserstein": None,
    }[name]
