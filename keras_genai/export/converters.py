"""Helpers for the converters of LiteRT and ONNX."""

import importlib
import os
import sys
import warnings
from contextlib import contextmanager

from keras_genai.extras import how_to_install


def require(package, extra):
    """Imports a package, or raises an error that says how to install it.

    Args:
        package: String, its name in Python.
        extra: String, the extra of `keras-genai` that has it.

    Returns:
        The module.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"This format needs the package {package}: {how_to_install(extra)}"
        ) from error


@contextmanager
def silence():
    """Keeps the output of a converter off the terminal.

    Its C++ part writes to the file descriptors, its Python part warns. Errors
    are exceptions, and are not hidden.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    with open(os.devnull, "wb") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for descriptor in (1, 2):
            os.dup2(nowhere.fileno(), descriptor)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for descriptor, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)


def refusal(format, names, missing):
    """Makes an error for operations that a converter does not know.

    Args:
        format: String, the format's name.
        names: Iterable of strings, the functions that were to be written.
        missing: Iterable of strings, operations that the format does not have.

    Returns:
        `ValueError`.
    """
    return ValueError(
        f"{format} cannot express {', '.join(names)}: it has no operation for "
        f"{', '.join(sorted(set(missing)))}"
    )
