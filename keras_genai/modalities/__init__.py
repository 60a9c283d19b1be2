"""Modalities: everything that depends on images, text or music.

The attribute `makes` names the modality of a model, of a recipe and of an
export. All code that depends on this name is in the folder of that name here.
No other code compares the name with anything.

To add a modality, say video, write a folder `video/` with a `modality` in its
`__init__.py`. `base.py` lists the methods of a modality; each has a default.
There is no list to extend: the folders here are the names.

Imports go one way. This file, `base.py` and `options.py` import no other part
of the package, so that all parts may import them: `callbacks` and `export`,
which do not know models, and also `runs`, `demo` and `cli`. A modality's own
folder puts together what it needs: a callback, measures, a part of the page.
It may import from `callbacks`, `evaluation`, `export`, `plotting` and `demo`,
and nothing imports it, except `get_modality` here, by its name, when it is
first needed. So `TensorBoard` can show the samples of a model and import
nothing above it.
"""

import importlib
import pkgutil

from keras_genai.modalities.base import Command, Exports, Modality, Training
from keras_genai.names import look_up

# The modality of models and exports that do not name one.
_DEFAULT = "images"


def names():
    """The names of all modalities: the folders in this one.

    Returns:
        List of strings, sorted.

    Example:
        >>> names()
        ['images', 'music', 'text']
    """
    found = pkgutil.iter_modules(__path__)
    return sorted(module.name for module in found if module.ispkg)


def get_modality(name):
    """Looks a modality up, and imports it.

    Args:
        name: String, one of `names()`.

    Returns:
        `Modality`.

    Raises:
        ValueError: If there is no such modality.

    Example:
        >>> get_modality("text").command.data_option
        'text'
    """
    module = look_up({each: each for each in names()}, "modality", name)
    return importlib.import_module(f"{__name__}.{module}").modality


def of_model(model):
    """The modality of any model that `fit` trains.

    Args:
        model: `keras.Model`. One without `makes` makes images.

    Returns:
        `Modality`; for an unknown modality one that shows nothing.
    """
    makes = getattr(model, "makes", _DEFAULT)
    if makes in names():
        return get_modality(makes)
    return Modality(str(makes), Training(), Command(), Exports())


def of_export(signatures):
    """The modality of an export, by the names of its functions.

    Args:
        signatures: The signatures of a loaded SavedModel, by name.

    Returns:
        `Modality`.
    """
    for modality in map(get_modality, names()):
        if modality.exports.made(signatures):
            return modality
    return get_modality(_DEFAULT)
