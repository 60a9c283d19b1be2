"""Made the files of this folder, with the code of November 2026.

    python tests/saved/make.py FOLDER

A small trained model of each family, with two steps of its optimizers, an
export of each kind of output, and `outputs.npz`, the outputs on fixed inputs.
`tests/test_saved_models.py` loads them: files of earlier versions go on
working. The files are made again only if `docs/compatibility.md` allows it.
"""

import sys
from pathlib import Path

import keras
import numpy as np

import keras_genai as kg

SHAPE = (8, 4, 1)
NUM_CLASSES = 3
TEXT = "the cat sat on the mat; the dog sat on the log.\n" * 12
EXPORTED = ("conditional_vae", "gpt")

random = np.random.default_rng(0)
IMAGES = random.random((8, *SHAPE)).astype("float32")
LABELS = np.arange(8) % NUM_CLASSES
NOISE = random.normal(size=(8, 5)).astype("float32")


def network(inputs, outputs, activation=None):
    """A small network of one hidden layer, between shapes."""
    return keras.Sequential(
        [
            keras.Input(inputs),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="relu"),
            keras.layers.Dense(int(np.prod(outputs)), activation),
            keras.layers.Reshape(outputs),
        ]
    )


def gan():
    return kg.GAN(
        SHAPE, 5, network((5,), SHAPE, "tanh"), network(SHAPE, (1,)), seed=0
    )


def small(family, outputs, **arguments):
    """An autoencoder or VAE of small networks."""
    *sides, channels = SHAPE
    shown = arguments.get("num_classes", 0)  # the label, beside the inputs
    return family(
        image_shape=SHAPE,
        latent_dim=5,
        encoder=network((*sides, channels + shown), (outputs,)),
        decoder=network((5 + shown,), SHAPE),
        seed=0,
        **arguments,
    )


def pixelcnn(**arguments):
    return kg.PixelCNN(
        SHAPE,
        width=4,
        dilations=(1, 2),
        first_kernel_size=5,
        head_width=6,
        seed=0,
        **arguments,
    )


def text_data():
    return kg.text_dataset(TEXT, sequence_length=16, batch_size=4, seed=0)


def scores():
    tune = [60, -1, 62, 64, -2, -1, 65, -1, 64, 62, 60, -1]
    below = [48, -1, -1, -1, 50, -1, 52, -2, -1, 55, 48, -1]
    return [kg.Score(np.array([tune, below]).T) for _ in range(4)]


def music_data():
    tokenizer = kg.MusicTokenizer(lowest=[60, 48], highest=[66, 56])
    return kg.music_dataset(
        scores(), tokenizer=tokenizer, sequence_length=12, batch_size=4
    )


def make_models():
    """Name -> model."""
    conditional = {"num_classes": NUM_CLASSES, "latent_dim": 5, "seed": 0}
    text = {"tokenizer": text_data().tokenizer, "seed": 0}
    sizes = {"num_layers": 1, "num_heads": 3, "hidden_dim": 12}
    return {
        "gan": gan(),
        "dcgan": kg.DCGAN(SHAPE, 5, width=2, seed=0),
        "augmented_dcgan": kg.DCGAN(
            SHAPE,
            5,
            width=2,
            normalization="spectral",
            discriminator_augmentation="adaptive",
            seed=0,
        ),
        "wgan_gp": kg.WGANGP(SHAPE, 5, width=2, seed=0),
        "conditional_gan": kg.ConditionalGAN(SHAPE, width=2, **conditional),
        "acgan": kg.AuxiliaryClassifierGAN(SHAPE, width=2, **conditional),
        "autoencoder": small(kg.Autoencoder, 5),
        "denoising_autoencoder": small(kg.DenoisingAutoencoder, 5),
        "vae": small(kg.VAE, 10),
        "conditional_vae": small(
            kg.ConditionalVAE, 10, num_classes=NUM_CLASSES
        ),
        "pixelcnn": pixelcnn(),
        "conditional_pixelcnn": pixelcnn(
            num_classes=NUM_CLASSES, likelihood="discretized_logistic_mixture"
        ),
        "markov": kg.MarkovChain(order=2, **text),
        "lstm": kg.LSTMLanguageModel(embedding_dim=6, hidden_dim=8, **text),
        "gpt": kg.GPT(max_sequence_length=16, **sizes, **text),
        "music_transformer": kg.MusicTransformer(
            music_data().tokenizer, max_sequence_length=24, seed=0, **sizes
        ),
    }


def data_of(model):
    """What a model trains on: pair of images and labels, or a data set."""
    if isinstance(model, kg.MusicTransformer):
        return music_data().take(2)
    if hasattr(model, "tokenizer"):
        return text_data().take(2)
    images = IMAGES * 2 - 1 if isinstance(model, kg.GAN) else IMAGES
    if isinstance(model, kg.PixelCNN) and not model.num_classes:
        images = np.round(images)
    return images, LABELS if takes_labels(model) else None


def outputs(model):
    """What a model computes of fixed inputs, without draws."""
    if isinstance(model, kg.GAN):
        labels = {"labels": LABELS} if takes_labels(model) else {}
        return model.generate(noise=NOISE, **labels)
    if isinstance(model, kg.MusicTransformer):
        return np.array(model.score(scores()[:1]))
    if hasattr(model, "tokenizer"):
        return np.array(model.score(TEXT[:40]))
    images, labels = data_of(model)
    if isinstance(model, kg.PixelCNN):
        return np.array(model.log_prob(images, labels))
    given = {} if labels is None else {"labels": labels}
    return np.array(model.encode(images, **given))


def takes_labels(model):
    return bool(getattr(model, "num_classes", None))


def train(model):
    """Takes two steps, and returns what `fit` reports."""
    data = data_of(model)
    if isinstance(data, tuple):
        return model.fit(*data, batch_size=4, verbose=0).history
    return model.fit(data, verbose=0).history


def main(folder):
    found = {}
    for name, model in make_models().items():
        model.compile()
        train(model)
        model.save(folder / f"{name}.keras")
        if name in EXPORTED:
            model.export(folder / f"{name}_export")
        found[name] = outputs(model)
    np.savez_compressed(folder / "outputs.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
