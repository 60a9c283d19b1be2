"""The last epochs of a training run, to resume it."""

import json
import re
from pathlib import Path

import keras

from keras_genai.archives import check_keras_archive, open_archive
from keras_genai.files import complete_or_absent
from keras_genai.keras_private import remember_attributes_of_optimizers


class Checkpoints(keras.callbacks.Callback):
    """Keeps the model as it was after each of the last two epochs.

    `keras.callbacks.BackupAndRestore` writes weights and epoch to two files:
    after a kill between them, training resumes one epoch with the weights of
    another. Here a checkpoint is one `.keras` file, `epoch_003.keras`, which
    is complete or absent, and whose checksums show damage.

    Args:
        directory: Path of the folder to write to.

    Example:
        >>> checkpoints = Checkpoints("checkpoints")
    """

    def __init__(self, directory):
        super().__init__()
        self.directory = Path(directory)

    def restore(self, model, set_aside=True):
        """Restores the model as it was after the last complete checkpoint.

        If a checkpoint is damaged, or is of another model, and an earlier one
        is complete, the damaged one is reported and renamed,
        `epoch_003.keras.damaged`.

        Args:
            model: A model like the one that was saved.
            set_aside: Boolean. Whether damaged checkpoints are renamed. One of
                several machines renames them, the others skip them.

        Returns:
            Integer, the epochs of its training so far, 0 without a checkpoint:
            `fit(..., initial_epoch=checkpoints.restore(model))`.

        Raises:
            ValueError: If there are checkpoints, but no complete one.
        """
        damaged = []
        for epoch, path in reversed(self._saved()):
            try:
                check_keras_archive(path)
                _load(model, path)
            except FileNotFoundError:  # another machine renamed it
                continue
            except ValueError as error:
                damaged.append((path, error))
                continue
            if set_aside:
                for other, error in damaged:
                    print(f"{error}\nGoing on from {path} instead.")
                    other.replace(other.with_name(f"{other.name}.damaged"))
            return epoch
        if damaged:
            path, error = damaged[0]
            raise ValueError(
                "The run cannot be resumed: no checkpoint is complete. No file "
                f"was changed. {error}"
            ) from error
        return 0

    def on_train_begin(self, logs=None):
        remember_attributes_of_optimizers()

    def on_epoch_end(self, epoch, logs=None):
        path = self.directory / f"epoch_{epoch + 1:03d}.keras"
        with complete_or_absent(path) as partial:
            self.model.save(partial)
        for _, earlier in self._saved()[:-2]:
            earlier.unlink()

    def _saved(self):
        """Pairs of epochs and the paths of their checkpoints, in order."""
        found = (
            (re.fullmatch(r"epoch_([0-9]{3,9})\.keras", path.name), path)
            for path in self.directory.glob("epoch_*.keras")
            if path.is_file()
        )
        return sorted((int(match[1]), path) for match, path in found if match)


def _load(model, path):
    """Loads the weights of a checkpoint of the same kind of model."""
    with open_archive(path) as archive:
        family = json.loads(archive.read("config.json"))["class_name"]
    try:
        if family != type(model).__name__:
            raise ValueError(f"it is one of {family}")
        model.load_weights(path)
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"Expected a checkpoint of this {type(model).__name__}: {reason}. "
            f"Received: {str(path)!r}"
        ) from error
