import numpy as np
import pytest
from scipy import stats

from keras_genai.sampling import interpolate, latent_grid, seeded_noise

RANDOM = np.random.default_rng(0)


def test_noise_is_standard_normal_and_a_function_of_the_seed():
    noise = seeded_noise(20_000, 2, seed=3).numpy()
    np.testing.assert_array_equal(noise, seeded_noise(20_000, 2, seed=3))
    assert np.abs(noise - seeded_noise(20_000, 2, seed=4)).max() > 1
    assert stats.kstest(noise[:, 0], "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.05


@pytest.mark.parametrize("method", ["spherical", "linear"])
def test_walks_start_and_end_where_they_should(method):
    start, end = RANDOM.normal(size=(2, 6))
    walk = interpolate(start, end, 5, method)
    assert walk.shape == (5, 6) and walk.dtype == np.float32
    np.testing.assert_allclose(walk[0], start, rtol=1e-5)
    np.testing.assert_allclose(walk[-1], end, rtol=1e-5)


def test_spherical_walk_keeps_its_length_and_its_pace():
    start, end = RANDOM.normal(size=(2, 6))
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    walk = interpolate(start, end, 7)
    lengths = np.linalg.norm(walk, axis=1)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-5)
    strides = np.linalg.norm(np.diff(walk, axis=0), axis=1)
    np.testing.assert_allclose(strides, strides[0], rtol=1e-4)
    # Which a straight one does not: it cuts through the inside.
    straight = interpolate(start, end, 7, "linear")
    assert np.linalg.norm(straight[3]) < 0.95 * lengths[0]


@pytest.mark.parametrize("end", [[2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]])
def test_directions_without_an_angle_are_walked_straight(end):
    start = np.array([1.0, 2.0])
    walk = interpolate(start, np.array(end), 3)
    np.testing.assert_allclose(walk[1], (start + end) / 2, atol=1e-6)


def test_latent_grid_is_as_dense_as_the_prior():
    grid = latent_grid(5, coverage=0.8).reshape(5, 5, 2)
    quantiles = stats.norm.ppf(np.linspace(0.1, 0.9, 5))
    np.testing.assert_allclose(grid[2, :, 0], quantiles, atol=1e-6)
    np.testing.assert_allclose(grid[:, 2, 1], quantiles[::-1], atol=1e-6)
