"""Generative deep learning in Keras 3 on TensorFlow, taught and done right.

Public names are imported when first used, so that `import keras_genai` costs
milliseconds, prints nothing, seeds nothing and configures nothing.
"""

import importlib

from keras_genai.registered import register_with_keras
from keras_genai.version import __version__

# The model families. The last part of a module is the family's name on the
# command line; the attribute `recipe` of its class has the defaults.
_FAMILIES = {
    "GAN": "keras_genai.models.gans.gan",
    "DCGAN": "keras_genai.models.gans.dcgan",
    "ConditionalGAN": "keras_genai.models.gans.conditional_gan",
    "AuxiliaryClassifierGAN": "keras_genai.models.gans.acgan",
    "WGANGP": "keras_genai.models.gans.wgan_gp",
    "VAE": "keras_genai.models.autoencoders.vae",
    "ConditionalVAE": "keras_genai.models.autoencoders.conditional_vae",
    "Autoencoder": "keras_genai.models.autoencoders.autoencoder",
    "DenoisingAutoencoder": (
        "keras_genai.models.autoencoders.denoising_autoencoder"
    ),
    "PixelCNN": "keras_genai.models.autoregressive.pixelcnn",
    "MarkovChain": "keras_genai.models.autoregressive.markov",
    "LSTMLanguageModel": "keras_genai.models.autoregressive.lstm",
    "GPT": "keras_genai.models.autoregressive.gpt",
    "MusicTransformer": "keras_genai.models.autoregressive.music_transformer",
}
_HOME = {
    **_FAMILIES,
    "DifferentiableAugmentation": "keras_genai.models.gans.augmentation",
    "FeatureExtractor": "keras_genai.evaluation",
    "class_histogram": "keras_genai.evaluation",
    "frechet_distance": "keras_genai.evaluation",
    "precision_and_recall": "keras_genai.evaluation",
    "PretrainedFeatures": "keras_genai.evaluation",
    "evaluate_samples": "keras_genai.evaluation",
    "frechet_distance_extrapolated": "keras_genai.evaluation",
    "kernel_distance": "keras_genai.evaluation",
    "density_and_coverage": "keras_genai.evaluation",
    "classifier_score": "keras_genai.evaluation",
    "class_entropy": "keras_genai.evaluation",
    "nearest_neighbours": "keras_genai.evaluation",
    "memorised_share": "keras_genai.evaluation",
    "neighbour_distance_ratio": "keras_genai.evaluation",
    "elbo": "keras_genai.evaluation",
    "importance_weighted_bound": "keras_genai.evaluation",
    "bits_per_dim": "keras_genai.evaluation",
    "bits_per_character": "keras_genai.evaluation",
    "find_key": "keras_genai.evaluation",
    "music_measures": "keras_genai.evaluation",
    "image_dataset": "keras_genai.data.images",
    "text_dataset": "keras_genai.data.text",
    "load_text": "keras_genai.data.corpora",
    "CharacterTokenizer": "keras_genai.data.tokenizers",
    "BytePairTokenizer": "keras_genai.data.tokenizers",
    "load_tokenizer": "keras_genai.data.tokenizers",
    "load_images": "keras_genai.data.sources",
    "music_dataset": "keras_genai.data.music",
    "load_scores": "keras_genai.data.music",
    "Score": "keras_genai.data.music",
    "MusicTokenizer": "keras_genai.data.music",
    "read_midi": "keras_genai.data.music",
    "write_midi": "keras_genai.data.music",
    "write_wav": "keras_genai.data.music",
    "load_model": "keras_genai.models",
    "undo_scaling": "keras_genai.data.images",
    "SampleImages": "keras_genai.callbacks",
    "SampleText": "keras_genai.callbacks",
    "SampleScores": "keras_genai.callbacks",
    "TrainingDoctor": "keras_genai.callbacks",
    "TensorBoard": "keras_genai.callbacks",
    "Recipe": "keras_genai.recipes",
    "ImageRecipe": "keras_genai.recipes",
    "TextRecipe": "keras_genai.recipes",
    "MusicRecipe": "keras_genai.recipes",
    "GANRecipe": "keras_genai.recipes",
    "AnnealedRecipe": "keras_genai.recipes",
    "RECIPES": "keras_genai.recipes",
    "get_recipe": "keras_genai.recipes",
    "prepare_tensorflow": "keras_genai.startup",
}
_MODULES = (
    "callbacks",
    "data",
    "demo",
    "distributions",
    "evaluation",
    "export",
    "layers",
    "losses",
    "metrics",
    "models",
    "plotting",
    "recipes",
    "replicas",
    "sampling",
)

__all__ = ["__version__", *_HOME, *_MODULES]

register_with_keras(_FAMILIES)


def __getattr__(name):
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"keras_genai.{name}")
    else:
        raise AttributeError(f"module 'keras_genai' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
