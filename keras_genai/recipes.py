"""Recipes: the choices that make a run, shared by command line and tutorials.

A recipe is data: what to train, on what, for how long. `dataset` and `model`
turn it into the two objects that `fit` needs:

    recipe = RECIPES["dcgan"]["default"]
    train = recipe.dataset(seed=0)
    model = recipe.model(train, seed=0)
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
    """

    family: str
    source: object = "mnist_5k"
    split: str = "train"
    image_size: tuple | None = None
    augment: dict | None = None
    batch_size: int = 128
    epochs: int = 80
    model_arguments: dict = dataclasses.field(default_factory=dict)

    validation_split = None
    value_range = (-1, 1)  # of the pixels that the family works on
    binarize = None
    labels = False  # whether the family is shown them

    def dataset(self, seed=None, offline=False, split=None):
        """Opens the data.

        Args:
            seed: Integer, or `None` for one drawn at random.
            offline: Boolean. Whether the network is left alone.
            split: String, another split, which is not augmented, or `None`
                for the one to train on.

        Returns:
            `tf.data.Dataset`, as from `image_dataset`.

        Raises:
            ValueError: As `image_dataset`.
            ConnectionError: As `image_dataset`.
        """
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
        )

    def validation_dataset(self, seed=None, offline=False):
        """Opens the data that each epoch is validated on.

        Args:
            seed: Integer, or `None` for one drawn at random.
            offline: Boolean. Whether the network is left alone.

        Returns:
            `tf.data.Dataset`, or `None` where the recipe names no split, or
            where the source is `Images`, which are one split already.
        """
        from keras_genai.data.sources import Images

        if self.validation_split is None or isinstance(self.source, Images):
            return None
        return self.dataset(seed, offline, self.validation_split)

    def model(self, dataset, seed=None):
        """Builds the model for the data and compiles it.

        Args:
            dataset: What `dataset` returned.
            seed: Integer, or `None` for one drawn at random.

        Returns:
            The compiled model.

        Raises:
            ValueError: If an argument does not exist or is out of its range.
        """
        import keras_genai

        model = getattr(keras_genai, self.family)(
            image_shape=dataset.examples.image_shape,
            seed=seed,
            **self._arguments_from(dataset.examples),
            **self.model_arguments,
        )
        model.compile(**self.compile_arguments(len(dataset)))
        return model

    def compile_arguments(self, steps_per_epoch):
        """What the model is compiled with; each kind of recipe gives its own.

        Args:
            steps_per_epoch: Integer, batches an epoch.

        Returns:
            Dictionary.
        """
        raise NotImplementedError

    def _arguments_from(self, examples):
        return {}


@dataclasses.dataclass(frozen=True)
class GANRecipe(Recipe):
    """Two networks, each with its own Adam, and the game between them.

    Attributes:
        d_learning_rate: Float > 0, of the discriminator's Adam.
        g_learning_rate: Float > 0, of the generator's Adam.
        beta_1: Float in [0, 1), momentum of both.
        loss: String, the adversarial game.
        label_smoothing: Float in [0, 0.5].
    """

    d_learning_rate: float = 1e-3
    g_learning_rate: float = 1e-3
    beta_1: float = 0.5
    loss: str = "non_saturating"
    label_smoothing: float = 0.0

    def compile_arguments(self, steps_per_epoch):
        from keras.optimizers import Adam

        return {
            "d_optimizer": Adam(self.d_learning_rate, beta_1=self.beta_1),
            "g_optimizer": Adam(self.g_learning_rate, beta_1=self.beta_1),
            "loss": self.loss,
            "label_smoothing": self.label_smoothing,
        }


@dataclasses.dataclass(frozen=True)
class AutoencoderRecipe(Recipe):
    """One Adam, its learning rate annealed to 0 along half a cosine.

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

    @property
    def labels(self):
        return self.family == "ConditionalVAE"

    def compile_arguments(self, steps_per_epoch):
        import keras

        rate = keras.optimizers.schedules.CosineDecay(
            self.learning_rate, self.epochs * steps_per_epoch
        )
        return {"optimizer": keras.optimizers.Adam(rate)}

    def _arguments_from(self, examples):
        if not self.labels:
            return {}
        return {"num_classes": len(examples.class_names)}


_QUICK = {"split": "train[:512]", "epochs": 3}
_DEFAULTS = {
    "gan": GANRecipe("GAN"),
    "dcgan": GANRecipe("DCGAN", d_learning_rate=2e-3, g_learning_rate=2e-3),
    "vae": AutoencoderRecipe("VAE", binarize="dynamic", learning_rate=3e-3),
    "conditional_vae": AutoencoderRecipe(
        "ConditionalVAE", binarize="dynamic", learning_rate=3e-3
    ),
    "autoencoder": AutoencoderRecipe("Autoencoder"),
    "denoising_autoencoder": AutoencoderRecipe(
        "DenoisingAutoencoder", epochs=60, learning_rate=2e-3
    ),
}
RECIPES = {
    name: {"default": recipe, "quick": dataclasses.replace(recipe, **_QUICK)}
    for name, recipe in _DEFAULTS.items()
}


def recipe_from_record(record):
    """Makes the recipe anew that a run wrote down.

    Args:
        record: Dictionary of its fields, as from `dataclasses.asdict`.

    Returns:
        `Recipe` of the class that the family's recipes have.

    Raises:
        ValueError: If no recipe is for that family.
    """
    classes = {recipe.family: type(recipe) for recipe in _DEFAULTS.values()}
    return _look_up(classes, "family", record["family"])(**record)


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
