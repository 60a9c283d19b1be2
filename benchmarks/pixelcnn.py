"""PixelCNN on binarised digits: nats an image, and seconds a sample.

The claims: trained for 30 minutes on two cores on digits that are binarised
anew each time, a PixelCNN scores held-out digits, binarised likewise, at 84
nats an image or less (van den Oord et al., Pixel recurrent neural networks,
2016, table 4: 81.30, on digits binarised once); and it draws 1,000 of them at
least 20 times as fast as the form that tutorials have, a forward `predict` of
all images for each pixel.

    python benchmarks/pixelcnn.py [--seconds 1800] [--seed 0]
        [--split test] [--samples FILE.png] [--json FILE] [--quick]

Seconds are those of training, compiling left out; the learning rate falls to
0 over them along half a cosine. The slow form is timed at some pixels, evenly
spread, and its time multiplied: each of them costs the same. Beside the model
stands what the pixels cost that are drawn each alone, by how often one is on
at its place. `TFDS_DATA_DIR` says where TFDS finds the full MNIST, without
which only `--quick` runs.
"""

import time

from report import argument_parser, bar, leave_out_xla, publish
from timed import AnnealOverTime

import keras_genai

keras_genai.prepare_tensorflow()

import numpy as np  # noqa: E402


def images_of(split, batch_size, options):
    return keras_genai.image_dataset(
        "mnist",
        split,
        value_range=(0, 1),
        binarize="dynamic",
        batch_size=batch_size,
        seed=options.seed,
        offline=True,
    )


def nats_of_each_pixel_alone(train, test):
    """Nats an image of pixels that are on as often as in training."""
    share = (train / 255.0).mean(axis=0).clip(1e-4, 1 - 1e-4)
    on = test / 255.0  # the share of binarisations in which a pixel is on
    nats = -on * np.log(share) - (1 - on) * np.log(1 - share)
    return float(nats.sum() / len(test))


def predict_a_pixel(model, count, pixels, seed):
    """The usual form: a forward `predict` of all images for each pixel.

    Returns the seconds of the given pixels; the first is a warm-up.
    """
    generator = np.random.default_rng(seed)
    images = np.zeros((count, *model.image_shape), "float32")
    taken = []
    for row, column in pixels:
        start = time.monotonic()
        means = model.predict(images, batch_size=count, verbose=0)
        share = means[:, row, column]
        images[:, row, column] = generator.random(share.shape) < share
        taken.append(time.monotonic() - start)
    return taken[1:]


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", default="test", help="what is scored")
    parser.add_argument("--train", default="train", help="what is learned")
    parser.add_argument("--samples", help="picture of 100 samples")
    options = parser.parse_args()
    count, timed_pixels, size = 1000, 14, {}
    if options.quick:
        leave_out_xla()
        options.seconds, count, timed_pixels = 0.1, 10, 2
        options.train = f"{options.train}[:256]"
        options.split = f"{options.split}[:10]"
        size = {"width": 8, "dilations": (1, 2), "head_width": 8}

    batch_size = keras_genai.get_recipe("pixelcnn").batch_size
    train = images_of(options.train, batch_size, options)
    test = images_of(options.split, 100, options)
    model = keras_genai.PixelCNN(
        train.examples.image_shape, seed=options.seed, **size
    )
    model.compile()
    clock = AnnealOverTime(options.seconds, warm_up=100)
    model.fit(train, epochs=10_000, verbose=0, callbacks=[clock])
    nats = model.evaluate(test, verbose=0)["loss"]
    print(f"PixelCNN: {nats:.4g} nats an image", flush=True)

    model.generate(count, seed=0)  # traces
    start = time.monotonic()
    samples = model.generate(count, seed=options.seed)
    ours = time.monotonic() - start
    height, width, _ = model.image_shape
    chosen = np.linspace(0, height * width - 1, timed_pixels + 1).astype(int)
    pixels = [divmod(place, width) for place in chosen]
    theirs = predict_a_pixel(model, count, pixels, options.seed)
    theirs = np.mean(theirs) * height * width

    alone = nats_of_each_pixel_alone(
        train.examples.images, test.examples.images
    )
    rows = [
        {"name": "each pixel alone", "nats_an_image": alone},
        {
            "name": "PixelCNN",
            "nats_an_image": nats,
            "bits_per_dim": nats / np.log(2) / (height * width),
            "seconds": options.seconds,
            "images_seen": clock.steps * batch_size,
            "parameters": model.count_params(),
        },
        {"name": f"{count} samples, one loop", "seconds": ours},
        {
            "name": f"{count} samples, a predict a pixel",
            "seconds": float(theirs),
        },
    ]
    publish(
        rows,
        [
            bar("nats an image", nats, "<=", 84),
            bar("samples, times as fast", theirs / ours, ">=", 20),
        ],
        options.json,
    )
    if options.samples:
        figure = keras_genai.plotting.plot_images(samples[:100], columns=20)
        figure.savefig(options.samples)


if __name__ == "__main__":
    main()
