import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import stats
from scipy.special import expit, softmax

from keras_genai.distributions import (
    Bernoulli,
    Binomial,
    Categorical,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Multinomial,
    Normal,
)

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(scale=2, size=(2, 3, 5)).astype("float32")
SCALES = RANDOM.normal(scale=0.5, size=(2, 3, 5)).astype("float32")
PIXELS = RANDOM.random((2, 3, 5)).astype("float32")


def summed(values):
    """Over all axes of an example."""
    return values.reshape(len(values), -1).sum(axis=1)


def test_normal_is_scipys():
    x = RANDOM.normal(size=LOGITS.shape)
    expected = stats.norm.logpdf(x, LOGITS, np.exp(SCALES / 2))
    np.testing.assert_allclose(
        Normal(LOGITS, SCALES).log_prob(x), summed(expected), rtol=1e-5
    )


def test_bernoulli_is_scipys():
    x = RANDOM.integers(2, size=LOGITS.shape)
    expected = stats.bernoulli.logpmf(x, expit(LOGITS.astype("float64")))
    np.testing.assert_allclose(
        Bernoulli(LOGITS).log_prob(x.astype("float32")),
        summed(expected),
        rtol=1e-5,
    )


def test_bernoulli_of_grey_pixels_is_the_cross_entropy():
    expected = keras.losses.BinaryCrossentropy(
        from_logits=True, reduction="sum"
    )(PIXELS, LOGITS)  # averages the last axis
    total = ops.sum(Bernoulli(LOGITS).log_prob(PIXELS))
    np.testing.assert_allclose(-total, 5 * expected, rtol=1e-5)


def test_bernoulli_of_extreme_logits_stays_finite():
    coin = Bernoulli(ops.array([[-200.0, 200.0]]))
    np.testing.assert_allclose(coin.log_prob(ops.array([[0.0, 1.0]])), 0)
    np.testing.assert_allclose(coin.log_prob(ops.array([[1.0, 0.0]])), -400)


def test_categorical_is_scipys():
    x = RANDOM.integers(5, size=(2, 3))
    log_probs = np.log(softmax(LOGITS.astype("float64"), axis=-1))
    expected = np.take_along_axis(log_probs, x[..., None], axis=-1)
    np.testing.assert_allclose(
        Categorical(LOGITS).log_prob(x), summed(expected), rtol=1e-5
    )


def test_binomial_is_scipys():
    x = RANDOM.integers(8, size=LOGITS.shape)
    expected = stats.binom.logpmf(x, 7, expit(LOGITS.astype("float64")))
    np.testing.assert_allclose(
        Binomial(7, LOGITS).log_prob(x.astype("float32")),
        summed(expected),
        rtol=1e-4,
    )


def test_multinomial_is_scipys():
    probabilities = softmax(LOGITS[0].astype("float64"), axis=-1)
    x = np.stack([RANDOM.multinomial(7, row) for row in probabilities])
    expected = [
        stats.multinomial.logpmf(counts, 7, row)
        for counts, row in zip(x, probabilities, strict=True)
    ]
    values = Multinomial(7, LOGITS[0]).log_prob(x.astype("float32"))
    np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_discretized_logistic_is_a_difference_of_scipys():
    level = RANDOM.integers(256, size=LOGITS.shape)
    level.flat[:2] = 0, 255
    location, scale = PIXELS.astype("float64"), np.exp(SCALES - 2.0)
    edges = stats.logistic(location, scale).cdf
    upper = np.where(level == 255, 1.0, edges((level + 0.5) / 255))
    lower = np.where(level == 0, 0.0, edges((level - 0.5) / 255))
    values = DiscretizedLogistic(PIXELS, SCALES - 2.0).log_prob(
        (level / 255).astype("float32")
    )
    np.testing.assert_allclose(values, summed(np.log(upper - lower)), rtol=1e-4)


@pytest.mark.parametrize("log_scale", [-12.0, -7.0, -3.0, 0.0, 4.0])
@pytest.mark.parametrize("location", [-0.5, 0.0, 0.3, 1.0, 2.0])
def test_discretized_logistic_sums_to_one(location, log_scale):
    levels = ops.reshape(ops.arange(256, dtype="float32") / 255, (256, 1))
    pixel = DiscretizedLogistic(ops.full((1, 1), location), log_scale)
    log_prob = pixel.log_prob(levels)
    assert np.isfinite(log_prob).all()  # also where a difference rounds to 0
    np.testing.assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-4)


def test_mixture_is_the_weighted_sum_of_its_logistics():
    level = RANDOM.integers(256, size=(2, 3)).astype("float32") / 255
    each = [
        DiscretizedLogistic(PIXELS[..., k], SCALES[..., k] - 2)
        for k in range(5)
    ]
    weights = softmax(LOGITS.astype("float64"), axis=-1)
    expected = sum(
        weights[..., k] * np.exp(one.log_prob_per_dimension(level))
        for k, one in enumerate(each)
    )
    mixture = DiscretizedLogisticMixture(LOGITS, PIXELS, SCALES - 2)
    np.testing.assert_allclose(
        mixture.log_prob(level), summed(np.log(expected)), rtol=1e-4
    )


def test_mixture_sums_to_one_and_draws_as_often():
    logits = ops.array([[0.0, 1.0]])
    mixture = DiscretizedLogisticMixture(
        logits, ops.array([[0.2, 0.8]]), ops.array([[-5.0, -4.0]])
    )
    levels = ops.arange(256, dtype="float32") / 255
    probabilities = np.exp(
        mixture.log_prob(ops.reshape(levels, (256, 1))[:, 0])
    )
    assert probabilities.sum() == pytest.approx(1, rel=1e-4)
    many = DiscretizedLogisticMixture(
        ops.repeat(logits, 20_000, axis=0), mixture.location, mixture.log_scale
    )
    low = np.array(many.sample(0)) < 0.5
    assert low.mean() == pytest.approx(expit(-1.0), abs=0.015)


IMPOSSIBLE = np.array([[0.0, -np.inf, 1.0], [-np.inf, 2.0, -1.0]], "float32")


def test_classes_that_never_come_up_are_no_nan():
    """SciPy's, where probabilities are 0; 0 times minus infinity is 0."""
    shares = softmax(IMPOSSIBLE.astype("float64"), axis=-1)
    one = Categorical(IMPOSSIBLE)
    x = np.array([2, 0])
    np.testing.assert_allclose(
        one.log_prob(x), [np.log(shares[0, 2]), -np.inf], rtol=1e-6
    )
    narrower = np.array([[0.0, -np.inf, -np.inf], [-np.inf, 0.0, -np.inf]])
    for other in (IMPOSSIBLE, LOGITS[0, :2, :3], narrower):
        expected = stats.entropy(shares, softmax(other, axis=-1), axis=-1)
        found = one.kl_divergence(Categorical(other))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    draws = one.sample(0)
    assert np.isfinite(IMPOSSIBLE[range(2), draws]).all()
    # As often as that, three times.
    counts = np.array([[1, 0, 2], [1, 2, 0]], "float32")
    three = Multinomial(3, IMPOSSIBLE)
    expected = [
        stats.multinomial.logpmf(row, 3, share)
        for row, share in zip(counts, shares, strict=True)
    ]
    np.testing.assert_allclose(three.log_prob(counts), expected, rtol=1e-5)
    np.testing.assert_allclose(three.kl_divergence(three), 0, atol=1e-6)
    assert not np.array(three.sample(0))[~np.isfinite(IMPOSSIBLE)].any()
    np.testing.assert_array_equal(np.isnan(three.mean), False)


@pytest.mark.parametrize("family", [Categorical, Multinomial])
def test_gradients_of_classes_that_never_come_up_are_finite(family):
    logits = tf.Variable(IMPOSSIBLE)
    arguments = () if family is Categorical else (3,)
    x = [2, 1] if family is Categorical else [[1.0, 0.0, 2.0], [0.0, 2.0, 1.0]]
    with tf.GradientTape(persistent=True) as tape:
        one = family(*arguments, logits)
        log_prob = one.log_prob(ops.array(x))
        kl = one.kl_divergence(family(*arguments, ops.zeros((2, 3))))
    for value in (log_prob, kl):
        slopes = tape.gradient(value, logits).numpy()
        assert np.isfinite(slopes).all() and np.abs(slopes).max() > 0.01


@pytest.mark.parametrize("log_scale", [-1e4, -90.0, 40.0, 110.0, 1e4])
def test_scales_out_of_range_leave_losses_and_slopes_finite(log_scale):
    """Networks of constant pixels sharpen them without end."""
    location = tf.Variable([[0.0, 128 / 255, 2.0]])
    scale = tf.Variable(log_scale)
    x = ops.array([[0.0, 128 / 255, 1.0]])
    with tf.GradientTape() as tape:
        pixels = DiscretizedLogistic(location, scale)
        log_prob = pixels.log_prob_per_dimension(x)
    assert np.isfinite(log_prob).all()
    if log_scale < 0:  # as sharp as 256 levels can tell
        np.testing.assert_allclose(log_prob, 0, atol=1e-5)
    for slope in tape.gradient(log_prob, [location, scale]):
        assert np.isfinite(slope).all()
    assert np.isfinite(pixels.sample(0)).all()


PAIRS = {
    "normal": (Normal(LOGITS, SCALES), Normal(SCALES, LOGITS / 4)),
    "bernoulli": (Bernoulli(LOGITS), Bernoulli(SCALES)),
    "categorical": (Categorical(LOGITS), Categorical(SCALES)),
    "binomial": (Binomial(3, LOGITS), Binomial(3, SCALES)),
    "multinomial": (Multinomial(3, LOGITS), Multinomial(3, SCALES)),
    "discretized_logistic": (
        DiscretizedLogistic(PIXELS, SCALES - 2),
        DiscretizedLogistic(PIXELS + 0.1, SCALES - 1.5),
    ),
    "discretized_logistic_mixture": (
        DiscretizedLogisticMixture(LOGITS, PIXELS, SCALES - 2),
        DiscretizedLogisticMixture(SCALES, PIXELS + 0.2, SCALES - 1.5),
    ),
}
each_pair = pytest.mark.parametrize("name", PAIRS)


@each_pair
def test_kl_is_the_mean_log_ratio_of_draws(name):
    one, other = PAIRS[name]
    generator = keras.random.SeedGenerator(0)

    @tf.function  # traced once: eager draws take minutes
    def ratio():
        x = one.sample(generator)
        return one.log_prob(x) - other.log_prob(x)

    ratios = np.array([ratio() for _ in range(3000)])
    error = ratios.std(axis=0) / np.sqrt(len(ratios))
    gap = np.abs(ratios.mean(axis=0) - one.kl_divergence(other))
    assert (gap < 5 * error + 1e-4).all()


@each_pair
def test_kl_of_itself_is_zero_and_of_another_above(name):
    one, other = PAIRS[name]
    np.testing.assert_allclose(one.kl_divergence(one), 0, atol=1e-4)
    assert (np.array(one.kl_divergence(other)) > 0.1).all()
    assert one.kl_divergence(other).shape == (2,)


@each_pair
def test_draws_have_the_mean_and_are_a_function_of_the_seed(name):
    one, _ = PAIRS[name]
    np.testing.assert_array_equal(one.sample(3), one.sample(3))
    if name == "categorical":
        return
    generator = keras.random.SeedGenerator(1)
    sample = tf.function(lambda: one.sample(generator))
    draws = np.array([sample() for _ in range(3000)])
    error = draws.std(axis=0) / np.sqrt(len(draws)) + 1e-6
    if not name.startswith("discretized"):  # whose mean is that before clipping
        assert (np.abs(draws.mean(axis=0) - one.mean) < 5 * error).all()
    assert draws.shape[1:] == tuple(one.mean.shape)


def test_categorical_draws_as_often_as_their_probability():
    die = Categorical(np.log([[0.5, 0.3, 0.2]]).astype("float32"))
    generator = keras.random.SeedGenerator(0)
    sample = tf.function(lambda: die.sample(generator))
    draws = np.array([sample() for _ in range(3000)])
    shares = np.bincount(draws[:, 0], minlength=3) / len(draws)
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.04)


def test_normals_draw_lets_gradients_through():
    mean, log_var = tf.Variable([[1.0]]), tf.Variable([[0.0]])
    with tf.GradientTape() as tape:
        draw = Normal(mean, log_var).sample(0)
    slopes = tape.gradient(draw, [mean, log_var])
    np.testing.assert_allclose(slopes[0], 1)
    np.testing.assert_allclose(slopes[1], (draw - mean) / 2, rtol=1e-5)


def test_kl_from_the_standard_normal_is_the_papers():
    # Kingma and Welling: -(1 + log v - m^2 - v) / 2, summed over latents.
    expected = -0.5 * (1 + SCALES - LOGITS**2 - np.exp(SCALES))
    value = Normal(LOGITS, SCALES).kl_divergence(Normal(0.0, 0.0))
    np.testing.assert_allclose(value, summed(expected), rtol=1e-5)


def test_arrays_of_doubles_are_of_keras_float_type():
    one = Normal(np.zeros((3, 2)), np.float64(0.5))
    assert keras.backend.standardize_dtype(one.mean.dtype) == "float32"
    assert one.kl_divergence(Normal(0.0, 0.0)).shape == (3,)
    doubles = Normal(ops.zeros((3, 2), "float64"), 0.0)  # asked for
    assert keras.backend.standardize_dtype(doubles.mean.dtype) == "float64"
