import keras
import numpy as np
import pytest
import tensorflow as tf
from checks import random_images

import keras_genai
from keras_genai import (
    DCGAN,
    GAN,
    WGANGP,
    AuxiliaryClassifierGAN,
    ConditionalGAN,
    losses,
)
from keras_genai.layers import SpectralNormalization

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 1)


@pytest.mark.parametrize("normalization", ["none", "layer", "spectral"])
def test_critic_has_no_batch_norm_and_the_papers_defaults(normalization):
    model = WGANGP(SHAPE, width=2, normalization=normalization)
    model.compile()
    kinds = {type(layer).__name__ for layer in model.discriminator.layers}
    assert "BatchNormalization" not in kinds
    for name, kind in (
        ("layer", "LayerNormalization"),
        ("spectral", "SpectralNormalization"),
    ):
        assert (kind in kinds) == (normalization == name)
    assert (model.loss, model.gradient_penalty) == ("wasserstein", 10.0)
    for optimizer in (model.d_optimizer, model.g_optimizer):
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)
    names = {metric.name for metric in model.metrics}
    assert names == {
        "d_loss",
        "g_loss",
        "wasserstein_distance",
        "gradient_penalty",
    }


def test_loss_is_the_scores_and_ten_times_the_penalty():
    model = WGANGP(SHAPE, width=2, discriminator_steps=1, seed=0)
    model.compile()
    history = model.fit(random_images(4, SHAPE), verbose=0).history
    (penalty,), (distance,) = (
        history[name] for name in ("gradient_penalty", "wasserstein_distance")
    )
    assert penalty > 0
    np.testing.assert_allclose(
        history["d_loss"], 10 * penalty - distance, rtol=1e-4
    )


@pytest.mark.parametrize("eagerly", [False, True])
def test_validation_has_the_penalty_too(eagerly):
    # A linear critic of slope 3 everywhere, and generated images of zeros.
    generator = keras.Sequential(
        [
            keras.layers.Input((1,)),
            keras.layers.Dense(16, kernel_initializer="zeros"),
            keras.layers.Reshape((4, 4, 1)),
        ]
    )
    critic = keras.Sequential(
        [
            keras.layers.Input((4, 4, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(
                1, kernel_initializer=keras.initializers.Constant(3 / 4)
            ),
        ]
    )
    model = GAN((4, 4, 1), 1, generator, critic, seed=0)
    model.compile(
        d_optimizer=keras.optimizers.SGD(0.0),
        g_optimizer=keras.optimizers.SGD(0.0),
        loss="wasserstein",
        gradient_penalty=10.0,
        run_eagerly=eagerly,
    )
    images = np.full((3, 4, 4, 1), 0.5, "float32")
    history = model.fit(
        images, validation_data=(images,), batch_size=2, verbose=0
    ).history
    distance, penalty = 16 * 0.5 * 3 / 4, (3 - 1) ** 2
    for before in ("", "val_"):
        np.testing.assert_allclose(
            [
                history[before + name][0]
                for name in ("wasserstein_distance", "gradient_penalty")
            ],
            [distance, penalty],
            rtol=1e-5,
        )
        np.testing.assert_allclose(
            history[before + "d_loss"], 10 * penalty - distance, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("family", "loss"),
    [(ConditionalGAN, "hinge"), (AuxiliaryClassifierGAN, "least_squares")],
)
def test_every_family_validates_with_the_penalty(family, loss):
    images = random_images(3, SHAPE, num_classes=2)
    model = family(SHAPE, 2, width=2, normalization="layer", seed=0)
    state = model.seed_generator.state.numpy()
    found = []
    for weight in (0.0, 2.5):
        model.compile(loss=loss, gradient_penalty=weight, run_eagerly=True)
        model.seed_generator.state.assign(state)
        found.append(model.evaluate(images, verbose=0))
    without, penalised = found
    assert "gradient_penalty" not in without
    assert penalised["gradient_penalty"] > 0.1
    np.testing.assert_allclose(
        penalised["d_loss"],
        without["d_loss"] + 2.5 * penalised["gradient_penalty"],
        rtol=1e-5,
    )


def test_a_penalty_on_batch_norm_is_refused():
    model = DCGAN(SHAPE, width=2)
    with pytest.raises(ValueError, match="LayerNormalization"):
        model.compile(gradient_penalty=10.0)
    with pytest.raises(ValueError, match="gradient_penalty=-1"):
        model.compile(gradient_penalty=-1)
    with pytest.raises(ValueError, match=r"label_smoothing=0\.1"):
        WGANGP(SHAPE, width=2).compile(label_smoothing=0.1)


def test_batch_norm_deep_in_a_critic_is_found():
    inner = keras.Sequential(
        [keras.layers.Input((4,)), keras.layers.BatchNormalization()]
    )
    critic = keras.Sequential(
        [
            keras.layers.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
            inner,
            keras.layers.Dense(1),
        ]
    )
    with pytest.raises(ValueError, match="batch_normalization"):
        losses.check_critic(critic)


def test_critic_measures_how_far_a_set_was_moved():
    # Two flat sets a distance of 2 apart in Euclidean pixels: the critic's
    # gap, with slopes of 1 along the way, is that distance.
    generator = keras.Sequential(
        [
            keras.layers.Input((1,)),
            keras.layers.Dense(
                16, kernel_initializer="zeros", bias_initializer="zeros"
            ),
            keras.layers.Reshape((4, 4, 1)),
        ]
    )
    critic = keras.Sequential(
        [
            keras.layers.Input((4, 4, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(
                1, kernel_initializer=keras.initializers.GlorotUniform(seed=0)
            ),
        ]
    )
    model = GAN((4, 4, 1), 1, generator, critic, seed=0)
    model.compile(
        d_optimizer=keras.optimizers.Adam(0.05),
        g_optimizer=keras.optimizers.SGD(0.0),
        loss="wasserstein",
        gradient_penalty=10.0,
    )
    # 4 * 0.5 from the origin
    images = tf.data.Dataset.from_tensors(tf.fill((32, 4, 4, 1), 0.5))
    model.fit(images.repeat(200), verbose=0)
    (result,) = model.fit(images, verbose=0).history["wasserstein_distance"]
    # The penalty's optimum lies a little above slope 1: by 1 / (2 * 10) * 2.
    assert result == pytest.approx(2.0 * (1 + 2.0 / 20), rel=0.02)


# --- Spectral normalisation --------------------------------------------------


def set_singular_values(layer, values):
    """Gives a layer a kernel that as a matrix has these singular values."""
    random = np.random.default_rng(0)
    shape = layer.kernel.shape
    left = random.normal(size=(np.prod(shape[:-1]), shape[-1]))
    right = random.normal(size=(shape[-1], shape[-1]))
    left, right = np.linalg.qr(left)[0], np.linalg.qr(right)[0]
    layer.kernel.assign((left * values @ right).reshape(shape))


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (keras.layers.Dense(5, use_bias=False), (3, 7)),
        (keras.layers.Conv2D(5, 3, use_bias=False), (2, 6, 6, 2)),
    ],
)
def test_norm_is_the_largest_singular_value(layer, inputs):
    inputs = tf.random.stateless_normal(inputs, (0, 0))
    normalised = SpectralNormalization(layer, seed=0)
    normalised(inputs)
    set_singular_values(layer, [5, 4, 3, 2, 1])
    # Each step leaves (4 / 5) ** 2 of what is not the largest one's.
    for _ in range(60):
        outputs = normalised(inputs, training=True)
    matrix = layer.kernel.numpy().reshape(-1, 5)
    largest = np.linalg.svd(matrix)[1][0]
    np.testing.assert_allclose(normalised.spectral_norm(), largest, rtol=1e-4)
    np.testing.assert_allclose(outputs, layer(inputs) / largest, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize(
    "dtype", ["float16", "mixed_float16", "bfloat16", "float64"]
)
def test_norm_of_any_kernel_in_any_precision(dtype, scale):
    # Fourth powers of norms from 0.01 to 1,000: 16 bits hold neither end.
    layer = keras.layers.Dense(5, use_bias=False, dtype=dtype)
    normalised = SpectralNormalization(layer, seed=0, dtype=dtype)
    inputs = np.random.default_rng(1).normal(size=(3, 40)).astype("float32")
    normalised(inputs)
    kernel = np.random.default_rng(0).normal(size=(40, 5)) * scale
    layer.kernel.assign(kernel)
    normalised(inputs, training=True)
    normalised._iterate(60)
    with tf.GradientTape() as tape:
        outputs = normalised(inputs)
        first = tf.reduce_sum(outputs[:, 0])
    gradient = tape.gradient(first, layer.kernel.value)
    assert outputs.dtype == normalised.compute_dtype
    kept = np.float64(layer.kernel.value)
    largest = np.linalg.svd(kept)[1][0]
    # The mixed policy follows the norm of the kernel rounded to 16 bits.
    rounding = {"float64": 1e-7, "mixed_float16": 2.0**-11}.get(dtype, 1e-5)
    np.testing.assert_allclose(
        normalised.spectral_norm(), largest, rtol=rounding
    )
    rounding = {"float64": 1e-7}.get(dtype, 2.0**-7)  # of outputs up to 4
    np.testing.assert_allclose(
        np.float64(outputs), inputs @ kept / largest, atol=4 * rounding
    )
    assert np.isfinite(np.float64(gradient)).all()


def test_gradient_has_no_part_along_the_weights():
    # The layer does not depend on their size; a norm taken for a constant
    # would leave that part in.
    normalised = SpectralNormalization(
        keras.layers.Dense(4, use_bias=False), seed=0
    )
    inputs = tf.random.stateless_normal((8, 6), (1, 0))
    normalised(inputs)
    set_singular_values(normalised.layer, [4, 3, 2, 1])
    for _ in range(50):
        normalised(inputs, training=True)
    kernel = normalised.layer.kernel
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(normalised(inputs) - 1.0))
    gradient = tape.gradient(loss, kernel.value).numpy()
    along = np.sum(gradient * kernel.numpy())
    size = np.linalg.norm(gradient) * np.linalg.norm(kernel.numpy())
    assert size > 0
    assert abs(along) < 1e-4 * size


def test_norm_stays_in_evaluation_and_moves_in_training():
    normalised = SpectralNormalization(
        keras.layers.Dense(4, use_bias=False), seed=0
    )
    inputs = tf.ones((2, 6))
    normalised(inputs)
    normalised.layer.kernel.assign(tf.random.stateless_normal((6, 4), (2, 0)))
    before = normalised.direction.numpy()
    normalised(inputs, training=False)
    np.testing.assert_array_equal(normalised.direction.numpy(), before)
    normalised(inputs, training=True)
    assert np.abs(normalised.direction.numpy() - before).max() > 0


@pytest.mark.parametrize("family", [ConditionalGAN, AuxiliaryClassifierGAN])
def test_a_normalised_discriminator_with_labels_is_saved(family, tmp_path):
    model = family(SHAPE, 2, width=1, normalization="spectral", seed=0)
    model.save(tmp_path / "model.keras")
    loaded = keras_genai.load_model(tmp_path / "model.keras")
    images = tf.random.stateless_normal((3, *SHAPE), (0, 0))
    given = images, tf.constant([1, 0, 1])
    np.testing.assert_array_equal(
        loaded.discriminate(*given), model.discriminate(*given)
    )


def test_layers_that_are_not_linear_are_refused():
    for arguments in ({}, {"use_bias": False, "activation": "relu"}):
        with pytest.raises(ValueError, match="use_bias=False"):
            SpectralNormalization(keras.layers.Dense(2, **arguments))
