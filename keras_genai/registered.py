"""What Keras finds in saved files, without importing anything for it.

Keras looks a class of a `.keras` file up among those that were registered,
which happens where a class is defined. So that `import keras_genai` is enough,
and still quick, each name is registered with a stand-in that imports its
module when a file has it.
"""

import importlib
import importlib.abc
import importlib.util
import sys

# Module -> the classes in it that are registered, beside the families.
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
    """A class that is not imported yet, as Keras's `from_config` asks it.

    Args:
        module: String, the module's full name.
        name: String, the class's.
    """

    def __init__(self, module, name):
        self.module, self.name = module, name

    def from_config(self, config):
        """Makes an object of the class itself."""
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
    """One for each registered class, with the arguments of above."""
    return [
        StandIn(f"keras_genai.{module}", name)
        for module, names in MODULES.items()
        for name in names
    ] + [StandIn(module, name) for name, module in families.items()]


def _register(found):
    import keras

    if not hasattr(keras, "saving"):  # no Keras, but something in its place
        return
    known = keras.saving.get_custom_objects()
    for stand_in in found:
        known.setdefault(f"keras_genai>{stand_in.name}", stand_in)


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Registers once Keras is there; it finds nothing itself.

    A search for Keras that imports nothing changes nothing.
    """

    def __init__(self, stand_ins):
        self._stand_ins = stand_ins
        self._asks = False

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "keras" or self._asks:
            return None
        self._asks = True  # the others, and is asked itself on the way
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
