"""How fast the dense VAE trains, in images a second, beside other loops.

The claims. The VAE of Kingma and Welling (784-400-20 and back, batches of
128) trains through `fit` at least 0.95x as fast as the same network in
a `tf.function` written by hand, 1.5x as fast as a step in the style of
keras.io under Keras's defaults, and (`--torch`) 0.9x as fast as the same
network in PyTorch, fed from memory.

    python benchmarks/vae_speed.py [--rounds 3] [--torch PYTHON]
        [--json FILE] [--quick]

`--torch` is the path of a Python with PyTorch and NumPy in an environment of
its own. It is fed the same pixels from a tensor in memory, in a fresh
permutation every epoch.

As in `gan_speed.py`, each timing is a process of its own, the contestants
alternate, and a ratio is the median of the ratios of the rounds. At this size
a step takes milliseconds, of which the loop around it has its share: the
variants show what several steps an execution and XLA change.

The data are MNIST where `TFDS_DATA_DIR` (else TFDS's own folder) has it, and
otherwise the packaged `mnist_5k`; nothing is downloaded. The output says
which.

Sources of the steps that ours is compared with: keras.io's "Variational
AutoEncoder" (its step, on these layers). The code is our own.
"""

import functools
import os
import tempfile
from pathlib import Path

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

BATCH_SIZE = 128
LATENT_DIM = 20
HIDDEN = 400


def warm_up(quick):
    return 1 if quick else 100 * BATCH_SIZE


def dense_networks():
    """Encoder and decoder of all contestants."""
    import keras
    from keras import layers

    encoder = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(HIDDEN, activation="relu"),
            layers.Dense(2 * LATENT_DIM),
        ]
    )
    decoder = keras.Sequential(
        [
            layers.Input((LATENT_DIM,)),
            layers.Dense(HIDDEN, activation="relu"),
            layers.Dense(784),
            layers.Reshape((28, 28, 1)),
        ]
    )
    return encoder, decoder


# --- Contestants -------------------------------------------------------------


def ours(quick, **compile_arguments):
    """`keras_genai.VAE` through `fit`, as the command line starts it."""
    import keras_genai

    keras_genai.prepare_tensorflow()
    images = digits(quick)
    dataset = keras_genai.image_dataset(
        images, value_range=(0, 1), batch_size=BATCH_SIZE
    )
    model = keras_genai.VAE(latent_dim=LATENT_DIM, networks="dense")
    model.compile(**compile_arguments)
    watch = Stopwatch(warm_up(quick), seconds_to_time(quick))
    rate = fit(model, dataset, len(images.images), BATCH_SIZE, watch)
    return rate, BATCH_SIZE, images.source


def by_hand(quick):
    """The same network, loss and optimizer in a loop over a `tf.function`.

    Fed by the same pipeline; nothing is measured or reported but the loss of
    the step.
    """
    import keras_genai

    keras_genai.prepare_tensorflow()
    import keras
    import tensorflow as tf

    encoder, decoder = dense_networks()
    optimizer = keras.optimizers.Adam(1e-3)
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer.build(variables)

    @tf.function
    def train_step(images):
        with tf.GradientTape() as tape:
            outputs = encoder(images, training=True)
            mean, log_var = tf.split(outputs, 2, axis=-1)
            noise = tf.random.normal(tf.shape(mean))
            logits = decoder(mean + tf.exp(log_var / 2) * noise, training=True)
            entropies = tf.nn.sigmoid_cross_entropy_with_logits(images, logits)
            kl = (tf.square(mean) + tf.exp(log_var) - 1 - log_var) / 2
            loss = tf.reduce_mean(
                tf.reduce_sum(entropies, axis=(1, 2, 3))
                + tf.reduce_sum(kl, axis=1)
            )
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    images = digits(quick)
    dataset = keras_genai.image_dataset(
        images, value_range=(0, 1), batch_size=BATCH_SIZE
    )
    watch = Stopwatch(warm_up(quick), seconds_to_time(quick))
    seen = 0
    while True:
        for batch in dataset:
            train_step(batch)
            seen += len(batch)
            if watch.tick(seen):
                return watch.rate, BATCH_SIZE, images.source


def keras_io_style(quick):
    """`fit` of a subclass on a NumPy array under Keras's defaults."""
    import keras
    import tensorflow as tf
    from keras import layers, ops

    class Sampling(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed_generator = keras.random.SeedGenerator(1337)

        def call(self, inputs):
            mean, log_var = inputs
            noise = keras.random.normal(
                ops.shape(mean), seed=self.seed_generator
            )
            return mean + ops.exp(0.5 * log_var) * noise

    class KerasIOVAE(keras.Model):
        def __init__(self):
            super().__init__()
            inputs = keras.Input((28, 28, 1))
            hidden = layers.Dense(HIDDEN, "relu")(layers.Flatten()(inputs))
            mean = layers.Dense(LATENT_DIM)(hidden)
            log_var = layers.Dense(LATENT_DIM)(hidden)
            z = Sampling()([mean, log_var])
            self.encoder = keras.Model(inputs, [mean, log_var, z])
            codes = keras.Input((LATENT_DIM,))
            hidden = layers.Dense(HIDDEN, "relu")(codes)
            pixels = layers.Dense(784, "sigmoid")(hidden)
            self.decoder = keras.Model(
                codes, layers.Reshape((28, 28, 1))(pixels)
            )
            names = ("total_loss", "reconstruction_loss", "kl_loss")
            self.trackers = [keras.metrics.Mean(name=name) for name in names]

        @property
        def metrics(self):
            return self.trackers

        def train_step(self, data):
            with tf.GradientTape() as tape:
                mean, log_var, z = self.encoder(data)
                reconstruction = self.decoder(z)
                reconstruction_loss = ops.mean(
                    ops.sum(
                        keras.losses.binary_crossentropy(data, reconstruction),
                        axis=(1, 2),
                    )
                )
                kl = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))
                kl_loss = ops.mean(ops.sum(kl, axis=1))
                total_loss = reconstruction_loss + kl_loss
            gradients = tape.gradient(total_loss, self.trainable_weights)
            self.optimizer.apply_gradients(
                zip(gradients, self.trainable_weights, strict=True)
            )
            values = (total_loss, reconstruction_loss, kl_loss)
            for tracker, value in zip(self.trackers, values, strict=True):
                tracker.update_state(value)
            return {each.name: each.result() for each in self.trackers}

    images = digits(quick)
    model = KerasIOVAE()
    model.compile(optimizer=keras.optimizers.Adam())
    watch = Stopwatch(warm_up(quick), seconds_to_time(quick))
    pixels = images.images.astype("float32") / 255
    rate = fit(model, pixels, len(pixels), BATCH_SIZE, watch)
    return rate, BATCH_SIZE, images.source


def torch_loop(quick):
    """The same network in PyTorch, where only PyTorch and NumPy are."""
    import numpy as np
    import torch
    from torch import nn

    encoder = nn.Sequential(
        nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LATENT_DIM)
    )
    decoder = nn.Sequential(
        nn.Linear(LATENT_DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 784)
    )
    optimizer = torch.optim.Adam(
        [*encoder.parameters(), *decoder.parameters()], lr=1e-3
    )
    path = os.environ["VAE_SPEED_PIXELS"]
    pixels = torch.from_numpy(np.load(path)).reshape(-1, 784)
    watch = Stopwatch(warm_up(quick), seconds_to_time(quick))
    seen = 0
    while True:
        for chosen in torch.randperm(len(pixels)).split(BATCH_SIZE):
            images = pixels[chosen]
            mean, log_var = encoder(images).chunk(2, dim=1)
            z = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
            entropy = nn.functional.binary_cross_entropy_with_logits(
                decoder(z), images, reduction="sum"
            )
            kl = (mean.square() + log_var.exp() - 1 - log_var).sum() / 2
            optimizer.zero_grad()
            ((entropy + kl) / len(images)).backward()
            optimizer.step()
            seen += len(images)
            if watch.tick(seen):
                return watch.rate, BATCH_SIZE, "as the others"


# --- The contest -------------------------------------------------------------

OURS, BY_HAND, KERAS_IO = "ours, fit", "tf.function by hand", "keras.io style"
PYTORCH = "PyTorch, from memory"
WORKERS = {
    OURS: (ours, {}),
    BY_HAND: (by_hand, {}),
    KERAS_IO: (keras_io_style, {}),
}
VARIANTS = {
    "ours, 1 step an execution": (
        functools.partial(ours, steps_per_execution=1),
        {},
    ),
    "ours, 32 steps an execution": (
        functools.partial(ours, steps_per_execution=32),
        {},
    ),
    "ours, XLA": (functools.partial(ours, jit_compile=True), {}),
}
BARS = [(OURS, BY_HAND, 0.95), (OURS, KERAS_IO, 1.5)]


def main():
    parser = contest_parser(__doc__)
    parser.add_argument("--torch", metavar="PYTHON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pixels = Path(folder) / "pixels.npy"
        peer = {PYTORCH: (torch_loop, {"VAE_SPEED_PIXELS": str(pixels)})}
        if options.worker:
            return work({**WORKERS, **VARIANTS, **peer}, options)
        workers, pythons, bars = WORKERS, {}, BARS
        if options.torch:
            import numpy as np

            images = digits(options.quick).images
            np.save(pixels, images.astype("float32") / 255)
            workers = {**WORKERS, **peer}
            pythons = {PYTORCH: options.torch}
            bars = [*BARS, (OURS, PYTORCH, 0.9)]
        results = contest(__file__, workers, VARIANTS, options, pythons)
    publish(
        summaries(results),
        [
            bar(
                f"{name} / {other}",
                median_ratio(results, name, other),
                ">=",
                bound,
            )
            for name, other, bound in bars
        ],
        options.json,
    )


if __name__ == "__main__":
    main()
