import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_genai import Autoencoder, DenoisingAutoencoder
from keras_genai.models.autoencoders.corruptions import CORRUPTIONS

pytestmark = pytest.mark.slow

SHAPE = (8, 12, 1)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((10, *SHAPE)).astype("float32")


def batches(images=IMAGES, size=4):
    return tf.data.Dataset.from_tensor_slices(images).batch(size)


def compiled(family=Autoencoder, **arguments):
    model = family(SHAPE, latent_dim=5, networks="dense", seed=0, **arguments)
    model.compile(keras.optimizers.Adam(0.01))
    return model


def test_loss_is_the_cross_entropy_summed_over_pixels():
    model = compiled()
    losses, images, codes = model.losses_per_example(IMAGES, IMAGES)
    outputs = np.array(images, "float64")
    expected = -(IMAGES * np.log(outputs) + (1 - IMAGES) * np.log1p(-outputs))
    np.testing.assert_allclose(losses, expected.sum(axis=(1, 2, 3)), rtol=1e-4)
    assert codes.shape == (10, 5)
    result = model.evaluate(batches(), verbose=0)
    assert result["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_it_learns_its_images_by_heart_through_a_narrow_code():
    model = compiled()
    before = model.evaluate(batches(), verbose=0)["psnr"]
    model.fit(batches().repeat(300), verbose=0)
    assert model.evaluate(batches(), verbose=0)["psnr"] > before + 10
    reconstructed = model.reconstruct(IMAGES)
    errors = ((reconstructed - IMAGES) ** 2).mean(axis=(1, 2, 3))
    assert model.evaluate(batches(), verbose=0)["psnr"] == pytest.approx(
        (-10 * np.log10(errors)).mean(), rel=1e-4
    )
    codes = model.encode(IMAGES)
    np.testing.assert_array_equal(model.decode(codes), reconstructed)


def test_generated_codes_have_the_mean_and_covariance_of_training():
    model = compiled()
    model.compile(keras.optimizers.SGD(0.0))  # the codes stay where they are
    images = RANDOM.random((300, *SHAPE)).astype("float32")
    model.fit(batches(images, 300).repeat(900), verbose=0)
    codes = model.encode(images)
    np.testing.assert_allclose(model.code_mean, codes.mean(axis=0), rtol=0.05)
    noise = RANDOM.normal(size=(20_000, 5)).astype("float32")
    drawn = np.array(model.codes_of_noise(noise))
    np.testing.assert_allclose(
        np.cov(drawn.T), np.cov(codes.T), atol=0.05 * np.cov(codes.T).max()
    )


def test_corruption_is_drawn_afresh_every_step():
    model = compiled(DenoisingAutoencoder)
    first, second = model.corrupt(IMAGES), model.corrupt(IMAGES)
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(
        model.corrupt(IMAGES, seed=3), model.corrupt(IMAGES, seed=3)
    )
    step = tf.function(lambda images: model.corrupt(images))
    assert np.abs(step(IMAGES) - step(IMAGES)).max() > 0.1  # compiled too


def test_target_is_the_clean_image_and_input_the_corrupted_one():
    seen = []

    class Watched(DenoisingAutoencoder):
        def losses_per_example(self, inputs, images, training=False):
            seen.append((np.array(inputs), np.array(images), training))
            return super().losses_per_example(inputs, images, training)

    model = Watched(SHAPE, 5, "dense", seed=0)
    model.compile(run_eagerly=True)
    model.fit(batches(size=10), verbose=0)
    model.evaluate(batches(size=10), verbose=0)
    assert [training for _, _, training in seen] == [True, False]
    for inputs, images, _ in seen:
        np.testing.assert_array_equal(images, IMAGES)
        assert np.abs(inputs - images).max() > 0.1
    assert np.abs(seen[0][0] - seen[1][0]).max() > 0.1


def test_gaussian_noise_has_its_stddev_and_stays_in_range():
    grey = np.full((50, 20, 20, 1), 0.5, "float32")
    model = DenoisingAutoencoder((20, 20, 1), 2, corruption_level=0.1, seed=0)
    noise = np.array(model.corrupt(grey)) - 0.5
    assert noise.std() == pytest.approx(0.1, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    corrupted = np.array(model.corrupt(np.round(grey)))
    assert corrupted.min() >= 0 and corrupted.max() <= 1


def test_mask_covers_one_block_anywhere():
    white = np.ones((200, *SHAPE), "float32")
    model = compiled(
        DenoisingAutoencoder, corruption="mask", corruption_level=0.5
    )
    hidden = np.array(model.corrupt(white, seed=1))[..., 0] == 0
    assert (hidden.sum(axis=(1, 2)) == 4 * 6).all()
    rows, columns = hidden.any(axis=2), hidden.any(axis=1)
    assert (rows.sum(axis=1) == 4).all() and (columns.sum(axis=1) == 6).all()
    corners = set(zip(rows.argmax(axis=1), columns.argmax(axis=1), strict=True))
    assert len(corners) > 25  # of 5 * 7: height and width independently


@pytest.mark.parametrize("corruption", ["salt_and_pepper", "dropout"])
def test_shares_of_pixels(corruption):
    grey = np.full((100, *SHAPE), 0.5, "float32")
    model = compiled(
        DenoisingAutoencoder, corruption=corruption, corruption_level=0.4
    )
    corrupted = np.array(model.corrupt(grey))
    black, white = (corrupted == 0).mean(), (corrupted == 1).mean()
    assert black + white == pytest.approx(0.4, abs=0.03)
    expected_white = 0.2 if corruption == "salt_and_pepper" else 0.0
    assert white == pytest.approx(expected_white, abs=0.03)


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_denoising_beats_the_corrupted_images(corruption):
    # Ten images, known by heart: what was lost can be told from the rest.
    model = compiled(DenoisingAutoencoder, corruption=corruption)
    model.fit(batches(size=10).repeat(250), verbose=0)
    result = model.evaluate(batches(), verbose=0)
    assert result["psnr"] > result["corrupted_psnr"] + 3
    corrupted = model.corrupt(IMAGES, seed=0)
    errors = [
        float(ops.mean((images - IMAGES) ** 2))
        for images in (model.denoise(corrupted), corrupted)
    ]
    assert errors[0] < errors[1] / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"corruption": "rain"}, "corruption='rain'"),
        ({"corruption_level": 0.0}, "corruption_level=0.0"),
        (
            {"corruption": "mask", "corruption_level": 1.1},
            "corruption_level=1.1",
        ),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"networks": "wide"}, "networks='wide'"),
        ({"image_shape": (9, 12, 1)}, "multiples of 4"),
    ],
)
def test_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DenoisingAutoencoder(**{"image_shape": SHAPE, **arguments})


def test_wrong_images_codes_and_networks_are_refused():
    model = compiled()
    with pytest.raises(ValueError, match="Received: images from -"):
        model.fit(batches(2 * IMAGES - 1), verbose=0)
    with pytest.raises(ValueError, match="Expected codes"):
        model.decode(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="num_samples=None"):
        model.generate()
    with pytest.raises(ValueError, match="must make"):
        Autoencoder(SHAPE, 3, encoder=model.encoder, decoder=model.decoder)
