"""Files are written completely or not at all; only safe files are read.

A file or folder is first written in a folder beside it, `.NAME-xxxxxxxx`, and
then moved to its path in one step; an existing folder is swapped with it. A
killed process leaves `.NAME-xxxxxxxx` behind; `remove_leftovers` removes it.
Only regular files of a limited size are read.
"""

import errno
import glob
import os
import re
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

_REPLACED = "replaced"  # the old folder, until the new one is in place
# Of Linux, for renameat2.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path, max_bytes=None):
    """Opens a regular file to read its bytes.

    Others are refused: opening a pipe may wait for ever, and a device may never
    end. A link counts as the file that it points to.

    Args:
        path: Path of the file.
        max_bytes: Integer, the largest size, or `None` for any.

    Returns:
        Binary file, to be closed.

    Raises:
        ValueError: If it is not a regular file, or if it is too large.
        OSError: If it cannot be opened. The error names `path`.

    Example:
        >>> open_regular(os.devnull)
        Traceback (most recent call last):
        ValueError: Expected a regular file. Received: '/dev/null', a device
    """
    kind = stat.S_IFMT(os.stat(path).st_mode)
    if kind != stat.S_IFREG:
        raise ValueError(
            "Expected a regular file. "
            f"Received: {str(path)!r}, {_KINDS.get(kind, 'something else')}"
        )
    file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115
    size = os.fstat(file.fileno()).st_size
    if max_bytes is not None and size > max_bytes:
        file.close()
        raise ValueError(
            f"Expected a file of {max_bytes:,} bytes at most. "
            f"Received: {str(path)!r} of {size:,}"
        )
    return file


def read_regular(path, max_bytes):
    """Reads the bytes of a file, as `open_regular` opens it.

    Args:
        path: Path of the file.
        max_bytes: Integer, the largest size.

    Returns:
        Bytes.

    Raises:
        ValueError: As for `open_regular`.
        OSError: As for `open_regular`.
    """
    with open_regular(path, max_bytes) as file:
        return file.read()


def _open_without_waiting(path, flags):
    # In case a pipe has replaced the file since the check. Not on Windows.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def complete_or_absent(path):
    """Gives a path beside `path` to write to, and moves it there at the end.

    Args:
        path: Path of a file or a folder. An existing one is replaced in one
            move, or stays if writing fails.

    Yields:
        `pathlib.Path` that does not exist yet, in a folder of its own that is
        removed in any case.

    Raises:
        OSError: If it cannot be written. The error names `path`.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with complete_or_absent(folder / "note.txt") as partial:
        ...     _ = partial.write_text("whole")
        >>> [file.name for file in folder.iterdir()]
        ['note.txt']
    """
    path = Path(path)
    aside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        partial = aside / path.name
        yield partial
        _replace(path, partial, aside / _REPLACED)
    except Exception as error:
        # An error of an open file or of a library may name no file: name one.
        number = _number(error)
        if number is None or _names_another(error, aside):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def check_replaceable(path, kind, is_one, overwrite):
    """Refuses to write to a path whose contents must not be replaced.

    If a killed process had moved the old folder away, it comes back first.

    Args:
        path: `pathlib.Path` to write to. An empty folder may be replaced.
        kind: String, the kind of file to write: `"a SavedModel"`.
        is_one: Function of an existing path: whether it is of that kind.
        overwrite: Boolean. Whether one of that kind may be replaced.

    Raises:
        ValueError: If `path` exists and may not be replaced.
    """
    _bring_back(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not is_one(path):
        raise ValueError(
            f"An export replaces only {kind}. "
            f"Received: filepath={str(path)!r}, which is something else"
        )
    if not overwrite:
        raise ValueError(
            f"There is {kind} already, and `overwrite=False`. "
            f"Received: filepath={str(path)!r}"
        )


def remove_leftovers(folder):
    """Removes the folders that killed processes left behind.

    A folder that was about to be replaced comes back. No process may write in
    `folder` meanwhile.

    Args:
        folder: Path of the folder to search, with its sub-folders.
    """
    # Inner folders first.
    for aside in sorted(Path(folder).rglob(".*"), reverse=True):
        match = re.fullmatch(r"\.(.+)-[a-z0-9_]{8}", aside.name)
        if match is None or aside.is_symlink() or not aside.is_dir():
            continue
        path = aside.with_name(match[1])
        if {child.name for child in aside.iterdir()} <= {path.name, _REPLACED}:
            _bring_back(path)
            shutil.rmtree(aside)


def _replace(path, partial, replaced):
    if not path.is_dir():
        partial.replace(path)
        return
    # A move cannot replace a folder, but on Linux two can change places.
    # Elsewhere it takes two moves. `_bring_back` repairs a kill between them.
    if _exchanged(partial, path):
        return
    path.rename(replaced)
    try:
        partial.rename(path)
    except OSError:
        replaced.rename(path)
        raise


def _exchanged(one, other):
    """Lets two paths change places in one step; returns whether it could."""
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (OSError, TypeError, AttributeError):  # not Linux
        return False
    one, other = os.fsencode(one), os.fsencode(other)
    return not renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE)


def _bring_back(path):
    """Moves a replaced folder back, if the second move never happened."""
    asides = f".{glob.escape(path.name)}-????????"
    for replaced in path.parent.glob(f"{asides}/{_REPLACED}"):
        if not (path.exists() or replaced.parent.is_symlink()):
            replaced.rename(path)


def _number(error):
    """Returns the operating system's number of an error, or `None`."""
    if isinstance(error, OSError):
        return error.errno
    # TensorFlow has its own kind of error for a full disk.
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
    found = [n for n in numbers if os.strerror(n) in str(error)]
    return found[0] if found else None


def _names_another(error, aside):
    name = getattr(error, "filename", None)
    if name is None or aside is None:
        return False
    return aside not in Path(os.fsdecode(name)).parents


def cache_folder(name):
    """Returns the folder that keeps costly results between runs.

    Args:
        name: String, the kind of result.

    Returns:
        `pathlib.Path` in the folder of the environment variable
        `KERAS_GENAI_CACHE`, or in `~/.cache/keras_genai`. `None` if there is
        neither: `HOME` is unset and the user is unknown.
    """
    folder = os.environ.get("KERAS_GENAI_CACHE") or "~/.cache/keras_genai"
    try:
        return Path(folder).expanduser() / name
    except RuntimeError:
        return None
