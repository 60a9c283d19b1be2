import numpy as np
import pytest
from keras import ops

from keras_genai.metrics import (
    PSNR,
    SSIM,
    ActiveUnits,
    BitsPerCharacter,
    NatsPerStep,
    Perplexity,
)

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


@pytest.mark.parametrize("offset", [300.0, -4096.0])
def test_active_units_far_from_zero_are_told_by_their_variance(offset):
    random = np.random.default_rng(1)
    z_mean = offset + random.normal(size=(600, 2)) * np.sqrt([0.005, 0.02])
    z_mean = z_mean.astype("float32")
    variances = z_mean.astype("float64").var(axis=0)
    assert variances[0] < 0.009 and variances[1] > 0.011
    metric = ActiveUnits(latent_dim=2)
    halves = [ActiveUnits(latent_dim=2) for _ in range(2)]
    for number, batch in enumerate(np.split(z_mean, 12)):
        metric.update_state(ops.array(batch))
        halves[number % 2].update_state(ops.array(batch))
    assert float(metric.result()) == 1
    # As replicas do: each has its part, and what they hold is added up.
    for one, other in zip(*(half.variables for half in halves), strict=True):
        one.assign_add(other)
    assert float(halves[0].result()) == 1


def test_the_last_of_many_tokens_still_count():
    """2^27 tokens of 1 nat, then 20 of 7: 32 bits would lose these."""
    many, last = 2.0**27, ops.full((1,), 7.0)
    mean = (many + 140) / (many + 20)
    target = ops.zeros((1,), "int32")
    perplexity = Perplexity()
    perplexity.update_state(ops.ones((1,)), ops.full((1,), many))
    bits, nats = BitsPerCharacter([1.0]), NatsPerStep([1.0])
    for metric in (bits, nats):
        metric.nats.assign(many)
        metric.units.assign(many)
    for _ in range(20):
        perplexity.update_state(last, ops.ones((1,)))
        bits.update_state(last, target)
        nats.update_state(last, target)
    assert float(perplexity.result()) == pytest.approx(np.exp(mean), rel=1e-9)
    assert float(bits.result()) == pytest.approx(mean / np.log(2), rel=1e-9)
    assert float(nats.result()) == pytest.approx(mean, rel=1e-9)


def test_perplexity_is_of_tokens_and_not_of_rows():
    losses = np.array([[1.0, 2.0, 9.0], [5.0, 9.0, 9.0]], "float32")
    there = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]], "float32")
    metric = Perplexity()
    metric.update_state(losses, there)
    metric.update_state(np.full((1, 9), 4.0), np.ones((1, 9)))  # longer rows
    expected = np.exp((1 + 2 + 5 + 9 * 4) / 12)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
