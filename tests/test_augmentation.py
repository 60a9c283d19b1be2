import keras
import numpy as np
import pytest
import tensorflow as tf
from checks import random_images

import keras_genai
from keras_genai import DCGAN, GAN, WGANGP, DifferentiableAugmentation
from keras_genai.models.gans import gan
from keras_genai.models.gans.augmentation import TRANSFORMS

SHAPE = (16, 24, 3)


def pixels(count=64, seed=0):
    return tf.random.stateless_uniform((count, *SHAPE), (seed, 0), -1.0, 1.0)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_probability_is_the_share_of_images_changed(name):
    images = pixels(400)
    for probability in (0.0, 0.3, 1.0):
        augment = DifferentiableAugmentation((name,), probability, seed=0)
        changed = np.abs(augment(images) - images).max(axis=(1, 2, 3)) > 0
        # A translation by nothing, 1 in 5 * 7, changes nothing.
        slack = 0.1 if probability > 0 or name == "translation" else 0.0
        assert abs(changed.mean() - probability) <= slack


def test_translation_moves_the_whole_image_by_one_shift():
    images = pixels()
    moved = DifferentiableAugmentation(("translation",), seed=0)(images)
    shifts = set()
    for image, result in zip(images.numpy(), moved.numpy(), strict=True):
        found = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-3, 4)
            if np.allclose(
                result,
                image[
                    np.clip(np.arange(16) + down, 0, 15)[:, None],
                    np.clip(np.arange(24) + right, 0, 23),
                ],
                atol=1e-6,
            )
        ]
        assert len(found) == 1
        shifts.add(found[0])
    downs, rights = zip(*shifts, strict=True)
    assert (min(downs), max(downs)) == (-2, 2)  # an eighth of the sides
    assert (min(rights), max(rights)) == (-3, 3)


def test_cutout_clears_a_rectangle_and_leaves_the_rest():
    images = pixels(200)
    results = DifferentiableAugmentation(("cutout",), seed=0)(images).numpy()
    for image, result in zip(images.numpy(), results, strict=True):
        hole = (result == 0).all(axis=-1)
        np.testing.assert_array_equal(result[~hole], image[~hole])
        rows, columns = np.nonzero(hole)
        height = rows.max() - rows.min() + 1
        width = columns.max() - columns.min() + 1
        assert hole.sum() == height * width
        assert height <= 2 * (16 // 4) + 1
        assert width <= 2 * (24 // 4) + 1
    reached = (results == 0).all(axis=-1).any(axis=0)
    assert reached.all()  # no pixel is safe


@pytest.mark.parametrize(
    ("sides", "halves"), [((8, 12), (4, 6)), ((7, 9), (4, 5)), ((1, 2), (1, 1))]
)
def test_cutout_covers_every_pixel_equally_often(sides, halves):
    # All draws there are, one an image: the start of rows and of columns.
    places = [side + half - 1 for side, half in zip(sides, halves, strict=True)]
    draws = iter(np.indices(places).reshape(2, -1))
    bounds = []

    def every(images, low, high):
        bounds.append(high - low)
        return tf.constant(low + next(draws) + 0.5, "float32", (count, 1, 1, 1))

    count = np.prod(places)
    augment = DifferentiableAugmentation(("cutout",))
    augment._uniform = every
    results = augment._cutout(tf.ones((count, *sides, 1)))
    covered = results.numpy()[..., 0] == 0
    assert bounds == places
    # Each pixel lies in `half` of the places of either axis, and in no other.
    np.testing.assert_array_equal(covered.sum(axis=0), np.prod(halves))
    # The hole is of the sides that are stated, or cut off by the border.
    rows, columns = covered.any(axis=2).sum(1), covered.any(axis=1).sum(1)
    assert (rows.max(), columns.max()) == halves
    whole = np.count_nonzero((rows == halves[0]) & (columns == halves[1]))
    assert whole == np.prod(np.array(sides) - halves + 1)
    assert min(rows.min(), columns.min()) == 1


def test_cutout_draws_all_of_its_places():
    count, side, half = 40_000, 5, 3
    augment = DifferentiableAugmentation(("cutout",), seed=0)
    covered = augment(tf.ones((count, side, side, 1))).numpy()[..., 0] == 0
    chance = (half / (side + half - 1)) ** 2
    # Five standard deviations of a count, for each of 25 pixels.
    bound = 5 * np.sqrt(chance * (1 - chance) / count)
    np.testing.assert_allclose(covered.mean(axis=0), chance, atol=bound)


def test_color_is_affine_in_each_image():
    images = pixels(20)[..., :1]
    results = DifferentiableAugmentation(("color",), seed=0)(images).numpy()
    for image, result in zip(images.numpy(), results, strict=True):
        slope, offset = np.polyfit(image.ravel(), result.ravel(), 1)
        np.testing.assert_allclose(
            slope * image + offset, result, rtol=0, atol=1e-5
        )
        assert 0.5 <= slope <= 1.5


def test_gradients_reach_the_images():
    # What makes it differentiable augmentation: the generator learns by it.
    augment = DifferentiableAugmentation(("translation",), seed=0)
    images = pixels(8)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(augment(images))
    gradient = tape.gradient(total, images).numpy()
    # Each pixel of the result is one of the image's, whichever it is.
    np.testing.assert_allclose(
        gradient.sum(axis=(1, 2, 3)), np.prod(SHAPE), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("logits", "direction"),
    [([3.0, 2.0, 1.0, 1.0], 1), ([1.0, 1.0, 1.0, -1.0], -1)],
)
def test_probability_follows_the_overfitting(logits, direction):
    # All real: E[sign] = 1 > 0.6; three of four: 0.5 < 0.6.
    augment = DifferentiableAugmentation(
        probability=0.5, target=0.6, ramp_images=40
    )
    augment.adapt(tf.constant(logits)[:, None])
    assert float(augment.probability) == pytest.approx(0.5 + direction * 0.1)
    for _ in range(10):
        augment.adapt(tf.constant(logits)[:, None])
    assert float(augment.probability) == (1.0 if direction > 0 else 0.0)


def test_the_share_called_real_is_counted_from_the_threshold():
    # Signs of [0.2, -0.3, -0.2, 0.4] are of no majority, those of the logits
    # of one.
    logits = tf.constant([[0.7], [0.2], [0.3], [0.9]])
    for threshold, probability in ((0.0, 0.6), (0.5, 0.4)):
        augment = DifferentiableAugmentation(
            probability=0.5, target=0.1, ramp_images=40
        )
        augment.adapt(logits, threshold)
        assert float(augment.probability) == pytest.approx(probability)


def first_pixel_gan(augmentation):
    """A GAN whose discriminator answers with an image's first pixel."""
    return GAN(
        (4, 4, 1),
        2,
        keras.Sequential(
            [
                keras.layers.Input((2,)),
                keras.layers.Dense(16, kernel_initializer="zeros"),
                keras.layers.Reshape((4, 4, 1)),
            ]
        ),
        keras.Sequential(
            [
                keras.layers.Input((4, 4, 1)),
                keras.layers.Cropping2D(((0, 3), (0, 3))),
                keras.layers.Flatten(),
                keras.layers.Dense(
                    1, use_bias=False, kernel_initializer="ones"
                ),
            ]
        ),
        discriminator_augmentation=augmentation,
        seed=0,
    )


@pytest.mark.parametrize(
    ("loss", "smoothing", "pixel", "direction"),
    [
        ("least_squares", 0.0, 0.6, 1),
        ("least_squares", 0.0, 0.4, -1),
        ("least_squares", 0.4, 0.4, 1),  # halfway between 0.6 and 0
        ("hinge", 0.0, 0.1, 1),
        ("non_saturating", 0.5, -0.9, 1),  # above the logit of a quarter
    ],
)
def test_each_game_adapts_from_its_own_threshold(
    loss, smoothing, pixel, direction
):
    augment = DifferentiableAugmentation(
        ("translation",), probability=0.5, target=0.6, ramp_images=40
    )
    model = first_pixel_gan(augment)
    model.compile(loss=loss, label_smoothing=smoothing, run_eagerly=True)
    # A translation leaves images of one grey as they are.
    model.train_on_batch(np.full((4, 4, 4, 1), pixel, "float32"))
    assert float(augment.probability) == pytest.approx(0.5 + direction * 0.1)


def test_a_game_without_verdicts_is_not_adapted_to():
    augment = DifferentiableAugmentation(target=0.3)
    model = first_pixel_gan(augment)
    with pytest.raises(ValueError, match=r"'wasserstein'.*target=0\.3"):
        model.compile(loss="wasserstein")
    augment.target = None
    model.compile(loss="wasserstein")

    model = WGANGP((8, 8, 1), width=1, discriminator_augmentation="adaptive")
    with pytest.raises(ValueError, match=r"'wasserstein'.*target=0\.6"):
        model.compile()
    model.compile(loss="hinge")


def test_an_adapted_wasserstein_gan_of_before_loads(
    tmp_path, monkeypatch, capsys
):
    augment = DifferentiableAugmentation(probability=0.0, target=0.6, seed=0)
    model = first_pixel_gan(augment)
    with monkeypatch.context() as before:
        before.setattr(gan, "check_not_adaptive", lambda *given: None)
        model.compile(loss="wasserstein")
    augment.probability.assign(0.25)
    model.save(tmp_path / "model.keras")
    loaded = keras_genai.load_model(tmp_path / "model.keras")
    assert "keeps its present strength" in capsys.readouterr().out
    loaded.run_eagerly = True
    loaded.train_on_batch(np.full((4, 4, 4, 1), 0.5, "float32"))
    assert float(loaded.discriminator_augmentation.probability) == 0.25


def test_fixed_probability_stays():
    augment = DifferentiableAugmentation(probability=0.5)
    augment.adapt(tf.ones((4, 1)))
    assert float(augment.probability) == 0.5


def test_real_and_generated_images_are_augmented_before_every_verdict():
    seen = []

    class Noted(DifferentiableAugmentation):
        def call(self, images):
            seen.append(images)
            return images * 0.0 + 0.25

    model = DCGAN((8, 8, 1), latent_dim=3, width=2, seed=0)
    model.discriminator_augmentation = Noted()
    judged = []
    discriminate = model.discriminate
    model.discriminate = lambda images, labels, training: (
        judged.append(images) or discriminate(images, labels, training=training)
    )
    model.compile(run_eagerly=True)
    model.train_on_batch(next(iter(random_images(4, (8, 8, 1)))))
    assert len(seen) == len(judged) == 3
    assert all((images.numpy() == 0.25).all() for images in judged)


def test_adapted_probability_is_reported_and_saved(tmp_path):
    augment = DifferentiableAugmentation(
        probability=0.0, target=0.01, ramp_images=100, seed=0
    )
    model = DCGAN(
        (8, 8, 1),
        latent_dim=3,
        width=2,
        discriminator_augmentation=augment,
        seed=0,
    )
    model.compile(d_optimizer=keras.optimizers.Adam(0.01))
    images = 0.1 * next(iter(random_images(32, (8, 8, 1), batch_size=32)))
    history = model.fit(images, epochs=8, verbose=0).history
    assert 0 < history["augmentation_probability"][-1] <= 1
    model.save(tmp_path / "model.keras")
    loaded = keras_genai.load_model(tmp_path / "model.keras")
    again = loaded.discriminator_augmentation
    assert float(again.probability) == float(augment.probability) > 0
    assert again.get_config() == augment.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"transforms": ("blur",)}, "blur"),
        ({"transforms": ()}, r"transforms=\(\)"),
        ({"probability": 1.5}, "probability=1.5"),
        ({"target": 1.0}, "target=1.0"),
        ({"ramp_images": 0}, "ramp_images=0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DifferentiableAugmentation(**arguments)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="'strong'"):
        DCGAN((8, 8, 1), discriminator_augmentation="strong")
