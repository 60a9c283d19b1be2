"""The last epochs of a training, to go on from."""

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
    killed between them, it goes on from one epoch with the weights of another.
    Here a checkpoint is one `.keras` file, `epoch_003.keras`, which is whole
    or not there, and whose checksums tell damage.

    Args:
        directory: Path of the folder to write to.

    Example:
        >>> checkpoints = Checkpoints("checkpoints")
    """

    def __init__(self, directory):
        super().__init__()
        self.directory = Path(directory)

    def restore(self, model, set_aside=True):
        """Takes the model back to the last epoch that is there whole.

        A checkpoint that is damaged, or of another model, is named and set
        aside, as `epoch_003.keras.damaged`, where an earlier one is whole.

        Args:
            model: A model like the one that was saved.
            set_aside: Boolean. Whether damaged ones are renamed: of several
                machines one does it, the others only pass them over, and so
                they do with one that is renamed in that moment.

        Returns:
            Integer, the epochs that it was trained for, 0 without
            a checkpoint: `fit(..., initial_epoch=checkpoints.restore(model))`.

        Raises:
            ValueError: If there are checkpoints and none is whole.
        """
        damaged = []
        for epoch, path in reversed(self._saved()):
            try:
                check_keras_archive(path)
                _load(model, path)
            except FileNotFoundError:  # another machine set it aside
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
                "The run cannot go on: no checkpoint is whole, and nothing "
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
    """Loads the weights of a checkpoint, if it is of such a model."""
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
