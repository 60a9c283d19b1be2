import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_genai import layers
from keras_genai.layers import Dropout, LabelPlanes


def test_each_plane_is_constant_and_its_own_class_alone_is_one():
    images = np.random.default_rng(0).normal(size=(4, 3, 5, 2))
    labels = np.array([2, 0, 1, 2])
    outputs = np.array(LabelPlanes(3)(images, labels))
    assert outputs.shape == (4, 3, 5, 2 + 3)
    np.testing.assert_allclose(outputs[..., :2], images, rtol=1e-6)
    for example, label in zip(outputs[..., 2:], labels, strict=True):
        for plane in range(3):
            assert (example[..., plane] == float(plane == label)).all()


def test_keeps_keras_layer_contract():
    layer = LabelPlanes(4)
    again = LabelPlanes.from_config(layer.get_config())
    assert again.num_classes == 4
    images, labels = keras.Input((6, 2, 1)), keras.Input((), dtype="int32")
    model = keras.Model((images, labels), layer(images, labels))
    assert model.output_shape == (None, 6, 2, 5)


def test_no_classes_are_refused():
    with pytest.raises(ValueError, match="num_classes=0"):
        LabelPlanes(0)


@pytest.mark.parametrize("name", ["convolutional", "dense"])
def test_networks_take_images_to_codes_and_back(name):
    make_encoder, make_decoder = layers.get_networks(name)
    images = np.random.default_rng(0).random((2, 8, 12, 3)).astype("float32")
    codes = make_encoder((8, 12, 3), 5, seed=0)(images)
    assert codes.shape == (2, 5)
    assert make_decoder(5, (8, 12, 6), seed=0)(codes).shape == (2, 8, 12, 6)
    # Unbounded outputs: no activation after the last layer.
    assert np.abs(make_encoder((8, 12, 3), 5, seed=0)(100 * images)).max() > 1


@pytest.mark.parametrize("name", ["convolutional", "dense"])
def test_networks_are_a_function_of_the_seed(name):
    make_encoder, make_decoder = layers.get_networks(name)
    for make in (
        lambda seed: make_encoder((8, 8, 1), 3, seed=seed),
        lambda seed: make_decoder(3, (8, 8, 1), seed=seed),
    ):
        one, same, other = make(0), make(0), make(1)
        for first, again in zip(one.weights, same.weights, strict=True):
            np.testing.assert_array_equal(first, again)
        assert any(
            np.abs(first.numpy() - another.numpy()).max() > 0
            for first, another in zip(one.weights, other.weights, strict=True)
        )


def test_dense_networks_are_the_papers():
    make_encoder, make_decoder = layers.get_networks("dense")
    encoder = make_encoder((28, 28, 1), 40)
    assert encoder.count_params() == 785 * 400 + 401 * 40
    decoder = make_decoder(20, (28, 28, 1))
    assert decoder.count_params() == 21 * 400 + 401 * 784


def test_sides_that_cannot_be_halved_twice_are_refused():
    make_encoder, make_decoder = layers.get_networks("convolutional")
    with pytest.raises(ValueError, match="multiples of 4"):
        make_encoder((10, 12, 1), 3)
    with pytest.raises(ValueError, match="multiples of 4"):
        make_decoder(3, (12, 10, 1))
    with pytest.raises(ValueError, match="networks='deep'"):
        layers.get_networks("deep")


@pytest.mark.parametrize("rate", [0.1, 0.75])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    layer = Dropout(rate, seed=0)
    inputs = np.random.default_rng(0).normal(size=(50, 31, 43)) + 3
    inputs = inputs.astype("float32")
    outputs = layer(inputs, training=True).numpy()
    is_dropped = outputs == 0
    np.testing.assert_allclose(
        outputs[~is_dropped], inputs[~is_dropped] / (1 - rate), rtol=1e-4
    )
    dropped = stats.binomtest(is_dropped.sum(), inputs.size, rate)
    assert dropped.pvalue > 1e-3
    # Neighbours, whose bits are of one number, are independent.
    flat = is_dropped.reshape(-1)
    for distance in (1, 2, 3):
        together = np.corrcoef(flat[distance:], flat[:-distance])[0, 1]
        assert abs(together) < 4 / len(flat) ** 0.5


def test_a_seed_is_a_sequence_of_masks_also_with_xla():
    one, other = (Dropout(0.5, seed=3) for _ in range(2))
    inputs = np.ones((3, 5, 7), "float32")  # not a multiple of four units
    first, second = (one(inputs, training=True).numpy() for _ in range(2))
    np.testing.assert_array_equal(other(inputs, training=True), first)
    assert (first != second).any()
    compiled = tf.function(
        lambda: Dropout.call(other, inputs, training=True), jit_compile=True
    )
    np.testing.assert_array_equal(compiled(), second)
