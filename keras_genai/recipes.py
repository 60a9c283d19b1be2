"""Recipes: the choices that make a run, shared by command line and tutorials.

A recipe is data: what to train, on what, for how long. `dataset` and `model`
turn it into the two objects that `fit` needs:

    recipe = RECIPES["dcgan"]["default"]
    train = recipe.dataset(seed=0)
    model = recipe.model(train.examples.image_shape, seed=0)
    model.fit(train, epochs=recipe.epochs)
"""

import dataclasses
import difflib


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long.

    Attributes:
        family: String, name of a model class of `keras_genai`.
        source: What `image_dataset` takes: a name, a path or an array.
        split: String, the split to train on.
        image_size: `(height, width)` to resize to, or `None`.
        augment: Dictionary of augmentations for `image_dataset`, or `None`.
        batch_size: Integer >= 1.
        epochs: Integer >= 1.
        model_arguments: Dictionary of the model's own arguments.
        d_learning_rate: Float > 0, of the discriminator's Adam.
        g_learning_rate: Float > 0, of the generator's Adam.
        beta_1: Float in [0, 1), momentum of both.
        loss: String, the adversarial game.
        label_smoothing: Float in [0, 0.5].
    """

    family: str
    source: object = "mnist_5k"
    split: str = "train"
    image_size: tuple | None = None
    augment: dict | None = None
    batch_size: int = 128
    epochs: int = 80
    model_arguments: dict = dataclasses.field(default_factory=dict)
    d_learning_rate: float = 1e-3
    g_learning_rate: float = 1e-3
    beta_1: float = 0.5
    loss: str = "non_saturating"
    label_smoothing: float = 0.0

    def dataset(self, seed=None, offline=False):
        """Opens the data.

        Args:
            seed: Integer, or `None` for one drawn at random.
            offline: Boolean. Whether the network is left alone.

        Returns:
            `tf.data.Dataset`, as from `image_dataset`.

        Raises:
            ValueError: As `image_dataset`.
            ConnectionError: As `image_dataset`.
        """
        from keras_genai.data.images import image_dataset

        return image_dataset(
            self.source,
            split=self.split,
            image_size=self.image_size,
            batch_size=self.batch_size,
            augment=self.augment,
            seed=seed,
            offline=offline,
        )

    def model(self, image_shape, seed=None):
        """Builds the model and compiles it.

        Args:
            image_shape: `(height, width, channels)` of the data.
            seed: Integer, or `None` for one drawn at random.

        Returns:
            The compiled model.

        Raises:
            ValueError: If an argument does not exist or is out of its range.
        """
        import keras

        import keras_genai

        model = getattr(keras_genai, self.family)(
            image_shape=tuple(image_shape), seed=seed, **self.model_arguments
        )
        adam = keras.optimizers.Adam
        model.compile(
            d_optimizer=adam(self.d_learning_rate, beta_1=self.beta_1),
            g_optimizer=adam(self.g_learning_rate, beta_1=self.beta_1),
            loss=self.loss,
            label_smoothing=self.label_smoothing,
        )
        return model


_GAN = Recipe("GAN", epochs=80, d_learning_rate=1e-3, g_learning_rate=1e-3)
_DCGAN = Recipe("DCGAN", epochs=80, d_learning_rate=2e-3, g_learning_rate=2e-3)

RECIPES = {
    "gan": {
        "default": _GAN,
        "quick": dataclasses.replace(_GAN, split="train[:512]", epochs=3),
    },
    "dcgan": {
        "default": _DCGAN,
        "quick": dataclasses.replace(_DCGAN, split="train[:512]", epochs=3),
    },
}


def get_recipe(model, preset="default"):
    """Looks a recipe up.

    Args:
        model: String, `"dcgan"` or another name in `RECIPES`.
        preset: String, `"default"`, or `"quick"`, which ends within a minute.

    Returns:
        `Recipe`.

    Raises:
        ValueError: If there is no such model or preset.

    Example:
        >>> get_recipe("dcgan", "quick").family
        'DCGAN'
    """
    presets = _look_up(RECIPES, "model", model)
    return _look_up(presets, "preset", preset)


def _look_up(table, kind, name):
    if name in table:
        return table[name]
    near = difflib.get_close_matches(str(name), table, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"There is no {kind} of that name.{hint} Known: {', '.join(table)}. "
        f"Received: {kind}={name!r}"
    )
