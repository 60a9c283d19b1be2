"""Small exports for the tests of the demo, written once a process."""

import contextlib
import gc
import shutil
import string
import warnings

import numpy as np
import pytest

from keras_genai import (
    GPT,
    VAE,
    CharacterTokenizer,
    ConditionalGAN,
    DenoisingAutoencoder,
    MusicTokenizer,
    MusicTransformer,
    PixelCNN,
)
from keras_genai.demo import build_page, launch

# Gradio's queue calls pandas in ways that pandas 4 will not know.
GRADIO_WARNS = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHAPE = (8, 12, 1)
CLASSES = 3
# So many characters that a text seldom comes to its end.
CHARACTERS = string.ascii_letters + string.digits + string.punctuation + " \n"
LIMIT = 24  # tokens that the GPT looks back on

MODELS = {
    "vae": lambda: VAE(SHAPE, latent_dim=5, seed=0),
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
        tokenizer=CharacterTokenizer.from_text(CHARACTERS),
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


def unending(model, count):
    """The first seed whose text does not come to its end before.

    Its beginning is of single bytes, so that pieces are cut where they are.
    """
    for seed in range(200):
        *_, text = model.stream("the ", count, seed=seed)
        if len(text) == 4 + count and text[:20].isascii():
            return seed
    raise AssertionError("all texts end")


def a_drawing(side=280):
    """A thick seven, dark on white, as the browser draws it."""
    picture = np.full((side, side, 3), 255, "uint8")
    picture[40:70, 60:200] = 0
    for row in range(70, 240):
        middle = 190 - (row - 70) // 3
        picture[row, middle - 12 : middle + 12] = 0
    return picture


@contextlib.contextmanager
def serving(paths):
    """A server of those exports.

    Yields:
        String, its address.
    """
    with loops_left_open():
        page = build_page(paths)
        address = launch(page, port=0)
    try:
        yield address
    finally:
        with loops_left_open():
            page.close()


@contextlib.contextmanager
def loops_left_open():
    """Gradio does not close every event loop that it opens."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()
