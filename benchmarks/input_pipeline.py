"""How fast images are fed, beside what training takes, in images a second.

The claim: `image_dataset` never bounds training. Alone, it feeds at least 10x
the images that the default DCGAN trains on in the same time.

    python benchmarks/input_pipeline.py [--rounds 5] [--json FILE] [--quick]

Whole passes over the training set, in the default recipe's batches, read by
a plain loop for about a second; the contestants alternate, round after round,
after a first pass that is not timed. Beside the pipeline from memory, as the
recipe uses it, stand the one from disk, the one with flips and translations,
and a peer in the style of TFDS's tutorials: normalise each image, cache,
shuffle, batch, prefetch. The training is that of `gan_speed.py`, in a process
of its own unless it is `--quick`.

The data are MNIST where `TFDS_DATA_DIR` (else TFDS's own folder) has it, and
otherwise the packaged `mnist_5k`; nothing is downloaded. The output says
which.
"""

import statistics
import time

import gan_speed
from contest import digits, measure, timed
from report import argument_parser, bar, publish

AUGMENT = {"flip": "horizontal", "translation": 0.1}


def peer_pipeline(pixels, batch_size):
    """A pipeline as TFDS's tutorials write it."""
    import tensorflow as tf

    def normalise(image):
        return tf.cast(image, "float32") / 127.5 - 1.0

    return (
        tf.data.Dataset.from_tensor_slices(pixels)
        .map(normalise, num_parallel_calls=tf.data.AUTOTUNE)
        .cache()
        .shuffle(len(pixels))
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def time_passes(dataset, count, seconds):
    """Reads whole passes for about `seconds`; returns images a second."""
    passes, start = 0, time.perf_counter()
    while True:
        for _ in dataset:
            pass
        passes += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return passes * count / elapsed


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rounds, seconds = (1, 0.0) if options.quick else (options.rounds, 1.0)

    import keras_genai

    keras_genai.prepare_tensorflow()
    images = digits(options.quick)
    count = len(images.images)
    name, _, split = images.source.partition("/")
    on_disk = keras_genai.load_images(name, split, cache="disk", offline=True)
    batch_size = keras_genai.get_recipe("dcgan").batch_size
    image_dataset = keras_genai.image_dataset
    datasets = {
        "memory": image_dataset(images, batch_size=batch_size),
        "disk": image_dataset(on_disk, batch_size=batch_size),
        "memory, augmented": image_dataset(
            images, batch_size=batch_size, augment=AUGMENT
        ),
        "peer: TFDS's tutorials": peer_pipeline(images.images, batch_size),
    }
    rates = {name: [] for name in datasets}
    for dataset in datasets.values():
        time_passes(dataset, count, seconds=0)  # fills the peer's cache
    for _ in range(rounds):
        for name, dataset in datasets.items():
            rates[name].append(time_passes(dataset, count, seconds))
    if options.quick:  # where nothing is timed
        training = [timed(gan_speed.ours_default, quick=True)]
    else:
        training = [
            measure(gan_speed.__file__, gan_speed.DEFAULT, {}, quick=False)
            for _ in range(min(rounds, 3))
        ]
    rates["training, default DCGAN"] = [each["rate"] for each in training]

    medians = {name: statistics.median(rates[name]) for name in rates}
    training = medians["training, default DCGAN"]
    rows = [
        {
            "name": name,
            "images_per_s": medians[name],
            "rounds": [round(rate) for rate in rates[name]],
            "times_training": medians[name] / training,
            "batch_size": batch_size,
            "data": images.source,
        }
        for name in rates
    ]
    bars = [
        bar("input / training", medians["memory"] / training, ">=", 10),
    ]
    publish(rows, bars, options.json)


if __name__ == "__main__":
    main()
