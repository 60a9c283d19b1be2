"""Zip archives, checked before anything is read from them.

`.keras` and `.npz` files are zip archives, and may come from anywhere. Keras
3.15 in its safe mode refuses lambdas, layers that are programs, unregistered
classes, links and other files in the weights. Tests found that it accepts the
following, which is refused here:

- sizes: compressed members (2 GiB from a file of 8 MB), datasets that declare
  more than is stored (4 GiB in a file of a few bytes) or refer to one string
  many times (8 GiB in a mebibyte); attributes can do the same. Keras has no
  bound below 4 GiB, and NumPy has none for `.npz`;
- long configs and many layers, which take minutes to be made;
- damage, where a member is read in pieces: `zipfile` gives up its checksum when
  it seeks, from Python 3.12 on;
- functions of Keras that are not parts of models: `datasets.cifar10.load_data`
  as a learning rate downloads while it is loaded. `FlaxLayer`, which gets a
  method of any object by its name, is not guarded by the safe mode either.
"""

import io
import json
import math
import zipfile
from contextlib import contextmanager

from keras_genai.files import open_regular

# An archive may hold so many bytes, or so many times its own size.
MAX_BYTES = 2**30
MAX_EXPANSION = 100
# Of a config.
MAX_CONFIG_BYTES = 2**22
MAX_PARTS = 5_000  # objects: a layer is two to five
MAX_LAYERS = 200  # one after another, in a `Sequential` or by a number

_KERAS_MEMBERS = ["config.json", "metadata.json", "model.weights.h5"]
_NUMBERS_OF_LAYERS = ("num_layers", "order")
# The modules of Keras with parts of models, and not with functions that read
# and write files or change settings. Of `src`, Keras makes only such parts.
_PARTS = {
    *("activations", "constraints", "dtype_policies", "initializers", "layers"),
    *("losses", "metrics", "models", "ops", "optimizers", "quantizers"),
    *("random", "regularizers", "src"),
}


@contextmanager
def open_archive(path):
    """Opens a zip archive, if the sizes that it declares are plausible.

    Args:
        path: Path of the file.

    Yields:
        `zipfile.ZipFile`.

    Raises:
        ValueError: If it is not a whole zip archive or not a regular file, or
            if its contents are far too large: more than a gibibyte, and more
            than a hundred times its own size.
        OSError: If the file cannot be read.
    """
    with open_regular(path) as file:
        try:
            archive = zipfile.ZipFile(file)
            declared = sum(member.file_size for member in archive.infolist())
            stored = file.seek(0, io.SEEK_END)
            if declared > max(MAX_BYTES, MAX_EXPANSION * stored):
                raise ValueError(
                    f"it would be {declared:,} bytes unpacked, of {stored:,}, "
                    "and is not read"
                )
        except Exception as error:  # zipfile can raise any kind
            raise ValueError(
                f"Expected a whole zip archive: {error}. "
                f"Received: {str(path)!r}"
            ) from error
        with archive:
            yield archive


def check_keras_archive(path):
    """Refuses a `.keras` file that is not whole or could do harm.

    It must have the three members that `model.save` writes, not compressed,
    with correct checksums. The weights must not be larger than the file that
    holds them. The config must be small enough to be built in seconds, and may
    name only those functions of Keras that are parts of models.

    Args:
        path: Path of the file.

    Raises:
        ValueError: If it is refused.
        OSError: If the file cannot be read.
    """
    with open_archive(path) as archive:
        members = archive.infolist()
        names = sorted(member.filename for member in members)
        if names != _KERAS_MEMBERS:
            raise ValueError(
                "Expected a `.keras` file that has only "
                f"{', '.join(_KERAS_MEMBERS)}. "
                f"Received: {str(path)!r} with {names[:9]}"
            )
        try:
            for member in members:
                if member.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{member.filename} is compressed")
                if (
                    member.filename.endswith(".json")
                    and member.file_size > MAX_CONFIG_BYTES
                ):
                    raise ValueError(
                        f"{member.filename} has {member.file_size:,} bytes, "
                        f"above {MAX_CONFIG_BYTES:,}"
                    )
            # Each is read as a whole: only then is its checksum checked.
            config, _, weights = map(archive.read, _KERAS_MEMBERS)
            _check_config(json.loads(config))
            _check_weights(weights)
        except Exception as error:  # a damaged file can raise any kind
            raise ValueError(
                f"Expected a whole `.keras` file, as `model.save` writes it: "
                f"{error}. Received: {str(path)!r}"
            ) from error


def _check_weights(content):
    """Refuses an HDF5 file that declares more than it stores."""
    import h5py

    declared = 0

    def add(name, item):  # called once for each, even with several names
        nonlocal declared
        if not isinstance(item, h5py.Dataset):
            return
        for key in item.attrs:
            if item.attrs.get_id(key).shape != ():
                raise ValueError(f"{name} of its weights has a list, {key}")
        if item.dtype.hasobject:
            raise ValueError(f"{name} of its weights holds no numbers")
        declared += math.prod(item.shape or ()) * item.dtype.itemsize

    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(add)
    if declared > len(content):
        raise ValueError(
            f"its weights would be {declared:,} bytes, of {len(content):,}"
        )


def _check_config(config):
    """Refuses a config that takes long to build or names a wrong function."""
    objects = 0
    for part in _dictionaries(config):
        objects += "class_name" in part
        # A `Sequential` is built again for each layer; a `Functional` is not.
        if part.get("class_name") == "Sequential":
            _check_number(len(part["config"]["layers"]), "layers")
        for name in _NUMBERS_OF_LAYERS:
            _check_number(part.get(name), name)
        module = str(part.get("module"))
        package, *names = module.split(".")
        if package == "keras" and names and names[0] not in _PARTS:
            raise ValueError(
                f"its config names {module}.{part.get('class_name')}, which is "
                "not a part of models"
            )
        if part.get("class_name") == "FlaxLayer":
            raise ValueError("its config has a FlaxLayer, which is not guarded")
    if objects > MAX_PARTS:
        raise ValueError(
            f"its config has {objects:,} objects, above {MAX_PARTS:,}"
        )


def _check_number(number, name):
    if isinstance(number, (int, float)) and number > MAX_LAYERS:
        raise ValueError(
            f"its config has {name}={number:,}, above {MAX_LAYERS}"
        )


def _dictionaries(config):
    parts = [config]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            yield part
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)
