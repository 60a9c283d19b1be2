"""Networks of one's own: where they may end, and in what form they come."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_genai import GAN, VAE, Autoencoder

SHAPE = (4, 4, 1)


def dense(units, activation=None, shape=None, before=()):
    network = [*before, layers.Flatten(), layers.Dense(units, activation)]
    return keras.Sequential([*network, layers.Reshape(shape or (units,))])


class Subclassed(keras.Model):
    def __init__(self, units, function, shape=None):
        super().__init__()
        self.dense, self.function = layers.Dense(units), function
        self.shape_of_one = shape or (units,)

    def call(self, inputs, training=False):
        rows = ops.reshape(inputs, (ops.shape(inputs)[0], -1))
        made = self.function(self.dense(rows))
        return ops.reshape(made, (-1, *self.shape_of_one))


def functional(function):
    inputs = keras.Input(SHAPE)
    outputs = function(layers.Dense(1)(layers.Flatten()(inputs)))
    return keras.Model(inputs, layers.Reshape((1,))(outputs))


SQUASHED = {
    "behind_reshape": lambda: dense(1, "sigmoid"),
    "tanh": lambda: dense(1, "tanh"),
    "activation": lambda: functional(layers.Activation("sigmoid")),
    "relu_layer": lambda: functional(layers.ReLU()),
    "ops": lambda: functional(ops.sigmoid),
    "subclassed": lambda: Subclassed(1, ops.sigmoid),
    "by_hand": lambda: Subclassed(1, lambda x: 1 / (1 + ops.exp(-x))),
    "nested": lambda: keras.Sequential([dense(1, "sigmoid")]),
}


@pytest.mark.parametrize("name", SQUASHED)
def test_a_discriminator_that_squashes_is_refused(name):
    with pytest.raises(ValueError, match="discriminator must end in logits"):
        GAN(SHAPE, latent_dim=3, discriminator=SQUASHED[name]())


@pytest.mark.parametrize(
    "make",
    [
        lambda: dense(1),
        lambda: functional(lambda x: 2 * x + 1),
        lambda: Subclassed(1, lambda x: x),
        lambda: Subclassed(1, ops.tanh).__class__(1, lambda x: 3 * ops.tanh(x)),
    ],
)
def test_a_discriminator_of_logits_is_taken(make):
    GAN(SHAPE, latent_dim=3, discriminator=make())


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_a_generator_without_negative_pixels_is_refused(activation):
    function = getattr(ops, activation)
    for network in (
        dense(16, activation, SHAPE),
        Subclassed(16, function, SHAPE),
    ):
        with pytest.raises(ValueError, match="no pixel below 0"):
            GAN(SHAPE, latent_dim=3, generator=network)
    GAN(SHAPE, latent_dim=3, generator=dense(16, "tanh", SHAPE))


def test_a_decoder_that_squashes_is_refused_where_it_gives_logits():
    decoder = dense(16, "sigmoid", SHAPE)
    for family in (VAE, Autoencoder):
        with pytest.raises(ValueError, match="decoder must end in logits"):
            family(SHAPE, latent_dim=2, decoder=decoder)
    # A normal distribution has a mean, which may be anywhere.
    VAE(SHAPE, latent_dim=2, decoder=decoder, likelihood="gaussian")


def test_an_encoder_may_give_means_and_variances_apart():
    images = keras.Input(SHAPE)
    rows = layers.Flatten()(images)
    parts = [layers.Dense(2)(rows), layers.Dense(2)(rows)]
    batch = np.random.default_rng(0).random((8, *SHAPE)).astype("float32")
    for outputs in (parts, [*parts, parts[0] + parts[1]]):
        encoder = keras.Model(images, outputs)
        model = VAE(SHAPE, latent_dim=2, encoder=encoder, seed=0)
        model.compile()
        assert np.isfinite(model.fit(batch, verbose=0).history["loss"][0])
        z_mean, z_log_var = model.encode(batch)
        np.testing.assert_allclose(z_mean, encoder(batch)[0], rtol=1e-5)
        np.testing.assert_allclose(z_log_var, encoder(batch)[1], rtol=1e-5)
    with pytest.raises(ValueError, match=r"\[z_mean, z_log_var\]"):
        VAE(SHAPE, latent_dim=3, encoder=encoder)


class Untold(keras.Model):
    """As in a notebook: no config tells how it was made."""

    def __init__(self, function):
        super().__init__()
        self.dense, self.function = layers.Dense(16), function
        self.norm = layers.BatchNormalization()

    def call(self, noise, training=False):
        made = self.norm(self.dense(noise), training=training)
        return ops.reshape(self.function(made), (-1, *SHAPE))


def test_a_generator_without_a_config_trains_and_says_how_to_save_it(tmp_path):
    model = GAN(SHAPE, latent_dim=3, generator=Untold(ops.tanh), seed=0)
    model.compile()
    images = np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE))
    before = model.generate(4, seed=0)
    model.fit(images, epochs=3, verbose=0)
    assert np.abs(model.generate(4, seed=0) - before).max() > 1e-4
    averaged = model.generate(4, seed=0)
    assert (averaged != model.generate(4, seed=0, averaged=False)).any()
    # The average is of weights: with those it makes what the generator does.
    for copy, weight in zip(
        model.averaged_generator.weights, model.generator.weights, strict=True
    ):
        copy.assign(weight)
    np.testing.assert_allclose(
        model.generate(4, seed=0),
        model.generate(4, seed=0, averaged=False),
        atol=1e-6,
    )
    with pytest.raises(ValueError, match="register_keras_serializable"):
        model.save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_networks_have_names_that_tell_them_apart():
    names = [layer.name for layer in GAN(SHAPE, latent_dim=3).layers]
    assert {"generator", "discriminator", "averaged_generator"} <= {*names}
    assert len(names) == len({*names})


def test_another_file_than_keras_is_refused(tmp_path):
    for name in ("m.h5", "m"):
        with pytest.raises(ValueError, match=r"'\.keras'"):
            GAN(SHAPE, latent_dim=3).save(tmp_path / name)
