"""Classes that Keras finds in saved files, without importing them first.

Keras looks a class of a `.keras` file up among the registered classes, and a
class is registered when its module is imported. So that `import keras_genai`
is enough, and still quick, each name is registered with a stand-in, which
imports the module when a file needs it.
"""

import importlib
import importlib.abc
import importlib.util
import sys

# Module -> the classes in it that are registered, besides the families.
MODULES = {
    "layers.labels": ("LabelPlanes",),
    "layers.normalization": ("SpectralNormalization",),
    "layers.dropout": ("Dropout",),
    "metrics": (
        *("PSNR", "SSIM", "ActiveUnits", "Perplexity"),
        *("BitsPerCharacter", "NatsPerStep"),
    ),
    "models.gans.augmentation": ("DifferentiableAugmentation",),
    "data.tokenizers.characters": ("CharacterTokenizer",),
    "data.tokenizers.byte_pairs": ("BytePairTokenizer",),
    "data.music.tokenizer": ("MusicTokenizer",),
}


class StandIn:
    """Stands for a class that is not imported yet; Keras calls `from_config`.

    Args:
        module: String, the module's full name.
        name: String, the class's name.
    """

    def __init__(self, module, name):
        self.module, self.name = module, name

    def from_config(self, config):
        """Imports the class and makes an object of it."""
        module = importlib.import_module(self.module)
        return getattr(module, self.name).from_config(config)


def register_with_keras(families):
    """Registers all stand-ins, now or when Keras is imported.

    Args:
        families: Dictionary, class of a family -> its module.
    """
    if "keras" in sys.modules:
        _register(stand_ins(families))
    else:
        sys.meta_path.insert(0, _AfterKeras(stand_ins(families)))


def stand_ins(families):
    """Registers one stand-in for each class; see `register`."""
    return [
        StandIn(f"keras_genai.{module}", name)
        for module, names in MODULES.items()
        for name in names
    ] + [StandIn(module, name) for name, module in families.items()]


def _register(found):
    import keras

    if not hasattr(keras, "saving"):  # not Keras, but a replacement
        return
    known = keras.saving.get_custom_objects()
    for stand_in in found:
        known.setdefault(f"keras_genai>{stand_in.name}", stand_in)


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Registers when Keras is imported; it never finds a module itself.

    A search for Keras that imports nothing changes nothing.
    """

    def __init__(self, stand_ins):
        self._stand_ins = stand_ins
        self._asks = False

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "keras" or self._asks:
            return None
        self._asks = True  # the other finders; they call this one too
        try:
            spec = importlib.util.find_spec("keras")
        finally:
            self._asks = False
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _register(self._stand_ins)

        spec.loader.exec_module = exec_module
        return spec
