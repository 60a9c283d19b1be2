import keras
import numpy as np
import pytest
from checks import random_images
from keras import layers

from keras_genai import DCGAN
from keras_genai.models.gans.dcgan import count_doublings


@pytest.mark.parametrize(
    "shape",
    [
        (28, 28, 1),
        (32, 32, 3),
        (64, 64, 3),
        (28, 20, 3),
        (12, 40, 1),
        (4, 8, 1),
    ],
)
def test_trains_and_generates_at_any_size(shape):
    model = DCGAN(image_shape=shape, latent_dim=3, width=2, seed=0)
    model.compile()
    model.fit(random_images(4, shape, batch_size=2), verbose=0)
    images = model.generate(2, seed=0)
    assert images.shape == (2, *shape)
    assert images.min() >= 0
    assert images.max() <= 1


@pytest.mark.parametrize(
    ("shape", "doublings", "halvings"),
    [
        ((28, 28, 1), 2, 4),
        ((32, 32, 1), 3, 4),
        ((64, 64, 3), 4, 5),
        ((28, 64, 1), 2, 4),
        ((4, 8, 1), 2, 2),
    ],
)
def test_pyramids_fit_the_image(shape, doublings, halvings):
    model = DCGAN(shape, latent_dim=3, width=2)
    assert count_doublings(shape) == doublings
    for network, kind, count in (
        (model.generator, layers.Conv2DTranspose, doublings),
        (model.discriminator, layers.Conv2D, halvings),
    ):
        strided = [
            layer
            for layer in network.layers
            if type(layer) is kind and layer.strides == (2, 2)
        ]
        assert len(strided) == count


def test_networks_are_those_of_the_paper():
    model = DCGAN(width=4)
    kinds = [type(layer).__name__ for layer in model.discriminator.layers]
    assert kinds[:2] == ["Conv2D", "LeakyReLU"]  # no BatchNorm on pixels
    assert "MaxPooling2D" not in kinds
    last = model.generator.layers[-1]
    assert last.activation is keras.activations.tanh
    assert model.discriminator.layers[-1].activation is (
        keras.activations.linear
    )


def test_noise_of_one_logit_moves_with_every_pixel():
    # The discriminator looks at the whole image.
    import tensorflow as tf

    model = DCGAN((8, 12, 1), width=3, seed=0)
    images = tf.random.stateless_normal((2, 8, 12, 1), (0, 0))
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = model.discriminator(images, training=False)
    slopes = np.abs(tape.gradient(logits, images))
    assert (slopes > 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (30, 28, 1)}, r"image_shape=\(30, 28, 1\)"),
        ({"image_shape": (28, 26, 1)}, "multiples of 4"),
        ({"image_shape": (28, 28, 4)}, "1 or 3 channels"),
        ({"image_shape": (28, 28)}, r"image_shape=\(28, 28\)"),
        ({"width": 0}, "width=0"),
        ({"latent_dim": 0}, "latent_dim=0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DCGAN(**arguments)
