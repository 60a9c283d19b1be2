"""What follows from what a model makes: images, text or music.

A model names its modality by the class attribute `makes`, a recipe does too,
and so does what an export says of itself. All that depends on this name is in
the folder of that name here. No other code compares it with anything.

To add a modality, say video, write a folder `video/` with a `modality` in its
`__init__.py`. `base.py` lists what a modality answers; what it leaves out has
an answer already. There is no list to extend: the folders here are the names.

Imports go one way. This file, `base.py` and `options.py` import no other part
of the package, so that all parts may ask them: `callbacks` and `export`, which
know no model, as well as `runs`, `demo` and `cli`. A modality's own folder puts
together what it needs: a callback, measures, a part of the page. It may import
from `callbacks`, `evaluation`, `export`, `plotting` and `demo`, and nothing
imports it, except `get_modality` here, by its name, when it is first needed.
So `TensorBoard` can show the samples of a model and import nothing above it.
"""

import importlib
import pkgutil

from keras_genai.modalities.base import Command, Exports, Modality, Training
from keras_genai.names import look_up

# Of models and exports that do not say what they make.
_DEFAULT = "images"


def names():
    """The names of all modalities: the folders that are here.

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
        `Modality`; of a model that makes something else, one that shows
        nothing.
    """
    makes = getattr(model, "makes", _DEFAULT)
    if makes in names():
        return get_modality(makes)
    return Modality(str(makes), Training(), Command(), Exports())


def of_export(signatures):
    """The modality of an export, by the names of its functions.

    Args:
        signatures: Those of a loaded SavedModel, by name.

    Returns:
        `Modality`.
    """
    for modality in map(get_modality, names()):
        if modality.exports.made(signatures):
            return modality
    return get_modality(_DEFAULT)
