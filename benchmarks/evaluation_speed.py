"""How long samples take to be evaluated, and how much memory.

The claim: 10,000 samples against 10,000 held-out images in 64 features, all
measures with their floors and 95 % intervals, in at most 20 s and 2 GiB, the
peak of the whole process, on two cores.

    python benchmarks/evaluation_speed.py [--json FILE] [--quick]

The samples are training images with noise on them. The extractor is trained
and applied outside the clock; its seconds are in rows of their own, `cached`
if it had been trained before. The training set, in which the nearest
neighbours are looked for, is as large as the samples, and in a second row
whole. `TFDS_DATA_DIR` says where TFDS finds the full MNIST, without which only
`--quick` runs.
"""

import time

from report import argument_parser, bar, peak_mib, publish

import keras_genai

keras_genai.prepare_tensorflow()

import numpy as np  # noqa: E402

from keras_genai.evaluation import measure_features  # noqa: E402


def main():
    parser = argument_parser(__doc__)
    options = parser.parse_args()
    source, splits, count, settings = "mnist", ("train", "test"), 10_000, {}
    if options.quick:
        source, splits, count = "mnist_5k", ("train[:256]", "test[:100]"), 100
        settings = {"epochs": 1, "cache": False, "verbose": 0}
    train, test = (
        keras_genai.load_images(source, split, offline=True) for split in splits
    )
    if len(test.images) < count:
        parser.error("needs the full MNIST in TFDS_DATA_DIR, or --quick")

    rows = []

    def timed(name, function):
        start = time.perf_counter()
        result = function()
        seconds = time.perf_counter() - start
        rows.append({"name": name, "seconds": seconds, "peak_mib": peak_mib()})
        return result

    extractor = timed(
        "extractor, trained or cached",
        lambda: keras_genai.FeatureExtractor.for_data(train, **settings),
    )
    rows[-1]["accuracy"] = extractor.accuracy(test.images, test.labels)
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, (count, *train.image_shape))
    noisy = np.clip(train.images[-count:] / 255 + noise, 0, 1)
    samples, reference, floor, training = timed(
        "features of all images",
        lambda: [
            extractor.describe(images)
            for images in (
                noisy.astype("float32"),
                test.images[:count],
                train.images[:count],
                train.images,
            )
        ],
    )
    rows[-1]["images"] = 3 * count + len(train.images)
    for name, neighbours in (
        (f"measures, {count:,} training images", floor.values),
        (f"measures, {len(train.images):,} training images", training.values),
    ):
        measures, _ = timed(
            name,
            lambda neighbours=neighbours: measure_features(
                samples, reference, floor, neighbours
            ),
        )
        rows[-1] |= {"images": count, "measures": len(measures)}
    first = rows[-2]
    publish(
        rows,
        [
            bar("evaluation, s", first["seconds"], "<=", 20),
            bar("peak memory, MiB", first["peak_mib"], "<=", 2048),
        ],
        options.json,
    )


if __name__ == "__main__":
    main()
