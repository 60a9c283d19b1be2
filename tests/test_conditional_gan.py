import numpy as np
import pytest
import tensorflow as tf
from checks import random_images
from keras import layers, models

from keras_genai import AuxiliaryClassifierGAN, ConditionalGAN
from keras_genai.models.gans.conditional_gan import conditional_discriminator

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 1)
SMALL = {"image_shape": SHAPE, "num_classes": 3, "latent_dim": 4, "width": 2}


def labelled(**kwargs):
    return random_images(12, SHAPE, num_classes=3, **kwargs)


@pytest.mark.parametrize(
    "arguments",
    [
        {"conditioning": "projection"},
        {"conditioning": "planes"},
        {"conditioning": "embedding"},
        {"conditioning": "projection", "normalization": "spectral"},
        {"conditioning": "planes", "normalization": "layer"},
    ],
)
def test_both_networks_hear_the_label(arguments):
    model = ConditionalGAN(**SMALL, **arguments, seed=0)
    model.compile()
    model.fit(labelled(), epochs=2, verbose=0)
    noise = np.repeat(np.ones((1, 4), "float32"), 3, axis=0)
    images = model.generate(noise=noise, labels=[0, 1, 2])
    assert np.abs(images[0] - images[1]).max() > 0
    logits = model.discriminate(
        tf.zeros((3, *SHAPE)), tf.constant([0, 1, 2])
    ).numpy()
    assert len(np.unique(logits)) == 3


def test_projection_is_the_papers_formula():
    # Its logit is psi(features) + <vector of the label, features>.
    network = conditional_discriminator(SHAPE, 3, width=2, seed=0)
    images = tf.random.stateless_normal((3, *SHAPE), (0, 0))
    labels = tf.constant([2, 0, 1])
    body = next(x for x in network.layers if isinstance(x, models.Sequential))
    (embedding,) = (
        x for x in network.layers if isinstance(x, layers.Embedding)
    )
    dense = next(x for x in network.layers if isinstance(x, layers.Dense))
    features = body(images, training=False).numpy()
    vectors = embedding.get_weights()[0][labels.numpy()]
    expected = dense(features).numpy()[:, 0] + (vectors * features).sum(axis=1)
    np.testing.assert_allclose(
        network([images, labels], training=False)[:, 0], expected, rtol=1e-5
    )


def test_generated_images_take_the_labels_of_the_real_ones():
    model = ConditionalGAN(**SMALL, seed=0)
    seen = []
    discriminate, make = model.discriminate, model._make_images
    model.discriminate = lambda images, labels, training: (
        seen.append(labels.numpy())
        or discriminate(images, labels, training=training)
    )
    model._make_images = lambda noise, labels, training=True: (
        seen.append(labels.numpy()) or make(noise, labels, training)
    )
    model.compile(run_eagerly=True)
    images = np.zeros((4, *SHAPE), "float32")
    model.train_on_batch(images, np.array([2, 2, 0, 1]))
    assert len(seen) == 4
    for labels in seen:
        np.testing.assert_array_equal(labels, [2, 2, 0, 1])


def test_learns_which_label_is_which():
    # Class 0 is dark, class 1 is bright.
    labels = np.arange(256) % 2
    images = np.broadcast_to(
        (labels - 0.5)[:, None, None, None], (256, *SHAPE)
    ).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(32)
    model = ConditionalGAN(
        SHAPE, num_classes=2, latent_dim=4, width=4, ema_decay=0.9, seed=0
    )
    model.compile()
    model.fit(data, epochs=20, verbose=0)
    dark, bright = (
        model.generate(8, seed=0, labels=label).mean(axis=(1, 2, 3))
        for label in (0, 1)
    )
    assert dark.max() < 0.5 < bright.min()


def test_labels_are_given_one_each_one_for_all_or_drawn():
    model = ConditionalGAN(**SMALL, seed=0)
    one_for_all = model.generate(3, seed=1, labels=2)
    each = model.generate(seed=1, labels=[2, 2, 2])
    np.testing.assert_array_equal(one_for_all, each)
    assert model.generate(5, seed=1).shape == (5, *SHAPE)
    assert model.generate(labels=[], seed=0).shape == (0, *SHAPE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": [0, 3]}, r"\[0, 3\)"),
        ({"labels": [-1]}, r"\[0, 3\)"),
        ({"num_samples": 3, "labels": [0, 1]}, "3 integer labels"),
        ({"labels": [0.5]}, "float64"),
        ({}, "num_samples=None"),
        ({"noise": np.zeros((2, 4)), "labels": [0]}, "2 integer labels"),
    ],
)
def test_requests_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConditionalGAN(**SMALL, seed=0).generate(**arguments)


@pytest.mark.parametrize("family", [ConditionalGAN, AuxiliaryClassifierGAN])
def test_data_without_labels_or_with_others_are_refused(family):
    model = family(**SMALL, seed=0)
    model.compile()
    with pytest.raises(ValueError, match="labels=True"):
        model.fit(random_images(4, SHAPE), verbose=0)
    with pytest.raises(ValueError, match=r"labels in \[0, 3\)"):
        model.fit(random_images(12, SHAPE, num_classes=4), verbose=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"conditioning": "label"}, "conditioning='label'"),
        ({"num_classes": 0}, "num_classes=0"),
        ({"image_shape": (6, 8, 1)}, "multiples of 4"),
        ({"normalization": "instance"}, "normalization='instance'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConditionalGAN(**{**SMALL, **arguments})


# --- Two tasks ---------------------------------------------------------------


def test_losses_are_the_game_and_the_classes():
    model = AuxiliaryClassifierGAN(**SMALL, class_weight=0.5, seed=0)
    model.compile()
    images, labels = next(iter(labelled(batch_size=6)))
    generated = tf.zeros((6, *SHAPE))
    losses, real_logits, fake_logits = model.discriminator_losses(
        images, generated, labels, training=False
    )
    verdicts, class_logits = model.discriminator(images, training=False)
    np.testing.assert_array_equal(real_logits, verdicts)
    probabilities = tf.nn.softmax(class_logits).numpy()
    expected = (
        np.log1p(np.exp(-real_logits[:, 0]))
        + np.log1p(np.exp(fake_logits[:, 0]))
        - 0.5 * np.log(probabilities[np.arange(6), labels])
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    _, class_logits = model.discriminator(generated, training=False)
    probabilities = tf.nn.softmax(class_logits).numpy()
    expected = np.log1p(np.exp(-fake_logits[:, 0])) - 0.5 * np.log(
        probabilities[np.arange(6), labels]
    )
    np.testing.assert_allclose(
        model.generator_losses(generated, labels, training=False),
        expected,
        rtol=1e-5,
    )


def test_learns_both_tasks():
    labels = np.arange(256) % 2
    images = np.broadcast_to(
        (labels - 0.5)[:, None, None, None], (256, *SHAPE)
    ).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(32)
    model = AuxiliaryClassifierGAN(
        SHAPE, num_classes=2, latent_dim=4, width=4, ema_decay=0.9, seed=0
    )
    model.compile()
    model.fit(data, epochs=20, verbose=0)
    results = model.evaluate(data, verbose=0)
    assert results["d_class_accuracy"] == 1.0
    assert results["g_class_accuracy"] > 0.95
    classes = model.classify((images[:4] + 1) / 2).argmax(axis=1)
    np.testing.assert_array_equal(classes, labels[:4])
    with pytest.raises(ValueError, match="shape"):
        model.classify(images[:4, :4])


def test_a_discriminator_without_classes_is_refused():
    inputs = layers.Input(SHAPE)
    flat = layers.Flatten()(inputs)
    two_verdicts = models.Model(
        inputs, [layers.Dense(1)(flat), layers.Dense(1)(flat)]
    )
    with pytest.raises(ValueError, match=r"\(2, 3\) from two images"):
        AuxiliaryClassifierGAN(**SMALL, discriminator=two_verdicts)
    with pytest.raises(ValueError, match="class_weight=-1"):
        AuxiliaryClassifierGAN(**SMALL, class_weight=-1)
