"""TFDS sets: which fields are read, and what is refused before a download."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_genai import load_images
from keras_genai.data import catalogue, lookup


def label(*names):
    return tfds.features.ClassLabel(names=names)


IMAGE = tfds.features.Image(shape=(4, 5, 1))


class TwoPictures(tfds.core.GeneratorBasedBuilder):
    """A set in TFDS's catalogue with two images and two labels."""

    VERSION = tfds.core.Version("1.0.0")
    LABEL = 1

    def _info(self):
        features = {"depth": IMAGE, "kind": label("x", "y", "z")}
        features |= {"photo": IMAGE, "species": label("cat", "dog")}
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("photo", "species"),
        )

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for index in range(2):
            yield (
                index,
                {
                    "depth": np.full((4, 5, 1), 10, "uint8"),
                    "kind": 2,
                    "photo": np.full((4, 5, 1), 20, "uint8"),
                    "species": self.LABEL,
                },
            )


def builder(features, supervised_keys=None):
    info = SimpleNamespace(features=features, supervised_keys=supervised_keys)
    return SimpleNamespace(name="a_set", info=info)


@pytest.mark.parametrize(
    "features, supervised_keys, expected",
    [
        # omniglot: the alphabet comes before the character.
        (
            {"alphabet": label("x"), "image": IMAGE, "label": label("y")},
            ("image", "label"),
            ("image", "label"),
        ),
        (
            {"a": IMAGE, "b": IMAGE, "c": label("x"), "d": label("y")},
            ("b", "d"),
            ("b", "d"),
        ),
        ({"depth": IMAGE, "image": IMAGE}, None, ("image", None)),
        (
            {"picture": IMAGE, "coarse": label("x"), "label": label("y")},
            None,
            ("picture", "label"),
        ),
        ({"a": IMAGE, "b": IMAGE, "c": label("x")}, None, ("a", "c")),
        # What is to be said is no class: a text, a picture.
        ({"a": IMAGE, "c": label("x")}, ("a", "caption"), ("a", "c")),
        ({"a": IMAGE}, (("a", "b"), "c"), ("a", None)),
        ({"a": IMAGE}, ("a",), ("a", None)),
    ],
)
def test_the_fields_are_those_that_the_set_names(
    features, supervised_keys, expected
):
    assert catalogue.find_fields(builder(features, supervised_keys)) == expected


@pytest.mark.parametrize(
    "features", [{"text": tfds.features.Text()}, {}, None, "no dictionary"]
)
def test_a_set_without_images_is_refused(features):
    with pytest.raises(ValueError, match=r"an image in each.*'a_set'"):
        catalogue.find_fields(builder(features))


def test_the_fields_used_are_read_and_printed_once(
    no_tfds_sets, monkeypatch, capsys
):
    monkeypatch.setattr(lookup, "_is_reachable", lambda host: True)
    for _ in range(2):
        found = load_images("two_pictures")
    assert (found.images == 20).all()
    assert found.labels.tolist() == [1, 1]
    assert found.class_names == ("cat", "dog")
    line = "two_pictures: images are its field 'photo', labels 'species'\n"
    assert capsys.readouterr().out.count(line) == 1


def test_labels_that_are_kept_secret_are_none(no_tfds_sets, monkeypatch):
    monkeypatch.setattr(lookup, "_is_reachable", lambda host: True)
    monkeypatch.setattr(TwoPictures, "LABEL", -1)
    found = load_images("two_pictures")
    assert found.labels is None and found.class_names == ()


@pytest.mark.parametrize(
    "image, expected",
    [
        (np.array([[[257 * 7], [65535]]], "uint16"), [[[7], [255]]]),
        (
            np.array([[[9, 9, 9, 0], [9, 9, 9, 255]]], "uint8"),
            [[[0, 255, 0], [9, 9, 9]]],
        ),
        (np.array([[[5], [6]]], "uint8"), [[[5], [6]]]),
    ],
)
@pytest.mark.parametrize("is_known", [False, True])
def test_pixels_of_other_kinds_become_bytes(image, expected, is_known):
    import tensorflow as tf

    shape = image.shape if is_known else (None, None, None)
    flat = tf.function(
        lambda pixels: catalogue._flat(pixels, (0, 255, 0)),
        input_signature=[tf.TensorSpec(shape, image.dtype)],
    )
    assert flat(image).numpy().tolist() == expected
    with pytest.raises(ValueError, match=r"8 or 16 bits.*float32"):
        catalogue._flat(tf.zeros((2, 2, 1)), (0, 0, 0))


@pytest.mark.parametrize("offline", [False, True])
def test_features_are_checked_before_a_download(
    no_tfds_sets, monkeypatch, offline
):
    for name in ("_is_reachable", "_download"):
        monkeypatch.setattr(lookup, name, lambda *given: pytest.fail("asked"))
    with pytest.raises(ValueError, match=r"an image in each.*'imdb_reviews'"):
        load_images("imdb_reviews", offline=offline)


@pytest.mark.parametrize(
    "name", ["huggingface:mnist", "huggingface:user/mnist", "kaggle:digits"]
)
def test_names_of_other_catalogues_fail_at_once(
    no_tfds_sets, monkeypatch, name
):
    monkeypatch.setattr(tfds, "builder", lambda *given: pytest.fail("asked"))
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"not read by name.*folder") as caught:
        load_images(name)
    assert time.monotonic() - started < 2
    assert "\n" not in str(caught.value) and name in str(caught.value)
