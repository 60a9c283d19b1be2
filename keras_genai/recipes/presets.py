"""The recipes of every model, and how they are looked up."""

import dataclasses

from keras_genai.names import look_up
from keras_genai.recipes.images import AnnealedRecipe, GANRecipe
from keras_genai.recipes.music import MusicRecipe
from keras_genai.recipes.text import TextRecipe

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
    """Makes the recipe again that a run wrote down.

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
