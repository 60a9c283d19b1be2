"""Extractors kept between runs: a `.keras` file, and a record beside it.

A kept file is used only if its record has the digest of the file and says that
it was trained on the same data in the same way. Of the file, only the weights
are used.
"""

import json
import warnings

import keras

from keras_genai.archives import check_keras_archive
from keras_genai.digests import file_digest
from keras_genai.files import complete_or_absent

_LONGEST_RECORD = 10_000  # bytes


def load_kept(path, record, network):
    """Loads the weights of a kept extractor into a copy of a network.

    Args:
        path: `pathlib.Path` of the `.keras` file.
        record: Dictionary, the required contents of the file's record.
        network: Keras model of the same shape.

    Returns:
        Keras model, or `None` without a file or with one that is refused,
        which gives a warning.
    """
    try:
        if not path.is_file():
            return None
        check_record(path, record)
        check_keras_archive(path)
        kept = keras.saving.load_model(path, compile=False)
        # The layers of the file are not trusted.
        copy = keras.models.clone_model(network)
        copy.set_weights(kept.get_weights())
    except Exception as error:  # a broken file can raise any kind
        reason = str(error).partition("\n")[0][:200]
        warnings.warn(
            "The kept extractor is refused, and trained again: "
            f"{reason}. Received: {str(path)!r}",
            stacklevel=3,
        )
        return None
    return copy


def keep(path, record, network):
    """Writes an extractor and its record, if the folder can be written to.

    Args:
        path: `pathlib.Path` of the `.keras` file to write.
        record: Dictionary of strings and numbers.
        network: Keras model.
    """
    try:
        with (
            complete_or_absent(path.with_suffix(".json")) as about,
            complete_or_absent(path) as partial,
        ):
            network.save(partial)
            record = {**record, "sha256": file_digest(partial)}
            about.write_text(json.dumps(record, indent=2) + "\n")
    except OSError:
        return


def check_record(path, record):
    """Refuses a file if the record beside it does not describe it.

    Args:
        path: `pathlib.Path` of the `.keras` file.
        record: Dictionary, the required contents of the file's record.

    Raises:
        ValueError: If there is no record, or if it differs.
    """
    about = path.with_suffix(".json")
    if not about.is_file() or about.stat().st_size > _LONGEST_RECORD:
        raise ValueError(f"there is no record of it, {about.name}")
    said = json.loads(about.read_text())
    for name, value in {**record, "sha256": file_digest(path)}.items():
        found = said.get(name) if isinstance(said, dict) else None
        if found != value:
            raise ValueError(
                f"its record, {about.name}, has for {name} {found!r} "
                f"and not {value!r}"
            )
