"""The folder of a run: its files, and its lock."""

import contextlib
import csv
import glob
import json
import os
import re
import shutil
import socket
import tempfile
from pathlib import Path

from keras_genai.files import complete_or_absent, remove_leftovers
from keras_genai.runs.begin import new_record
from keras_genai.runs.locks import lock_folder, place_of, unlock
from keras_genai.runs.record import MAX_BYTES, read_record


class RunFolder:
    """The folder of a run, and its record.

    Args:
        folder: Path of the folder.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.record_path = self.folder / "run.json"
        self.history_path = self.folder / "history.csv"
        self.checkpoints = self.folder / "checkpoints"
        self.model_path = self.folder / "model.keras"
        self.export_path = self.folder / "export"
        self._holder_path = self.folder / ".lock"
        self._place = None  # of the folder, while it is locked

    @classmethod
    def create(
        cls,
        folder,
        recipe,
        seed,
        deterministic=False,
        offline=False,
        overwrite=False,
    ):
        """Makes the folder of a new run.

        Args:
            folder: Path of the folder to make.
            recipe: `Recipe` to train.
            seed: Integer, seed of the weights, the data and the noise.
            deterministic: Boolean. Whether the run repeats bit for bit, by
                TensorFlow's op determinism.
            offline: Boolean. Whether the network is not used.
            overwrite: Boolean. Whether an existing run is replaced, as soon as
                the new one has its data and its model.

        Returns:
            `Run`.

        Raises:
            ValueError: If the folder exists and may not be replaced, if
                another process works in it, or if it cannot be written to.
        """
        run = cls(folder)
        run._bring_back_replaced()
        run._check_room(overwrite)
        try:
            run._put_aside()
            run.folder.mkdir(parents=True, exist_ok=True)
            with run.locked():
                run._check_room(overwrite=False)  # two processes may race
                run.write_record(
                    new_record(recipe, seed, deterministic, offline)
                )
        except BaseException as error:
            with contextlib.suppress(OSError):
                run.folder.rmdir()  # if nothing is in it
            run._bring_back_replaced()
            if isinstance(error, OSError):
                raise run._unwritable(error) from error
            raise
        return run

    @classmethod
    def open(cls, folder):
        """Opens the folder of a run that was started before.

        Args:
            folder: Path of the folder.

        Returns:
            `Run`.

        Raises:
            ValueError: If it is not the folder of a run.
        """
        run = cls(folder)
        run._bring_back_replaced()
        if not run.record_path.is_file():
            raise ValueError(
                "Expected the folder of a run, with a run.json in it. "
                f"Received: {str(folder)!r}"
            )
        return run

    def record(self):
        """Reads `run.json`.

        Returns:
            Dictionary.

        Raises:
            ValueError: If the file is broken.
        """
        try:
            with self.record_path.open("rb") as file:
                return read_record(file.read(MAX_BYTES + 1))
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"The record is broken: {error}. "
                f"Received: {str(self.record_path)!r}"
            ) from error

    def write_record(self, record):
        """Writes `run.json`, whole or not at all.

        Args:
            record: Dictionary that JSON can hold.
        """
        with complete_or_absent(self.record_path) as partial:
            partial.write_text(json.dumps(record, indent=2) + "\n")

    def history(self):
        """Reads `history.csv`.

        Returns:
            Dictionary: name -> list of floats, one an epoch.

        Raises:
            ValueError: If the file is broken.
        """
        return self._parsed(self._history_lines())

    def _history_lines(self):
        """The lines of `history.csv`, with their line ends."""
        if not os.path.lexists(self.history_path):
            return []
        try:
            if not self.history_path.is_file():
                raise ValueError("it is not a file, or a link to a missing one")
            text = self.history_path.read_bytes().decode()
        except ValueError as error:
            raise self._broken_history(error) from error
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            lines.pop()  # incomplete, after a kill or on a full disk
        return lines

    def _parsed(self, lines):
        """Lines of `history.csv` -> name -> list of floats, one an epoch."""
        try:
            rows = list(csv.DictReader(lines, restkey="", strict=True))
            # Keras's logger writes "NA" in epochs without validation.
            history = {
                name: [float(row[name]) for row in rows]
                for name in (rows[0] if rows else ())
                if all(row[name] != "NA" for row in rows)
            }
            if rows and history.get("epoch") != list(range(len(rows))):
                raise ValueError("its epochs are not 0, 1, 2 and so on")
        except (ValueError, TypeError, KeyError, csv.Error) as error:
            raise self._broken_history(error) from error
        return history

    def _broken_history(self, error):
        return ValueError(
            f"The history is broken: {error}. "
            f"Received: {str(self.history_path)!r}"
        )

    @contextlib.contextmanager
    def locked(self):
        """Keeps other processes out of the folder, and tidies it up.

        The lock is `flock` on the folder itself: it ends when the process
        ends, in any way. `.lock` tells other processes who holds it. If the
        operating or the file system has no such lock (Windows, some network
        drives), other processes are not kept out.

        Raises:
            ValueError: If another process works in the folder, if it cannot
                be written to, or if it holds links to other folders.
        """
        try:
            lock = lock_folder(self.folder)
        except BlockingIOError:
            holder = "another process"
            with contextlib.suppress(OSError):  # the process may have ended
                holder = self._holder_path.read_text() or holder
            raise ValueError(
                "The folder is in use: only one process at a time may train or "
                f"evaluate there, and now this is {holder}. "
                f"Received: {str(self.folder)!r}"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            try:
                self._check_inside()
                holder = f"process {os.getpid()} on {socket.gethostname()}"
                # A new file: if there was a link, it is not followed.
                self._holder_path.unlink(missing_ok=True)
                with self._holder_path.open("x") as file:
                    self._place = place_of(self.folder)
                    file.write(holder)
                remove_leftovers(self.folder)
            except OSError as error:
                raise self._unwritable(error) from error
            yield
        except OSError as error:
            if error.errno is None or error.filename is not None:
                raise
            # An error from an open file has no file name.
            reason = os.strerror(error.errno)
            raise OSError(error.errno, reason, str(self.folder)) from error
        finally:
            # Not in another folder that has replaced it.
            if self._place is not None and place_of(self.folder) == self._place:
                with contextlib.suppress(OSError):
                    self._holder_path.unlink()
            self._place = None
            unlock(lock)

    def check_place(self):
        """Refuses to continue if the locked folder is no longer at its path.

        Raises:
            OSError: If it was deleted, moved away or replaced, also by a link.
            ValueError: If there is a link to another folder in it.
        """
        if place_of(self.folder) != self._place:
            raise OSError(
                "The folder of the run was deleted, moved away or replaced "
                "while a process used it; no more files are written there. "
                f"Received: {str(self.folder)!r}"
            )
        self._check_inside()

    def _check_inside(self):
        """Refuses a folder with links to other places, pipes or devices."""
        for path in self.folder.rglob("*"):
            if not path.is_file() and (
                path.exists() and (path.is_symlink() or not path.is_dir())
            ):
                raise ValueError(
                    "A run is not written to if it holds links to other "
                    "folders, pipes or devices: put the folder itself there, "
                    f"or delete the link. Received: {str(path)!r}"
                )

    def _unwritable(self, error):
        return ValueError(
            f"The output folder cannot be written to: {error}. Choose "
            f"another with --output. Received: {str(self.folder)!r}"
        )

    # A run that will be replaced is moved to `.NAME-xxxxxxxx/NAME` until the
    # new one is sure to start, and moved back if the new one is refused.

    def _check_room(self, overwrite):
        folder = self.folder
        if _is_free(folder):
            return
        if not overwrite:
            raise ValueError(
                "The folder exists. Choose another with --output, continue "
                "its run with --resume, or replace it with --overwrite. "
                f"Received: {str(folder)!r}"
            )
        if not self.record_path.is_file():
            raise ValueError(
                "Only the folder of a run can be overwritten; this one has "
                f"no run.json. Received: {str(folder)!r}"
            )

    def _put_aside(self):
        if _is_free(self.folder):
            return
        with self.locked():  # no other process works there
            aside = tempfile.mkdtemp(
                prefix=f".{self.folder.name}-", dir=self.folder.parent
            )
            self._holder_path.unlink()
            self.folder.rename(Path(aside) / self.folder.name)

    def _bring_back_replaced(self):
        """Moves an old run back, if the new one was killed without a record."""
        for aside in self._asides():
            if not _is_free(self.folder):
                return
            if not (aside / self.folder.name).exists():
                continue
            with contextlib.ExitStack() as stack:
                if self.folder.exists():
                    try:
                        stack.callback(unlock, lock_folder(self.folder))
                    except BlockingIOError:  # the new run is alive
                        return
                    shutil.rmtree(self.folder)  # it has no files
                (aside / self.folder.name).rename(self.folder)
            aside.rmdir()

    def _forget_if_new(self):
        """Removes a run that has only its record."""
        names = {child.name for child in self.folder.iterdir()}
        if names <= {self.record_path.name, self._holder_path.name}:
            for name in names:
                (self.folder / name).unlink()
            self.folder.rmdir()
            self._bring_back_replaced()

    def _forget_replaced(self):
        for aside in self._asides():
            shutil.rmtree(aside)

    def _asides(self):
        name = self.folder.name
        return [
            path
            for path in self.folder.parent.glob(
                f".{glob.escape(name)}-????????"
            )
            if _is_real_folder(path)
            and {each.name for each in path.iterdir()} <= {name}
        ]


def _is_free(folder):
    if not folder.exists():
        return True
    return folder.is_dir() and all(map(_is_before_record, folder.iterdir()))


def _is_before_record(path):
    """Whether a path belongs to a folder whose run has no record yet."""
    if path.name == ".lock":
        return not _is_real_folder(path)
    return (
        re.fullmatch(r"\.run\.json-\w{8}", path.name) is not None
        and _is_real_folder(path)
        and {child.name for child in path.iterdir()} <= {"run.json"}
    )


def _is_real_folder(path):
    return path.is_dir() and not path.is_symlink()
