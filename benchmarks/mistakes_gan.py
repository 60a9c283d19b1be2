"""Mistakes in GANs, each beside the right form."""

import functools
import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from mistakes_shared import mistake

import keras_genai
from keras_genai.losses import gradient_penalty
from keras_genai.models.gans.dcgan import dcgan_features, dcgan_generator
from keras_genai.models.gans.noise_to_images import to_unit_range
from keras_genai.sampling import seeded_noise

FRECHET = "Fréchet distance to held-out digits"


def refuses(function, *arguments, **keywords):
    """Whether the package refuses it with an error."""
    try:
        function(*arguments, **keywords)
    except ValueError:
        return True
    return False


def also(refused):
    return "refuses" if refused else "does not refuse"


@functools.cache
def right_dcgan(lab):
    return trained(lab, keras_genai.DCGAN)


def trained(lab, family):
    model = family(lab.test.image_shape, seed=lab.seed, **lab.dcgan)
    model.compile()
    model.fit(lab.train, epochs=lab.gan_epochs, verbose=0)
    return model


def distances(lab, family):
    """Of a DCGAN with a mistake, and of the right one."""
    return [
        lab.distance(model.generate(lab.num_samples, seed=lab.seed))
        for model in (trained(lab, family), right_dcgan(lab))
    ]


@mistake(
    1,
    "three transposed convolutions of stride 2 that start from 7x7, for "
    "digits of 28x28",
    "two doublings; what a generator makes is compared with the shape of the "
    "data when the model is made",
    "pixels a side",
    ">=",
    "tests/test_gan.py::test_networks_that_do_not_fit_are_refused",
)
def too_many_doublings(lab):
    network = keras.Sequential(
        [layers.Input((64,)), layers.Dense(7 * 7 * 8)]
        + [layers.Reshape((7, 7, 8))]
        + [
            layers.Conv2DTranspose(channels, 4, strides=2, padding="same")
            for channels in (8, 4, 1)
        ]
    )
    right = dcgan_generator((28, 28, 1), 64)
    wrong_side, side = (each.output_shape[1] for each in (network, right))
    refused = refuses(keras_genai.GAN, latent_dim=64, generator=network)
    return (
        wrong_side,
        side,
        f"The images are {wrong_side}x{wrong_side} instead of {side}x{side}, "
        f"{wrong_side**2 / side**2:.0f} times the pixels; the package "
        f"{also(refused)} the generator when the model is made.",
    )


class SigmoidScoredAsLogit(keras_genai.DCGAN):
    def discriminate(self, images, labels=None, training=False):
        return ops.sigmoid(super().discriminate(images, labels, training))


@mistake(
    2,
    "a discriminator that ends in a sigmoid, scored by a cross-entropy that "
    "expects logits",
    "discriminators end in logits, and one that ends in a sigmoid is refused",
    FRECHET,
    ">=",
    "tests/test_gan.py::test_a_discriminator_that_ends_in_sigmoid_is_refused",
)
def sigmoid_scored_as_logit(lab):
    wrong, right = distances(lab, SigmoidScoredAsLogit)
    # Softplus of the best scores that a sigmoid can give: 1 and 0.
    floor = math.log1p(math.exp(-1)) + math.log(2)
    return (
        wrong,
        right,
        f"After {lab.gan_epochs} epochs the distance is {wrong:.1f} instead "
        f"of {right:.1f}; the discriminator's loss cannot fall below "
        f"ln(1 + 1/e) + ln 2 = {floor:.2f}, where logits reach 0.",
    )


@mistake(
    3,
    "noise on the labels that pushes targets out of [0, 1]",
    "smoothing on one side: real is 1 - s, generated stays 0, and s is checked",
    "logit of a real image after 10,000 steps",
    ">=",
    "tests/test_gan.py::test_smoothing_out_of_range_is_refused",
)
def targets_out_of_range(lab):
    steps = 100 if lab.quick else 10_000

    def descend(targets):
        logit = 0.0
        for target in targets:  # the slope of softplus(x) - t x
            logit -= 1 / (1 + math.exp(-logit)) - target
        loss = math.log1p(math.exp(-logit)) + (1 - np.mean(targets)) * logit
        return logit, loss

    random = np.random.default_rng(lab.seed)
    wrong, wrong_loss = descend(random.uniform(1.0, 1.05, steps))
    right, loss = descend(np.full(steps, 0.95))
    return (
        wrong,
        right,
        f"With targets drawn from [1, 1.05] the loss has no minimum: {steps:,} "
        f"steps take the logit of a real image to {wrong:.0f} and its loss to "
        f"{wrong_loss:.2f}, further with every step; with a target of 0.95 "
        f"they end at ln 19 = {right:.2f} with {loss:.2f} nats.",
    )


class OneStepForBoth(keras_genai.DCGAN):
    """One Adam on the sum of both losses, through undetached fakes.

    Adam treats each weight by itself, so that the two optimizers, given the
    slopes of one sum, are one.
    """

    def train_step(self, data):
        real_images, _ = self.unpack(data)
        with tf.GradientTape(persistent=True) as tape:
            noise = self.sample_noise(ops.shape(real_images)[0])
            d_losses, real_logits, fake_logits = self.discriminator_losses(
                real_images, self._make_images(noise), training=True
            )
            g_losses = self._generator_loss(fake_logits)
            loss = ops.mean(d_losses + g_losses)
        for optimizer, network in (
            (self.d_optimizer, self.discriminator),
            (self.g_optimizer, self.generator),
        ):
            variables = network.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
        self._update_average()
        self._report_discriminator(d_losses, real_logits, fake_logits)
        self._trackers["g_loss"].update_state(g_losses)
        return {metric.name: metric.result() for metric in self.metrics}


@mistake(
    4,
    "one optimizer for both networks, on the sum of their losses, through "
    "fakes that are not detached",
    "a step each, which changes a network's own weights alone; one optimizer "
    "for both is refused",
    FRECHET,
    ">=",
    "tests/test_gan.py::"
    "test_generator_learns_against_the_updated_discriminator",
)
def one_step_for_both(lab):
    wrong, right = distances(lab, OneStepForBoth)
    return (
        wrong,
        right,
        f"After {lab.gan_epochs} epochs the distance is {wrong:.1f} instead "
        f"of {right:.1f}: where the verdict is even, the two losses' slopes "
        "in a fake's logit are 1/2 and -1/2, and nothing is left of them.",
    )


class MixedBatch(keras_genai.DCGAN):
    def discriminator_losses(
        self, real_images, generated_images, labels=None, training=False
    ):
        both = ops.concatenate([real_images, generated_images])
        logits = self.discriminate(both, training=training)
        real_logits, fake_logits = ops.split(logits, 2)
        d_losses = self._discriminator_loss(
            real_logits, fake_logits, self.label_smoothing
        )
        return d_losses, real_logits, fake_logits


@mistake(
    5,
    "real and generated images in one batch, through a discriminator with "
    "BatchNorm",
    "a pass each for real and for generated images",
    FRECHET,
    ">=",
    "tests/test_gan.py::"
    "test_one_generator_pass_serves_both_and_real_and_fake_pass_apart",
)
def mixed_batch(lab):
    wrong, right = distances(lab, MixedBatch)
    return (
        wrong,
        right,
        f"After {lab.gan_epochs} epochs the distance is {wrong:.1f} with "
        f"mixed batches and {right:.1f} with a pass each.",
    )


class InferenceMode(keras_genai.DCGAN):
    def discriminate(self, images, labels=None, training=False):
        return super().discriminate(images, labels, training=False)

    def _make_images(self, noise, labels=None, training=True):
        return super()._make_images(noise, labels, training=False)


@mistake(
    6,
    "`training=True` left out of a custom step, so that BatchNorm stays in "
    "inference mode",
    "`training=True` in `train_step`, `False` in `test_step`, said aloud",
    FRECHET,
    ">=",
    "tests/test_gan.py::test_batch_norm_and_dropout_train_in_the_step",
)
def inference_mode(lab):
    wrong, right = distances(lab, InferenceMode)
    return (
        wrong,
        right,
        f"After {lab.gan_epochs} epochs the distance is {wrong:.1f} instead "
        f"of {right:.1f}: BatchNorm divides by the statistics that it was "
        "made with, and never learns others.",
    )


class TiledPlanes(keras_genai.layers.LabelPlanes):
    """Repeats the batch, and lets a reshape find the axes."""

    def call(self, images, labels):
        height, width = images.shape[1:3]
        one_hot = ops.one_hot(labels, self.num_classes, dtype=images.dtype)
        planes = ops.reshape(
            ops.tile(one_hot, (height * width, 1)),
            (-1, height, width, self.num_classes),
        )
        return ops.concatenate([images, planes], axis=-1)


@mistake(
    7,
    "planes of labels made by `tile` and a reshape, which scrambles the "
    "classes of the batch",
    "one plane a class, each constant over its image",
    "share of digits that are those asked for",
    "<=",
    "tests/test_layers.py::"
    "test_each_plane_is_constant_and_its_own_class_alone_is_one",
)
def scrambled_planes(lab):
    data = lab.images(labels=True)
    images, labels = next(iter(data))
    shape = lab.test.image_shape
    asked = np.arange(lab.num_samples) % 10

    def judge(layer):
        planes = np.array(layer(images, labels))[..., 1:]
        constant = (np.ptp(planes, axis=(1, 2)) == 0).mean()
        inputs = keras.Input(shape), keras.Input((), dtype="int32")
        body = dcgan_features(
            (*shape[:2], shape[2] + 10), seed=lab.seed, **lab.dcgan
        )
        initializer = keras.initializers.GlorotUniform(lab.seed)
        verdict = layers.Dense(1, kernel_initializer=initializer)
        logits = verdict(body(layer(*inputs)))
        model = keras_genai.ConditionalGAN(
            shape,
            10,
            discriminator=keras.Model(inputs, logits),
            seed=lab.seed,
            **lab.dcgan,
        )
        model.compile()
        model.fit(data, epochs=lab.gan_epochs, verbose=0)
        made = model.generate(labels=asked, seed=lab.seed)
        return lab.extractor.accuracy(made, asked), constant

    wrong, none = judge(TiledPlanes(10))
    right, every = judge(keras_genai.layers.LabelPlanes(10))
    return (
        wrong,
        right,
        f"After {lab.gan_epochs} epochs {wrong:.1%} of the digits are those "
        f"asked for, which is guessing, instead of {right:.1%}; {none:.0%} of "
        f"the planes are constant instead of {every:.0%}.",
    )


@mistake(
    8,
    "a gradient penalty that mixes by normal instead of uniform shares, takes "
    "a root without an epsilon, or has BatchNorm in the critic",
    "uniform shares, an epsilon under the root, BatchNorm refused; the "
    "penalty of a linear critic of slope 1 is 0",
    "share of points that lie off the line between the two images",
    ">=",
    "tests/test_losses.py::test_penalty_is_taken_between_the_two_images",
)
def wrong_penalty(lab):
    random = np.random.default_rng(lab.seed)
    off = [
        np.mean((shares < 0) | (shares > 1))
        for shares in (random.normal(size=100_000), random.random(100_000))
    ]
    images = ops.convert_to_tensor(next(iter(lab.train)))

    def flat_critics_slope(epsilon):
        """The penalty's slope in the weights of a critic that is 0."""
        kernel = tf.zeros((784, 1))
        with tf.GradientTape() as outer:
            outer.watch(kernel)

            def critic(images):
                return ops.reshape(images, (-1, 784)) @ kernel

            if epsilon:
                penalty = gradient_penalty(critic, images, -images, lab.seed)
            else:
                with tf.GradientTape() as inner:
                    inner.watch(images)
                    scores = critic(images)
                slopes = ops.reshape(inner.gradient(scores, images), (-1, 784))
                penalty = (ops.sqrt(ops.sum(slopes**2, axis=1)) - 1) ** 2
        return np.array(outer.gradient(penalty, kernel))

    nan, nan_right = (
        np.isnan(flat_critics_slope(epsilon)).mean()
        for epsilon in (False, True)
    )
    discriminator = right_dcgan(lab).discriminator  # it has BatchNorm
    with tf.GradientTape() as tape:
        tape.watch(images)
        logit = discriminator(images, training=True)[0, 0]
    slopes = np.square(np.array(tape.gradient(logit, images)))
    others = slopes[1:].sum() / slopes.sum()
    return (
        *off,
        f"Normal shares put {off[0]:.1%} of the points off the line between "
        f"real and generated, uniform ones {off[1]:.0%}. Without an epsilon "
        f"{nan:.0%} of the slopes at a critic of 0 are not numbers, with it "
        f"{nan_right:.0%}. With BatchNorm {others:.1%} of the squared slope "
        "of one image's score lies on the other images of its batch.",
    )


@mistake(
    14,
    "single images iterated as if they were batches",
    "shapes are checked where data come in, images and noise",
    "verdicts on one image",
    ">=",
    "tests/test_gan.py::test_a_single_image_is_not_a_batch",
)
def images_as_batches(lab):
    image = next(iter(lab.train))[0]
    network = keras.Sequential([layers.Flatten(), layers.Dense(1)])
    wrong = len(network(image))
    right = len(right_dcgan(lab).discriminator(image[None]))
    singles = lab.train.unbatch()
    refused = refuses(right_dcgan(lab).fit, singles, verbose=0)
    fed = refuses(right_dcgan(lab), image[None])
    return (
        wrong,
        right,
        f"A network that is told no shape takes the {wrong} rows of a digit "
        f"for {wrong} images and gives {wrong} verdicts instead of {right}, "
        f"without an error; the package {also(refused)} such data, and "
        f"{also(fed)} a generator fed images.",
    )


class AveragesOfListings(keras_genai.DCGAN):
    """Averages its generator from two starts more, with a decay of 0.999."""

    def __init__(self, *arguments, width=16, **keywords):
        super().__init__(*arguments, width=width, **keywords)
        # A network like the generator, with weights drawn anew: a clone.
        self.from_clone, self.from_own = (
            dcgan_generator(self.image_shape, self.latent_dim, width, seed=seed)
            for seed in (self.seed + 1, self.seed)
        )
        self.from_clone.trainable = self.from_own.trainable = False
        self.begin = self.from_clone.get_weights()

    def begin_averages(self):
        self.from_clone.set_weights(self.begin)
        self.from_own.set_weights(self.generator.get_weights())

    def _update_average(self):
        super()._update_average()
        for network in (self.from_clone, self.from_own):
            for average, value in zip(
                network.weights, self.generator.weights, strict=True
            ):
                average.assign(value + 0.999 * (average - value))


@mistake(
    20,
    "`clone_model` for an averaged generator, which starts from other weights",
    "the average starts from the generator's own weights",
    FRECHET,
    ">=",
    "tests/test_gan.py::test_average_starts_from_the_generators_own_weights",
)
def average_from_a_clone(lab):
    model = trained(lab, AveragesOfListings)
    before = int(model.g_optimizer.iterations.numpy())
    model.begin_averages()
    model.fit(
        lab.train,
        initial_epoch=lab.gan_epochs,
        epochs=lab.gan_epochs + (1 if lab.quick else 4),
        verbose=0,
    )
    steps = int(model.g_optimizer.iterations.numpy()) - before
    noise = seeded_noise(lab.num_samples, model.latent_dim, lab.seed)
    wrong, right = (
        lab.distance(np.array(to_unit_range(network(noise))))
        for network in (model.from_clone, model.from_own)
    )
    return (
        wrong,
        right,
        f"An average with a decay of 0.999 that is begun after {before} "
        f"steps has {0.999**steps:.0%} of its start left after {steps} more: "
        f"from a clone's random weights it is at a distance of {wrong:.1f}, "
        f"from the generator's own at {right:.1f}.",
    )
