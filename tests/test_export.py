import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_genai import (
    GAN,
    CharacterTokenizer,
    LSTMLanguageModel,
    models,
)
from keras_genai.cli import main
from keras_genai.export import (
    check_saved_model,
    read_about,
)
from keras_genai.export.saved_model import write_saved_model
from keras_genai.files import complete_or_absent
from keras_genai.recipes import get_recipe
from keras_genai.runs import Run

pytestmark = pytest.mark.slow

SHAPE = (4, 6, 1)


@pytest.fixture(scope="module")
def model():
    return GAN(image_shape=SHAPE, latent_dim=3, seed=0)


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    return model.export(tmp_path_factory.mktemp("export") / "served")


def test_signatures_are_named_and_typed(served):
    signatures = tf.saved_model.load(served).signatures
    assert set(signatures) == {"serving_default", "generate", "decode"}
    for name in ("serving_default", "generate"):
        _, inputs = signatures[name].structured_input_signature
        assert inputs == {
            "num_samples": tf.TensorSpec((), "int32", name="num_samples"),
            "seed": tf.TensorSpec((), "int32", name="seed"),
        }
        output = signatures[name].structured_outputs["images"]
        assert output.dtype == tf.float32
        assert output.shape.as_list() == [None, *SHAPE]
    _, inputs = signatures["decode"].structured_input_signature
    assert inputs["noise"].shape.as_list() == [None, 3]


def test_a_function_is_traced_once_to_be_written(tmp_path):
    traced = []

    def double(x):
        traced.append(x)
        return {"y": 2 * x}

    spec = tf.TensorSpec((None,), "float32", name="x")
    path = write_saved_model({"double": (double, [spec])}, tmp_path / "served")
    assert len(traced) == 1
    loaded = tf.saved_model.load(path)
    x = tf.constant([1.0, 3.0])
    for function in (loaded.double, loaded.signatures["serving_default"]):
        np.testing.assert_array_equal(function(x=x)["y"], [2.0, 6.0])


def test_export_answers_as_the_model_for_any_batch(model, served):
    signatures = tf.saved_model.load(served).signatures
    for count in (0, 1, 5):
        noise = np.random.default_rng(count).normal(size=(count, 3))
        noise = noise.astype("float32")
        images = signatures["decode"](noise=tf.constant(noise))["images"]
        np.testing.assert_allclose(
            images, model.generate(noise=noise), atol=1e-5
        )
        images = signatures["generate"](
            num_samples=tf.constant(count), seed=tf.constant(7)
        )["images"]
        np.testing.assert_allclose(
            images, model.generate(count, seed=7), atol=1e-5
        )


def test_an_export_says_what_it_is(served, tmp_path):
    assert read_about(served) == {
        "family": "GAN",
        "makes": "images",
        "image_shape": list(SHAPE),
        "latent_dim": 3,
    }
    assert read_about(tmp_path) == {}


def test_saved_model_cli_runs_it(model, served, tmp_path):
    command = Path(sys.executable).with_name("saved_model_cli")
    process = subprocess.run(
        [
            *(command, "run", "--dir", served, "--tag_set", "serve"),
            *("--signature_def", "serving_default", "--outdir", tmp_path),
            *("--input_exprs", "num_samples=2;seed=9"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    images = np.load(tmp_path / "images.npy")
    np.testing.assert_allclose(images, model.generate(2, seed=9), atol=1e-5)


def test_export_again_replaces_a_saved_model_alone(model, tmp_path):
    path = tmp_path / "served"
    model.export(path)
    (path / "stale").write_text("")
    model.export(path)
    assert not (path / "stale").exists()
    with pytest.raises(ValueError, match="overwrite=False"):
        model.export(path, overwrite=False)
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    with pytest.raises(ValueError, match="thesis"):
        model.export(other)
    assert (other / "chapter.txt").read_text() == "years of work"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["served", "thesis"]


@pytest.mark.parametrize("existing", [False, True])
def test_a_full_disk_leaves_what_was_there(
    model, tmp_path, monkeypatch, existing
):
    path = tmp_path / "served"
    if existing:
        model.export(path)
        before = sorted(path.rglob("*"))

    def fill(obj, filepath, *args, **kwargs):
        Path(filepath).mkdir()
        (Path(filepath) / "saved_model.pb").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fill)
    with pytest.raises(OSError, match="No space"):
        model.export(path)
    if existing:
        assert sorted(path.rglob("*")) == before
        monkeypatch.undo()
        assert check_saved_model(path, model) == 0.0
    assert list(tmp_path.iterdir()) == [path] * existing


def test_the_check_finds_another_models_export(served):
    other = GAN(image_shape=SHAPE, latent_dim=3, seed=1)
    with pytest.raises(ValueError, match="differs from its model"):
        check_saved_model(served, other)


def test_a_run_keeps_its_export_where_the_new_one_differs(
    model, tmp_path, monkeypatch, capsys
):
    run = Run.create(tmp_path / "run", get_recipe("gan"), seed=0)
    run.history_path.write_text("epoch,d_loss\n0,1.0\n")
    old, new = (GAN(image_shape=SHAPE, latent_dim=3, seed=n) for n in (1, 2))
    record = {"epoch": 1, "d_loss": 1.0, "export_difference": 0.0}
    assert run.finish(old) == record
    monkeypatch.setattr(new, "export", model.export)  # of another model
    with pytest.raises(ValueError, match="differs from its") as caught:
        run.finish(new)
    assert repr(str(run.export_path)) in str(caught.value)
    monkeypatch.setattr(models, "load_model", lambda path: new)
    assert main(["export", str(run.folder)]) == 2
    assert "differs from its model" in capsys.readouterr().err
    assert check_saved_model(run.export_path, old) == 0.0
    assert run.record()["final"] == record
    assert not [path for path in run.folder.rglob(".*")]


def test_an_exported_language_model_checks_what_it_is_asked(tmp_path):
    tokenizer = CharacterTokenizer.from_text("abc")
    model = LSTMLanguageModel(
        tokenizer=tokenizer, embedding_dim=2, hidden_dim=3, seed=0
    )
    served = tf.saved_model.load(model.export(tmp_path / "served"))
    good = {
        name: tf.constant(value)
        for name, value in model.example_request().items()
    }
    generate = served.signatures["serving_default"]
    assert generate(**good)["text"].shape == (1,)
    for name, value in (
        *(("temperature", -0.5), ("temperature", float("nan"))),
        *(("top_k", -1), ("top_p", 0.0), ("top_p", 1.5)),
    ):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"top_p in \(0, 1\]"
        ):
            generate(**{**good, name: tf.constant(value)})


def test_complete_or_absent_moves_in_place_or_leaves(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with complete_or_absent(path) as partial:
        partial.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"
    with pytest.raises(RuntimeError), complete_or_absent(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]
