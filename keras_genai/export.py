"""Artefacts for others to load, and the check that they can be loaded."""

import json
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

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
    if path.exists():
        if not (path / "saved_model.pb").is_file() and not _is_empty(path):
            raise ValueError(
                "Only a SavedModel is ever replaced by an export. "
                f"Received: filepath={str(path)!r}, which is something else"
            )
        if not overwrite:
            raise ValueError(
                "There is a SavedModel already, and `overwrite=False`. "
                f"Received: filepath={str(path)!r}"
            )
    archive = keras.export.ExportArchive()
    for name, (function, input_signature) in signatures.items():
        archive.add_endpoint(name, function, input_signature)
    with complete_or_absent(path) as partial, _without_information():
        archive.write_out(partial, verbose=False)
        note = partial.joinpath(*_ABOUT)
        note.parent.mkdir(exist_ok=True)
        note.write_text(json.dumps(about or {}, indent=2) + "\n")
    return path


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


@contextmanager
def complete_or_absent(path):
    """Gives a path beside `path` to write to, and moves it there at the end.

    Args:
        path: `pathlib.Path` of a file or a folder. What stands there is
            replaced in one move, or stays if writing fails.

    Yields:
        `pathlib.Path` that does not exist yet, in a folder of its own that is
        removed whatever happens.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        partial = aside / path.name
        yield partial
        if path.is_dir():
            path.rename(aside / "replaced")
        partial.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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


def _is_empty(path):
    return path.is_dir() and not any(path.iterdir())
