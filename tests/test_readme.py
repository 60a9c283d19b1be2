"""What the README and the guides show works as it is written there."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_genai

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def code(language, page="README.md"):
    return re.findall(rf"```{language}\n(.*?)```", read(page), re.DOTALL)


def lines_with(call, page="README.md"):
    """The one block of Python in which that is called."""
    (found,) = (block for block in code("python", page) if call in block)
    return found


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


def test_other_runtimes_answer_without_tensorflow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = keras_genai.DCGAN(seed=0)
    page = "docs/export.md"
    exec(lines_with('format="onnx"', page), {"model": model})
    script = [
        "import sys",
        "sys.modules.update(tensorflow=None, keras=None, keras_genai=None)",
        lines_with("ai_edge_litert", page),
        "same_images = images",
        lines_with("onnxruntime", page),
        "np.savez('made.npz', noise, images, same_images)",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(script)], check=True)
    noise, *made = np.load("made.npz").values()
    for images in made:
        expected = model.generate(noise=noise)
        np.testing.assert_allclose(images, expected, atol=1e-5)


def test_text_lines_train_go_on_and_export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = lines_with("kg.GPT(").replace(
        '"python_topics",', '"python_topics", "train[:4000]",'
    )
    assert small.count("train[:4000]") == 1
    names = {"kg": keras_genai}
    exec(small, names)
    assert names["text"].startswith("The ") and len(names["text"]) <= 104
    assert (tmp_path / "gpt" / "saved_model.pb").is_file()


def test_pixel_lines_train_and_complete():
    small = lines_with("kg.PixelCNN(").replace("epochs=5", "epochs=1")
    small = small.replace('"mnist_5k",', '"mnist_5k", "train[:64]",')
    assert small.count("train[:64]") == 1
    names = {"kg": keras_genai}
    exec(small, names)
    completed, covered = names["completed"], names["covered"]
    assert completed.shape == (16, 28, 28, 1)
    np.testing.assert_array_equal(completed[:, :14], covered[:, :14])
    assert (completed[:, 14:] != covered[:, 14:]).any()


def test_music_lines_train_and_write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = lines_with("kg.MusicTransformer(").replace(
        '"bach_chorales",', '"bach_chorales", "train[:3%]", steps_per_epoch=2,'
    )
    assert small.count("train[:3%]") == 1
    names = {"kg": keras_genai}
    exec(small, names)
    assert 1 <= len(names["score"]) <= 64
    assert len(keras_genai.read_midi(tmp_path / "chorale.mid")) >= 1
    assert (tmp_path / "chorales" / "saved_model.pb").is_file()


def test_evaluation_lines_measure_a_model(capsys, monkeypatch, tmp_path):
    assert code("python", "docs/evaluate.md") == [
        lines_with("kg.evaluate_samples(")
    ]
    monkeypatch.chdir(tmp_path)
    keras_genai.DCGAN(seed=0).save("dcgan.keras")
    small = lines_with("kg.evaluate_samples(").replace(
        'load_images("mnist_5k")', 'load_images("mnist_5k", "train[:500]")'
    )
    assert small.count("mnist_5k") == 2 and small.count("train[:500]") == 1
    for_data = keras_genai.FeatureExtractor.for_data
    monkeypatch.setattr(
        keras_genai.FeatureExtractor,
        "for_data",
        lambda examples, verbose: for_data(examples, epochs=1, verbose=0),
    )
    exec(small, {"kg": keras_genai})
    printed = capsys.readouterr().out
    for name in ("frechet_distance", "recall", "memorised_share", "floor"):
        assert name in printed


@pytest.mark.parametrize(
    ("first", "door", "number"),
    [
        ('"cifar10"', "image_dataset", 6),
        ('"book.txt"', "text_dataset", 4),
        ('"songs/"', "music_dataset", 3),
    ],
)
def test_data_lines_name_real_arguments(first, door, number):
    parameters = inspect.signature(getattr(keras_genai, door)).parameters
    block = lines_with(first, "docs/data.md")
    lines = [line for line in block.splitlines() if line]
    assert len(lines) >= number
    for line in lines:
        call = line.split("#")[0]
        for name in re.findall(r"(\w+)=", call):
            assert name in parameters, line


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) <= 180


def test_links_and_pictures_exist():
    targets = re.findall(r"\]\(([^)#]+)\)", read("README.md"))
    assert any(target.endswith(".png") for target in targets)
    for target in targets:
        assert (ROOT / target).is_file(), target
