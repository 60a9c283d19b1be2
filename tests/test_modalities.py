"""What each modality answers, and one that a folder adds."""

import sys

import keras
import pytest
import tensorflow as tf

from keras_genai import RECIPES, TrainingDoctor, modalities
from keras_genai.cli import main
from keras_genai.export import read_about, write_saved_model
from keras_genai.modalities import get_modality, names, of_export, of_model


@pytest.mark.parametrize("name", names())
def test_a_folder_is_a_modality(name):
    modality = get_modality(name)
    assert modality.name == name
    for part in (modality.training, modality.command, modality.exports):
        assert type(part).__module__.startswith(
            f"keras_genai.modalities.{name}"
        )
    assert of_model(type("Maker", (), {"makes": name})) is modality


def test_every_recipe_has_one():
    for presets in RECIPES.values():
        for recipe in presets.values():
            assert recipe.makes in names()


def test_an_unknown_one_is_refused():
    with pytest.raises(ValueError, match=r"Did you mean 'images'.*='image'"):
        get_modality("image")


def test_models_that_do_not_say_make_images():
    assert of_model(keras.Sequential()) is get_modality("images")
    assert of_export({}) is get_modality("images")


def test_of_what_is_not_known_nothing_is_looked_at():
    model = keras.Sequential()
    model.makes = "coffee"
    doctor = TrainingDoctor(verbose=False)
    doctor.set_model(model)
    doctor.on_epoch_end(0, {})
    doctor.on_train_end()
    assert doctor.alarms == []
    assert of_model(model).training.show(model, board=None) is None


NUMBERS = """
from keras_genai.export import ask
from keras_genai.modalities.base import Command, Exports, Modality, Training


class NumberCommand(Command):
    options = ("above",)

    def add_options(self, parser):
        parser.add_argument("--above", type=float, help="the least number")

    def generate(self, source, options, files):
        asked = {"above": options.above or 0.0, "seed": options.seed}
        print(ask(source["generate_numbers"], **asked)["numbers"])


class NumberExports(Exports):
    def made(self, signatures):
        return "generate_numbers" in signatures


modality = Modality("numbers", Training(), NumberCommand(), NumberExports())
"""


@pytest.fixture
def numbers(tmp_path, monkeypatch):
    """A modality that is there while a test runs: a folder with one file."""
    folder = tmp_path / "numbers"
    folder.mkdir()
    (folder / "__init__.py").write_text(NUMBERS)
    path = [*modalities.__path__, str(tmp_path)]
    monkeypatch.setattr(modalities, "__path__", path)
    yield get_modality("numbers")
    del sys.modules[f"{modalities.__name__}.numbers"]
    del modalities.numbers


def test_a_folder_adds_one_to_exports_and_the_command_line(
    numbers, tmp_path, capsys
):
    assert "numbers" in names()
    path = write_saved_model(
        {
            "generate_numbers": (
                lambda above, seed: {"numbers": above + 1.0},
                [
                    tf.TensorSpec((), "float32", "above"),
                    tf.TensorSpec((), "int32", "seed"),
                ],
            )
        },
        tmp_path / "served",
        about={"family": "Counter", "makes": "numbers"},
    )
    assert read_about(path)["makes"] == "numbers"
    assert main(["generate", str(path), "--above", "2.5"]) == 0
    assert capsys.readouterr().out == "3.5\n"
    assert main(["generate", str(path), "--labels", "1"]) == 2
    assert "makes numbers. Received: --labels [1]" in capsys.readouterr().err
