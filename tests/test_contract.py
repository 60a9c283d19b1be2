import pytest
from checks import (
    check_contract,
    generate_images,
    generate_text,
    random_images,
)

from keras_genai import (
    DCGAN,
    GAN,
    GPT,
    VAE,
    WGANGP,
    Autoencoder,
    AuxiliaryClassifierGAN,
    CharacterTokenizer,
    ConditionalGAN,
    ConditionalVAE,
    DenoisingAutoencoder,
    LSTMLanguageModel,
    MarkovChain,
    text_dataset,
)

SHAPE = (8, 12, 1)


def images(low, num_classes=None):
    return lambda: random_images(
        image_shape=SHAPE, low=low, num_classes=num_classes
    )


# name -> (model of a seed, small data that it takes)
MODELS = {
    "gan": (lambda: GAN(SHAPE, latent_dim=5, seed=0), images(-1)),
    "dcgan": (lambda: DCGAN(SHAPE, latent_dim=5, width=3, seed=0), images(-1)),
    "augmented_dcgan": (
        lambda: DCGAN(
            SHAPE,
            latent_dim=5,
            width=3,
            normalization="spectral",
            discriminator_augmentation="adaptive",
            seed=0,
        ),
        images(-1),
    ),
    "wgan_gp": (
        lambda: WGANGP(SHAPE, latent_dim=5, width=3, seed=0),
        images(-1),
    ),
    "conditional_gan": (
        lambda: ConditionalGAN(
            SHAPE, num_classes=3, latent_dim=5, width=3, seed=0
        ),
        images(-1, num_classes=3),
    ),
    "acgan": (
        lambda: AuxiliaryClassifierGAN(
            SHAPE, num_classes=3, latent_dim=5, width=3, seed=0
        ),
        images(-1, num_classes=3),
    ),
    "autoencoder": (
        lambda: Autoencoder(SHAPE, latent_dim=5, seed=0),
        images(0),
    ),
    "denoising_autoencoder": (
        lambda: DenoisingAutoencoder(SHAPE, latent_dim=5, seed=0),
        images(0),
    ),
    "vae": (lambda: VAE(SHAPE, latent_dim=5, seed=0), images(0)),
    "dense_vae": (
        lambda: VAE(
            SHAPE, 5, "dense", likelihood="gaussian", free_bits=0.1, seed=0
        ),
        images(0),
    ),
    "conditional_vae": (
        lambda: ConditionalVAE(SHAPE, num_classes=3, latent_dim=5, seed=0),
        images(0, num_classes=3),
    ),
}


TEXT = "the cat sat on the mat; the dog sat on the log.\n" * 12
TOKENIZER = CharacterTokenizer.from_text(TEXT)


def windows():
    return text_dataset(
        TEXT,
        tokenizer=TOKENIZER,
        sequence_length=16,
        batch_size=5,
        windows="tiled",
    )


LANGUAGE_MODELS = {
    "markov": lambda: MarkovChain(tokenizer=TOKENIZER, order=2, seed=0),
    "lstm": lambda: LSTMLanguageModel(
        tokenizer=TOKENIZER, embedding_dim=6, hidden_dim=8, seed=0
    ),
    "gpt": lambda: GPT(
        tokenizer=TOKENIZER,
        max_sequence_length=16,
        num_layers=2,
        num_heads=3,
        hidden_dim=12,
        seed=0,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_model_keeps_the_contract(name, tmp_path):
    make_model, make_data = MODELS[name]
    check_contract(make_model, make_data, tmp_path, generate_images)


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_language_model_keeps_the_contract(name, tmp_path):
    make_model = LANGUAGE_MODELS[name]
    check_contract(make_model, windows, tmp_path, generate_text)
