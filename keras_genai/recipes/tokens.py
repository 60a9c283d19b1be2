"""Recipes for tokens: windows, and a learning rate with warm-up."""

import dataclasses

from keras_genai.recipes.base import Recipe


@dataclasses.dataclass(frozen=True)
class TokenRecipe(Recipe):
    """A recipe for tokens in windows, warmed up and annealed.

    Each epoch is so many random windows; held-out data are tiled.

    Attributes:
        sequence_length: Integer >= 1, tokens of a window.
        steps_per_epoch: Integer >= 1, or `None` for as many tokens an epoch as
            the data have.
        learning_rate: Float > 0, at its highest: it is warmed up and annealed
            to 0 along half a cosine.
        validation_split: String, the split that each epoch is validated on,
            or `None`.
    """

    epochs: int = 10
    sequence_length: int = 64
    steps_per_epoch: int | None = None
    learning_rate: float = 1e-3
    validation_split: str | None = "validation"

    def compile_arguments(self, model, steps_per_epoch):
        import keras

        steps = self.epochs * steps_per_epoch
        warm_up = min(50, steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            self.learning_rate / max(warm_up, 1),
            steps - warm_up,
            warmup_target=self.learning_rate,
            warmup_steps=warm_up,
        )
        return {"optimizer": model.make_optimizer(rate)}
