"""The model families: a folder for each kind of method, a file a family."""

from pathlib import Path

from keras_genai.startup import require_tensorflow_backend

require_tensorflow_backend()


def load_model(filepath, compile=True, custom_objects=None):
    """Loads a model that one of the families saved.

    It calls `keras.saving.load_model`, but it finds the classes without an
    import, explains an invalid file, and never runs code from the file:
    `check_keras_archive` reads it first, and Keras's safe mode is always on.

    Args:
        filepath: Path of a file whose name ends in `.keras`; Keras would read
            a file of another name in a way that was not checked.
        compile: Boolean. Whether the optimizers are restored too.
        custom_objects: Dictionary: name -> class, of networks that are not
            from Keras and not registered with it; or `None`.

    Returns:
        The model: weights, optimizers, random states and compile settings.

    Raises:
        ValueError: If there is no such file, if its name has another ending,
            if the `.keras` file is not complete, if it could run code, if its
            config is larger than `keras_genai.archives` allows, or if the
            model is from another package.
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
        # Safe even if the process has switched safe mode off.
        with safe_mode():
            model = keras.saving.load_model(
                path, compile=compile, custom_objects=custom_objects
            )
    except Exception as error:  # any kind that Keras raises
        # The full message has many lines, with the whole config.
        reason = str(error).rpartition("Exception encountered: ")[2]
        reason = reason.partition("\n")[0][:200]
        raise ValueError(
            f"The model cannot be rebuilt: {reason}. "
            f"Received: filepath={str(path)!r}"
        ) from error
    if not isinstance(model, GenerativeModel):
        raise ValueError(
            "Expected a model of keras_genai; load others with "
            "keras.saving.load_model. "
            f"Received: filepath={str(path)!r}, a {type(model).__name__}"
        )
    return model
