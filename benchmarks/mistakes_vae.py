"""Mistakes in autoencoders, PixelCNN and what goes around training."""

import functools
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from mistakes_shared import mistake

import keras_genai
from keras_genai.distributions import Normal
from keras_genai.losses import gradient_penalty
from keras_genai.models.autoregressive.gated_convolutions import MaskedConv2D

BATCH = 128


def trained(lab, family=keras_genai.VAE):
    model = family(lab.test.image_shape, networks="dense", seed=lab.seed)
    model.compile()
    model.fit(lab.bits, epochs=lab.vae_epochs, verbose=0)
    return model


@functools.cache
def right_vae(lab):
    return trained(lab)


def held_out(lab):
    """The held-out digits of zeros and ones, in one array."""
    return np.concatenate([batch.numpy() for batch in lab.held_out_bits])


@functools.cache
def losses_of(lab, split):
    """The loss of each digit: of held-out ones in order, class by class."""
    data = {"test": lab.held_out_bits, "train": lab.bits}[split]
    terms = [right_vae(lab).loss_terms(batch)[:2] for batch in data]
    return np.concatenate(
        [losses + ops.sum(kl, axis=1) for losses, kl in terms]
    )


@functools.cache
def bound(lab, model):
    return keras_genai.elbo(model, lab.held_out_bits, k=10, verbose=0).nats


def active_units(lab, model):
    return model.evaluate(lab.held_out_bits, verbose=0)["active_units"]


class Averaged(keras_genai.VAE):
    """The mean over pixels plus the mean over latents, times the pixels."""

    def _kl_term(self, kl):
        pixels = np.prod(self.image_shape)
        return super()._kl_term(kl) * pixels / self.latent_dim


@mistake(
    9,
    "reconstruction averaged over pixels and KL over latents, which is a beta "
    "of pixels / latents",
    "both are summed, and averaged over examples alone; `loss = "
    "reconstruction_loss + beta * kl_loss` holds in the log",
    "ELBO of held-out digits, nats",
    "<=",
    "tests/test_vae.py::test_a_step_descends_both_terms_summed",
)
def averaged_terms(lab):
    attempt, model = trained(lab, Averaged), right_vae(lab)
    wrong, right = bound(lab, attempt), bound(lab, model)
    beta = np.prod(model.image_shape) / model.latent_dim
    return (
        wrong,
        right,
        f"A beta of {beta:.1f} that nobody chose: after {lab.vae_epochs} "
        f"epochs the bound is {wrong:.1f} nats instead of {right:.1f}, and "
        f"{active_units(lab, attempt):.0f} of {model.latent_dim} latents are "
        f"in use instead of {active_units(lab, model):.0f}.",
    )


class SquaredLogVariance(Normal):
    def kl_per_dimension(self, other):
        squares = ops.square(self.mean) + ops.square(self.log_var)
        return 0.5 * (squares - 1.0 - self.log_var)


class WrongKL(keras_genai.VAE):
    def posterior(self, images, labels=None, training=False):
        right = super().posterior(images, labels, training)
        return SquaredLogVariance(right.mean, right.log_var)


@mistake(
    10,
    "a KL term with the log-variance squared in place of its exponential, "
    "with a wrong sign, or without its half",
    "the closed form, checked against draws",
    "nats that the formula is off an estimate by drawing",
    ">=",
    "tests/test_distributions.py::test_kl_is_the_mean_log_ratio_of_draws",
)
def wrong_kl(lab):
    m, log_v = right_vae(lab).encode(held_out(lab))
    random = np.random.default_rng(lab.seed)
    ratios = []
    for _ in range(100):  # log q(z) - log p(z) of draws from q
        noise = random.normal(size=m.shape)
        z = m + np.exp(log_v / 2) * noise
        ratios.append(0.5 * (z**2 - noise**2 - log_v).sum(axis=1).mean())
    by_drawing = np.mean(ratios)

    def off(per_latent):
        return abs(per_latent.sum(axis=1).mean() - by_drawing)

    right = off(0.5 * (m**2 + np.exp(log_v) - 1 - log_v))
    squared = off(0.5 * (m**2 + log_v**2 - 1 - log_v))
    sign = off(-0.5 * (m**2 + np.exp(log_v) - 1 - log_v))
    no_half = off(m**2 + np.exp(log_v) - 1 - log_v)
    attempt = trained(lab, WrongKL)
    claimed = -attempt.evaluate(lab.held_out_bits, verbose=0)["loss"]
    true, best = bound(lab, attempt), bound(lab, right_vae(lab))
    return (
        squared,
        right,
        f"Drawing says {by_drawing:.1f} nats a held-out digit; squared, the "
        f"formula is {squared:.1f} nats off, with the wrong sign {sign:.1f}, "
        f"without its half {no_half:.1f}, right {right:.3f}. Trained on the "
        f"squared one, the log claims a bound of {claimed:.1f} nats where "
        f"{true:.1f} is true, and the right model has {best:.1f}.",
    )


class PixelsFromMinusOne(keras_genai.Autoencoder):
    def losses_per_example(self, inputs, images, training=False):
        return super().losses_per_example(
            2.0 * inputs - 1.0, 2.0 * images - 1.0, training
        )


@mistake(
    11,
    "a cross-entropy on pixels scaled to [-1, 1]",
    "the range of the pixels is checked against the likelihood",
    "nats a held-out digit, which are never below 0",
    "<=",
    "tests/test_vae.py::test_pixels_in_the_range_of_gans_are_refused",
)
def pixels_from_minus_one(lab):
    train, test = (
        lab.images(split, value_range=(0, 1)) for split in ("train", "test")
    )
    results = []
    for family in (PixelsFromMinusOne, keras_genai.Autoencoder):
        model = family(lab.test.image_shape, networks="dense", seed=lab.seed)
        model.compile()
        model.fit(train, epochs=lab.vae_epochs, verbose=0)
        results.append(model.evaluate(test, verbose=0))
    wrong, right = results
    return (
        wrong["loss"],
        right["loss"],
        f"After {lab.vae_epochs} epochs the cross-entropy of a held-out digit "
        f"is {wrong['loss']:.1e} nats, and it has no minimum, instead of "
        f"{right['loss']:.1f}; what comes back is {wrong['psnr']:.1f} dB from "
        f"the digit instead of {right['psnr']:.1f}.",
    )


@mistake(
    12,
    "reconstructions of held-out images shown as what the model generates",
    "`generate` draws from the prior, `reconstruct` from the posterior",
    "Fréchet distance to held-out digits",
    "<=",
    "tests/test_vae.py::"
    "test_generate_draws_from_the_prior_and_not_through_the_encoder",
)
def reconstructions_as_generations(lab):
    model = right_vae(lab)
    wrong = lab.distance(model.reconstruct(lab.test.images / 255.0))
    right = lab.distance(model.generate(lab.num_samples, seed=lab.seed))
    return (
        wrong,
        right,
        f"Reconstructions are at a distance of {wrong:.1f}, what the same "
        f"model generates at {right:.1f}: a claim "
        f"{right / wrong:.1f} times too good.",
    )


@mistake(
    13,
    "a validation number that is that of the last batch, or of training data",
    "`test_step` averages over all held-out examples under the names of "
    "training",
    "nats a held-out digit, in the luckiest of 1,000 orders",
    "<=",
    "tests/test_vae.py::test_evaluate_weighs_a_short_last_batch_as_it_should",
)
def last_batch(lab):
    losses = losses_of(lab, "test")
    right = losses.mean()
    rest = len(losses) % BATCH or BATCH
    random = np.random.default_rng(lab.seed)
    last = [random.permutation(losses)[-rest:].mean() for _ in range(1000)]
    return (
        min(last),
        right,
        f"In 1,000 orders of the held-out digits the last batch says anything "
        f"from {min(last):.1f} to {max(last):.1f} nats; all of them say "
        f"{right:.1f} in any order, and training digits "
        f"{losses_of(lab, 'train').mean():.1f}.",
    )


class MaskedOnce(MaskedConv2D):
    """Convolves with its whole kernel, of which a part was 0 at first."""

    def call(self, x):
        shape = (*self.mask.shape, x.shape[-1], self.filters)
        return self.bias + ops.conv(
            x,
            ops.reshape(self.kernel, shape),
            padding="same",
            dilation_rate=self.dilation,
        )


def mask_once(model):
    convolutions = [model.first_vertical, model.first_horizontal]
    for block in model.blocks:
        convolutions += [block.vertical, block.horizontal]
    for layer in convolutions:
        mask = np.repeat(layer.mask, layer.kernel.shape[0] // layer.mask.size)
        layer.kernel.assign(layer.kernel * mask[:, None])
        layer.__class__ = MaskedOnce


def leak(model, images):
    """The slope of a pixel's logit in itself and all that come later."""
    images = ops.convert_to_tensor(images)
    row, column = (side // 2 for side in model.image_shape[:2])
    with tf.GradientTape() as tape:
        tape.watch(images)
        logit = ops.sum(model.outputs_of(images)[:, row, column])
    slopes = np.abs(np.array(tape.gradient(logit, images)))
    slopes = slopes.reshape(len(slopes), -1)
    return slopes[:, row * model.image_shape[1] + column :].sum()


@mistake(
    18,
    "a PixelCNN whose masks are written into the weights once instead of "
    "applied in every call",
    "the mask multiplies the kernel at call time; causality is tested by a "
    "gradient",
    "nats a held-out digit, as the model claims",
    "<=",
    "tests/test_pixelcnn.py::test_a_mask_stays_where_training_would_fill_it",
)
def masked_once(lab):
    split = "train[:8]" if lab.quick else "train"
    images = held_out(lab)[: 8 if lab.quick else 500]
    data = keras_genai.image_dataset(
        "mnist_5k",
        split,
        batch_size=8,
        value_range=(0, 1),
        binarize="dynamic",
        seed=lab.seed,
        offline=True,
    )
    claims, leaks = [], []
    for once in (True, False):
        model = keras_genai.PixelCNN(
            width=8, dilations=(1, 2), first_kernel_size=7, seed=lab.seed
        )
        model.compile()
        if once:
            mask_once(model)
        leaks.append(leak(model, images[:16]))
        model.train_on_batch(next(iter(data)))
        leaks.append(leak(model, images[:16]))
        model.fit(data, epochs=1, verbose=0)
        claims.append(-np.mean(model.log_prob(images)))
    grey = np.clip(lab.test.images[: len(images)] / 255.0, 1e-12, 1 - 1e-12)
    coins = -grey * np.log(grey) - (1 - grey) * np.log1p(-grey)
    floor = coins.sum(axis=(1, 2, 3)).mean()
    wrong, right = claims
    return (
        wrong,
        right,
        f"The slope of a pixel's logit in pixels that come later is "
        f"{leaks[0]:.0f} at first and {leaks[1]:.3g} after one step (masked "
        f"always: {leaks[3]:.0f}). After an epoch the model claims "
        f"{wrong:.2f} nats a digit instead of {right:.1f}, though whoever "
        f"knew every grey level would pay {floor:.1f}.",
    )


@mistake(
    21,
    "the optimizer's state lost on load, with no more than a warning",
    "optimizers are built before weights are loaded, and saved with the model",
    "distance from an unbroken run's weights, in lengths of its next epoch",
    ">=",
    "tests/test_resume.py::test_killed_and_resumed_equals_unbroken",
)
def lost_optimizer(lab):
    model = trained(lab)
    before = flat(model)
    with tempfile.TemporaryDirectory() as folder:
        whole, weights = Path(folder) / "m.keras", Path(folder) / "m.weights.h5"
        model.save(whole)
        model.save_weights(weights)
        kept = keras_genai.load_model(whole)
        lost = keras_genai.VAE.from_config(model.get_config())
        lost.compile()
        # As a model of whoever does not build it has it.
        lost.optimizer = lost.make_optimizer(lost.learning_rate)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            lost.load_weights(weights)
    losses = [
        each.fit(
            lab.bits,
            initial_epoch=lab.vae_epochs,
            epochs=lab.vae_epochs + 1,
            verbose=0,
        ).history["loss"][0]
        for each in (model, kept, lost)
    ]
    way = np.linalg.norm(flat(model) - before)
    right, wrong = (
        np.linalg.norm(flat(each) - flat(model)) / way for each in (kept, lost)
    )
    return (
        wrong,
        right,
        f"Loading into an optimizer that is not built gives {len(warned)} "
        f"warning. An epoch later the weights are {wrong:.1f} times as far "
        f"from an unbroken run's as that run has gone in the epoch, instead "
        f"of {right:.2g} times, and its loss is {losses[2]:.2f} nats instead "
        f"of {losses[1]:.2f} (unbroken: {losses[0]:.2f}).",
    )


def flat(model):
    return np.concatenate(
        [weight.numpy().reshape(-1) for weight in model.trainable_variables]
    )


@mistake(
    22,
    "a batch-size constant inside the step or the loss",
    "`ops.shape(images)[0]`, so that a short last batch weighs what it should",
    "nats a held-out digit",
    "<=",
    "tests/test_gan.py::test_a_short_last_batch_weighs_what_it_should",
)
def batch_size_constant(lab):
    losses = losses_of(lab, "test")
    sums = [
        losses[start : start + BATCH].sum()
        for start in range(0, len(losses), BATCH)
    ]
    wrong, right = np.mean(sums) / BATCH, losses.mean()
    short = len(losses) % BATCH
    images = ops.convert_to_tensor(held_out(lab)[-short:])
    shares = keras.random.uniform((BATCH, 1, 1, 1), seed=lab.seed)
    try:
        fails = not len(shares * images)
    except tf.errors.InvalidArgumentError:
        fails = True
    critic = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    penalties = len(gradient_penalty(critic, images, -images, seed=lab.seed))
    return (
        wrong,
        right,
        f"Sums divided by {BATCH} make {wrong:.1f} nats of {right:.1f}, "
        f"because the last of {len(sums)} batches has {short} digits; a "
        f"penalty that draws {BATCH} shares {'fails' if fails else 'runs'} on "
        f"it, and the package's gives {penalties} values.",
    )
