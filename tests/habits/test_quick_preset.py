"""`--preset quick`: many updates on few examples, or on those there are."""

import dataclasses
import math

import numpy as np
import pytest

from keras_genai import load_images, load_text
from keras_genai.cli import main
from keras_genai.data.splits import absolute_split, ended_split
from keras_genai.recipes import RECIPES, get_recipe
from keras_genai.runs import Run

pytestmark = pytest.mark.slow


class Size:
    def __init__(self, num_examples):
        self.num_examples = num_examples


SIZES = {"train": Size(256), "test": Size(10)}


@pytest.mark.parametrize(
    ("split", "ended"),
    [
        ("train[:512]", [("train", None, None)]),
        ("train[:256]", [("train", None, None)]),
        ("train[:100]", [("train", None, 100)]),
        ("train[200:512]", [("train", 200, None)]),
        (
            "train[:512]+test[:20]",
            [("train", None, None), ("test", None, None)],
        ),
        ("train[:5]+test[5:20]", [("train", None, 5), ("test", 5, None)]),
        ("train[:50%]", [("train", None, 128)]),
        ("train[-10:]", [("train", 246, None)]),
    ],
)
def test_slices_end_with_their_split(split, ended):
    assert absolute_split(split, SIZES) == ended


@pytest.mark.parametrize("split", ["dev[:5]", "train[300:512]", "train[:5"])
def test_what_is_no_split_is_refused_as_it_was_given(split):
    with pytest.raises(ValueError, match="no such split") as caught:
        absolute_split(split, SIZES)
    assert repr(split) in str(caught.value)


def test_ends_are_ended_by_name():
    assert ended_split("train[:512] + test[3:99]", SIZES) == (
        "train[:256] + test[3:10]"
    )


def test_quick_takes_the_images_and_characters_that_there_are():
    images = np.zeros((20, 8, 8), "uint8")
    quick = dataclasses.replace(get_recipe("dcgan", "quick"), source=images)
    assert len(quick.dataset(seed=0).examples) == 20
    assert len(load_images(images, "train[:512]")) == 20
    text = "abc\n" * 500
    assert len(load_text(text, get_recipe("gpt", "quick").split)) == 1800


def updates(recipe, examples=10**6):
    """Updates of a run on so many examples."""
    steps = getattr(recipe, "steps_per_epoch", None)
    if steps is None:
        ((_, _, stop),) = absolute_split(
            recipe.split, {"train": Size(examples)}
        )
        steps = math.ceil(stop / recipe.batch_size)
    return recipe.epochs * steps


@pytest.mark.parametrize("model", sorted(set(RECIPES) - {"markov"}))
def test_quick_has_updates_enough_to_show_something(model):
    quick = get_recipe(model, "quick")
    assert updates(quick) >= 120
    assert quick.epochs >= 3  # of which there are samples
    assert quick.split.startswith("train")


def test_a_quick_run_of_few_images(tmp_path, without_export):
    path, folder = tmp_path / "few.npz", tmp_path / "run"
    random = np.random.default_rng(0)
    np.savez(path, images=random.integers(0, 256, (20, 8, 8), "uint8"))
    command = ["train", "dcgan", "--preset", "quick", "--data", str(path)]
    command += ["--epochs", "1", "--width", "2", "--output", str(folder)]
    assert main(command) == 0
    assert Run.open(folder).record()["data"]["images"] == 20
