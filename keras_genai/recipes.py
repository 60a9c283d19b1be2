"""Recipes: the choices that make a run, shared by command line and tutorials.

A recipe is data: what to train, on what, for how long. `dataset` and `model`
turn it into the two objects that `fit` needs:

    recipe = RECIPES["dcgan"]["default"]
    train = recipe.dataset(seed=0)
    model = recipe.model(train, seed=0)
    model.fit(train, epochs=recipe.epochs)
"""

import dataclasses

from keras_genai.names import look_up


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long.

    Attributes:
        family: String, name of a model class of `keras_genai`.
        source: What the data's door takes: a name, a path, or the data.
        split: String, the split to train on.
        batch_size: Integer >= 1.
        epochs: Integer >= 1.
        model_arguments: Dictionary of the model's own arguments.
        synchronize_batch_normalization: Boolean. Whether BatchNorm sees the
            whole batch on several devices, rather than each its share.
        skip_broken: Boolean. Whether files that cannot be read are passed
            over, rather than refused.
    """

    family: str
    source: object = None
    split: str = "train"
    batch_size: int = 128
    epochs: int = 80
    model_arguments: dict = dataclasses.field(default_factory=dict)
    synchronize_batch_normalization: bool = False
    skip_broken: bool = False

    makes = None  # "images", "text" or "music"
    validation_split = None

    def dataset(self, seed=None, offline=False, split=None, like=None):
        """Opens the data.

        Args:
            seed: Integer, or `None` for one drawn at random.
            offline: Boolean. Whether the network is left alone.
            split: String, another split, read for evaluation, or `None` for
                the one to train on.
            like: What the other split is read like, the data or the model of
                the training: its tokenizer is theirs. Of no use to images.

        Returns:
            `tf.data.Dataset`, with the attribute `examples`.

        Raises:
            ValueError: If the source or the split is none.
            ConnectionError: If the source would have to be downloaded and
                there is no network.
        """
        raise NotImplementedError

    def validation_dataset(self, seed=None, offline=False, like=None):
        """Opens the data that each epoch is validated on.

        Args:
            seed: Integer, or `None` for one drawn at random.
            offline: Boolean. Whether the network is left alone.
            like: As in `dataset`.

        Returns:
            `tf.data.Dataset`, or `None` where the recipe names no split,
            where the source is one split already, or where there is too
            little to hold some of it out.
        """
        from keras_genai.data.reading import EmptySplitError

        if self.validation_split is None or hasattr(self.source, "digest"):
            return None
        try:
            return self.dataset(seed, offline, self.validation_split, like)
        except EmptySplitError as error:
            # Nobody has asked for it: it is what most recipes have.
            if self.validation_split != type(self).validation_split:
                raise
            print(f"No validation. {error}")
            return None

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
        from keras_genai.replicas import synchronize_batch_normalization

        model = getattr(keras_genai, self.family)(
            seed=seed,
            **{**self.arguments_from(dataset), **self.model_arguments},
        )
        if self.synchronize_batch_normalization:
            synchronize_batch_normalization(model)
        model.compile(**self.compile_arguments(model, len(dataset)))
        return model

    def arguments_from(self, dataset):
        """The model's arguments that the data decide.

        Args:
            dataset: What `dataset` returned.

        Returns:
            Dictionary.
        """
        raise NotImplementedError

    def compile_arguments(self, model, steps_per_epoch):
        """What the model is compiled with; each kind of recipe gives its own.

        Args:
            model: The model that is to be compiled.
            steps_per_epoch: Integer, batches an epoch.

        Returns:
            Dictionary.
        """
        raise NotImplementedError


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
    value_range = (-1, 1)  # of the pixels that the family works on
    binarize = None

    @property
    def labels(self):
        """Whether the model is shown them."""
        return "num_classes" in self.model_arguments or self.family in (
            *("ConditionalGAN", "AuxiliaryClassifierGAN", "ConditionalVAE"),
        )

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


@dataclasses.dataclass(frozen=True)
class TokenRecipe(Recipe):
    """A recipe for tokens in windows, warmed up and annealed.

    Each epoch is so many random windows; held-out data are tiled.

    Attributes:
        sequence_length: Integer >= 1, tokens of a window.
        steps_per_epoch: Integer >= 1, or `None` for as many tokens as the
            data have.
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


@dataclasses.dataclass(frozen=True)
class TextRecipe(TokenRecipe):
    """A recipe for text.

    Attributes:
        tokenizer: `"character"`, `"byte"`, or the path of a tokenizer that
            was saved.
        windows: `"random"` or `"tiled"`.
        prompt: String that the samples of each epoch go on from.
    """

    source: object = "tiny_shakespeare"
    batch_size: int = 64
    tokenizer: str = "character"
    windows: str = "random"
    prompt: str = "\n"

    makes = "text"

    def dataset(self, seed=None, offline=False, split=None, like=None):
        from keras_genai.data.text import text_dataset
        from keras_genai.data.tokenizers import load_tokenizer

        tokenizer = self.tokenizer
        if split and like is None:
            like = self.dataset(seed, offline)
        if like is not None:
            tokenizer = like.tokenizer
        elif tokenizer not in ("character", "byte"):
            tokenizer = load_tokenizer(tokenizer)
        return text_dataset(
            self.source,
            split=split or self.split,
            tokenizer=tokenizer,
            sequence_length=self.sequence_length,
            batch_size=self.batch_size,
            windows="tiled" if split else self.windows,
            steps_per_epoch=None if split else self.steps_per_epoch,
            seed=seed,
            offline=offline,
            skip_broken=self.skip_broken,
        )

    def arguments_from(self, dataset):
        arguments = {"tokenizer": dataset.tokenizer}
        if self.family == "GPT":
            arguments["max_sequence_length"] = self.sequence_length
        return arguments

    def compile_arguments(self, model, steps_per_epoch):
        if self.family == "MarkovChain":
            return {}
        return super().compile_arguments(model, steps_per_epoch)


@dataclasses.dataclass(frozen=True)
class MusicRecipe(TokenRecipe):
    """A recipe for scores.

    Attributes:
        num_voices: Integer >= 1, voices that MIDI files are read with.
        num_steps: Integer >= 1, sixteenths of a score that is composed after
            an epoch, or to be measured.
    """

    source: object = "bach_chorales"
    batch_size: int = 4
    sequence_length: int = 256
    steps_per_epoch: int | None = 120
    learning_rate: float = 4e-3
    num_voices: int = 4
    num_steps: int = 128

    makes = "music"

    def dataset(self, seed=None, offline=False, split=None, like=None):
        from keras_genai.data.music import (
            MusicTokenizer,
            load_scores,
            music_dataset,
        )

        def scores(split):
            return load_scores(
                self.source, split, offline, self.num_voices, self.skip_broken
            )

        if like is None:
            # An instrument's range is known before what is played on it:
            # a held-out note outside of all others could not be read.
            pieces = scores("train+validation+test").scores
            tokenizer = MusicTokenizer.from_scores(pieces)
        else:
            tokenizer = like.tokenizer
        return music_dataset(
            scores(split or self.split),
            tokenizer=tokenizer,
            sequence_length=self.sequence_length,
            batch_size=self.batch_size,
            windows="tiled" if split else "random",
            steps_per_epoch=None if split else self.steps_per_epoch,
            seed=seed,
        )

    def arguments_from(self, dataset):
        return {
            "tokenizer": dataset.tokenizer,
            "max_sequence_length": self.sequence_length,
        }


_DEFAULTS = {
    "gan": GANRecipe("GAN"),
    "dcgan": GANRecipe("DCGAN", d_learning_rate=2e-3, g_learning_rate=2e-3),
    "conditional_gan": GANRecipe(
        "ConditionalGAN", d_learning_rate=2e-3, g_learning_rate=2e-3
    ),
    "acgan": GANRecipe(
        "AuxiliaryClassifierGAN", d_learning_rate=2e-3, g_learning_rate=2e-3
    ),
    "wgan_gp": GANRecipe(
        "WGANGP",
        beta_1=0.0,
        beta_2=0.9,
        loss="wasserstein",
        gradient_penalty=10.0,
    ),
    "vae": AnnealedRecipe("VAE", binarize="dynamic", learning_rate=3e-3),
    "conditional_vae": AnnealedRecipe(
        "ConditionalVAE", binarize="dynamic", learning_rate=3e-3
    ),
    "autoencoder": AnnealedRecipe("Autoencoder"),
    "denoising_autoencoder": AnnealedRecipe(
        "DenoisingAutoencoder", epochs=60, learning_rate=2e-3
    ),
    "pixelcnn": AnnealedRecipe(
        "PixelCNN",
        batch_size=8,
        epochs=15,
        binarize="dynamic",
        learning_rate=4e-3,
    ),
    "markov": TextRecipe(
        "MarkovChain",
        epochs=1,
        sequence_length=1024,
        windows="tiled",
        model_arguments={"order": 5},
    ),
    "lstm": TextRecipe(
        "LSTMLanguageModel",
        batch_size=32,
        epochs=8,
        sequence_length=100,
        learning_rate=5e-3,
    ),
    "gpt": TextRecipe("GPT", batch_size=32, epochs=4, learning_rate=4e-3),
    "music_transformer": MusicRecipe("MusicTransformer"),
}
# What a minute on two cores changes of a recipe: fewer examples, or those there
# are, in smaller batches, for some hundred updates.
_QUICK_IMAGES = {"split": "train[:1000]", "batch_size": 32, "epochs": 20}
_QUICK_TEXT = {"split": "train[:200000]", "epochs": 3, "steps_per_epoch": 60}
_QUICK = {
    "gan": {**_QUICK_IMAGES, "epochs": 30},
    "pixelcnn": {"split": "train[:1000]", "epochs": 3},
    "markov": {"split": "train[:200000]"},
    "lstm": _QUICK_TEXT,
    "gpt": _QUICK_TEXT,
    "music_transformer": {"epochs": 3, "steps_per_epoch": 50, "num_steps": 64},
}

RECIPES = {
    name: {
        "default": recipe,
        "quick": dataclasses.replace(recipe, **_QUICK.get(name, _QUICK_IMAGES)),
    }
    for name, recipe in _DEFAULTS.items()
}
"""Every recipe: name of the model -> preset -> `Recipe`."""


# What models are called elsewhere.
_ELSEWHERE = {
    **{recipe.family.lower(): name for name, recipe in _DEFAULTS.items()},
    "cgan": "conditional_gan",
    "cvae": "conditional_vae",
    "ae": "autoencoder",
    "dae": "denoising_autoencoder",
    "denoiser": "denoising_autoencoder",
    "wgan": "wgan_gp",
    "wgangp": "wgan_gp",
    "ngram": "markov",
    "rnn": "lstm",
    "nanogpt": "gpt",
    "transformer": "gpt",
    "music": "music_transformer",
}


def recipe_from_record(record):
    """Makes the recipe anew that a run wrote down.

    Args:
        record: Dictionary of its fields, as from `dataclasses.asdict`.

    Returns:
        `Recipe` of the class that the family's recipes have.

    Raises:
        ValueError: If no recipe is for that family, or has such fields.
    """
    classes = {recipe.family: type(recipe) for recipe in _DEFAULTS.values()}
    kind = look_up(classes, "family", str(record.get("family")))
    try:
        return kind(**record)
    except TypeError as error:
        raise ValueError(
            f"Expected the fields of a {kind.__name__}: {error}. "
            f"Received: {record}"
        ) from error


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
    presets = look_up(RECIPES, "model", model, _ELSEWHERE)
    return look_up(presets, "preset", preset)
