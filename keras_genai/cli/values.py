"""The values of options, and the files of output."""

import argparse
import itertools
import os
from pathlib import Path


def integer(text):
    """Reads an integer.

    Args:
        text: String.

    Returns:
        Integer.

    Raises:
        argparse.ArgumentTypeError: If it is not one.

    Example:
        >>> integer("12")
        12
    """
    return _read(int, text, "an integer")


def number(text):
    """Reads a number.

    Args:
        text: String.

    Returns:
        Float.

    Raises:
        argparse.ArgumentTypeError: If it is not one.

    Example:
        >>> number("0.5")
        0.5
    """
    return _read(float, text, "a number")


def user_path(text):
    """Reads a path, in which `~` is the user's folder.

    A shell replaces `~` in `--output ~/run`, but not in `--output=~/run`.

    Args:
        text: String.

    Returns:
        String.

    Example:
        >>> user_path("runs/vae-001")
        'runs/vae-001'
    """
    return os.path.expanduser(text)


def integers(text):
    """Reads integers with commas between them.

    Args:
        text: String, `"3,3,7"`.

    Returns:
        List of integers.

    Raises:
        argparse.ArgumentTypeError: If one is not an integer.

    Example:
        >>> integers("3,3,7")
        [3, 3, 7]
    """
    return [integer(part) for part in text.split(",")]


def integer_above_zero(text):
    """Reads an integer, and refuses those below 1.

    Args:
        text: String.

    Returns:
        Integer.

    Raises:
        argparse.ArgumentTypeError: If it is not one, or below 1.

    Example:
        >>> integer_above_zero("12")
        12
    """
    value = integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def _read(kind, text, noun):
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {noun}") from None


def files_to_write(options, folder, name, suffixes, count=1):
    """The files of output, numbered if there are several.

    Without `--output`, they are in a folder of the run, under a free name: a
    second use takes the next name.

    Args:
        options: Object with `output`, a string or `None`, and `overwrite`.
        folder: `pathlib.Path` of the folder to write to without `--output`.
        name: String, the name in that folder: `"seed_0"`. It becomes
            `"seed_0_2"` if such a file exists, unless it may be replaced.
        suffixes: Tuple of strings, the valid suffixes; files in the folder
            have the first one.
        count: Integer >= 1. Defaults to `1`.

    Returns:
        List of `pathlib.Path`: `file.mid`, or `file-1.mid`, `file-2.mid`, ...

    Raises:
        ValueError: If they have another suffix, if a file exists already and
            may not be replaced, or if the folder cannot be written to.
    """
    if options.output is not None:
        output = Path(options.output)
        if output.suffix not in suffixes:
            raise ValueError(
                f"Expected an output {' or '.join(suffixes)}. "
                f"Received: {str(output)!r}"
            )
        files = _numbered(output, count)
        for file in files:
            if file.exists() and not options.overwrite:
                raise ValueError(
                    "The file exists; choose another with --output, or add "
                    f"--overwrite. Received: {str(file)!r}"
                )
        return files
    _check_writable(folder)
    for use in itertools.count(1):
        stem = name if use == 1 else f"{name}_{use}"
        files = _numbered(folder / f"{stem}{suffixes[0]}", count)
        if options.overwrite or not any(file.exists() for file in files):
            return files


def _numbered(file, count):
    if count == 1:
        return [file]
    return [
        file.with_stem(f"{file.stem}-{number}")
        for number in range(1, count + 1)
    ]


def _check_writable(folder):
    if folder.is_symlink():
        raise ValueError(
            "A link in a run's folder is not followed to write; choose a "
            f"file elsewhere with --output. Received: {str(folder)!r}"
        )
    there = folder
    while not there.exists():
        there = there.parent
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ValueError(
            "The folder cannot be written to; choose a file elsewhere with "
            f"--output. Received: {str(folder)!r}"
        )
