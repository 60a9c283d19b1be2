"""What options are given, and where output goes."""

import argparse
from pathlib import Path


def integers(text):
    """Reads integers with commas between them.

    Args:
        text: String, `"3,3,7"`.

    Returns:
        List of integers.

    Example:
        >>> integers("3,3,7")
        [3, 3, 7]
    """
    return [int(number) for number in text.split(",")]


def integer_above_zero(text):
    """Reads an integer, and refuses those below 1.

    Args:
        text: String.

    Returns:
        Integer.

    Raises:
        argparse.ArgumentTypeError: If it is below 1.

    Example:
        >>> integer_above_zero("12")
        12
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def file_to_write(options, default, suffixes):
    """The file that output goes to.

    Args:
        options: Object with `output`, a string or `None`, and `overwrite`.
        default: String, taken where there is no output.
        suffixes: Tuple of strings, those that are known.

    Returns:
        `pathlib.Path`.

    Raises:
        ValueError: As `files_to_write`.
    """
    (output,) = files_to_write(options, default, suffixes, 1)
    return output


def files_to_write(options, default, suffixes, count):
    """The files that output goes to, numbered where there are several.

    Args:
        options: As for `file_to_write`.
        default: String, as for `file_to_write`.
        suffixes: Tuple of strings, as for `file_to_write`.
        count: Integer >= 1.

    Returns:
        List of `pathlib.Path`: `file.mid`, or `file-1.mid`, `file-2.mid`, ...

    Raises:
        ValueError: If they have another suffix, or if there is such a file
            already and it may not be replaced.
    """
    output = Path(options.output or default)
    if output.suffix not in suffixes:
        raise ValueError(
            f"Expected an output {' or '.join(suffixes)}. "
            f"Received: {str(output)!r}"
        )
    files = [output]
    if count > 1:
        files = [
            output.with_stem(f"{output.stem}-{number}")
            for number in range(1, count + 1)
        ]
    for file in files:
        if file.exists() and not options.overwrite:
            raise ValueError(
                "The file exists; choose another with --output, or add "
                f"--overwrite. Received: {str(file)!r}"
            )
    return files


def given(options, names):
    """Those of the options that were given.

    Args:
        options: Object with the options as attributes, `None` if not given.
        names: Iterable of strings.

    Returns:
        Dictionary: name -> value.
    """
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
