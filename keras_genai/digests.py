"""Digests: a short name for data and files, the same in every place."""

import hashlib

import numpy as np

from keras_genai.files import open_regular

_ROWS = 4096  # of an array that are read at once


def short_digest(parts):
    """Computes the digest that identifies a data set.

    Args:
        parts: Iterable of bytes or arrays, read one after another.

    Returns:
        String, the first 16 hexadecimal digits of the SHA-256.

    Example:
        >>> short_digest([b"to be, ", b"or not to be"])
        '70f853318b2944e3'
    """
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part)
    return sha.hexdigest()[:16]


def array_digest(*arrays):
    """Computes the digest of arrays, also of those larger than memory.

    Args:
        *arrays: NumPy arrays; `None` is skipped.

    Returns:
        String of 16 hexadecimal digits.
    """
    return short_digest(
        np.ascontiguousarray(array[start : start + _ROWS])
        for array in arrays
        if array is not None
        for start in range(0, len(array), _ROWS)
    )


def file_digest(path):
    """Computes the digest of a file, as `sha256sum` prints it.

    Args:
        path: Path of a regular file.

    Returns:
        String of 64 hexadecimal digits.

    Raises:
        ValueError: If it is not a regular file.
        OSError: If it cannot be opened.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
