"""How fast GANs train, in images a second, beside the tutorials' own code.

The claims. On the layers of TensorFlow's DCGAN tutorial, `keras_genai.GAN`
trains at least 1.3x as fast as that tutorial as its readers run it, 0.95x as
fast where oneDNN is on for both, and 1.5x as fast as a step in the style of
keras.io under Keras's defaults. The default recipe, on layers that fit
digits, trains at least 7x as fast as the tutorial as run.

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

import argparse
import dataclasses
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from report import argument_parser, bar, publish

# A worker decides what is set before TensorFlow is imported, and the process
# that starts the workers never needs it: heavy imports are in the functions.


class Stopwatch:
    """Times images, from the end of the warm-up on.

    Args:
        warm_up: Integer, images that pass before the clock starts.
        seconds: Float, how long to time.
    """

    def __init__(self, warm_up, seconds):
        self.warm_up = warm_up
        self.seconds = seconds
        self.start = None
        self.rate = None

    def tick(self, images):
        """Takes the count of images so far; tells whether it is enough."""
        now = time.perf_counter()
        if self.start is None:
            if images >= self.warm_up:
                self.start = now, images
            return False
        elapsed = now - self.start[0]
        self.rate = (images - self.start[1]) / elapsed
        return elapsed >= self.seconds


def seconds_to_time(quick):
    return 0.0 if quick else 12.0


# --- TensorFlow's tutorial ---------------------------------------------------


def tutorial_networks():
    """The layers of TensorFlow's tutorial: generator and discriminator."""
    import keras
    from keras import layers

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
            layers.Dense(7 * 7 * 256, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Reshape((7, 7, 256)),
            transposed(128, strides=1),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            transposed(64, strides=2),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            transposed(1, strides=2, activation="tanh"),
        ]
    )
    discriminator = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(64, kernel_size=5, strides=2, padding="same"),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Conv2D(128, kernel_size=5, strides=2, padding="same"),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def tutorial_step():
    """The tutorial's generator and its step, which trains both networks.

    Returns:
        Pair of the generator and a compiled function of a batch of images.
    """
    import keras
    import tensorflow as tf

    generator, discriminator = tutorial_networks()
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
    _, train_step = tutorial_step()
    dataset = tutorial_dataset(scaled_images(digits(quick)), batch_size)
    watch = Stopwatch(3 * batch_size, seconds_to_time(quick))
    for step, batch in enumerate(dataset, start=1):
        train_step(batch)
        if watch.tick(step * batch_size):
            return watch.rate, batch_size


def tutorial_batch_size(quick):
    return 16 if quick else 256


def scaled_images(examples):
    """The digits as float32 `(count, 28, 28, 1)` in [-1, 1]."""
    return (examples.images.astype("float32") - 127.5) / 127.5


@functools.cache
def digits(quick):
    """MNIST's training set where it is on disk, else `mnist_5k`'s."""
    from keras_genai import load_images

    split = "train[:256]" if quick else "train"
    images = load_images("mnist", split=split, offline=True)
    print(images, file=sys.stderr)
    return images


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

    model = KerasIOGAN(*tutorial_networks())
    model.compile(
        keras.optimizers.Adam(1e-4),
        keras.optimizers.Adam(1e-4),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    images = scaled_images(digits(quick))
    batch_size = tutorial_batch_size(quick)
    dataset = (
        tf.data.Dataset.from_tensor_slices(images)
        .shuffle(1024)
        .batch(batch_size)
        .prefetch(32)
    )
    watch = Stopwatch(3 * batch_size, seconds_to_time(quick))
    return fit(model, dataset, len(images), batch_size, watch), batch_size


def fit(model, dataset, count, batch_size, watch):
    """Trains through `fit` until the stopwatch has had enough.

    Args:
        model: Compiled `keras.Model`.
        dataset: `tf.data.Dataset` of batches.
        count: Integer, images an epoch.
        batch_size: Integer.
        watch: `Stopwatch`.

    Returns:
        Float, images a second.
    """
    import keras

    before = 0  # images of the epochs that are over

    def start_epoch(epoch, logs):
        nonlocal before
        before = epoch * count

    def count_batch(batch, logs):
        if watch.tick(before + min((batch + 1) * batch_size, count)):
            model.stop_training = True

    model.fit(
        dataset,
        epochs=10_000,  # the stopwatch ends it
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_begin=start_epoch, on_train_batch_end=count_batch
            )
        ],
    )
    return watch.rate


# --- Ours --------------------------------------------------------------------


def ours_same_layers(quick):
    """`GAN` with the tutorial's layers, started as the command line does."""
    import keras_genai

    keras_genai.prepare_tensorflow()
    import keras

    images = digits(quick)
    generator, discriminator = tutorial_networks()
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
    watch = Stopwatch(3 * batch_size, seconds_to_time(quick))
    rate = fit(model, dataset, len(images.images), batch_size, watch)
    return rate, batch_size


def ours_default(quick, **compile_arguments):
    """The default recipe of `keras-genai train dcgan`."""
    import keras_genai

    keras_genai.prepare_tensorflow()
    images = digits(quick)
    recipe = dataclasses.replace(keras_genai.get_recipe("dcgan"), source=images)
    dataset = recipe.dataset()
    model = recipe.model(images.image_shape)
    if compile_arguments:
        model.compile_from_config(
            {**model.get_compile_config(), **compile_arguments}
        )
    count = len(images.images)
    warm_up = 1 if quick else 32 * recipe.batch_size
    if compile_arguments.get("jit_compile") and not quick:
        warm_up += count  # XLA compiles again for the short last batch
    watch = Stopwatch(warm_up, seconds_to_time(quick))
    rate = fit(model, dataset, count, recipe.batch_size, watch)
    return rate, recipe.batch_size


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
    "ours, default, XLA": (
        functools.partial(ours_default, jit_compile=True),
        {},
    ),
    "ours, default, 8 steps an execution": (
        functools.partial(ours_default, steps_per_execution=8),
        {},
    ),
}
BARS = [
    (SAME_LAYERS, AS_RUN, 1.3),
    (SAME_LAYERS, ONEDNN_ON, 0.95),
    (SAME_LAYERS, KERAS_IO, 1.5),
    (DEFAULT, AS_RUN, 7),
]


def measure(name, quick):
    """Times one worker in a process of its own.

    Args:
        name: String, a key of `WORKERS` or `VARIANTS`.
        quick: Boolean. Whether two steps are enough.

    Returns:
        Dictionary: `images_per_s`, `batch_size`, `onednn`, `peak_mib`,
        `data`.
    """
    _, settings = {**WORKERS, **VARIANTS}[name]
    untouched = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("TF_")
    }
    command = [sys.executable, __file__, "--worker", name]
    process = subprocess.run(
        command + ["--quick"] * quick,
        env={**untouched, **settings},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        sys.exit(f"{name} failed:\n{process.stderr}")
    return json.loads(process.stdout.splitlines()[-1])


def work(name, quick):
    """What the process of a worker does: time, and print the result."""
    function, _ = {**WORKERS, **VARIANTS}[name]
    rate, batch_size = function(quick)
    data = digits(quick)
    # As tensorflow.python.framework.test_util has it.
    from tensorflow.python.util._pywrap_util_port import IsMklEnabled

    result = {
        "images_per_s": rate,
        "batch_size": batch_size,
        "onednn": IsMklEnabled(),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "data": data.source,
    }
    print(f"\n{json.dumps(result)}")


def median_ratio(rates, others):
    """The median of the ratios of two lists, round by round."""
    return statistics.median(
        rate / other for rate, other in zip(rates, others, strict=True)
    )


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.worker, options.quick)

    rounds = 1 if options.quick else options.rounds
    schedule = [*WORKERS] * rounds + [*VARIANTS]
    results = {name: [] for name in schedule}
    # Where nothing is timed, two at once are only quicker.
    with ThreadPoolExecutor(2 if options.quick else 1) as pool:
        measurements = pool.map(
            lambda name: measure(name, options.quick), schedule
        )
        for name, result in zip(schedule, measurements, strict=True):
            results[name].append(result)
            rate = result["images_per_s"]
            print(f"{name}: {rate:,.0f} images/s", flush=True)

    rates = {
        name: [result["images_per_s"] for result in of_name]
        for name, of_name in results.items()
    }
    rows = [
        {
            "name": name,
            "images_per_s": statistics.median(rates[name]),
            "rounds": [round(rate, 1) for rate in rates[name]],
            "batch_size": of_name[0]["batch_size"],
            "onednn": of_name[0]["onednn"],
            "peak_mib": max(result["peak_mib"] for result in of_name),
            "data": of_name[0]["data"],
        }
        for name, of_name in results.items()
    ]
    rows += [
        {
            "name": f"{name} / {ONEDNN_OFF}",
            "ratio": median_ratio(rates[name], rates[ONEDNN_OFF]),
        }
        for name in (SAME_LAYERS, DEFAULT)
    ]
    bars = [
        bar(
            f"{name} / {other}",
            median_ratio(rates[name], rates[other]),
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
