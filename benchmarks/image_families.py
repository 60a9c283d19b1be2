"""All image families on the same pixels and the same seconds.

The claim: on one set of images, after one time of training, every family can
be compared in one table: by its samples, in the features of one classifier,
and where a model has a likelihood of 8-bit pixels, in bits a dimension on the
same test images.

    python benchmarks/image_families.py [--seconds 120] [--seed 0]
        [--families "PixelCNN" ...] [--samples FILE.png] [--json FILE] [--quick]

Samples are measured as in `gan_quality.py`. Bits are exact for PixelCNN; for
VAEs with a discretised logistic likelihood they are those of the
importance-weighted bound (k = 100), an upper bound on what they need. Beside
them stands what pixels cost that are all equally likely, and that are drawn,
each alone, by how often a value comes at its place in the training images.
`TFDS_DATA_DIR` says where TFDS finds the full MNIST, without which only
`--quick` runs.
"""

import math
import time

import gan_quality
from report import argument_parser, bar, publish, trace_nothing

import keras_genai

keras_genai.prepare_tensorflow()

import numpy as np  # noqa: E402

BITS = {
    "binarize": None,
    "model_arguments": {"likelihood": "discretized_logistic"},
}
MIXTURE = {
    "binarize": None,
    "model_arguments": {"likelihood": "discretized_logistic_mixture"},
}
# Title -> (recipe, changes).
FAMILIES = {
    "GAN": ("gan", {}),
    "DCGAN": ("dcgan", {}),
    "WGAN-GP": ("wgan_gp", {}),
    "conditional GAN": ("conditional_gan", {}),
    "auxiliary-classifier GAN": ("acgan", {}),
    "autoencoder": ("autoencoder", {}),
    "denoising autoencoder": ("denoising_autoencoder", {}),
    "VAE": ("vae", {}),
    "VAE, 8-bit pixels": ("vae", BITS),
    "conditional VAE": ("conditional_vae", {}),
    "conditional VAE, 8-bit pixels": ("conditional_vae", BITS),
    "PixelCNN": ("pixelcnn", {}),
    "PixelCNN, 8-bit pixels": ("pixelcnn", MIXTURE),
}


def bits_of_each_pixel_alone(train, test):
    """Bits a dimension of pixels drawn by their own histograms."""
    train = train.reshape(len(train), -1)
    counts = np.ones((train.shape[1], 256))  # of each value, one more
    for place in range(train.shape[1]):
        counts[place] += np.bincount(train[:, place], minlength=256)
    logs = np.log2(counts / counts.sum(axis=1, keepdims=True))
    places = np.arange(train.shape[1])
    return -float(logs[places, test.reshape(len(test), -1)].mean())


def bits(model, name, changes, examples, seed):
    """Bits a dimension of the test images, exact or by the tighter bound."""
    import dataclasses

    recipe = dataclasses.replace(
        keras_genai.get_recipe(name), source=examples, **changes
    )
    dataset = recipe.dataset(seed=seed, split="test")
    if hasattr(model, "log_prob"):
        return model.evaluate(dataset, verbose=0)["bits_per_dim"]
    bound = keras_genai.importance_weighted_bound(
        model, dataset, k=100, verbose=0
    )
    return keras_genai.bits_per_dim(bound.nats, examples.image_shape)


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--families", nargs="*", default=FAMILIES)
    parser.add_argument("--samples", help="picture: a row a family")
    options = parser.parse_args()
    families = {title: FAMILIES[title] for title in options.families}
    if options.quick:
        options.seconds = 0.1
        trace_nothing()
        kept = ("DCGAN", "VAE, 8-bit pixels")
        families = {title: FAMILIES[title] for title in kept}

    judge = gan_quality.Judge(options.quick)
    alone = bits_of_each_pixel_alone(judge.train.images, judge.test.images)
    rows = [
        judge.floor,
        {"name": "pixels equally likely", "bits_per_dim": 8.0},
        {"name": "each pixel alone", "bits_per_dim": alone},
    ]
    pictures, measured = {}, []
    for title, (name, changes) in families.items():
        model, seen = gan_quality.train(
            name, judge.train, options.seconds, options.seed, **changes
        )
        start = time.monotonic()
        images, labels = judge.sample(model, options.seed)
        taken = time.monotonic() - start
        row = judge.measure(
            title, images, options.seed, options.seconds, seen, labels
        )
        row["samples_per_s"] = judge.count / taken
        row["parameters"] = sum(
            math.prod(weight.shape) for weight in model.trainable_weights
        )
        if changes in (BITS, MIXTURE):
            row["bits_per_dim"] = bits(
                model, name, changes, judge.test, options.seed
            )
            measured.append(row["bits_per_dim"])
        rows.append(row)
        pictures[title] = images[:12]
        print(f"{title}: {row['frechet_distance']:.3g}", flush=True)
    publish(
        rows,
        [
            bar("best bits / each pixel alone", least / alone, "<=", 1)
            for least in sorted(measured)[:1]
        ],
        options.json,
    )
    if options.samples:
        keras_genai.plotting.plot_rows(pictures).savefig(options.samples)


if __name__ == "__main__":
    main()
