"""Formulas that score tensors: one value an example, no state, no weights."""

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
from keras_genai.losses.games import (
    ADVERSARIAL_LOSSES,
    decision_threshold,
    get_adversarial_loss,
)
from keras_genai.losses.penalties import check_critic, gradient_penalty
from keras_genai.losses.tokens import next_token_losses

__all__ = [
    "ADVERSARIAL_LOSSES",
    "check_critic",
    "decision_threshold",
    "get_adversarial_loss",
    "gradient_penalty",
    "hinge_discriminator_loss",
    "hinge_generator_loss",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "minimax_discriminator_loss",
    "minimax_generator_loss",
    "next_token_losses",
    "non_saturating_generator_loss",
    "wasserstein_discriminator_loss",
    "wasserstein_generator_loss",
]
