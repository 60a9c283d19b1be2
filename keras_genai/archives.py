"""Zip archives, looked through before anything is taken out of them.

`.keras` and `.npz` files are zip archives, and such a file may come from
anywhere: what is declared in it is checked against what is there, and so is
the HDF5 file in a `.keras`.
"""

import io
import json
import math
import zipfile

# An archive may hold so many bytes, or so many times its own size.
MAX_BYTES = 2**30
MAX_EXPANSION = 100

_KERAS_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
# What Keras builds of a config by running code that the config holds, or
# that a file has which the config names, or a method that it names.
_RUNS_CODE = {"__lambda__", "FlaxLayer", "TFSMLayer", "TorchModuleWrapper"}
# Their vocabulary may be the path of a file.
_READS_FILES = {
    *("IndexLookup", "IntegerLookup", "StringLookup", "TextVectorization")
}
# Where Keras has what models are made of, rather than what reads and writes
# files or changes settings. Of `src` it makes nothing but layers and the like.
_PARTS = {
    *("activations", "constraints", "dtype_policies", "initializers", "layers"),
    *("losses", "metrics", "models", "ops", "optimizers", "quantizers"),
    *("random", "regularizers", "src"),
}


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

    It has the three members that `model.save` writes, stored as they are,
    with checksums that hold. Its weights are as Keras writes them, neither
    compressed nor elsewhere, so that together they are no larger than the
    file. Its config names parts of models of Keras and of this package, and
    those that this process has registered itself.

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
            contents = {
                member.filename: _stored(archive, member)
                for member in archive.infolist()
            }
            check_config(json.loads(contents["config.json"]), known)
            _check_weights(contents["model.weights.h5"])
        except Exception as error:  # of whatever kind a broken file makes
            raise ValueError(
                f"Expected a whole `.keras` file, as `model.save` writes it: "
                f"{error}. Received: {str(path)!r}"
            ) from error


def _stored(archive, member):
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} is compressed")
    try:
        return archive.read(member)
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"the checksum of {member.filename} does not hold"
        ) from error


def _check_weights(content):
    """Refuses an HDF5 file that Keras did not write, before Keras reads it.

    Keras itself refuses a dataset that declares a thousand times what it
    stores only above 4 GiB.
    """
    import h5py

    declared = 0
    with h5py.File(io.BytesIO(content)) as file:
        for name, item in _items(file):
            _check_attributes(name, item)
            if isinstance(item, h5py.Dataset):
                declared += _declared_bytes(name, item)
    if declared > len(content):
        raise ValueError(
            f"its weights would be {declared:,} bytes, of {len(content):,}"
        )


def _items(file):
    """The groups and datasets of an HDF5 file, each with its name."""
    import h5py

    items, addresses = [("/", file)], set()
    while items:
        name, item = items.pop()
        # No count of links is believed: a group may hold itself.
        address = h5py.h5o.get_info(item.id).addr
        if address in addresses:
            raise ValueError(f"{name} is a second name in its weights")
        addresses.add(address)
        yield name, item
        if isinstance(item, h5py.Group):
            for child in item:
                link = item.get(child, getclass=True, getlink=True)
                if link is not h5py.HardLink:
                    raise ValueError(f"{child} is a link in its weights")
                items.append((child, item[child]))


def _check_attributes(name, item):
    import h5py

    # In a heap of their own they may be compressed.
    if h5py.h5o.get_info(item.id).meta_size.attr.heap_size:
        raise ValueError(f"{name} of its weights has many attributes")
    for key in item.attrs:
        attribute = item.attrs.get_id(key)
        is_string = h5py.check_string_dtype(attribute.dtype) is not None
        if attribute.shape != () or not is_string:
            raise ValueError(
                f"{name} of its weights has the attribute {key}, no string"
            )


def _declared_bytes(name, dataset):
    """Bytes that a dataset is in memory; its layout is looked at first."""
    import h5py

    created = dataset.id.get_create_plist()
    if created.get_layout() != h5py.h5d.CONTIGUOUS or created.get_nfilters():
        raise ValueError(f"{name} of its weights is chunked or virtual")
    if created.get_external_count():
        raise ValueError(f"{name} of its weights is in another file")
    if dataset.dtype.hasobject:
        raise ValueError(f"{name} of its weights holds no numbers")
    return math.prod(dataset.shape or ()) * dataset.dtype.itemsize


def check_config(config, known=()):
    """Refuses a config by which Keras would run code that it brings along.

    Keras's own safe mode refuses a lambda too, unless it was switched off for
    the whole process.

    Args:
        config: What `json.loads` returned.
        known: Iterable of strings, as above.

    Raises:
        ValueError: If it has a lambda, a layer that is a SavedModel or
            a pickle, a vocabulary in a file, or a class or function that is
            no part of models of Keras or this package, and that this process
            has not registered.

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
    config = part.get("config")
    if name in _READS_FILES and isinstance(config.get("vocabulary"), str):
        raise ValueError(f"its config has a {name}, which reads a file")
    module, registered = part.get("module"), part.get("registered_name")
    if module is None and registered is None:
        return  # no class of its own: a tensor, a slice
    if _is_part_of_models(str(module)):
        return
    name = config if name == "function" else name
    if name in known or keras.saving.get_registered_object(registered):
        return
    raise ValueError(f"its config names {module}.{name}, unknown here")


def _is_part_of_models(module):
    package, *names = module.split(".")
    if package == "keras":
        return not names or names[0] in _PARTS
    return package in ("keras_genai", "builtins", "None")
