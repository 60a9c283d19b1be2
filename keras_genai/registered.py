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

# Module -> the classes in it that are registered.
MODULES = {
    "layers.labels": ("LabelPlanes",),
    "layers.normalization": ("SpectralNormalization",),
    "layers.dropout": ("Dropout",),
    "metrics": (
        *("PSNR", "SSIM", "ActiveUnits", "Perplexity"),
        *("BitsPerCharacter", "NatsPerStep"),
    ),
    "data.tokenizers": ("CharacterTokenizer", "BytePairTokenizer"),
    "data.music.tokenizer": ("MusicTokenizer",),
    "models.augmentation": ("DifferentiableAugmentation",),
    "models.gan": ("GAN",),
    "models.dcgan": ("DCGAN",),
    "models.wgan_gp": ("WGANGP",),
    "models.conditional_gan": ("ConditionalGAN",),
    "models.acgan": ("AuxiliaryClassifierGAN",),
    "models.autoencoder": ("Autoencoder", "DenoisingAutoencoder"),
    "models.vae": ("VAE",),
    "models.conditional_vae": ("ConditionalVAE",),
    "models.markov": ("MarkovChain",),
    "models.lstm": ("LSTMLanguageModel",),
    "models.gpt": ("GPT",),
    "models.music_transformer": ("MusicTransformer",),
    "models.pixelcnn": ("PixelCNN",),
}


class StandIn:
    """A class that is not imported yet, as Keras's `from_config` asks it.

    Args:
        module: String, the module's name inside of the package.
        name: String, the class's.
    """

    def __init__(self, module, name):
        self.module, self.name = module, name

    def from_config(self, config):
        """Makes an object of the class itself."""
        module = importlib.import_module(f"keras_genai.{self.module}")
        return getattr(module, self.name).from_config(config)


def register_with_keras():
    """Registers all stand-ins, now or when Keras is imported."""
    if "keras" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _register():
    import keras

    if not hasattr(keras, "saving"):  # no Keras, but something in its place
        return
    known = keras.saving.get_custom_objects()
    for module, names in MODULES.items():
        for name in names:
            known.setdefault(f"keras_genai>{name}", StandIn(module, name))


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Registers once Keras is there; it finds nothing itself."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            _register()

        spec.loader.exec_module = exec_module
        return spec
