"""Small exports for the tests of the demo, written once a process."""

import shutil

import numpy as np

from keras_genai import (
    GPT,
    VAE,
    CharacterTokenizer,
    ConditionalGAN,
    ConditionalVAE,
    DenoisingAutoencoder,
    MusicTokenizer,
    MusicTransformer,
    PixelCNN,
)

SHAPE = (8, 12, 1)
CLASSES = 3
TEXT = "the cat sat on the mat; the dog sat on the log.\n"
LIMIT = 24  # tokens that the GPT looks back on

MODELS = {
    "vae": lambda: VAE(SHAPE, latent_dim=5, seed=0),
    "conditional_vae": lambda: ConditionalVAE(
        SHAPE, num_classes=CLASSES, latent_dim=5, seed=0
    ),
    "conditional_gan": lambda: ConditionalGAN(
        SHAPE, num_classes=CLASSES, latent_dim=5, width=3, seed=0
    ),
    "denoiser": lambda: DenoisingAutoencoder(
        SHAPE, latent_dim=5, networks="dense", seed=0
    ),
    "pixelcnn": lambda: PixelCNN(
        SHAPE,
        width=4,
        dilations=(1, 2),
        first_kernel_size=5,
        head_width=6,
        num_classes=CLASSES,
        seed=0,
    ),
    "gpt": lambda: GPT(
        tokenizer=CharacterTokenizer.from_text(TEXT),
        max_sequence_length=LIMIT,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        seed=0,
    ),
    "music": lambda: MusicTransformer(
        MusicTokenizer(lowest=[60, 48], highest=[66, 56]),
        max_sequence_length=64,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        seed=0,
    ),
}


def write_exports(folder):
    """Exports what is not there yet.

    Returns:
        Dictionary: name -> path of a SavedModel.
    """
    for name, make_model in MODELS.items():
        if not (folder / name).exists():
            make_model().export(folder / name)
    return {name: folder / name for name in MODELS}


def without_about(path, folder):
    """A copy of an export that says nothing of itself."""
    copy = shutil.copytree(path, folder / path.name)
    shutil.rmtree(copy / "assets.extra")
    return copy


def a_drawing(side=280):
    """A thick seven, dark on white, as the browser draws it."""
    picture = np.full((side, side, 3), 255, "uint8")
    picture[40:70, 60:200] = 0
    for row in range(70, 240):
        middle = 190 - (row - 70) // 3
        picture[row, middle - 12 : middle + 12] = 0
    return picture
