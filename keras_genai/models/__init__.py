"""The model families, one per file."""

import importlib
import zipfile
from pathlib import Path

from keras_genai.startup import require_tensorflow_backend

require_tensorflow_backend()

FAMILIES = (
    "gan",
    "dcgan",
    "wgan_gp",
    "conditional_gan",
    "acgan",
    "autoencoder",
    "vae",
    "conditional_vae",
    "markov",
    "lstm",
    "gpt",
    "music_transformer",
    "pixelcnn",
)


def load_model(filepath, **kwargs):
    """Loads a model that one of the families saved.

    As `keras.saving.load_model`, which it calls, but it knows the classes
    without their having been imported, and says what is wrong with a file.

    Args:
        filepath: Path of a `.keras` file.
        **kwargs: `compile`, `custom_objects`, `safe_mode`, for
            `keras.saving.load_model`.

    Returns:
        The model: weights, optimizers, random states and compile settings.

    Raises:
        ValueError: If there is no such file, if it is not a whole `.keras`
            file, or if it holds a model of another package.
    """
    import keras

    from keras_genai.models.base import GenerativeModel

    for family in FAMILIES:
        importlib.import_module(f"keras_genai.models.{family}")

    path = Path(filepath)
    if not path.is_file():
        raise ValueError(
            f"There is no model to load. Received: filepath={str(path)!r}"
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(
            "Expected a whole `.keras` file, as `model.save` writes it; this "
            "one is truncated or of another kind. "
            f"Received: filepath={str(path)!r}"
        )
    model = keras.saving.load_model(path, **kwargs)
    if not isinstance(model, GenerativeModel):
        raise ValueError(
            "Expected a model of keras_genai; load others with "
            "keras.saving.load_model. "
            f"Received: filepath={str(path)!r}, a {type(model).__name__}"
        )
    return model
