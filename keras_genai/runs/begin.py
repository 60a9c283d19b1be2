"""The record and the folder that a run begins with."""

import dataclasses
import importlib.metadata
import os
import platform
from pathlib import Path

from keras_genai.version import __version__


def new_record(recipe, seed, deterministic=False, offline=False):
    """Makes the first record of a run.

    Args:
        recipe: `Recipe` to train.
        seed: Integer, seed of the weights, the data and the noise.
        deterministic: Boolean, as in `Run.create`.
        offline: Boolean, as in `Run.create`.

    Returns:
        Dictionary that JSON can hold.
    """
    return {
        "status": "started",
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "deterministic": deterministic,
        "offline": offline,
        "seconds": 0.0,
        "versions": versions(),
    }


def next_folder(root, name):
    """Names the folder of the next run: `root/name-001`, `-002`, ...

    Args:
        root: Path of the folder of all runs.
        name: String.

    Returns:
        `pathlib.Path` of a folder that does not exist.
    """
    number = 1
    while (folder := Path(root) / f"{name}-{number:03d}").exists():
        number += 1
    return folder


def versions():
    """Lists the versions that a run was made with.

    Returns:
        Dictionary: name -> version, of Python, the machine and the packages.
    """
    packages = ("keras", "tensorflow", "tensorflow-datasets", "numpy")
    return {
        "keras_genai": __version__,
        **{name: importlib.metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
    }
