"""Zip archives, looked through before anything is taken out of them.

`.keras` and `.npz` files are zip archives, and such a file may come from
anywhere: what is declared in it is checked against what is there.
"""

import json
import zipfile

# An archive may hold so many bytes, or so many times its own size.
MAX_BYTES = 2**30
MAX_EXPANSION = 100

_KERAS_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
# What Keras builds of a config by running code that the config holds, or
# that a file has which the config names.
_RUNS_CODE = {"__lambda__", "TFSMLayer"}


def open_archive(path):
    """Opens a zip archive, if what it says of itself can be.

    Args:
        path: Path of the file.

    Returns:
        `zipfile.ZipFile`, to be closed.

    Raises:
        ValueError: If it is no whole zip archive, has a member twice, or
            is far smaller than what it would be unpacked: above a
            gibibyte, more than a hundred times its own size.
        OSError: If the file cannot be read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except OSError:
        raise
    except Exception as error:  # of whatever kind zipfile stumbles on
        raise ValueError(
            f"Expected a whole zip archive: {error}. Received: {str(path)!r}"
        ) from error
    members = archive.infolist()
    try:
        if len({member.filename for member in members}) < len(members):
            raise ValueError(
                "Expected an archive with each member once. "
                f"Received: {str(path)!r}"
            )
        declared = sum(member.file_size for member in members)
        archive.fp.seek(0, 2)
        stored = archive.fp.tell()
        if declared > max(MAX_BYTES, MAX_EXPANSION * stored):
            raise ValueError(
                f"The archive would be {declared:,} bytes unpacked, of "
                f"{stored:,}: it is not read. Received: {str(path)!r}"
            )
    except Exception:
        archive.close()
        raise
    return archive


def check_keras_archive(path, known=()):
    """Refuses a `.keras` file that is not whole, or could do harm.

    It has the three members that `model.save` writes, stored as they are, so
    that nothing is larger than the file, with checksums that hold. Its config
    names classes of Keras and of this package, and those that this process
    has registered itself.

    Args:
        path: Path of the file.
        known: Iterable of strings, names of other classes that are allowed.

    Raises:
        ValueError: If it is refused.
        OSError: If the file cannot be read.
    """
    with open_archive(path) as archive:
        names = sorted(member.filename for member in archive.infolist())
        if set(names) != _KERAS_MEMBERS:
            raise ValueError(
                "Expected a `.keras` file with nothing but "
                f"{', '.join(sorted(_KERAS_MEMBERS))}. "
                f"Received: {str(path)!r} with {names}"
            )
        try:
            for member in archive.infolist():
                if member.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{member.filename} is compressed")
            damaged = archive.testzip()
            if damaged is not None:
                raise ValueError(f"the checksum of {damaged} does not hold")
            check_config(json.loads(archive.read("config.json")), known)
        except Exception as error:  # of whatever kind a broken file makes
            raise ValueError(
                f"Expected a whole `.keras` file, as `model.save` writes it: "
                f"{error}. Received: {str(path)!r}"
            ) from error


def check_config(config, known=()):
    """Refuses a config by which Keras would run code that it brings along.

    Keras's own safe mode refuses a lambda too, unless it was switched off for
    the whole process.

    Args:
        config: What `json.loads` returned.
        known: Iterable of strings, as above.

    Raises:
        ValueError: If it has a lambda, a layer that is a SavedModel, or
            a class that neither Keras nor this package has, nor this process
            has registered.

    Example:
        >>> check_config({"module": "keras.layers", "class_name": "Dense"})
    """
    for name, part in _classes(config):
        _check_class(name, part, known)


def _classes(config):
    """The class of each part of a config, with that part."""
    parts = [config]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                yield part["class_name"], part
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)


def _check_class(name, part, known):
    import keras

    if name in _RUNS_CODE:
        raise ValueError(f"its config has a {name}, which may run any code")
    module, registered = part.get("module"), part.get("registered_name")
    if module is None and registered is None:
        return  # no class of its own: a tensor, a slice
    package = str(module).split(".")[0]
    if package in ("keras", "keras_genai", "builtins", "None"):
        return
    if name in known or keras.saving.get_registered_object(registered):
        return
    raise ValueError(f"its config names {module}.{name}, a class unknown here")
