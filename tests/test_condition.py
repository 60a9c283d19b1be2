"""What a model is told besides its input: nothing, or labels."""

import keras
import numpy as np
import pytest

from keras_genai import DCGAN, VAE, ConditionalGAN, ConditionalVAE, PixelCNN
from keras_genai.models.core.condition import ClassCondition, Condition

SHAPE = (8, 8, 1)
IMAGES = np.zeros((2, *SHAPE), "float32")
LABELS = np.array([2, 0], "int32")


def test_nothing_is_told():
    nothing = Condition()
    assert nothing.unpack((IMAGES, LABELS))[1] is None
    assert nothing.beside(IMAGES, None) is IMAGES
    assert nothing.example(3) is None and nothing.about() == {}
    assert list(nothing.generate_signatures(None)) == ["generate"]


def test_labels_are_given_drawn_and_checked():
    classes = ClassCondition(3)
    assert classes.count(None, [2, 0, 1]) == 3
    assert classes.count(None, 2) is None
    assert classes.given(2, 2, None).tolist() == [2, 2]
    assert classes.given([2, 0], 2, None).tolist() == [2, 0]
    drawn = classes.given(None, 3000, lambda: 5)
    np.testing.assert_array_equal(drawn, classes.given(None, 3000, lambda: 5))
    # Evenly: 1000 of each, give or take five standard deviations.
    assert np.abs(np.bincount(drawn) - 1000).max() < 130
    with pytest.raises(ValueError, match=r"labels in \[0, 3\)"):
        classes.given([3, 0], 2, None)


def test_dropped_labels_are_a_class_of_their_own():
    classes = ClassCondition(3)
    labels = keras.ops.full((4000,), 1, "int32")
    seed = keras.random.SeedGenerator(0)
    dropped = np.array(classes.drop(labels, 0.1, seed))
    assert set(dropped) == {1, 3}
    assert abs((dropped == 3).mean() - 0.1) < 0.024  # five deviations
    assert (np.array(classes.drop(labels, 0.0, seed)) == 1).all()
    assert (np.array(classes.drop(labels, 1.0, seed)) == 3).all()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: DCGAN(SHAPE, 2, width=2).discriminate(IMAGES, LABELS),
        lambda: DCGAN(SHAPE, 2, width=2).generate(2, labels=LABELS),
        lambda: VAE(SHAPE, 2, "dense").posterior(IMAGES, LABELS),
        lambda: VAE(SHAPE, 2, "dense").pixels(np.zeros((2, 2)), LABELS),
        lambda: VAE(SHAPE, 2, "dense").generate(2, labels=LABELS),
        lambda: PixelCNN(SHAPE, width=2, dilations=(1,)).pixels(IMAGES, LABELS),
    ],
)
def test_labels_of_no_use_are_refused(ask):
    with pytest.raises(ValueError, match="is not conditional"):
        ask()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: ConditionalGAN(SHAPE, 3, 2, 2).discriminate(IMAGES),
        lambda: ConditionalVAE(SHAPE, 3, 2, "dense").posterior(IMAGES),
        lambda: ConditionalVAE(SHAPE, 3, 2, "dense").reconstruct(IMAGES),
    ],
)
def test_labels_that_are_missing_are_asked_for(ask):
    with pytest.raises(ValueError, match="needs labels"):
        ask()


@pytest.mark.parametrize(
    "make",
    [
        lambda: VAE(SHAPE, 2, "dense"),
        lambda: ConditionalVAE(SHAPE, 3, 2, "dense"),
    ],
)
def test_a_number_of_samples_beside_other_codes_is_refused(make):
    with pytest.raises(ValueError, match=r"5 codes, num_samples=3"):
        make().generate(3, z=np.zeros((5, 2), "float32"))
