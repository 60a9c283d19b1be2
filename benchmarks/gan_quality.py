"""The quality of every GAN here, after the same seconds on the same digits.

The claims. Each GAN, three seeds each, with the distance's interval and
floor, in one table. Trained for 20 minutes on two cores, the best of them
stands at no more than 6 times the floor, in the features of a classifier
trained here, with a recall (k = 3) of at least 0.75; a conditional GAN gives
at least 97 % of its samples the label that was asked for. With `--tutorial`,
after the same seconds: the default DCGAN has no more than a tenth of the
distance of TensorFlow's tutorial.

    python benchmarks/gan_quality.py [--models gan dcgan ...] [--seeds 3]
        [--seconds 120] [--best conditional_gan] [--best-seconds 1200]
        [--tutorial] [--samples FILE.png] [--json FILE] [--quick]

Trains on MNIST's training set and measures 10,000 samples against its 10,000
test images. The floor is what 10,000 training images get in the samples'
place: what a perfect generator would reach. Learning rates are annealed to 0
over the seconds. Conditional GANs are asked for labels as they are spread in
the training set. `TFDS_DATA_DIR` says where TFDS finds the full MNIST, without
which only `--quick` runs. Distances depend on the classifier, so that those of
two classifiers must not be compared; their ratios to the floor may.

The tutorial's network, step, batch size and optimizers are those of
`gan_speed.py`. All train in this process, with oneDNN on for all.
"""

import dataclasses
import time

import gan_speed
from report import argument_parser, bar, publish, trace_nothing

import keras_genai

keras_genai.prepare_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from timed import AnnealOverTime  # noqa: E402

GANS = ("gan", "dcgan", "wgan_gp", "conditional_gan", "acgan")
# What twenty minutes are worth spending on besides the recipe.
BEST = {"model_arguments": {"width": 32}}


def judged_images(quick):
    """Training and test images, and how many samples are measured."""
    splits, count = ("train", "test"), 10_000
    if quick:
        splits, count = ("train[:128]", "test[:100]"), 100
    train, test = (
        keras_genai.load_images(
            "mnist_5k" if quick else "mnist", split, offline=True
        )
        for split in splits
    )
    if len(test.images) < count:
        raise SystemExit("needs the full MNIST in TFDS_DATA_DIR, or --quick")
    return train, test, count


class Judge:
    """Samples against held-out images, in the features of one classifier.

    Args:
        quick: Boolean, whether numbers may mean nothing.
    """

    def __init__(self, quick):
        self.train, self.test, count = judged_images(quick)
        print(f"{self.train}\n{self.test}")
        self.count = count
        self.extractor = keras_genai.FeatureExtractor.for_data(
            self.train, epochs=1 if quick else None, verbose=0
        )
        self.accuracy = self.extractor.accuracy(
            self.test.images, self.test.labels
        )
        self.floor = self.measure(
            "training images (floor)", self.train.images, 0, 0.0, 0
        )

    def labels(self, seed):
        """Labels as they are spread in the training set."""
        random = np.random.default_rng(seed)
        return random.choice(self.train.labels, self.count)

    def sample(self, model, seed):
        """Samples, and the labels that they were asked for or `None`."""
        if getattr(model, "num_classes", None) is None:
            return model.generate(self.count, seed=seed), None
        labels = self.labels(seed)
        return model.generate(labels=labels, seed=seed), labels

    def measure(self, name, images, seed, seconds, seen, asked=None):
        """A row of the report."""
        result = keras_genai.evaluate_samples(
            images,
            self.test,
            extractor=self.extractor,
            num_samples=self.count,
            seed=seed,
            verbose=0,
        )
        distance = result["frechet_distance"]
        row = {
            "name": name,
            "seed": seed,
            "seconds": seconds,
            "images_seen": seen,
            "frechet_distance": distance.value,
            "interval": [distance.low, distance.high],
        }
        if seen:
            floor = self.floor["frechet_distance"]
            row["times_the_floor"] = distance.value / floor
        for name in ("precision", "recall", "density", "coverage"):
            row[name] = result[name].value
        row["classes"] = np.exp(result["class_entropy"].value)
        if asked is not None:
            found = self.extractor.classify(images)
            row["label_asked"] = float((found == asked).mean())
        return row


def train(name, examples, seconds, seed, **changes):
    """Trains a recipe for some seconds; gives the model and images seen."""
    recipe = dataclasses.replace(
        keras_genai.get_recipe(name), source=examples, **changes
    )
    dataset = recipe.dataset(seed=seed)
    model = recipe.model(dataset, seed=seed)
    # Rates are annealed by the clock, so that no schedule may do it by steps.
    arguments = recipe.compile_arguments(model, len(dataset))
    for key, value in arguments.items():
        if isinstance(value, keras.optimizers.Optimizer):
            config = value.get_config()
            config["learning_rate"] = float(value.learning_rate)
            arguments[key] = type(value).from_config(config)
    model.compile(**arguments)
    clock = AnnealOverTime(seconds)
    model.fit(dataset, epochs=10_000, verbose=0, callbacks=[clock])
    return model, clock.steps * recipe.batch_size


def train_tutorial(examples, seconds, seed):
    """Trains the tutorial's network; gives a sampler and the images it saw."""
    keras.utils.set_random_seed(seed)
    generator, train_step = gan_speed.tutorial_step()
    batch_size = min(256, len(examples.images))
    dataset = gan_speed.tutorial_dataset(
        gan_speed.scaled_images(examples), batch_size
    )
    for steps, batch in enumerate(dataset, start=1):
        if steps == 1:
            start = time.monotonic()
        train_step(batch)
        if time.monotonic() - start > seconds:
            break

    def sample(count):
        noise = np.random.default_rng(seed).normal(size=(count, 100))
        images = generator.predict(noise, batch_size=256, verbose=0)
        return np.clip((images + 1) / 2, 0, 1)

    return sample, steps * batch_size


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--models", nargs="*", default=GANS, choices=GANS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--best", default="conditional_gan", choices=GANS)
    parser.add_argument("--best-seconds", type=float, default=1200)
    parser.add_argument("--tutorial", action="store_true")
    parser.add_argument("--samples", help="picture of the best's samples")
    options = parser.parse_args()
    if options.quick:
        options.models, options.seeds = ("dcgan",), 1
        trace_nothing()
        options.seconds = options.best_seconds = 0.1

    judge = Judge(options.quick)
    rows, bars = [judge.floor], []

    def add(row):
        rows.append(row)
        print(
            f"{row['name']}, seed {row['seed']}: distance "
            f"{row['frechet_distance']:.3g}, recall {row['recall']:.3g}",
            flush=True,
        )

    def add_trained(title, name, seconds, seed, **changes):
        model, seen = train(name, judge.train, seconds, seed, **changes)
        images, labels = judge.sample(model, seed)
        add(judge.measure(title, images, seed, seconds, seen, labels))
        return images

    for name in options.models:
        for seed in range(options.seeds):
            add_trained(name, name, options.seconds, seed)
    if options.tutorial:
        sample, seen = train_tutorial(judge.train, options.seconds, 0)
        images = sample(judge.count)
        add(judge.measure("tutorial", images, 0, options.seconds, seen))
        ours = [row for row in rows if row["name"] == "dcgan"]
        ratio = ours[0]["frechet_distance"] / rows[-1]["frechet_distance"]
        bars.append(bar("dcgan / tutorial's distance", ratio, "<=", 0.1))
    if options.best_seconds:
        images = add_trained(
            f"{options.best}, long",
            options.best,
            options.best_seconds,
            0,
            **BEST,
        )
        best = rows[-1]
        bars += [
            bar("best, times the floor", best["times_the_floor"], "<=", 6),
            bar("best, recall (k = 3)", best["recall"], ">=", 0.75),
        ]
        if options.samples:
            keras_genai.plotting.plot_images(images[:100]).savefig(
                options.samples
            )
    asked = [row for row in rows if "label_asked" in row]
    for row in asked:
        title = f"label asked for: {row['name']}, seed {row['seed']}"
        bars.append(bar(title, row["label_asked"], ">=", 0.97))
    bars.append(bar("classifier's test accuracy", judge.accuracy, ">=", 0.992))
    publish(rows, bars, options.json)


if __name__ == "__main__":
    main()
