"""SavedModel: everything that a model does, for TensorFlow alone to run."""

import json
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from keras_genai import modalities
from keras_genai.files import check_replaceable, complete_or_absent

# Where SavedModel has a place for what TensorFlow itself does not read.
_ABOUT = ("assets.extra", "keras_genai.json")
# What it may say: the file may come from anywhere.
_MAX_BYTES = 2**16
_MAX_SIDE = 2**12
_MAX_SIZES = {
    "latent_dim": 2**20,
    "num_classes": 2**16,
    "max_sequence_length": 2**20,
}


def write_saved_model(signatures, filepath, overwrite=True, about=None):
    """Writes functions as a SavedModel that TensorFlow alone can run.

    The folder is written aside and moved in place when it is complete.

    Args:
        signatures: Dictionary: name -> (function of tensors that returns a
            dictionary of tensors, list of `tf.TensorSpec`). The first is also
            `serving_default`.
        filepath: Path of the folder to write.
        overwrite: Boolean. Whether a SavedModel that stands there already is
            replaced; a folder of anything else never is. Defaults to `True`.
        about: Dictionary that JSON can hold, what `read_about` returns of the
            export, or `None`.

    Returns:
        `pathlib.Path` of the folder.

    Raises:
        ValueError: If `filepath` exists and may not be replaced.
    """
    import tensorflow as tf

    path = Path(filepath)
    check_replaceable(path, *KIND, overwrite)
    # Already traced: a `tf.function` would be again, while it is saved.
    traced = {
        name: graph(*each).get_concrete_function()
        for name, each in signatures.items()
    }
    served = tf.Module()
    # What a function uses must be there for it to be saved.
    served.weights = [each.variables for each in traced.values()]
    for name, function in traced.items():
        setattr(served, name, function)
    default = next(iter(traced.values()))
    with complete_or_absent(path) as partial, _without_information():
        tf.saved_model.save(
            served, partial, {**traced, "serving_default": default}
        )
        note = partial.joinpath(*_ABOUT)
        note.parent.mkdir(exist_ok=True)
        note.write_text(json.dumps(about or {}, indent=2) + "\n")
    return path


def graph(function, specs):
    """A function as a `tf.function`, which is traced once, when it is asked.

    Args:
        function: Function of tensors, or what this has returned of one.
        specs: List of `tf.TensorSpec`, its arguments.

    Returns:
        `tf.function`.
    """
    import tensorflow as tf

    if hasattr(function, "get_concrete_function"):
        return function
    return tf.function(function, input_signature=specs, autograph=False)


def is_saved_model(path):
    """Whether a path is a folder with a SavedModel in it."""
    return (path / "saved_model.pb").is_file()


# What an export of this format may replace.
KIND = "a SavedModel", is_saved_model


def read_about(filepath):
    """Reads what an export says of itself.

    Args:
        filepath: Path of a SavedModel.

    Returns:
        Dictionary: what `GenerativeModel.about` returned; empty of an export
        that another program wrote. It may lack a key, or have others.

    Raises:
        ValueError: If it is no JSON object, longer than 64 KiB, or says what
            no model is.
        OSError: If it cannot be read.
    """
    note = Path(filepath).joinpath(*_ABOUT)
    if not note.is_file():
        return {}
    with note.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    try:
        if len(content) > _MAX_BYTES:
            raise ValueError(f"it is longer than {_MAX_BYTES:,} bytes")
        about = json.loads(content)
        _check_about(about)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"Expected what an export says of itself: {error}. "
            f"Received: {str(note)!r}"
        ) from error
    return about


def _check_about(about):
    if not isinstance(about, dict):
        raise ValueError("it is no JSON object")
    is_right = {
        "family": _is_name(about.get("family", "GAN")),
        "makes": about.get("makes", "images") in modalities.names(),
        "image_shape": _is_image_shape(about.get("image_shape", [1, 1, 1])),
    }
    for name, most in _MAX_SIZES.items():
        is_right[name] = _is_size(about.get(name, 1), most)
    for name, right in is_right.items():
        if not right:
            raise ValueError(f"its {name} is {str(about[name])[:60]!r}")


def _is_name(value):
    return isinstance(value, str) and value.isidentifier() and len(value) < 100


def _is_image_shape(value):
    if not isinstance(value, list) or len(value) != 3:
        return False
    return all(_is_size(side, _MAX_SIDE) for side in value)


def _is_size(value, most):
    return type(value) is int and 1 <= value <= most


# What exports called their answers before -> what they do now. TensorFlow
# Serving writes what ends in `_bytes` in base64, and its JSON holds no others.
_NEW_NAMES = {"midi": "midi_bytes"}


def ask(function, **inputs):
    """Asks an export.

    Args:
        function: One of the signatures of a loaded SavedModel.
        **inputs: Arrays, numbers or strings, what the signature takes; more
            is left out.

    Returns:
        Dictionary of NumPy arrays, by the names that exports have today.

    Raises:
        ValueError: If the export refuses what it is given.
    """
    import tensorflow as tf

    _, specs = function.structured_input_signature
    tensors = {
        name: tf.constant(inputs[name], spec.dtype)
        for name, spec in specs.items()
    }
    try:
        answers = function(**tensors)
    except tf.errors.InvalidArgumentError as error:
        refusal = re.search(r"assertion failed: (.*)", str(error))
        if refusal is None:
            raise
        message = refusal[1].replace("] [", " ").strip("[]")
        raise ValueError(f"The export refuses: {message}") from None
    return {
        _NEW_NAMES.get(name, name): value.numpy()
        for name, value in answers.items()
    }


def check_saved_model(filepath, model, tolerance=1e-5):
    """Loads an export with TensorFlow and compares it with its model.

    Args:
        filepath: Path of the SavedModel.
        model: The model that it was exported from.
        tolerance: Float, greatest difference allowed. Defaults to `1e-5`.

    Returns:
        Float, the greatest absolute difference of what is served by default;
        texts are equal or infinitely different.

    Raises:
        ValueError: If it is greater than `tolerance`.
    """
    import tensorflow as tf

    function, specs = next(iter(model.signatures().values()))
    request = model.example_request()
    inputs = {
        spec.name: tf.constant(request[spec.name], spec.dtype) for spec in specs
    }
    served = tf.saved_model.load(str(filepath)).signatures["serving_default"]
    answers, expected = served(**inputs), function(*inputs.values())
    difference = max(
        _difference(answers[name].numpy(), value.numpy())
        for name, value in expected.items()
    )
    if not difference <= tolerance:
        raise ValueError(
            f"The export differs from its model by {difference:.2g}, more "
            f"than {tolerance:.2g}. Received: filepath={str(filepath)!r}"
        )
    return difference


def _difference(answer, expected):
    if answer.dtype == object:  # strings
        return 0.0 if (answer == expected).all() else np.inf
    return float(np.abs(answer - expected).max())


@contextmanager
def _without_information():
    # TensorFlow would tell of a folder that is about to be moved.
    import tensorflow as tf

    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)
