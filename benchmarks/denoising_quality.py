"""How much noise is taken off digits after three minutes, in decibels.

The claim: trained for three minutes on two cores, the default denoising
autoencoder gives back MNIST's test images, corrupted by Gaussian noise of
standard deviation 0.3, with a peak signal-to-noise ratio at least 8 dB above
that of the corrupted images.

    python benchmarks/denoising_quality.py [--seconds 180] [--json FILE]
        [--quick]

Corrupted pixels stay in [0, 1], which alone takes away some of the noise.
`TFDS_DATA_DIR` says where TFDS finds the full MNIST, without which only
`--quick` runs.
"""

from report import argument_parser, bar, publish, trace_nothing

import keras_genai

keras_genai.prepare_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from timed import AnnealOverTime  # noqa: E402


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    options = parser.parse_args()
    source, part, seconds = "mnist", "", options.seconds
    if options.quick:
        source, part, seconds = "mnist_5k", "[:128]", 0.1
        trace_nothing()

    recipe = keras_genai.get_recipe("denoising_autoencoder")
    train = keras_genai.image_dataset(
        source, "train" + part, value_range=(0, 1), seed=0, offline=True
    )
    test = keras_genai.load_images(source, "test" + part, offline=True)
    if not options.quick and len(test.images) < 10_000:
        parser.error("needs the full MNIST in TFDS_DATA_DIR, or --quick")
    model = keras_genai.DenoisingAutoencoder(corruption_level=0.3, seed=0)
    model.compile(keras.optimizers.Adam(recipe.learning_rate))
    anneal = AnnealOverTime(seconds)
    model.fit(train, epochs=10_000, verbose=2, callbacks=[anneal])

    images = (test.images / 255.0).astype("float32")
    corrupted = np.array(model.corrupt(images, seed=1))
    rows = []
    for name, shown in (
        ("corrupted (floor)", corrupted),
        ("denoised", model.denoise(corrupted)),
    ):
        row = {"name": name}
        for metric in (keras_genai.metrics.PSNR(), keras_genai.metrics.SSIM()):
            metric.update_state(images, shown)
            row[metric.name] = float(metric.result())
        rows.append(row)
    rows[1] |= {"seconds": seconds, "steps": anneal.steps}
    gain = rows[1]["psnr"] - rows[0]["psnr"]
    publish(rows, [bar("PSNR gained, dB", gain, ">=", 8)], options.json)


if __name__ == "__main__":
    main()
