import numpy as np
import pytest
from keras import ops

from keras_genai.metrics import PSNR, SSIM, ActiveUnits

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((3, 12, 16, 1)).astype("float32")


def test_psnr_is_of_each_image_and_then_averaged():
    noisy = IMAGES + RANDOM.normal(
        scale=[[[[0.1]]], [[[0.2]]], [[[0.4]]]], size=IMAGES.shape
    ).astype("float32")
    errors = ((IMAGES - noisy) ** 2).mean(axis=(1, 2, 3))
    metric = PSNR()
    metric.update_state(IMAGES[:2], noisy[:2])
    metric.update_state(IMAGES[2:], noisy[2:])  # a short last batch
    np.testing.assert_allclose(
        metric.result(), (-10 * np.log10(errors)).mean(), rtol=1e-5
    )


def test_psnr_of_a_perfect_image_is_not_infinite():
    metric = PSNR()
    metric.update_state(IMAGES, IMAGES)
    assert float(metric.result()) == 100.0


def test_ssim_is_one_for_the_same_and_falls_with_noise():
    results = []
    for noise in (0.0, 0.05, 0.3):
        metric = SSIM()
        noisy = IMAGES + noise * RANDOM.normal(size=IMAGES.shape)
        metric.update_state(IMAGES, noisy.astype("float32"))
        results.append(float(metric.result()))
    assert results[0] == pytest.approx(1.0)
    assert results[0] > results[1] > results[2]


def test_ssim_takes_images_smaller_than_its_window():
    metric = SSIM()
    metric.update_state(IMAGES[:, :8, :9], IMAGES[:, :8, :9])
    assert float(metric.result()) == pytest.approx(1.0)


def test_active_units_counts_variances_over_all_batches():
    # Standard deviations around the threshold of 0.1, and a mean far off.
    z_mean = RANDOM.normal(size=(500, 4)) * [1.0, 0.0, 0.09, 0.2] + [0, 9, 0, 0]
    metric = ActiveUnits(latent_dim=4)
    for batch in np.split(z_mean.astype("float32"), [200, 400]):
        metric.update_state(ops.array(batch))
    assert float(metric.result()) == np.sum(z_mean.var(axis=0) > 0.01) == 2
    metric.reset_state()
    assert float(metric.result()) == 0
