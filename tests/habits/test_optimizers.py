"""What sets learning rates sets those that networks learn with."""

import keras
import numpy as np
import pytest

from keras_genai import GAN, WGANGP

SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE)).astype("float32")


def gan(**arguments):
    model = GAN(SHAPE, latent_dim=2, seed=0)
    model.compile(**arguments)
    return model


def rates(model):
    return [
        float(optimizer.learning_rate)
        for optimizer in (model.d_optimizer, model.g_optimizer)
    ]


def networks(model):
    return [
        weight.numpy()
        for network in (model.generator, model.discriminator)
        for weight in network.trainable_weights
    ]


def test_a_rate_of_nothing_moves_nothing():
    model = gan()
    before = networks(model)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0)
    history = model.fit(IMAGES, verbose=0, callbacks=[schedule]).history
    assert history["learning_rate"] == [0.0]
    for one, other in zip(before, networks(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_rate_that_is_logged_is_one_that_is_used():
    adam = keras.optimizers.Adam
    model = gan(d_optimizer=adam(4e-5), g_optimizer=adam(1e-5))
    keep = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    history = model.fit(IMAGES, verbose=0, callbacks=[keep]).history
    assert history["learning_rate"] == pytest.approx([1e-5])
    assert rates(model) == pytest.approx([4e-5, 1e-5])


def test_both_rates_are_scaled_alike_also_after_nothing():
    adam = keras.optimizers.Adam
    model = gan(d_optimizer=adam(4e-3), g_optimizer=adam(1e-3))
    for rate in (5e-4, 0.0, 2e-3):
        model.optimizer.learning_rate = rate
        assert rates(model) == pytest.approx([4 * rate, rate])


def test_a_plateau_reduces_both():
    model = gan()
    reduce = keras.callbacks.ReduceLROnPlateau(
        "g_loss", factor=0.5, patience=0, min_delta=1e9
    )
    model.fit(IMAGES, epochs=2, verbose=0, callbacks=[reduce])
    assert rates(model) == pytest.approx([GAN.learning_rate / 2] * 2)


def test_iterations_are_those_of_the_networks():
    model = gan()
    model.fit(IMAGES, batch_size=4, verbose=0)
    assert int(model.optimizer.iterations) == 2
    assert not hasattr(model.optimizer, "apply")  # there is no third one


@pytest.mark.parametrize("family", [GAN, WGANGP])
def test_one_optimizer_for_two_networks_is_refused(family):
    model = family(SHAPE, latent_dim=2)
    for arguments in (
        (("adam",), {}),
        ((keras.optimizers.Adam(),), {}),
        ((), {"optimizer": "adam"}),
    ):
        with pytest.raises(ValueError, match=r"d_optimizer=.*g_optimizer="):
            model.compile(*arguments[0], **arguments[1])
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="the same object"):
        model.compile(adam, adam)


def test_equal_names_are_two_optimizers():
    model = GAN(SHAPE, latent_dim=2)
    model.compile("adam", "adam")
    assert model.d_optimizer is not model.g_optimizer
    model.compile(keras.optimizers.SGD(0.3), keras.optimizers.SGD(0.2))
    assert rates(model) == pytest.approx([0.3, 0.2])


def test_a_schedule_for_both_is_refused_and_sets_neither():
    model = gan()
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    with pytest.raises(ValueError, match="one optimizer"):
        model.optimizer.learning_rate = decay
    model = gan(d_optimizer=keras.optimizers.Adam(decay))
    before = rates(model)
    with pytest.raises(TypeError, match=r"schedule|settable"):
        model.optimizer.learning_rate = 0.5
    assert rates(model) == before


def test_averages_of_weights_are_swapped_in_for_evaluation():
    sgd = keras.optimizers.SGD
    model = gan(
        d_optimizer=sgd(0.1, use_ema=True, ema_momentum=0.5),
        g_optimizer=sgd(0.1, use_ema=True, ema_momentum=0.5),
    )
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: seen.append(networks(model))
    )
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    model.fit(IMAGES, epochs=2, verbose=0, callbacks=[swap, look])
    # At the end the averages of both stay, as Keras has it with one.
    average = model.d_optimizer._model_variables_moving_average
    for weight, mean in zip(
        model.discriminator.trainable_weights, average, strict=True
    ):
        np.testing.assert_allclose(weight, mean, rtol=1e-5)


def test_swapping_averages_that_nobody_keeps_is_refused():
    with pytest.raises(ValueError, match="use_ema"):
        gan().fit(
            IMAGES,
            verbose=0,
            callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True)],
        )
