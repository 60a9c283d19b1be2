"""What the README shows works as it stands there."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import keras_genai

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def code(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_ten_lines_train_save_export_and_serve(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours, theirs = code("python")[:2]
    assert len([line for line in ours.splitlines() if line]) <= 10
    small = ours.replace("epochs=30", "epochs=1").replace(
        '"mnist_5k",', '"mnist_5k", split="train[:256]",'
    )
    assert small.count("epochs=1,") == small.count("train[:256]") == 1
    names = {}
    exec(small, names)
    exec(theirs, names)
    images = names["images"].numpy()
    assert images.shape == (16, 28, 28, 1)
    np.testing.assert_allclose(
        images, names["model"].generate(16, seed=0), atol=1e-5
    )
    assert (tmp_path / "dcgan.keras").is_file()
    assert (tmp_path / "samples" / "epoch_001.png").is_file()


def test_text_lines_train_go_on_and_export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = code("python")[2].replace(
        '"python_topics",', '"python_topics", "train[:4000]",'
    )
    assert small.count("train[:4000]") == 1
    names = {"kg": keras_genai}
    exec(small, names)
    assert names["text"].startswith("The ") and len(names["text"]) <= 104
    assert (tmp_path / "gpt" / "saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("place", "door", "number"),
    [(3, "image_dataset", 6), (4, "text_dataset", 4)],
)
def test_data_lines_name_real_arguments(place, door, number):
    parameters = inspect.signature(getattr(keras_genai, door)).parameters
    lines = [line for line in code("python")[place].splitlines() if line]
    assert len(lines) >= number
    for line in lines:
        call = line.split("#")[0]
        for name in re.findall(r"(\w+)=", call):
            assert name in parameters, line


def test_links_and_pictures_exist():
    targets = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert any(target.endswith(".png") for target in targets)
    for target in targets:
        assert (ROOT / target).is_file(), target
