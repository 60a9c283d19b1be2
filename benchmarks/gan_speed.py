"""How fast GANs train, in images a second, beside the tutorials' own code.

The claims. On the layers of TensorFlow's DCGAN tutorial, `keras_genai.GAN`
trains at least 1.3x as fast as that tutorial as its readers run it, 0.95x as
fast where oneDNN is on for both, and 1.5x as fast as a step in the style of
keras.io under Keras's defaults. The default recipe, on layers that fit
digits, trains at least 7x as fast as the tutorial as run.

Where TensorFlow turns oneDNN on by itself, as on an AMD EPYC, the tutorial has
it too, and the last claim alone holds: on the tutorial's layers ours was 0.9x
as fast as the tutorial (it has one more pass of the discriminator a step, and
the average), 1.8x as fast as without oneDNN, and 1.05x as fast as keras.io's
step.

    python benchmarks/gan_speed.py [--rounds 3] [--json FILE] [--quick]

Each timing is a process of its own, so that settings do not leak, and the
contestants alternate, round after round; a ratio is the median of the ratios
of the rounds. A timing warms up, then takes whole steps for about 12 seconds.

The data are MNIST where `TFDS_DATA_DIR` (else TFDS's own folder) has it, and
otherwise the packaged `mnist_5k`; nothing is downloaded. The output says
which. Sizes do not matter to the speed of a step.

Sources of the layer sizes and of the steps that ours is compared with:
TensorFlow's tutorial "Deep Convolutional Generative Adversarial Network", and
keras.io's "DCGAN to generate face images" (its step, on the layers of the
former). The code is our own.

TensorFlow decides about oneDNN by the processor when it is imported. Whether
it was on is asked of TensorFlow itself, in the process that was timed:
`IsMklEnabled()`, which heeds both the processor and the environment.
"""

import dataclasses
import functools

from contest import (
    Stopwatch,
    contest,
    contest_parser,
    digits,
    fit,
    median_ratio,
    seconds_to_time,
    summaries,
    work,
)
from report import bar, publish

# A worker decides what is set before TensorFlow is imported, and the process
# that starts the workers never needs it: heavy imports are in the functions.


# --- TensorFlow's tutorial ---------------------------------------------------


def tutorial_networks(quick=False):
    """The layers of TensorFlow's tutorial: generator and discriminator."""
    import keras
    from keras import layers

    large, middle, small = (16, 8, 4) if quick else (256, 128, 64)

    def transposed(filters, strides, **arguments):
        return layers.Conv2DTranspose(
            filters,
            kernel_size=5,
            strides=strides,
            padding="same",
            use_bias=False,
            **arguments,
        )

    generator = keras.Sequential(
        [
            layers.Input((100,)),
            layers.Dense(7 * 7 * large, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Reshape((7, 7, large)),
            transposed(middle, strides=1),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            transposed(small, strides=2),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            transposed(1, strides=2, activation="tanh"),
        ]
    )
    discriminator = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(small, kernel_size=5, strides=2, padding="same"),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Conv2D(middle, kernel_size=5, strides=2, padding="same"),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def tutorial_step(quick=False):
    """The tutorial's generator and its step, which trains both networks.

    Returns:
        Pair of the generator and a compiled function of a batch of images.
    """
    import keras
    import tensorflow as tf

    generator, discriminator = tutorial_networks(quick)
    g_optimizer = keras.optimizers.Adam(1e-4)
    d_optimizer = keras.optimizers.Adam(1e-4)
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def train_step(real_images):
        noise = tf.random.normal((len(real_images), 100))
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            generated_images = generator(noise, training=True)
            real = discriminator(real_images, training=True)
            fake = discriminator(generated_images, training=True)
            g_loss = cross_entropy(tf.ones_like(fake), fake)
            d_loss = cross_entropy(tf.ones_like(real), real)
            d_loss += cross_entropy(tf.zeros_like(fake), fake)
        for loss, tape, network, optimizer in (
            (g_loss, g_tape, generator, g_optimizer),
            (d_loss, d_tape, discriminator, d_optimizer),
        ):
            variables = network.trainable_variables
            gradients = tape.gradient(loss, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))

    return generator, train_step


def tutorial_dataset(images, batch_size):
    """The tutorial's input: shuffled slices in batches, without end.

    The short last batch would cost a second tracing: it is left out, and the
    set repeated, so that a small one is no disadvantage.
    """
    import tensorflow as tf

    return (
        tf.data.Dataset.from_tensor_slices(images)
        .shuffle(len(images))
        .batch(batch_size, drop_remainder=True)
        .repeat()
    )


def tutorial(quick):
    """A loop over a compiled step; both learn from the same passes."""
    batch_size = tutorial_batch_size(quick)
    _, train_step = tutorial_step(quick)
    images = digits(quick)
    dataset = tutorial_dataset(scaled_images(images), batch_size)
    watch = Stopwatch(warm_up(quick, batch_size), seconds_to_time(quick))
    for step, batch in enumerate(dataset, start=1):
        train_step(batch)
        if watch.tick(step * batch_size):
            return watch.rate, batch_size, images.source


def tutorial_batch_size(quick):
    return 16 if quick else 256


def warm_up(quick, batch_size):
    return batch_size if quick else 3 * batch_size


def scaled_images(examples):
    """The digits as float32 `(count, 28, 28, 1)` in [-1, 1]."""
    return (examples.images.astype("float32") - 127.5) / 127.5


# --- keras.io's style --------------------------------------------------------


def keras_io_style(quick, training=None):
    """`fit` of a subclass under Keras's defaults, two generator passes.

    keras.io calls the networks without `training`. Inside a `train_step`
    Keras 3 takes that for inference: Dropout is off and BatchNorm keeps its
    first statistics, which is less work than the others do.
    """
    import keras
    import tensorflow as tf
    from keras import ops

    class KerasIOGAN(keras.Model):
        def __init__(self, generator, discriminator):
            super().__init__()
            self.generator = generator
            self.discriminator = discriminator
            self.seed_generator = keras.random.SeedGenerator(1337)
            self.d_loss = keras.metrics.Mean(name="d_loss")
            self.g_loss = keras.metrics.Mean(name="g_loss")

        def compile(self, d_optimizer, g_optimizer, loss):
            super().compile()
            self.d_optimizer = d_optimizer
            self.g_optimizer = g_optimizer
            self.cross_entropy = loss

        @property
        def metrics(self):
            return [self.d_loss, self.g_loss]

        def train_step(self, real_images):
            batch = ops.shape(real_images)[0]
            seed = self.seed_generator

            noise = keras.random.normal((batch, 100), seed=seed)
            images = ops.concatenate(
                [self.generator(noise, training=training), real_images], axis=0
            )
            labels = ops.concatenate(
                [ops.ones((batch, 1)), ops.zeros((batch, 1))], axis=0
            )
            labels += 0.05 * keras.random.uniform(ops.shape(labels), seed=seed)
            with tf.GradientTape() as tape:
                logits = self.discriminator(images, training=training)
                d_loss = self.cross_entropy(labels, logits)
            variables = self.discriminator.trainable_weights
            self.d_optimizer.apply(tape.gradient(d_loss, variables), variables)

            noise = keras.random.normal((batch, 100), seed=seed)
            with tf.GradientTape() as tape:
                images = self.generator(noise, training=training)
                logits = self.discriminator(images, training=training)
                g_loss = self.cross_entropy(ops.zeros((batch, 1)), logits)
            variables = self.generator.trainable_weights
            self.g_optimizer.apply(tape.gradient(g_loss, variables), variables)

            self.d_loss.update_state(d_loss)
            self.g_loss.update_state(g_loss)
            return {metric.name: metric.result() for metric in self.metrics}

    model = KerasIOGAN(*tutorial_networks(quick))
    model.compile(
        keras.optimizers.Adam(1e-4),
        keras.optimizers.Adam(1e-4),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    images = digits(quick)
    batch_size = tutorial_batch_size(quick)
    dataset = (
        tf.data.Dataset.from_tensor_slices(scaled_images(images))
        .shuffle(1024)
        .batch(batch_size)
        .prefetch(32)
    )
    watch = Stopwatch(warm_up(quick, batch_size), seconds_to_time(quick))
    rate = fit(model, dataset, len(images.images), batch_size, watch)
    return rate, batch_size, images.source


# --- Ours --------------------------------------------------------------------


def ours_same_layers(quick):
    """`GAN` with the tutorial's layers, started as the command line does."""
    import keras_genai

    keras_genai.prepare_tensorflow()
    import keras

    images = digits(quick)
    generator, discriminator = tutorial_networks(quick)
    model = keras_genai.GAN(
        image_shape=images.image_shape,
        latent_dim=100,
        generator=generator,
        discriminator=discriminator,
    )
    model.compile(
        d_optimizer=keras.optimizers.Adam(1e-4),
        g_optimizer=keras.optimizers.Adam(1e-4),
    )
    batch_size = tutorial_batch_size(quick)
    dataset = keras_genai.image_dataset(images, batch_size=batch_size)
    watch = Stopwatch(warm_up(quick, batch_size), seconds_to_time(quick))
    rate = fit(model, dataset, len(images.images), batch_size, watch)
    return rate, batch_size, images.source


def ours_default(quick, **compile_arguments):
    """The default recipe of `keras-genai train dcgan`."""
    import keras_genai

    keras_genai.prepare_tensorflow()
    images = digits(quick)
    recipe = keras_genai.get_recipe("gan" if quick else "dcgan")
    recipe = dataclasses.replace(recipe, source=images)
    if quick:
        recipe = dataclasses.replace(recipe, model_arguments=single_layers())
    dataset = recipe.dataset()
    model = recipe.model(dataset)
    if compile_arguments:
        model.compile_from_config(
            {**model.get_compile_config(), **compile_arguments}
        )
    count = len(images.images)
    first = 1 if quick else 32 * recipe.batch_size
    if compile_arguments.get("jit_compile") and not quick:
        first += count  # XLA compiles again for the short last batch
    watch = Stopwatch(first, seconds_to_time(quick))
    rate = fit(model, dataset, count, recipe.batch_size, watch)
    return rate, recipe.batch_size, images.source


def single_layers():
    """The least networks of a GAN, which XLA compiles soonest."""
    import keras
    from keras import layers

    generator = [layers.Input((2,)), layers.Dense(28 * 28, activation="tanh")]
    generator.append(layers.Reshape((28, 28, 1)))
    judge = [layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(1)]
    return {
        "latent_dim": 2,
        "generator": keras.Sequential(generator),
        "discriminator": keras.Sequential(judge),
    }


def ours_with_xla(quick):
    """The same, compiled by XLA: of graphs, which `--quick` leaves out."""
    import tensorflow as tf

    without_graphs = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(False)
    try:
        return ours_default(quick, jit_compile=True)
    finally:
        tf.config.run_functions_eagerly(without_graphs)


# --- Workers -----------------------------------------------------------------

AS_RUN, ONEDNN_ON = "tutorial", "tutorial, oneDNN on"
ONEDNN_OFF = "tutorial, oneDNN off"
KERAS_IO = "keras.io style"
SAME_LAYERS, DEFAULT = "ours, same layers", "ours, default"

# Name -> (function, what it finds in the environment).
WORKERS = {
    AS_RUN: (tutorial, {}),
    ONEDNN_ON: (tutorial, {"TF_ENABLE_ONEDNN_OPTS": "1"}),
    ONEDNN_OFF: (tutorial, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    KERAS_IO: (keras_io_style, {}),
    SAME_LAYERS: (ours_same_layers, {}),
    DEFAULT: (ours_default, {}),
}
# One round each: keras.io's step with Dropout and BatchNorm at work, and the
# choices that the default recipe does not make.
VARIANTS = {
    "keras.io style, training=True": (
        functools.partial(keras_io_style, training=True),
        {},
    ),
    "ours, default, XLA": (ours_with_xla, {}),
    "ours, default, 1 step an execution": (
        functools.partial(ours_default, steps_per_execution=1),
        {},
    ),
}
BARS = [
    (SAME_LAYERS, AS_RUN, 1.3),
    (SAME_LAYERS, ONEDNN_ON, 0.95),
    (SAME_LAYERS, KERAS_IO, 1.5),
    (DEFAULT, AS_RUN, 7),
]


def main():
    options = contest_parser(__doc__).parse_args()
    if options.worker:
        return work({**WORKERS, **VARIANTS}, options)
    results = contest(__file__, WORKERS, VARIANTS, options)
    rows = summaries(results)
    rows += [
        {
            "name": f"{name} / {ONEDNN_OFF}",
            "ratio": median_ratio(results, name, ONEDNN_OFF),
        }
        for name in (SAME_LAYERS, DEFAULT)
    ]
    bars = [
        bar(
            f"{name} / {other}",
            median_ratio(results, name, other),
            ">=",
            bound,
        )
        for name, other, bound in BARS
    ]
    as_run = "on" if results[AS_RUN][0]["onednn"] else "off"
    print(
        f"\nTensorFlow had oneDNN {as_run} for the tutorial as run: that is "
        "its own choice on this processor (asked by IsMklEnabled()).\n"
    )
    publish(rows, bars, options.json)


if __name__ == "__main__":
    main()
