"""SavedModel: everything that a model does, for TensorFlow only."""

import json
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from keras_genai import modalities
from keras_genai.files import check_replaceable, complete_or_absent

# SavedModel's folder for files that TensorFlow itself does not read.
_ABOUT = ("assets.extra", "keras_genai.json")
# Its valid contents: the file may come from anywhere.
_MAX_BYTES = 2**16
_MAX_SIDE = 2**12
_MAX_SIZES = {
    "latent_dim": 2**20,
    "num_classes": 2**16,
    "max_sequence_length": 2**20,
}


def write_saved_model(signatures, filepath, overwrite=True, about=None):
    """Writes functions as a SavedModel that needs only TensorFlow.

    The folder is written under another name and moved when it is complete.

    Args:
        signatures: Dictionary: name -> (function of tensors that returns a
            dictionary of tensors, list of `tf.TensorSpec`). The first is also
            `serving_default`.
        filepath: Path of the folder to write.
        overwrite: Boolean. Whether an existing SavedModel is replaced; a
            folder of anything else is never replaced. Defaults to `True`.
        about: Dictionary that JSON can hold, which `read_about` returns later,
            or `None`.

    Returns:
        `pathlib.Path` of the folder.

    Raises:
        ValueError: If `filepath` exists and may not be replaced.
    """
    import tensorflow as tf

    path = Path(filepath)
    check_replaceable(path, *KIND, overwrite)
    # Already traced: saving would trace a `tf.function` again.
    traced = {
        name: graph(*each).get_concrete_function()
        for name, each in signatures.items()
    }
    served = tf.Module()
    # Saving needs references to the objects that a function uses.
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
    """A function as a `tf.function`, which is traced once, at its first use.

    Args:
        function: Function of tensors, or an earlier result of `traced`.
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


# Only this may be replaced by an export of this format.
KIND = "a SavedModel", is_saved_model


def read_about(filepath):
    """Reads the facts about the model that are stored in an export.

    Args:
        filepath: Path of a SavedModel.

    Returns:
        Dictionary from `GenerativeModel.about`; empty if another program wrote
        the export. Keys may be missing or additional.

    Raises:
        ValueError: If it is not a JSON object, is longer than 64 KiB, or has
            values that no model has.
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
            f"Expected the metadata of an export: {error}. "
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


# Old names of outputs -> new names. TensorFlow Serving writes outputs that end
# in `_bytes` in base64, and its JSON can hold no other bytes.
_NEW_NAMES = {"midi": "midi_bytes"}


def ask(function, **inputs):
    """Calls an export.

    Args:
        function: One of the signatures of a loaded SavedModel.
        **inputs: Arrays, numbers or strings for the signature; others are
            ignored.

    Returns:
        Dictionary of NumPy arrays, under the present names of outputs.

    Raises:
        ValueError: If the export refuses the inputs.
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
        Float, the greatest absolute difference of the function that is served
        by default; unequal texts count as infinity.

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
    # TensorFlow would print a folder that is about to be moved.
    import tensorflow as tf

    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)
