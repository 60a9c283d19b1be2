import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from checks import random_images
from keras import ops
from scipy import stats

from keras_genai import VAE, ConditionalVAE, evaluation, image_dataset, sampling
from keras_genai.distributions import Normal

SHAPE = (8, 12, 1)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((10, *SHAPE)).astype("float32")
LABELS = np.arange(10) % 3


def batches(images=IMAGES, size=4):
    return tf.data.Dataset.from_tensor_slices(images).batch(size)


def labelled(size=4):
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(size)


def compiled(family=VAE, **arguments):
    model = family(SHAPE, latent_dim=3, networks="dense", seed=0, **arguments)
    model.compile()
    return model


# --- The loss ----------------------------------------------------------------


def test_terms_are_summed_over_pixels_and_latents_by_an_oracle():
    model = compiled()
    losses, kl, z_mean = model.loss_terms(IMAGES)
    assert losses.shape == (10,) and kl.shape == z_mean.shape == (10, 3)

    model.seed_generator.state.assign([0, 0])
    losses, kl, _ = model.loss_terms(IMAGES)
    model.seed_generator.state.assign([0, 0])
    outputs = np.array(model.encoder(IMAGES), "float64")
    mean, log_var = outputs[:, :3], outputs[:, 3:]
    noise = np.array(keras.random.normal((10, 3), seed=model.seed_generator))
    z = mean + np.exp(log_var / 2) * noise
    logits = np.array(model.decoder(z.astype("float32")), "float64")
    probabilities = 1 / (1 + np.exp(-logits))
    cross_entropy = -(
        IMAGES * np.log(probabilities) + (1 - IMAGES) * np.log1p(-probabilities)
    )
    np.testing.assert_allclose(
        losses, cross_entropy.sum(axis=(1, 2, 3)), rtol=1e-4
    )
    np.testing.assert_allclose(
        kl, (mean**2 + np.exp(log_var) - 1 - log_var) / 2, rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_loss_is_reconstruction_plus_beta_kl_in_every_line(beta):
    model = compiled(beta=beta, kl_warmup_steps=7, free_bits=0.5)
    history = model.fit(
        batches(), validation_data=batches(), epochs=3, verbose=0
    ).history
    for prefix in ("", "val_"):
        np.testing.assert_allclose(
            history[f"{prefix}loss"],
            np.array(history[f"{prefix}reconstruction_loss"])
            + beta * np.array(history[f"{prefix}kl_loss"]),
            rtol=1e-5,
        )


def test_a_step_descends_both_terms_summed():
    model = compiled(beta=2.0)
    model.compile(keras.optimizers.SGD(1e-3))
    state = model.seed_generator.state.numpy()
    with tf.GradientTape() as tape:
        losses, kl, _ = model.loss_terms(IMAGES, training=True)
        # Averaged over examples alone: not over pixels, not over latents.
        objective = (ops.sum(losses) + 2.0 * ops.sum(kl)) / len(IMAGES)
    slopes = tape.gradient(objective, model.trainable_variables)
    expected = [
        weight - 1e-3 * slope
        for weight, slope in zip(model.trainable_variables, slopes, strict=True)
    ]
    model.seed_generator.state.assign(state)
    model.train_on_batch(IMAGES)
    for weight, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(weight, value, atol=1e-6)


def test_evaluate_weighs_a_short_last_batch_as_it_should():
    model = compiled()
    for size in (4, 10, 1):
        result = model.evaluate(batches(size=size), verbose=0)
        kl = model.posterior(IMAGES).kl_divergence(Normal(0.0, 0.0))
        np.testing.assert_allclose(result["kl_loss"], np.mean(kl), rtol=1e-5)


def test_evaluate_changes_nothing_that_is_trained():
    model = compiled()
    before = [weight.numpy() for weight in model.weights]
    model.evaluate(batches(), verbose=0)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def kl_gradient_weight(model, step):
    """How much the objective's KL term weighs at a step."""
    model.optimizer.iterations.assign(step)
    kl = ops.ones((4, 3))
    return float(model._kl_term(kl)) / 3


def test_warm_up_grows_the_weight_to_beta():
    model = compiled(beta=2.0, kl_warmup_steps=10)
    weights = [kl_gradient_weight(model, step) for step in (0, 5, 10, 99)]
    np.testing.assert_allclose(weights, [0.0, 1.0, 2.0, 2.0])


def test_free_bits_stop_the_push_below_them():
    model = compiled(free_bits=0.5)
    kl = tf.Variable([[0.1, 0.6, 2.0], [0.3, 0.6, 0.0]])
    with tf.GradientTape() as tape:
        term = model._kl_term(kl)
    np.testing.assert_allclose(term, 0.5 + 0.6 + 1.0, rtol=1e-6)
    np.testing.assert_allclose(
        tape.gradient(term, kl), [[0, 0.5, 0.5]] * 2, rtol=1e-6
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"likelihood": "bernoulli"},
        {"likelihood": "gaussian"},
        {"likelihood": "gaussian", "pixel_stddev": 0.2},
        {"likelihood": "discretized_logistic"},
    ],
)
def test_every_likelihood_learns(arguments):
    model = compiled(**arguments)
    history = model.fit(batches(size=5), epochs=30, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] - 1
    images = model.generate(3, seed=0)
    assert images.min() >= 0 and images.max() <= 1


def test_constant_pixels_at_a_high_rate_leave_the_loss_finite():
    images = np.zeros((16, 4, 4, 1), "float32")
    images[:, :2] = RANDOM.integers(0, 256, (16, 2, 4, 1)) / 255
    model = VAE(
        (4, 4, 1),
        latent_dim=2,
        networks="dense",
        likelihood="discretized_logistic",
        seed=0,
    )
    model.compile(keras.optimizers.Adam(0.1), jit_compile=False)
    history = model.fit(images, batch_size=16, epochs=12, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_gaussian_uses_the_stddev_it_is_given():
    model = compiled(likelihood="gaussian", pixel_stddev=0.2)
    z = np.zeros((2, 3), "float32")
    pixels = model.pixels(z)
    expected = stats.norm.logpdf(IMAGES[:2], pixels.mean, 0.2)
    np.testing.assert_allclose(
        pixels.log_prob(IMAGES[:2]), expected.sum(axis=(1, 2, 3)), rtol=1e-4
    )


def test_learned_stddev_finds_the_datas():
    # One code for all: what is left is noise of a known spread.
    noise = np.clip(RANDOM.normal(0.5, 0.1, (64, *SHAPE)), 0, 1)
    model = VAE(SHAPE, 1, "dense", likelihood="gaussian", beta=50.0, seed=0)
    model.compile(keras.optimizers.Adam(0.02))
    data = batches(noise.astype("float32"), 32)
    model.fit(data.repeat(150), verbose=0)
    stddev = math.exp(float(model._pixel_log_var) / 2)
    assert stddev == pytest.approx(0.1, rel=0.2)


def test_two_colours_and_three_channels_of_any_size():
    model = VAE((12, 20, 3), latent_dim=2, seed=0)
    assert model.generate(2, seed=0).shape == (2, 12, 20, 3)
    discrete = VAE((8, 8, 3), 2, likelihood="discretized_logistic", seed=0)
    assert discrete.decoder.output_shape == (None, 8, 8, 6)
    assert discrete.generate(2, seed=0).shape == (2, 8, 8, 3)


def test_networks_may_be_handed_in():
    encoder = keras.Sequential(
        [keras.layers.Input(SHAPE), keras.layers.Flatten()]
    )
    encoder.add(keras.layers.Dense(4))
    decoder = keras.Sequential([keras.layers.Input((2,))])
    decoder.add(keras.layers.Dense(96))
    decoder.add(keras.layers.Reshape(SHAPE))
    model = VAE(SHAPE, latent_dim=2, encoder=encoder, decoder=decoder)
    assert model.encoder is encoder and model.decoder is decoder
    with pytest.raises(ValueError, match=r"must make \(2, \*\(6,\)\)"):
        VAE(SHAPE, latent_dim=3, encoder=encoder)
    with pytest.raises(ValueError, match=r"\(2, \*\(8, 12, 2\)\)"):
        VAE(SHAPE, 2, decoder=decoder, likelihood="discretized_logistic")


# --- Sampling ----------------------------------------------------------------


def test_generate_draws_from_the_prior_and_not_through_the_encoder():
    model = compiled()
    before = model.generate(4, seed=0)
    for weight in model.encoder.weights:
        weight.assign(weight + 1.0)
    np.testing.assert_array_equal(model.generate(4, seed=0), before)
    z = RANDOM.normal(size=(5, 3)).astype("float32")
    np.testing.assert_array_equal(model.generate(z=z), model.decode(z))


def test_reconstruct_goes_through_the_code():
    model = compiled()
    model.fit(batches().repeat(60), verbose=0)
    reconstructed = model.reconstruct(IMAGES)
    z_mean, _ = model.encode(IMAGES)
    np.testing.assert_array_equal(reconstructed, model.decode(z_mean))
    np.testing.assert_allclose(model(IMAGES), reconstructed, atol=1e-6)


def test_walks():
    model = compiled()
    steps = model.interpolate(IMAGES[0], IMAGES[1], num_steps=5)
    ends = model.reconstruct(IMAGES[:2])
    np.testing.assert_allclose(steps[[0, -1]], ends, atol=1e-5)
    moved = model.traverse(IMAGES[0], axis=1, values=[-2.0, 2.0])
    z = np.repeat(model.encode(IMAGES[:1])[0], 2, axis=0)
    z[:, 1] = -2, 2
    np.testing.assert_allclose(moved, model.decode(z), atol=1e-6)


# --- Bounds ------------------------------------------------------------------


def linear_gaussian(spread=1.0):
    """A VAE whose likelihood is known: x = W z + b + noise.

    W has orthogonal columns, so that the true posterior is diagonal; the
    encoder is that posterior, with its variance times `spread` squared.
    """
    stddev, mean = 0.1, 0.5
    weights, _ = np.linalg.qr(RANDOM.normal(size=(6, 2)))
    weights = weights * [0.15, 0.05]  # columns of unequal length
    precision = 1 + (weights**2).sum(axis=0) / stddev**2
    to_mean = weights / stddev**2 / precision
    encoder = keras.Sequential(
        [keras.layers.Input((2, 3, 1)), keras.layers.Flatten()]
    )
    encoder.add(keras.layers.Dense(4))
    encoder.layers[-1].set_weights(
        [
            np.hstack([to_mean, np.zeros((6, 2))]),
            np.hstack(
                [
                    -mean * to_mean.sum(axis=0),
                    2 * np.log(spread) - np.log(precision),
                ]
            ),
        ]
    )
    decoder = keras.Sequential([keras.layers.Input((2,))])
    decoder.add(keras.layers.Dense(6))
    decoder.add(keras.layers.Reshape((2, 3, 1)))
    decoder.layers[0].set_weights([weights.T, np.full(6, mean)])
    model = VAE(
        (2, 3, 1),
        latent_dim=2,
        encoder=encoder,
        decoder=decoder,
        likelihood="gaussian",
        pixel_stddev=stddev,
        seed=0,
    )
    covariance = weights @ weights.T + stddev**2 * np.eye(6)
    exact = stats.multivariate_normal(np.full(6, mean), covariance)
    images = np.clip(exact.rvs(40, random_state=0), 0, 1)
    return model, images.reshape(-1, 2, 3, 1).astype("float32"), exact


def test_bounds_are_tight_where_the_posterior_is_exact():
    model, images, exact = linear_gaussian()
    expected = exact.logpdf(images.reshape(-1, 6))
    for bound in (
        evaluation.elbo(model, batches(images, 16), verbose=0),
        evaluation.importance_weighted_bound(
            model, batches(images, 16), k=3, verbose=0
        ),
    ):
        assert bound.num_examples == 40
        assert bound.nats == pytest.approx(expected.mean(), abs=1e-4)
        assert bound.standard_error == pytest.approx(
            stats.sem(expected), rel=1e-3
        )


@pytest.mark.slow
def test_bounds_approach_the_likelihood_from_below_as_k_grows():
    model, images, exact = linear_gaussian(spread=1.7)
    data = batches(images, 16)
    expected = exact.logpdf(images.reshape(-1, 6)).mean()
    model.compile()
    gaps = [expected - evaluation.elbo(model, data, 500, verbose=0).nats]
    # The ELBO is short by KL(q || true posterior), known for the spread.
    gap = 2 * (1.7**2 - 1 - 2 * math.log(1.7)) / 2
    assert gaps[0] == pytest.approx(gap, abs=0.05)
    for k in (3, 30, 20_000):  # the last one in several chunks
        bound = evaluation.importance_weighted_bound(model, data, k, verbose=0)
        gaps.append(expected - bound.nats)
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3] - 1e-3
    assert abs(gaps[3]) < 1e-3
    # And the loss that training reports is the negative ELBO.
    losses = [model.evaluate(data, verbose=0)["loss"] for _ in range(50)]
    assert np.mean(losses) == pytest.approx(gap - expected, abs=0.1)


def test_bounds_repeat_with_the_seed_and_leave_the_model_alone():
    model = compiled()
    state = model.seed_generator.state.numpy()
    first, again, other = (
        evaluation.elbo(model, batches(), k=2, seed=seed, verbose=0)
        for seed in (0, 0, 1)
    )
    assert first == again != other
    np.testing.assert_array_equal(model.seed_generator.state, state)


def test_bits_per_dim_of_equally_likely_pixels_are_eight():
    nats = -math.log(256) * 8 * 12
    assert evaluation.bits_per_dim(nats, SHAPE) == pytest.approx(8)


@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_k_is_refused(k):
    with pytest.raises(ValueError, match="`k` must be"):
        evaluation.importance_weighted_bound(compiled(), batches(), k=k)


# --- Labels ------------------------------------------------------------------


def test_both_networks_see_the_label():
    model = compiled(ConditionalVAE, num_classes=3)
    z = np.zeros((2, 3), "float32")
    one, other = model.decode(z, [0, 2])
    assert np.abs(one - other).max() > 0
    first, _ = model.encode(IMAGES[:1], [0])
    second, _ = model.encode(IMAGES[:1], [2])
    assert np.abs(first - second).max() > 0


def test_labels_given_and_drawn():
    model = compiled(ConditionalVAE, num_classes=3)
    given = model.generate(labels=[2, 0], seed=1)
    np.testing.assert_array_equal(given, model.generate(2, 1, labels=[2, 0]))
    same = model.generate(3, seed=1, labels=1)
    np.testing.assert_array_equal(same, model.generate(3, 1, labels=[1] * 3))
    # Not given, they are drawn from the seed, each as often.
    drawn = sampling.seeded_labels(600, 3, seed=0).numpy()
    assert np.bincount(drawn, minlength=3).min() > 150
    np.testing.assert_array_equal(
        model.generate(9, seed=0),
        model.generate(
            9, seed=0, labels=sampling.seeded_labels(9, 3, seed=0).numpy()
        ),
    )
    walk = model.interpolate(IMAGES[0], IMAGES[1], 4, label=2)
    assert walk.shape == (4, *SHAPE)
    assert model.traverse(IMAGES[0], 0, label=1).shape == (7, *SHAPE)


@pytest.mark.slow
def test_conditional_model_learns_what_the_label_tells():
    # The image is the label: the code has nothing to add.
    images = np.repeat(RANDOM.integers(2, size=(3, *SHAPE)), 20, axis=0)
    labels = np.repeat(np.arange(3), 20)
    data = tf.data.Dataset.from_tensor_slices(
        (images.astype("float32"), labels)
    ).batch(30)
    model = ConditionalVAE(SHAPE, 3, latent_dim=2, networks="dense", seed=0)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(data.repeat(199), verbose=0)
    result = model.fit(data, verbose=0).history
    assert result["loss"][-1] < 0.5
    generated = model.generate(labels=[0, 1, 2], seed=0)
    np.testing.assert_allclose(generated, images[::20], atol=0.1)


def test_evaluating_a_conditional_bound_uses_the_labels():
    model = compiled(ConditionalVAE, num_classes=3)
    bound = evaluation.importance_weighted_bound(
        model, labelled(), 5, verbose=0
    )
    assert bound.num_examples == 10 and np.isfinite(bound.nats)


# --- Bad input ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"beta": -1.0}, "beta=-1.0"),
        ({"beta": float("nan")}, "beta=nan"),
        ({"kl_warmup_steps": -1}, "kl_warmup_steps=-1"),
        ({"free_bits": -0.1}, "free_bits=-0.1"),
        ({"likelihood": "poisson"}, "likelihood='poisson'"),
        ({"networks": "recurrent"}, "networks='recurrent'"),
        ({"pixel_stddev": 0.1}, "likelihood='bernoulli'"),
        ({"likelihood": "gaussian", "pixel_stddev": 0}, "pixel_stddev=0"),
        ({"image_shape": (10, 12, 1)}, "multiples of 4"),
        ({"image_shape": (8, 12, 2)}, "1 or 3 channels"),
    ],
)
def test_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        VAE(**{"image_shape": SHAPE, **arguments})


@pytest.mark.parametrize("method", ["fit", "evaluate"])
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (2 * IMAGES - 1, r"in \[0, 1\].*value_range=\(0, 1\)"),
        (np.where(IMAGES > 0.99, np.nan, IMAGES), "finite images"),
        (IMAGES[:, :4], "shape"),
        ((255 * IMAGES).astype("uint8"), "uint8"),
    ],
)
def test_images_are_refused(method, images, message):
    model = compiled()
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(batches(images), verbose=0)


def test_pixels_in_the_range_of_gans_are_refused():
    data = image_dataset((255 * IMAGES).astype("uint8"), seed=0)
    with pytest.raises(ValueError, match="Received: images from -"):
        compiled().fit(data, verbose=0)


def test_labels_are_refused():
    model = compiled(ConditionalVAE, num_classes=3)
    with pytest.raises(ValueError, match="Received: only images"):
        model.fit(batches(), verbose=0)
    wrong = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS + 1)).batch(5)
    with pytest.raises(ValueError, match=r"\[0, 3\). Received: labels from"):
        model.fit(wrong, verbose=0)
    with pytest.raises(ValueError, match="labels from 0 to 3"):
        model.generate(labels=[0, 3])
    with pytest.raises(ValueError, match="labels from -1"):
        model.decode(np.zeros((1, 3)), [-1])
    with pytest.raises(ValueError, match="labels=None"):
        model.encode(IMAGES)
    with pytest.raises(ValueError, match="Expected 2 integer labels"):
        model.generate(2, labels=[0, 1, 2])
    with pytest.raises(ValueError, match="type float"):
        model.generate(labels=[0.5, 1.0])
    with pytest.raises(ValueError, match="num_classes=0"):
        ConditionalVAE(SHAPE, num_classes=0)
    with pytest.raises(ValueError, match="is not conditional"):
        compiled().encode(IMAGES, LABELS)


def test_codes_and_walks_are_refused():
    model = compiled()
    for z in (np.zeros((2, 4)), np.zeros(3)):
        with pytest.raises(ValueError, match=r"Expected codes \(batch, 3\)"):
            model.decode(z)
    for axis in (3, -1):
        with pytest.raises(ValueError, match=f"axis={axis}"):
            model.traverse(IMAGES[0], axis)
    with pytest.raises(ValueError, match="num_steps=1"):
        model.interpolate(IMAGES[0], IMAGES[1], 1)
    with pytest.raises(ValueError, match="method='cubic'"):
        model.interpolate(IMAGES[0], IMAGES[1], method="cubic")
    with pytest.raises(ValueError, match="num_samples=-1"):
        model.generate(-1)
    with pytest.raises(ValueError, match="images from -1"):
        model.reconstruct(2 * IMAGES.round() - 1)
    with pytest.raises(ValueError, match="images of shape"):
        model.encode(IMAGES[0])


def test_random_images_of_the_contract_are_not_for_a_vae():
    with pytest.raises(ValueError, match="finite images"):
        compiled().fit(random_images(image_shape=SHAPE), verbose=0)
