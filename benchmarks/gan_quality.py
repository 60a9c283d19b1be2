"""How good digits are after ten minutes, beside the tutorial's network.

The claims. After 10 minutes on two cores the default recipe stands, in the
features of a classifier trained here, at no more than a tenth of the Fréchet
distance of TensorFlow's tutorial after the same seconds, and at no more than
30 times the floor; its recall (k = 3) is at least 0.5, and each of the ten
classes has between 5 % and 15 % of its samples.

    python benchmarks/gan_quality.py [--seconds 600] [--seed 0]
        [--samples FILE.png] [--json FILE] [--quick]

Trains on MNIST's training set and measures against its 10,000 test images.
The floor is the distance of 10,000 training images from them: what a perfect
generator would reach. `TFDS_DATA_DIR` says where TFDS finds the full MNIST,
without which only `--quick` runs. Distances depend on the classifier, so that
those of two runs of this script must not be compared; their ratios may.

The tutorial's network, step, batch size and optimizers are those of
`gan_speed.py`. Both train in this process, with oneDNN on for both.
"""

import dataclasses
import time

import gan_speed
from report import argument_parser, bar, publish

import keras_genai

keras_genai.prepare_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402

from keras_genai import evaluation  # noqa: E402


class StopAfter(keras.callbacks.Callback):
    """Ends `fit` when seconds have passed since its first batch began."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds
        self.start = None

    def on_train_batch_begin(self, batch, logs=None):
        self.start = self.start or time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self.start > self.seconds:
            self.model.stop_training = True


def train_default(examples, seconds, seed):
    """Trains the default recipe; gives a sampler and the images it saw."""
    recipe = dataclasses.replace(
        keras_genai.get_recipe("dcgan"), source=examples
    )
    dataset = recipe.dataset(seed=seed)
    model = recipe.model(dataset, seed=seed)
    model.fit(dataset, epochs=10_000, verbose=2, callbacks=[StopAfter(seconds)])
    seen = int(model.g_optimizer.iterations.numpy()) * recipe.batch_size
    return lambda count: model.generate(count, seed=seed), seen


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
        return (images + 1) / 2

    return sample, steps * batch_size


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", help="picture of ours, then theirs")
    options = parser.parse_args()
    seconds, source, count = options.seconds, "mnist", 10_000
    if options.quick:
        seconds, source, count = 1.0, "mnist_5k", 400

    train = keras_genai.load_images(source, offline=True)
    test = keras_genai.load_images(source, split="test", offline=True)
    if len(test.images) < count:
        parser.error("needs the full MNIST in TFDS_DATA_DIR, or --quick")
    print(f"{train}\n{test}")

    extractor = evaluation.FeatureExtractor(train.image_shape, 10)
    extractor.fit(
        train.images,
        train.labels,
        epochs=1 if options.quick else 4,
        verbose=2,
    )
    accuracy = extractor.accuracy(test.images, test.labels)
    real = extractor.features(test.images[:count])

    def measure(name, images, trained=0.0, seen=0):
        features = extractor.features(images)
        precision, recall = evaluation.precision_and_recall(real, features)
        shares = evaluation.class_histogram(extractor.classify(images), 10)
        return {
            "name": name,
            "seconds": trained,
            "images_seen": seen,
            "frechet_distance": evaluation.frechet_distance(real, features),
            "precision": precision,
            "recall": recall,
            "class_percent": [round(100 * share, 1) for share in shares],
        }

    floor = measure("training images (floor)", train.images[:count])
    rows, pictures = [floor], []
    for name, train_model in (
        ("ours, default recipe", train_default),
        ("tutorial's network and step", train_tutorial),
    ):
        sample, seen = train_model(train, seconds, options.seed)
        images = sample(count)
        rows.append(measure(name, images, seconds, seen))
        pictures.append(images[:50])
    _, ours, theirs = rows
    distance = ours["frechet_distance"]
    shares = ours["class_percent"]
    publish(
        rows,
        [
            bar("classifier's test accuracy", accuracy, ">=", 0.992),
            bar(
                "distance / tutorial's",
                distance / theirs["frechet_distance"],
                "<=",
                0.1,
            ),
            bar(
                "distance / floor",
                distance / floor["frechet_distance"],
                "<=",
                30,
            ),
            bar("recall (k = 3)", ours["recall"], ">=", 0.5),
            bar("rarest class, percent", min(shares), ">=", 5),
            bar("commonest class, percent", max(shares), "<=", 15),
        ],
        options.json,
    )
    if options.samples:
        keras_genai.plotting.plot_images(
            np.concatenate(pictures), columns=10
        ).savefig(options.samples)


if __name__ == "__main__":
    main()
