"""GANs from few images: what differentiable augmentation is worth.

The claim: trained on 500 and on 5,000 digits, a DCGAN whose discriminator
sees augmented images ends nearer to the test set than one whose discriminator
learns the digits by heart, seed by seed.

    python benchmarks/few_images.py [--images 500 5000] [--seeds 3]
        [--images-seen 400000] [--json FILE] [--quick]

The images are the first of MNIST's training set; 10,000 samples are measured
against its 10,000 test images in the features of a classifier of all 60,000,
which judges, but teaches nothing. All see the same number of images.
`TFDS_DATA_DIR` says where TFDS finds the full MNIST, without which only
`--quick` runs.
"""

import dataclasses
import time

import gan_quality
from report import argument_parser, bar, publish, trace_nothing

import keras_genai

AUGMENTATIONS = (None, "adaptive", "fixed")


def train(examples, augmentation, images_seen, seed):
    """Trains a DCGAN; gives the model and the probability at the end."""
    recipe = dataclasses.replace(
        keras_genai.get_recipe("dcgan"),
        source=examples,
        batch_size=64,
        model_arguments={"discriminator_augmentation": augmentation},
    )
    dataset = recipe.dataset(seed=seed)
    model = recipe.model(dataset, seed=seed)
    epochs = max(1, images_seen // len(examples))
    history = model.fit(dataset, epochs=epochs, verbose=0).history
    return model, {
        name: history[name][-1]
        for name in (
            "augmentation_probability",
            "d_real_accuracy",
            "d_fake_accuracy",
        )
        if name in history
    }


def first(examples, count):
    return dataclasses.replace(
        examples,
        images=examples.images[:count],
        labels=examples.labels[:count],
        source=f"{examples.source}[:{count}]",
        digest=f"{examples.digest}[:{count}]",
    )


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--images", type=int, nargs="*", default=(500, 5000))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images-seen", type=int, default=400_000)
    options = parser.parse_args()
    augmentations = AUGMENTATIONS
    if options.quick:
        augmentations = AUGMENTATIONS[:2]
        trace_nothing()
        options.images, options.seeds = (64,), 1
        options.images_seen = 64

    judge = gan_quality.Judge(options.quick)
    rows, bars = [judge.floor], []
    for count in options.images:
        examples = first(judge.train, count)
        distances = {}
        for seed in range(options.seeds):
            for augmentation in augmentations:
                start = time.monotonic()
                model, ending = train(
                    examples, augmentation, options.images_seen, seed
                )
                seconds = time.monotonic() - start
                images, _ = judge.sample(model, seed)
                name = f"{count:,} images, {augmentation or 'none'}"
                row = judge.measure(
                    name, images, seed, seconds, options.images_seen
                )
                rows.append({**row, **ending})
                distances[augmentation, seed] = row["frechet_distance"]
                print(
                    f"{name}, seed {seed}: {row['frechet_distance']:.3g}",
                    flush=True,
                )
        for seed in range(options.seeds):
            ratio = distances["adaptive", seed] / distances[None, seed]
            title = f"{count:,} images, seed {seed}: adaptive / none"
            bars.append(bar(title, ratio, "<=", 1))
    publish(rows, bars, options.json)


if __name__ == "__main__":
    main()
