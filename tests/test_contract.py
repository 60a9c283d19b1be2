import pytest
from checks import check_contract, random_images

from keras_genai import (
    DCGAN,
    GAN,
    VAE,
    Autoencoder,
    ConditionalVAE,
    DenoisingAutoencoder,
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


@pytest.mark.parametrize("name", MODELS)
def test_model_keeps_the_contract(name, tmp_path):
    make_model, make_data = MODELS[name]
    check_contract(make_model, make_data, tmp_path)
