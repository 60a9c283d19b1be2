import typing

import keras
import numpy as np
import pytest
import tensorflow as tf
from checks import random_images
from keras import layers, ops

import keras_genai
from keras_genai import GAN, TrainingDoctor
from keras_genai.layers import layer_seeds
from keras_genai.models.core.batches import check_finite_range
from keras_genai.models.gans.gan import (
    mlp_discriminator,
    mlp_generator,
)

pytestmark = pytest.mark.slow

SHAPE = (8, 12, 1)


def small_gan(seed=0, **kwargs):
    return GAN(image_shape=SHAPE, latent_dim=5, seed=seed, **kwargs)


def compiled(model=None, **kwargs):
    model = model or small_gan()
    model.compile(**kwargs)
    return model


def values(variables):
    return [variable.numpy() for variable in variables]


def moved(before, after):
    return [
        bool(np.abs(old - new).max() > 0)
        for old, new in zip(before, after, strict=True)
    ]


# --- The step ----------------------------------------------------------------


def test_a_discriminator_update_leaves_the_generator_untouched():
    model = compiled()
    images = next(iter(random_images()))
    fakes = model.generator(model.sample_noise(4), training=False)
    generator = values(model.generator.weights)
    discriminator = values(model.discriminator.trainable_variables)
    model._update_discriminator(images, fakes)
    assert not any(moved(generator, values(model.generator.weights)))
    after = values(model.discriminator.trainable_variables)
    assert all(moved(discriminator, after))


@pytest.mark.parametrize("frozen", ["d", "g"])
def test_each_optimizer_changes_its_own_network_alone(frozen):
    rates = {"d": 1e-3, "g": 1e-3, frozen: 0.0}
    model = compiled(
        d_optimizer=keras.optimizers.SGD(rates["d"]),
        g_optimizer=keras.optimizers.SGD(rates["g"]),
    )
    networks = {"d": model.discriminator, "g": model.generator}
    still, moving = networks.pop(frozen), networks.popitem()[1]
    before = values(still.trainable_variables)
    before_moving = values(moving.trainable_variables)
    model.fit(random_images(), verbose=0)
    assert not any(moved(before, values(still.trainable_variables)))
    assert any(moved(before_moving, values(moving.trainable_variables)))


def test_generator_learns_against_the_updated_discriminator():
    # With one logit w * mean(image), the step can be followed by hand.
    generator = keras.Sequential(
        [
            layers.Input((1,)),
            layers.Dense(4, use_bias=False, kernel_initializer="ones"),
            layers.Reshape((2, 2, 1)),
        ]
    )
    discriminator = keras.Sequential(
        [
            layers.Input((2, 2, 1)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, use_bias=False, kernel_initializer="ones"),
        ]
    )
    model = GAN((2, 2, 1), 1, generator, discriminator, seed=0)
    model.compile(
        d_optimizer=keras.optimizers.SGD(0.5),
        g_optimizer=keras.optimizers.SGD(1.0),
    )
    noise = np.array([[0.25], [-0.5], [0.75]], "float32")
    model.sample_noise = lambda batch_size: ops.convert_to_tensor(noise)
    real = np.full((3, 2, 2, 1), 0.5, "float32")

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    w = 1.0
    gradient = (sigmoid(w * 0.5) - 1) * 0.5 + (
        sigmoid(w * noise) * noise
    ).mean()
    w -= 0.5 * gradient
    # d softplus(-w k z) / dk, each of four equal kernels has a quarter.
    slope = (-sigmoid(-w * noise) * w * noise).mean() / 4
    model.train_on_batch(real)
    np.testing.assert_allclose(
        discriminator.trainable_variables[0], [[w]], rtol=1e-5
    )
    np.testing.assert_allclose(
        generator.trainable_variables[0], np.full((1, 4), 1 - slope), rtol=1e-5
    )


class PassRecorder(layers.Layer):
    """Notes what a network was given, and in which mode."""

    passes: typing.ClassVar = {"generator": [], "discriminator": []}

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network = network

    def call(self, inputs, training=None):
        self.passes[self.network].append((tuple(inputs.shape), bool(training)))
        return inputs

    def get_config(self):
        return {**super().get_config(), "network": self.network}


def recorded_gan(**kwargs):
    """A GAN and the passes through its two networks."""
    logs = PassRecorder.passes
    generator = keras.Sequential(
        [
            layers.Input((5,)),
            PassRecorder("generator"),
            layers.Dense(96),
            layers.Reshape(SHAPE),
        ]
    )
    discriminator = keras.Sequential(
        [
            layers.Input(SHAPE),
            PassRecorder("discriminator"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model = GAN(SHAPE, 5, generator, discriminator, seed=0, **kwargs)
    model.compile(run_eagerly=True)
    for log in logs.values():
        log.clear()
    return model, logs


def test_one_generator_pass_serves_both_and_real_and_fake_pass_apart():
    model, logs = recorded_gan()
    model.train_on_batch(np.zeros((3, *SHAPE), "float32"))
    # Real, generated, and generated again by the updated discriminator: none
    # mixed in a batch, all in training mode.
    assert logs["discriminator"] == [((3, *SHAPE), True)] * 3
    assert logs["generator"] == [((3, 5), True)]


def test_discriminator_steps_draw_fresh_noise():
    model, logs = recorded_gan(discriminator_steps=3)
    model.train_on_batch(np.zeros((3, *SHAPE), "float32"))
    assert logs["generator"] == [((3, 5), True)] * 3
    assert logs["discriminator"] == [((3, *SHAPE), True)] * (2 * 3 + 1)
    assert int(model.d_optimizer.iterations.numpy()) == 3
    assert int(model.g_optimizer.iterations.numpy()) == 1


def test_evaluation_is_in_inference_mode_and_changes_no_weight():
    model, logs = recorded_gan()
    before = values(model.weights)
    model.evaluate(random_images(), verbose=0)
    assert {training for _, training in logs["discriminator"]} == {False}
    assert not any(moved(before, values(model.weights)))


def test_batch_norm_and_dropout_train_in_the_step():
    model = compiled()
    norm = model.generator.get_layer(index=2)
    assert isinstance(norm, layers.BatchNormalization)
    before = values(norm.non_trainable_variables)
    model.fit(random_images(), verbose=0)
    assert all(moved(before, values(norm.non_trainable_variables)))


def first_pixel_gan():
    """A discriminator that answers with the first pixel; images of zeros."""

    class FirstPixel(layers.Layer):
        def call(self, images):
            return images[:, 0, 0, :]

    return GAN(
        (4, 4, 1),
        2,
        keras.Sequential(
            [
                layers.Input((2,)),
                layers.Dense(16, kernel_initializer="zeros"),
                layers.Reshape((4, 4, 1)),
            ]
        ),
        keras.Sequential(
            [
                layers.Input((4, 4, 1)),
                FirstPixel(),
                layers.Dense(1, use_bias=False, kernel_initializer="ones"),
            ]
        ),
        seed=0,
    )


def grey_images(*pixels):
    pixels = np.array(pixels, "float32")
    return np.broadcast_to(pixels[:, None, None, None], (len(pixels), 4, 4, 1))


def test_a_short_last_batch_weighs_what_it_should():
    model = first_pixel_gan()
    model.compile()
    pixels = np.array([-1.0, -1.0, -1.0, -1.0, 1.0], "float32")
    images = grey_images(*pixels)
    data = tf.data.Dataset.from_tensor_slices(images).batch(4)
    results = model.evaluate(data, verbose=0)
    expected = np.mean(np.log1p(np.exp(-pixels))) + np.log(2)
    np.testing.assert_allclose(results["d_loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(results["d_real_accuracy"], 1 / 5)
    np.testing.assert_allclose(results["g_loss"], np.log(2), rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "smoothing", "real_accuracy", "fake_accuracy"),
    [
        # Targets of 1 and 0: right is above 0.5, and zeros are right.
        ("least_squares", 0.0, 2 / 5, 1.0),
        ("least_squares", 0.5, 3 / 5, 1.0),  # above 0.25
        ("hinge", 0.0, 4 / 5, 0.0),
        ("non_saturating", 0.0, 4 / 5, 0.0),
        ("minimax", 0.5, 5 / 5, 0.0),  # above -1.1, where D is a quarter
    ],
)
@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch"])
def test_accuracies_are_of_the_games_own_verdict(
    loss, smoothing, real_accuracy, fake_accuracy, method
):
    model = first_pixel_gan()
    model.compile(loss=loss, label_smoothing=smoothing, run_eagerly=True)
    images = grey_images(-0.5, 0.2, 0.4, 0.6, 0.9)
    results = getattr(model, method)(images, return_dict=True)
    assert results["d_real_accuracy"] == pytest.approx(real_accuracy)
    assert results["d_fake_accuracy"] == pytest.approx(fake_accuracy)


def test_the_doctor_sees_a_saturated_least_squares_gan():
    # All logits on their targets, 1 and 0, where no player moves.
    model = first_pixel_gan()
    model.compile(
        d_optimizer=keras.optimizers.SGD(0.0),
        g_optimizer=keras.optimizers.SGD(0.0),
        loss="least_squares",
    )
    doctor = TrainingDoctor(patience=3, verbose=False)
    model.fit(grey_images(*[1.0] * 4), epochs=3, verbose=0, callbacks=[doctor])
    found = [(alarm.name, alarm.epoch) for alarm in doctor.alarms]
    assert found == [("saturated_discriminator", 3)]


def test_learns_a_constant_image():
    generator = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(16, activation="tanh", kernel_initializer="zeros"),
            layers.Reshape((4, 4, 1)),
        ]
    )
    discriminator = keras.Sequential(
        [
            layers.Input((4, 4, 1)),
            layers.Flatten(),
            layers.Dense(1, kernel_initializer="zeros"),
        ]
    )
    model = GAN((4, 4, 1), 3, generator, discriminator, ema_decay=0.9, seed=0)
    model.compile(
        d_optimizer=keras.optimizers.SGD(0.1),
        g_optimizer=keras.optimizers.SGD(0.1),
        loss="least_squares",
    )
    images = tf.fill((256, 4, 4, 1), 0.5)
    data = tf.data.Dataset.from_tensor_slices(images).batch(32).repeat(25)
    model.fit(data, verbose=0)
    samples = model.generate(16, seed=0)
    np.testing.assert_allclose(samples, 0.75, atol=0.1)


@pytest.mark.parametrize(
    "loss", ["non_saturating", "minimax", "least_squares", "hinge"]
)
def test_every_game_trains(loss):
    model = compiled(loss=loss)
    before = values(model.generator.trainable_variables)
    history = model.fit(random_images(), verbose=0).history
    assert all(np.isfinite(losses).all() for losses in history.values())
    assert all(moved(before, values(model.generator.trainable_variables)))


def test_labels_beside_the_images_are_ignored():
    plain, labelled = compiled(small_gan(1)), compiled(small_gan(1))
    plain.fit(random_images(), verbose=0)
    labelled.fit(
        random_images().map(lambda x: (x, tf.range(tf.shape(x)[0]))),
        verbose=0,
    )
    for one, other in zip(plain.weights, labelled.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


# --- The average -------------------------------------------------------------


def test_average_starts_from_the_generators_own_weights():
    model = small_gan()
    for average, value in zip(
        model.averaged_generator.weights, model.generator.weights, strict=True
    ):
        np.testing.assert_array_equal(average.numpy(), value.numpy())


def test_average_follows_the_warmed_up_decay():
    model = compiled(small_gan(ema_decay=0.4))
    average = values(model.averaged_generator.weights)
    for step in range(1, 5):
        model.train_on_batch(next(iter(random_images(seed=step))))
        decay = min(0.4, (1 + step) / (10 + step))
        average = [
            decay * old + (1 - decay) * new
            for old, new in zip(
                average, values(model.generator.weights), strict=True
            )
        ]
        for expected, found in zip(
            average, model.averaged_generator.weights, strict=True
        ):
            np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_generate_uses_the_average_unless_told_otherwise():
    model = compiled()
    model.fit(random_images(), verbose=0)
    noise = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    for averaged, network in (
        (True, model.averaged_generator),
        (False, model.generator),
    ):
        expected = (network(noise, training=False) + 1) / 2
        np.testing.assert_allclose(
            model.generate(noise=noise, averaged=averaged), expected, atol=1e-6
        )
    assert (
        np.abs(
            model.generate(noise=noise)
            - model.generate(noise=noise, averaged=False)
        ).max()
        > 0
    )
    np.testing.assert_allclose(model(noise), model.generator(noise), atol=1e-6)


def test_average_is_not_trained_by_gradient():
    model = small_gan()
    own = {id(variable) for variable in model.averaged_generator.weights}
    assert not own & {id(variable) for variable in model.trainable_variables}


# --- Saving and random state -------------------------------------------------


def test_dropout_and_noise_states_are_saved(tmp_path):
    model = compiled()
    model.fit(random_images(), verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    other = compiled(small_gan(seed=9))
    other.load_weights(tmp_path / "model.weights.h5")
    states, others = model._random_states(), other._random_states()
    assert len(states) >= 4  # the model's own and three dropouts
    for state, twin in zip(states, others, strict=True):
        np.testing.assert_array_equal(state.numpy(), twin.numpy())
    fresh = [state.numpy() for state in small_gan()._random_states()]
    assert any(moved(fresh, values(states)))


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    compiled().save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"truncated.*model\.keras"):
        keras_genai.load_model(path)


def test_file_of_another_class_is_refused(tmp_path):
    path = tmp_path / "other.keras"
    keras.Sequential([layers.Input((2,)), layers.Dense(1)]).save(path)
    with pytest.raises(ValueError, match="a Sequential"):
        keras_genai.load_model(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no model.*absent\.keras"):
        keras_genai.load_model(tmp_path / "absent.keras")


def test_handed_in_networks_are_saved_with_the_model(tmp_path):
    model = small_gan(
        generator=mlp_generator(SHAPE, 5, seed=3),
        discriminator=mlp_discriminator(SHAPE, seed=4),
    )
    compiled(model, loss="hinge").save(tmp_path / "model.keras")
    loaded = keras_genai.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.generate(2, seed=0), model.generate(2, seed=0)
    )
    assert loaded.loss == "hinge"


@pytest.mark.parametrize(
    "callback",
    [
        lambda path: keras.callbacks.ModelCheckpoint(path / "m.keras"),
        lambda path: keras.callbacks.BackupAndRestore(path / "backup"),
        lambda path: keras.callbacks.CSVLogger(path / "log.csv"),
        lambda path: keras.callbacks.TensorBoard(path / "board"),
        lambda path: keras.callbacks.EarlyStopping("g_loss", mode="min"),
        lambda path: keras.callbacks.TerminateOnNaN(),
    ],
    ids=["checkpoint", "backup", "csv", "tensorboard", "early", "nan"],
)
def test_stock_callbacks_work(callback, tmp_path):
    model = compiled()
    history = model.fit(
        random_images(), epochs=2, verbose=0, callbacks=[callback(tmp_path)]
    ).history
    assert len(history["d_loss"]) == 2


def test_same_seed_same_layer_seeds_and_none_alike():
    one, other = layer_seeds(0, "generator"), layer_seeds(0, "generator")
    drawn = [next(one) for _ in range(50)]
    assert drawn == [next(other) for _ in range(50)]
    assert len(set(drawn)) == 50
    assert next(layer_seeds(0, "discriminator")) not in drawn


# --- Bad input ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"discriminator_steps": 0}, "discriminator_steps=0"),
        ({"ema_decay": 1.0}, "ema_decay=1.0"),
        ({"image_shape": (8, 8)}, r"image_shape=\(8, 8\)"),
        ({"image_shape": (8, 8, 2)}, r"image_shape=\(8, 8, 2\)"),
        ({"image_shape": (8, 0, 1)}, r"image_shape=\(8, 0, 1\)"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GAN(**{"image_shape": SHAPE, "latent_dim": 5, **arguments})


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"Received: \(2, 8, 8, 1\)"):
        small_gan(generator=mlp_generator((8, 8, 1), 5))
    patches = keras.Sequential([layers.Input(SHAPE), layers.Conv2D(1, 3)])
    with pytest.raises(ValueError, match="one logit an image"):
        small_gan(discriminator=patches)


@pytest.mark.parametrize("separate", [False, True])
def test_a_discriminator_that_ends_in_sigmoid_is_refused(separate):
    last = (
        [layers.Dense(1), layers.Activation("sigmoid")]
        if separate
        else [layers.Dense(1, activation="sigmoid")]
    )
    network = keras.Sequential([layers.Input(SHAPE), layers.Flatten(), *last])
    with pytest.raises(ValueError, match="must end in logits"):
        small_gan(discriminator=network)


@pytest.mark.parametrize("smoothing", [-0.1, 0.6])
def test_smoothing_out_of_range_is_refused(smoothing):
    with pytest.raises(ValueError, match=f"label_smoothing={smoothing}"):
        small_gan().compile(label_smoothing=smoothing)


def test_smoothing_a_hinge_is_refused_when_compiled():
    with pytest.raises(ValueError, match="hinge"):
        small_gan().compile(loss="hinge", label_smoothing=0.1)


def test_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss='wgan'"):
        small_gan().compile(loss="wgan")


def test_one_optimizer_for_both_is_refused():
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="an optimizer each"):
        small_gan().compile(d_optimizer=adam, g_optimizer=adam)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x * 127.5 + 127.5, "images from"),
        (lambda x: x * float("nan"), "nan"),
        (lambda x: x[:, :, :8], r"\(None, 8, 8, 1\)"),
        (lambda x: tf.repeat(x, 3, axis=-1), r"\(None, 8, 12, 3\)"),
        (lambda x: x[:, None], r"\(None, 1, 8, 12, 1\)"),
        (lambda x: tf.cast(x, "uint8"), "uint8"),
    ],
    ids=["bytes", "nan", "size", "channels", "rank", "dtype"],
)
@pytest.mark.parametrize("method", ["fit", "evaluate"])
@pytest.mark.usefixtures("as_graphs")
def test_images_that_do_not_fit_are_refused(method, change, message):
    with pytest.raises(ValueError, match=message):
        getattr(compiled(), method)(random_images().map(change), verbose=0)


def test_a_single_image_is_not_a_batch():
    images = random_images().unbatch()
    with pytest.raises(ValueError, match="Expected batches"):
        compiled().fit(images, verbose=0)


def test_range_check_accepts_its_ends():
    check_finite_range(tf.constant([-1.0, 1.0]), -1, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"-1\.1"):
        check_finite_range(tf.constant([-1.1]), -1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": -1}, "num_samples=-1"),
        ({}, "num_samples=None"),
        ({"noise": np.zeros((2, 4))}, r"\(2, 4\)"),
        ({"noise": np.zeros((5,))}, r"\(5,\)"),
        ({"noise": np.zeros((2, 5)), "seed": 1}, "seed=1"),
        ({"noise": np.zeros((2, 5)), "num_samples": 3}, "num_samples=3"),
    ],
)
def test_bad_requests_for_samples_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        small_gan().generate(**arguments)


def test_a_generator_fed_images_is_refused():
    with pytest.raises(ValueError, match="noise"):
        small_gan()(np.zeros((2, *SHAPE), "float32"))
