import pytest
from checks import check_contract, random_images

from keras_genai import DCGAN, GAN

SHAPE = (8, 12, 1)
MODELS = {
    "gan": lambda: GAN(image_shape=SHAPE, latent_dim=5, seed=0),
    "dcgan": lambda: DCGAN(image_shape=SHAPE, latent_dim=5, width=3, seed=0),
}


@pytest.mark.parametrize("name", MODELS)
def test_model_keeps_the_contract(name, tmp_path):
    check_contract(
        MODELS[name], lambda: random_images(image_shape=SHAPE), tmp_path
    )
