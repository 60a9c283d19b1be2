"""SavedModel: everything that a model does, for TensorFlow alone to run."""

import json
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from keras_genai.files import check_replaceable, complete_or_absent

# Where SavedModel has a place for what TensorFlow itself does not read.
_ABOUT = ("assets.extra", "keras_genai.json")


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
    import keras

    path = Path(filepath)
    check_replaceable(path, "a SavedModel", is_saved_model, overwrite)
    archive = keras.export.ExportArchive()
    for name, (function, input_signature) in signatures.items():
        archive.add_endpoint(name, function, input_signature)
    with complete_or_absent(path) as partial, _without_information():
        archive.write_out(partial, verbose=False)
        note = partial.joinpath(*_ABOUT)
        note.parent.mkdir(exist_ok=True)
        note.write_text(json.dumps(about or {}, indent=2) + "\n")
    return path


def is_saved_model(path):
    """Whether a path is a folder with a SavedModel in it."""
    return (path / "saved_model.pb").is_file()


def read_about(filepath):
    """Reads what an export says of itself.

    Args:
        filepath: Path of a SavedModel.

    Returns:
        Dictionary: what `GenerativeModel.about` returned; empty of an export
        that another program wrote.
    """
    note = Path(filepath).joinpath(*_ABOUT)
    return json.loads(note.read_text()) if note.is_file() else {}


def ask(function, **inputs):
    """Asks an export.

    Args:
        function: One of the signatures of a loaded SavedModel.
        **inputs: Arrays, numbers or strings, what the signature takes; more
            is left out.

    Returns:
        Dictionary of NumPy arrays.

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
    return {name: value.numpy() for name, value in answers.items()}


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
