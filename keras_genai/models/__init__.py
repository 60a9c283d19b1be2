"""The model families: a folder for each kind of method, a file a family."""

from pathlib import Path

from keras_genai.startup import require_tensorflow_backend

require_tensorflow_backend()


def load_model(filepath, compile=True, custom_objects=None):
    """Loads a model that one of the families saved.

    As `keras.saving.load_model`, which it calls, but it knows the classes
    without their having been imported, says what is wrong with a file, and
    never runs code that the file brings along: `check_keras_archive` looks
    through it first, and Keras's safe mode is always on.

    Args:
        filepath: Path of a file whose name ends in `.keras`; Keras would
            read a file of another name in another way than it was checked.
        compile: Boolean. Whether the optimizers are restored too.
        custom_objects: Dictionary: name -> class, of networks that are
            neither Keras's nor registered with it; or `None`.

    Returns:
        The model: weights, optimizers, random states and compile settings.

    Raises:
        ValueError: If there is no such file, if its name ends otherwise, if
            it is not a whole `.keras` file, if it could run code, if its
            config is larger than what `keras_genai.archives` allows, or if it
            holds a model of another package.
        OSError: If it cannot be read.
    """
    path = Path(filepath)
    if not path.name.endswith(".keras"):
        raise ValueError(
            "A model is loaded from a file whose name ends in '.keras'. "
            f"Received: filepath={str(path)!r}"
        )
    if not path.exists():
        raise ValueError(
            f"There is no model to load. Received: filepath={str(path)!r}"
        )

    import keras

    from keras_genai.archives import check_keras_archive
    from keras_genai.keras_private import safe_mode
    from keras_genai.models.core.base import GenerativeModel

    check_keras_archive(path)
    try:
        # Also where the process has switched it off for other files.
        with safe_mode():
            model = keras.saving.load_model(
                path, compile=compile, custom_objects=custom_objects
            )
    except Exception as error:  # of whatever kind Keras stumbles on
        # In many lines it shows the whole config, too.
        reason = str(error).rpartition("Exception encountered: ")[2]
        reason = reason.partition("\n")[0][:200]
        raise ValueError(
            f"The model cannot be made anew: {reason}. "
            f"Received: filepath={str(path)!r}"
        ) from error
    if not isinstance(model, GenerativeModel):
        raise ValueError(
            "Expected a model of keras_genai; load others with "
            "keras.saving.load_model. "
            f"Received: filepath={str(path)!r}, a {type(model).__name__}"
        )
    return model
