"""What the measurements of mistakes share: their form, and their data."""

import dataclasses
import functools

import keras_genai

keras_genai.prepare_tensorflow()

import numpy as np  # noqa: E402

_found = {}


def mistake(number, what, right, unit, harm, test):
    """Makes a function the measurement of a mistake.

    Args:
        number: Integer, its row.
        what: String, the mistake in one line.
        right: String, what the package does instead.
        unit: String, of both numbers.
        harm: `">="` or `"<="`, how the wrong number stands to the right one
            where the mistake does harm.
        test: String, the test that catches it, `file::name`.

    Returns:
        Decorator of a function of a `Lab`, which gives the wrong number, the
        right one, and a sentence with both.
    """

    def add(function):
        def measure(lab):
            wrong, right_value, damage = function(lab)
            return {
                "number": number,
                "mistake": what,
                "right": right,
                "damage": damage,
                "wrong": float(wrong),
                "right_value": float(right_value),
                "unit": unit,
                "test": test,
            }

        _found[number] = measure, harm
        return function

    return add


def measurements():
    """Number -> (function of a `Lab` that gives the row, `harm`), in order."""
    return dict(sorted(_found.items()))


@dataclasses.dataclass(frozen=True)
class Lab:
    """The sizes, and what is trained once for several rows.

    Attributes:
        seed: Integer, of data, weights and draws.
        quick: Boolean. Whether the numbers mean nothing.
    """

    seed: int
    quick: bool

    @property
    def gan_epochs(self):
        return 1 if self.quick else 12

    @property
    def vae_epochs(self):
        return 1 if self.quick else 15

    def images(self, split="train", **arguments):
        """Digits in batches of 128, in [-1, 1] unless asked otherwise."""
        size = {"train": 16, "test": 80}[split] if self.quick else None
        if size:
            split = f"{split}[:{size}]"
        return keras_genai.image_dataset(
            "mnist_5k", split, seed=self.seed, offline=True, **arguments
        )

    @property
    def dcgan(self):
        """Arguments of DCGANs."""
        return {"width": 2} if self.quick else {}

    @functools.cached_property
    def train(self):
        return self.images()

    @functools.cached_property
    def test(self):
        return self.images("test").examples

    @functools.cached_property
    def bits(self):
        """Training digits of zeros and ones, drawn from the grey levels."""
        return self.images(value_range=(0, 1), binarize="dynamic")

    @functools.cached_property
    def held_out_bits(self):
        return self.images(
            "test", value_range=(0, 1), binarize="dynamic", shuffle=False
        )

    @functools.cached_property
    def extractor(self):
        split, epochs = ("train[:128]", 1) if self.quick else ("train", None)
        labelled = keras_genai.load_images("mnist_5k", split, offline=True)
        return keras_genai.FeatureExtractor.for_data(
            labelled, epochs=epochs, verbose=0
        )

    @functools.cached_property
    def real_features(self):
        return self.extractor.features(self.test.images)

    def distance(self, images):
        """Fréchet distance of images in [0, 1] to the held-out digits."""
        return keras_genai.frechet_distance(
            self.real_features, self.extractor.features(images)
        )

    @property
    def num_samples(self):
        return len(self.test.images)

    @functools.cached_property
    def texts(self):
        """The help on Python's language: training, then validation."""
        train, validation = (
            keras_genai.load_text("python_topics", split).texts[0]
            for split in ("train", "validation")
        )
        return (
            (train[:5000], validation[:500])
            if self.quick
            else (
                train,
                validation,
            )
        )

    @property
    def order(self):
        """Of Markov chains."""
        return 1 if self.quick else 5

    @functools.cached_property
    def chain(self):
        """A Markov chain on the training text."""
        text, _ = self.texts
        tokenizer = keras_genai.CharacterTokenizer.from_text(text)
        return fitted_chain(tokenizer, tokenizer.encode(text), self.order)


def fitted_chain(tokenizer, token_ids, order):
    """Counts one stream of tokens."""
    chain = keras_genai.MarkovChain(tokenizer=tokenizer, order=order)
    chain.compile()
    chain.fit(*in_and_out(np.asarray(token_ids)[None]), verbose=0)
    return chain


def in_and_out(windows):
    """Windows as token ids and the targets after them."""
    return windows[:, :-1], windows[:, 1:]
