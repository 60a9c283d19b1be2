import keras
import numpy as np
import pytest
from keras import ops
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit

from keras_genai import losses

REAL = np.array([[0.3], [-2.0], [5.0]], "float32")
FAKE = np.array([[-1.0], [0.0], [3.0]], "float32")
PAIRS = losses.ADVERSARIAL_LOSSES


def test_logits_of_zero_cost_the_discriminator_two_ln_two():
    zeros = ops.zeros((3, 1))
    values = losses.minimax_discriminator_loss(zeros, zeros)
    np.testing.assert_allclose(values, 2 * np.log(2), rtol=1e-6)


def test_minimax_is_the_cross_entropy_of_probabilities():
    expected = -log_expit(REAL) - np.log1p(-expit(FAKE.astype("float64")))
    values = losses.minimax_discriminator_loss(REAL, FAKE)
    np.testing.assert_allclose(values, expected[:, 0], rtol=1e-5)
    np.testing.assert_allclose(
        losses.minimax_generator_loss(FAKE),
        np.log1p(-expit(FAKE.astype("float64")))[:, 0],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        losses.non_saturating_generator_loss(FAKE),
        -log_expit(FAKE)[:, 0],
        rtol=1e-5,
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothing_is_one_sided(smoothing):
    cross_entropy = keras.losses.BinaryCrossentropy(
        from_logits=True, reduction="none"
    )
    expected = cross_entropy(np.full_like(REAL, 1 - smoothing), REAL)
    expected += cross_entropy(np.zeros_like(FAKE), FAKE)
    values = losses.minimax_discriminator_loss(REAL, FAKE, smoothing)
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_least_squares():
    np.testing.assert_allclose(
        losses.least_squares_discriminator_loss(REAL, FAKE, 0.1),
        (0.5 * (REAL - 0.9) ** 2 + 0.5 * FAKE**2)[:, 0],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        losses.least_squares_generator_loss(FAKE),
        (0.5 * (FAKE - 1) ** 2)[:, 0],
        rtol=1e-5,
    )


def test_hinge_is_flat_beyond_its_margins():
    values = losses.hinge_discriminator_loss(
        np.array([[1.0], [7.0], [0.0]]), np.array([[-1.0], [-7.0], [2.0]])
    )
    np.testing.assert_allclose(values, [0.0, 0.0, 1.0 + 3.0])
    np.testing.assert_allclose(losses.hinge_generator_loss(FAKE), -FAKE[:, 0])


def test_hinge_refuses_smoothing():
    with pytest.raises(ValueError, match=r"label_smoothing=0\.1"):
        losses.hinge_discriminator_loss(REAL, FAKE, 0.1)


@pytest.mark.parametrize("name", PAIRS)
def test_one_value_an_example_whatever_the_shape(name):
    discriminator_loss, generator_loss = PAIRS[name]
    patches = np.random.default_rng(0).normal(size=(2, 5, 3, 1))
    values = discriminator_loss(patches, -patches)
    assert values.shape == (2,)
    each = [
        discriminator_loss(patch[None, ..., None], -patch[None, ..., None])
        for patch in patches[0].reshape(-1, 1)
    ]
    np.testing.assert_allclose(values[0], np.mean(each), rtol=1e-5)
    assert generator_loss(patches).shape == (2,)


LARGE = np.array([[-90], [-40], [-15], [-10], [0], [10], [15], [40]], float)
CLOSED_FORMS = {  # of one kind of logits, the other being out of the game
    "minimax, real": (
        lambda x: losses.minimax_discriminator_loss(x, 0 * x - 99),
        lambda x: -log_expit(x),
    ),
    "minimax, real, smoothed": (
        lambda x: losses.minimax_discriminator_loss(x, 0 * x - 99, 0.25),
        lambda x: -0.75 * log_expit(x) - 0.25 * log_expit(-x),
    ),
    "minimax, generated": (
        lambda x: losses.minimax_discriminator_loss(0 * x + 99, x),
        lambda x: -log_expit(-x),
    ),
    "minimax, generator": (
        losses.minimax_generator_loss,
        lambda x: log_expit(-x),
    ),
    "non-saturating, generator": (
        losses.non_saturating_generator_loss,
        lambda x: -log_expit(x),
    ),
    "least squares": (
        lambda x: losses.least_squares_discriminator_loss(8 * x, 8 * x),
        lambda x: ((8 * x - 1) ** 2 + (8 * x) ** 2) / 2,
    ),
    "least squares, generator": (
        lambda x: losses.least_squares_generator_loss(8 * x),
        lambda x: (8 * x - 1) ** 2 / 2,
    ),
    "hinge": (
        lambda x: losses.hinge_discriminator_loss(512 * x, 512 * x),
        lambda x: np.maximum(1 - 512 * x, 0) + np.maximum(1 + 512 * x, 0),
    ),
    "wasserstein": (
        lambda x: losses.wasserstein_discriminator_loss(512 * x, -512 * x),
        lambda x: -1024 * x,
    ),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_large_logits_lose_no_digits(name, dtype):
    # Logits fit 16 bits, up to 90 * 512 and without a rounding; what is
    # computed of them does not.
    loss, closed_form = CLOSED_FORMS[name]
    values = loss(ops.cast(LARGE, dtype))
    assert keras.backend.standardize_dtype(values.dtype) == (
        "float32" if dtype == "float16" else dtype
    )
    np.testing.assert_allclose(
        values, closed_form(LARGE)[:, 0], rtol=1e-6, atol=1e-30
    )


@pytest.mark.parametrize(
    ("name", "smoothing"),
    [
        *((name, 0.0) for name in PAIRS),
        *((name, 0.2) for name in ("minimax", "least_squares")),
        *((name, 0.5) for name in ("non_saturating", "least_squares")),
    ],
)
def test_threshold_is_the_best_logit_of_what_may_be_either(name, smoothing):
    discriminator_loss, _ = PAIRS[name]

    def of_either(logit):
        logits = np.array([[logit]])
        return float(discriminator_loss(logits, logits, smoothing)[0])

    threshold = losses.decision_threshold(name, smoothing)
    if name == "wasserstein":  # all are as good
        assert of_either(-3.0) == of_either(0.0) == of_either(2.0) == 0.0
        assert threshold is None
    elif name == "hinge":  # all within the margins, in whose middle it is
        assert of_either(-1.0) == of_either(threshold) == of_either(1.0)
        assert of_either(-1.1) == pytest.approx(of_either(1.1))
        assert threshold == 0.0
    else:
        best = minimize_scalar(of_either, bracket=(-1.0, 1.0)).x
        assert threshold == pytest.approx(best, abs=1e-6)


def test_thresholds_without_smoothing():
    assert {name: losses.decision_threshold(name) for name in PAIRS} == {
        "non_saturating": 0.0,
        "minimax": 0.0,
        "least_squares": 0.5,
        "hinge": 0.0,
        "wasserstein": None,
    }
    with pytest.raises(ValueError, match="loss='wasserstain'"):
        losses.decision_threshold("wasserstain")


@pytest.mark.parametrize("name", PAIRS)
def test_no_loss_overflows(name):
    extremes = np.array([[-1e4], [1e4]], "float32")
    discriminator_loss, generator_loss = PAIRS[name]
    assert np.isfinite(discriminator_loss(extremes, extremes)).all()
    assert np.isfinite(generator_loss(extremes)).all()


@pytest.mark.parametrize("name", PAIRS)
def test_the_players_pull_fake_logits_apart(name):
    # Between their targets, the discriminator lowers a fake logit and the
    # generator raises it.
    discriminator_loss, generator_loss = PAIRS[name]
    low, high = np.array([[0.4]]), np.array([[0.6]])
    zero = np.array([[0.0]])
    assert discriminator_loss(zero, low)[0] < discriminator_loss(zero, high)[0]
    assert generator_loss(low)[0] > generator_loss(high)[0]


def test_non_saturating_keeps_the_gradient_that_minimax_loses():
    import tensorflow as tf

    logit = tf.constant([[-10.0]])
    slopes = []
    for loss in (
        losses.non_saturating_generator_loss,
        losses.minimax_generator_loss,
    ):
        with tf.GradientTape() as tape:
            tape.watch(logit)
            value = loss(logit)
        slopes.append(abs(float(tape.gradient(value, logit)[0, 0])))
    assert slopes[0] > 0.999
    assert slopes[1] < 1e-4


def test_unknown_game_is_refused():
    with pytest.raises(ValueError, match="loss='wasserstain'"):
        losses.get_adversarial_loss("wasserstain")


def linear_critic(shape, norm):
    kernel = np.random.default_rng(0).normal(size=(np.prod(shape), 1))
    kernel *= norm / np.linalg.norm(kernel)
    critic = keras.Sequential(
        [
            keras.layers.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    critic.layers[-1].set_weights([kernel, np.zeros(1)])
    return critic


@pytest.mark.parametrize("norm", [1.0, 3.0, 0.5])
def test_penalty_of_a_linear_critic_is_known(norm):
    shape = (2, 3, 1)
    images = np.random.default_rng(1).normal(size=(4, *shape))
    penalty = losses.gradient_penalty(
        linear_critic(shape, norm), images, -images, seed=0
    )
    np.testing.assert_allclose(penalty, (norm - 1) ** 2, atol=1e-5)


@pytest.mark.parametrize("norm", [300.0, 1e-4])
def test_penalty_of_images_in_16_bits_is_computed_in_32(norm):
    # In 16 bits the square of the one norm is infinite, of the other 0.
    shape = (2, 3, 1)
    images = np.random.default_rng(1).normal(size=(4, *shape))
    images = images.astype("float16")
    penalty = losses.gradient_penalty(
        linear_critic(shape, norm), images, -images, seed=0
    )
    np.testing.assert_allclose(penalty, (norm - 1) ** 2, rtol=1e-5)


def test_penalty_is_taken_between_the_two_images():
    # For the critic x^2 / 2 of one pixel the slope is the point itself, so
    # that the penalty tells where it was taken.
    class Half(keras.layers.Layer):
        def call(self, images):
            return (
                ops.sum(images**2, axis=(1, 2, 3), keepdims=False)[:, None] / 2
            )

    real, fake = np.full((500, 1, 1, 1), 4.0), np.full((500, 1, 1, 1), 2.0)
    penalty = losses.gradient_penalty(
        keras.Sequential([Half()]), real, fake, seed=0
    )
    points = np.sqrt(penalty) + 1
    assert points.min() >= 2.0 - 1e-5
    assert points.max() <= 4.0 + 1e-5
    # Uniform between them: mean 3, standard deviation 2 / sqrt(12).
    np.testing.assert_allclose(points.mean(), 3.0, atol=0.1)
    np.testing.assert_allclose(points.std(), 2 / np.sqrt(12), atol=0.05)


def test_penalty_where_the_slope_is_zero_has_a_finite_gradient():
    import tensorflow as tf

    critic = linear_critic((2, 2, 1), 1.0)
    critic.layers[-1].set_weights([np.zeros((4, 1)), np.zeros(1)])
    images = np.ones((2, 2, 2, 1), "float32")
    with tf.GradientTape() as tape:
        penalty = losses.gradient_penalty(critic, images, -images, seed=0)
        total = tf.reduce_sum(penalty)
    gradient = tape.gradient(total, critic.trainable_variables[0])
    assert np.isfinite(gradient).all()


def test_penalty_refuses_batch_norm():
    critic = keras.Sequential([keras.layers.BatchNormalization(name="norm")])
    with pytest.raises(ValueError, match="'norm'"):
        losses.gradient_penalty(critic, None, None, seed=0)
