"""Recipes for images."""

import dataclasses

from keras_genai.recipes.base import Recipe
from keras_genai.recipes.declared import declared


@dataclasses.dataclass(frozen=True)
class ImageRecipe(Recipe):
    """A recipe for images.

    Attributes:
        image_size: `(height, width)` to resize to, or `None`.
        augment: Dictionary of augmentations for `image_dataset`, or `None`.
    """

    source: object = "mnist_5k"
    image_size: tuple | None = None
    augment: dict | None = None

    makes = "images"
    value_range = (-1, 1)  # of the family's images
    binarize = None

    @property
    def labels(self):
        """Whether the model gets the labels."""
        if "num_classes" in self.model_arguments:
            return True
        return declared(self.family).get("labels", False)

    def dataset(self, seed=None, offline=False, split=None, like=None):
        from keras_genai.data.images import image_dataset

        return image_dataset(
            self.source,
            split=split or self.split,
            image_size=self.image_size,
            batch_size=self.batch_size,
            value_range=self.value_range,
            binarize=self.binarize,
            labels=self.labels,
            augment=None if split else self.augment,
            seed=seed,
            offline=offline,
            skip_broken=self.skip_broken,
        )

    def arguments_from(self, dataset):
        examples = dataset.examples
        arguments = {"image_shape": examples.image_shape}
        if self.labels:
            arguments["num_classes"] = len(examples.class_names)
        return arguments


@dataclasses.dataclass(frozen=True)
class GANRecipe(ImageRecipe):
    """Two networks, each with its own Adam, and the game between them.

    Attributes:
        d_learning_rate: Float > 0, of the discriminator's Adam.
        g_learning_rate: Float > 0, of the generator's Adam.
        beta_1: Float in [0, 1), momentum of both.
        beta_2: Float in [0, 1), of both.
        loss: String, the adversarial game.
        label_smoothing: Float in [0, 0.5].
        gradient_penalty: Float >= 0, weight in the discriminator's loss.
    """

    d_learning_rate: float = 1e-3
    g_learning_rate: float = 1e-3
    beta_1: float = 0.5
    beta_2: float = 0.999
    loss: str = "non_saturating"
    label_smoothing: float = 0.0
    gradient_penalty: float = 0.0

    def compile_arguments(self, model, steps_per_epoch):
        from keras.optimizers import Adam

        betas = {"beta_1": self.beta_1, "beta_2": self.beta_2}
        return {
            "d_optimizer": Adam(self.d_learning_rate, **betas),
            "g_optimizer": Adam(self.g_learning_rate, **betas),
            "loss": self.loss,
            "label_smoothing": self.label_smoothing,
            "gradient_penalty": self.gradient_penalty,
        }


@dataclasses.dataclass(frozen=True)
class AnnealedRecipe(ImageRecipe):
    """One optimizer, its learning rate annealed to 0 along half a cosine.

    Attributes:
        binarize: `"dynamic"`, `"threshold"` or `None`, for `image_dataset`.
        learning_rate: Float > 0, at the start.
        validation_split: String, the split that each epoch is validated on,
            or `None`.
    """

    binarize: str | None = None
    learning_rate: float = 1e-3
    validation_split: str | None = "test"

    value_range = (0, 1)

    def compile_arguments(self, model, steps_per_epoch):
        import keras

        rate = keras.optimizers.schedules.CosineDecay(
            self.learning_rate, self.epochs * steps_per_epoch
        )
        return {"optimizer": model.make_optimizer(rate)}
