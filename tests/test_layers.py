import keras
import numpy as np
import pytest

from keras_genai.layers import LabelPlanes


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
