import csv
import json
import shlex
import shutil
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_genai
from keras_genai import SampleImages, load_model
from keras_genai.cli import main
from keras_genai.runs import Run, next_folder

pytestmark = pytest.mark.slow

QUICK = ["--width", "4", "--epochs", "1", "--batch-size", "8", "--seed", "0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """16 images of 8x8 in a `.npz`."""
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8), "uint8")
    np.savez(path, images=images, labels=np.arange(16) % 2)
    return str(path)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run of one epoch, for tests that only read it."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    arguments = ["train", "dcgan", "--data", data, "--output", str(folder)]
    assert main([*arguments, *QUICK]) == 0
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of that run, for tests that change it."""
    return shutil.copytree(finished, tmp_path / "copied")


@pytest.fixture
def no_training(monkeypatch):
    def refuse(*args, **kwargs):
        pytest.fail("the training was started")

    monkeypatch.setattr(keras.Model, "fit", refuse)


def refused(capsys, *arguments):
    """Runs a command that is refused, and returns what it said."""
    assert main([str(argument) for argument in arguments]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("keras-genai: ")
    assert "Traceback" not in output.err
    return output.err


def files(folder):
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
    }


# --- train -------------------------------------------------------------------


def test_a_run_leaves_all_that_came_of_it(finished, data):
    assert {path.name for path in finished.iterdir()} == {
        "run.json",
        "history.csv",
        "history.png",
        "samples",
        "samples.gif",
        "checkpoints",
        "model.keras",
        "export",
    }
    record = json.loads((finished / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["seed"] == 0
    assert record["deterministic"] is record["offline"] is False
    assert 0 < record["seconds"] < 600
    assert record["recipe"] == {
        "family": "DCGAN",
        "source": data,
        "split": "train",
        "image_size": None,
        "augment": None,
        "batch_size": 8,
        "epochs": 1,
        "model_arguments": {"width": 4},
        "synchronize_batch_normalization": False,
        "skip_broken": False,
        "d_learning_rate": 0.002,
        "g_learning_rate": 0.002,
        "beta_1": 0.5,
        "beta_2": 0.999,
        "loss": "non_saturating",
        "label_smoothing": 0.0,
        "gradient_penalty": 0.0,
    }
    arguments = record["arguments"]
    assert arguments.pop("name").startswith(
        "dcgan"
    )  # numbered, from the second
    assert arguments == {
        "image_shape": [8, 8, 1],
        "latent_dim": 64,
        "width": 4,
        "discriminator_steps": 1,
        "ema_decay": 0.999,
        "normalization": "batch",
        "discriminator_augmentation": None,
        "seed": 0,
        "dtype": "float32",
    }
    examples = keras_genai.load_images(data)
    assert record["data"] == {
        "source": f"{data}/train",
        "images": 16,
        "digest": examples.digest,
    }
    assert record["versions"]["tensorflow"] == tf.__version__
    assert record["versions"]["keras"] == keras.__version__
    assert record["versions"]["keras_genai"] == keras_genai.__version__
    assert record["final"]["epoch"] == 1
    assert record["final"]["export_difference"] <= 1e-5

    with (finished / "history.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    names = {"d_loss", "g_loss", "d_real_accuracy", "d_fake_accuracy"}
    assert names < set(row)
    for name in names:
        assert record["final"][name] == pytest.approx(float(row[name]))

    pictures = sorted(path.name for path in (finished / "samples").iterdir())
    assert pictures == ["epoch_000.png", "epoch_001.png"]
    with Image.open(finished / "samples.gif") as gif:
        assert gif.n_frames == 2
    with Image.open(finished / "history.png") as picture:
        assert picture.width > picture.height  # two panels

    model = load_model(finished / "model.keras")
    assert model.image_shape == (8, 8, 1) and model.width == 4
    assert int(model.g_optimizer.iterations) == 2
    served = tf.saved_model.load(str(finished / "export")).signatures
    assert {"serving_default", "generate", "decode"} <= set(served)


def test_train_says_where_it_went_and_what_to_try_next(
    data, tmp_path, capsys, without_export
):
    folder = tmp_path / "new" / "run"
    arguments = ["train", "gan", "--data", data, "--output", str(folder)]
    arguments += ["--epochs", "1", "--batch-size", "16"]
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "1/1" in output  # the progress bar
    assert str(folder) in output
    assert f"keras-genai generate {folder}" in output
    # Drawn at random, and written down.
    assert isinstance(Run.open(folder).record()["seed"], int)


def test_arguments_reach_the_recipe(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipes = []
    monkeypatch.setattr(
        Run, "train", lambda run, *choices: recipes.append(run.record())
    )
    monkeypatch.setattr(Run, "finish", lambda run, model: {"epoch": 1})
    options = shlex.split(
        "--split train[:8] --image-size 8 12 --epochs 2 --batch-size 4 "
        "--seed 3 --offline --loss minimax --label-smoothing 0.1 "
        "--d-learning-rate 1e-3 --latent-dim 5 --ema-decay 0.5 "
        """--augment "{'noise': 0.1}" """
    )
    assert main(["train", "dcgan", "--data", data, *options]) == 0
    (record,) = recipes
    recipe = record["recipe"]
    assert (record["seed"], record["offline"]) == (3, True)
    assert recipe["split"] == "train[:8]"
    assert recipe["image_size"] == [8, 12]
    assert (recipe["epochs"], recipe["batch_size"]) == (2, 4)
    assert (recipe["loss"], recipe["label_smoothing"]) == ("minimax", 0.1)
    assert recipe["d_learning_rate"] == 1e-3
    assert recipe["augment"] == {"noise": 0.1}
    assert recipe["model_arguments"] == {"latent_dim": 5, "ema_decay": 0.5}
    # Without --output: runs/MODEL-NNN.
    assert (tmp_path / "runs" / "dcgan-001" / "run.json").is_file()
    assert next_folder("runs", "dcgan").name == "dcgan-002"

    assert main(["train", "dcgan", "--preset", "quick"]) == 0
    recipe = recipes[1]["recipe"]
    quick = keras_genai.get_recipe("dcgan", "quick")
    assert (recipe["source"], recipe["split"]) == (quick.source, quick.split)
    assert recipe["epochs"] == quick.epochs


def test_the_recipe_is_what_is_trained(data):
    recipe = keras_genai.GANRecipe(
        "DCGAN",
        source=data,
        batch_size=4,
        augment={"noise": 0.1},
        model_arguments={"width": 4, "latent_dim": 5},
        d_learning_rate=1e-3,
        g_learning_rate=2e-3,
        beta_1=0.25,
        loss="minimax",
        label_smoothing=0.1,
    )
    dataset = recipe.dataset(seed=0)
    assert dataset.element_spec.shape == (4, 8, 8, 1)
    model = recipe.model(dataset, seed=0)
    assert type(model) is keras_genai.DCGAN
    assert (model.width, model.latent_dim) == (4, 5)
    assert (model.loss, model.label_smoothing) == ("minimax", 0.1)
    assert float(model.d_optimizer.learning_rate) == pytest.approx(1e-3)
    assert float(model.g_optimizer.learning_rate) == pytest.approx(2e-3)
    assert model.d_optimizer.beta_1 == model.g_optimizer.beta_1 == 0.25


def test_deterministic_is_turned_on(
    data, tmp_path, monkeypatch, without_export
):
    calls = []
    monkeypatch.setattr(
        tf.config.experimental,
        "enable_op_determinism",
        lambda: calls.append(True),
    )
    plain, exact = str(tmp_path / "plain"), str(tmp_path / "exact")
    arguments = ["train", "dcgan", "--data", data, *QUICK, "--output"]
    assert main([*arguments, plain]) == 0
    assert calls == []
    assert main([*arguments, exact, "--deterministic"]) == 0
    assert calls == [True]
    # A run that was started so goes on so.
    assert main(["train", "--resume", exact, "--epochs", "2"]) == 0
    assert calls == [True, True]
    # Another may turn to it, and stays so.
    more = ["train", "--resume", plain, "--deterministic", "--offline"]
    assert main([*more, "--epochs", "2"]) == 0
    assert calls == [True] * 3
    record = Run.open(plain).record()
    assert (record["deterministic"], record["offline"]) == (True, True)


@pytest.mark.parametrize(
    "arguments, hints",
    [
        ([], ["Name a model: gan, dcgan"]),
        (["dcgam"], ["Did you mean 'dcgan'?", "model='dcgam'"]),
        (["dcgan", "--preset", "quik"], ["'quick'?", "preset='quik'"]),
        (["dcgan", "--witdh", "4"], ["'--witdh'", "--width"]),
        (
            ["dcgan", "--width"],
            ["Expected a value", "a value after '--width'"],
        ),
        (["dcgan", "--width", "0"], ["width=0"]),
        (["dcgan", "--loss", "hinje"], ["'hinge'", "loss='hinje'"]),
        (["dcgan", "--dtype", "float15"], ["float15"]),
        (["dcgan", "--label-smoothing", "0.7"], ["label_smoothing=0.7"]),
        (["dcgan", "--dataset", "minst"], ["Nearest: mnist", "'minst'"]),
        (["dcgan", "--split", "dev"], ["Known: train", "split='dev'"]),
        (["dcgan", "--image-size", "8", "7"], ["multiples of 4", "(8, 7, 1)"]),
    ],
)
def test_what_is_refused_leaves_nothing(
    data, tmp_path, no_tfds_sets, no_training, capsys, arguments, hints
):
    folder = tmp_path / "run"
    if "--dataset" not in arguments:
        arguments = [*arguments, "--data", data]
    message = refused(capsys, "train", *arguments, "--output", folder)
    for hint in hints:
        assert hint in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (["train", "dcgan", "--epochs", "0"], "0 is not 1 or more"),
        (["train", "dcgan", "--batch-size", "-2"], "--batch-size"),
        (["train", "--data", "a", "--dataset", "b"], "not allowed with"),
        (["train", "dcgan", "--epochs", "1.5"], "'1.5' is not an integer"),
        (["list", "--all"], "unrecognized arguments: --all"),
        (["trian"], "invalid choice: 'trian'"),
        ([], "COMMAND"),
    ],
)
def test_argparse_refuses(capsys, arguments, hint):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert hint in capsys.readouterr().err


def test_no_network_is_one_line(
    tmp_path, no_tfds_sets, no_network, no_training, capsys
):
    folder = tmp_path / "run"
    arguments = ("train", "dcgan", "--dataset", "cifar10", "--output", folder)
    message = refused(capsys, *arguments)
    assert "mnist_5k" in message and message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_refused(data, copied, no_training, capsys):
    before = files(copied)
    arguments = ("train", "dcgan", "--data", data, "--output", copied)
    message = refused(capsys, *arguments)
    for hint in ("--output", "--resume", "--overwrite", str(copied)):
        assert hint in message
    assert files(copied) == before


def test_overwrite_replaces_a_run(data, copied, without_export):
    (copied / "notes.txt").write_text("of the earlier run")
    arguments = ["train", "dcgan", "--data", data, "--output", str(copied)]
    assert main([*arguments, *QUICK, "--seed", "1", "--overwrite"]) == 0
    assert not (copied / "notes.txt").exists()
    record = Run.open(copied).record()
    assert (record["seed"], record["status"]) == (1, "complete")


def test_overwrite_replaces_nothing_else(data, tmp_path, no_training, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    arguments = ("train", "dcgan", "--data", data, "--output", tmp_path)
    message = refused(capsys, *arguments, "--overwrite")
    assert "no run.json" in message
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_unwritable_output_is_found_before_training(
    data, tmp_path, no_training, capsys
):
    (tmp_path / "file").write_text("no folder")
    folder = tmp_path / "file" / "run"
    message = refused(
        capsys, "train", "dcgan", "--data", data, "--output", folder
    )
    assert "cannot be written to" in message and str(folder) in message


# --- Interrupted, and resumed ------------------------------------------------


# Keras's CSVLogger closes its file only where training ends by itself.
@pytest.mark.filterwarnings("ignore:unclosed file.*history:ResourceWarning")
def test_interrupted_run_is_resumed_to_the_same_end(
    data, tmp_path, monkeypatch, capsys, without_export
):
    arguments = ["train", "dcgan", "--data", data, *QUICK, "--epochs", "2"]
    assert main([*arguments, "--output", str(tmp_path / "unbroken")]) == 0

    def interrupt(callback, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt
        on_epoch_end(callback, epoch, logs)

    on_epoch_end = SampleImages.on_epoch_end
    folder = tmp_path / "broken"
    with monkeypatch.context() as patch:
        patch.setattr(SampleImages, "on_epoch_end", interrupt)
        capsys.readouterr()
        assert main([*arguments, "--output", str(folder)]) == 130
    assert f"keras-genai train --resume {folder}" in capsys.readouterr().out
    run = Run.open(folder)
    assert run.record()["status"] == "interrupted"
    assert run.record()["seconds"] > 0
    assert not run.model_path.exists() and not run.export_path.exists()
    assert (folder / "history.png").is_file()

    assert main(["train", "--resume", str(folder)]) == 0
    assert run.record()["status"] == "complete"
    history = run.history()
    assert history["epoch"] == [0, 1]  # the second one only once
    unbroken = Run.open(tmp_path / "unbroken")
    assert history.keys() == unbroken.history().keys()
    for name, values in unbroken.history().items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4)
    weights = [
        load_model(each.model_path).get_weights() for each in (run, unbroken)
    ]
    for broken_weight, unbroken_weight in zip(*weights, strict=True):
        np.testing.assert_allclose(
            broken_weight, unbroken_weight, atol=1e-6, rtol=1e-5
        )


def test_interrupted_before_the_first_epoch(
    data, tmp_path, monkeypatch, capsys
):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    arguments = ["train", "dcgan", "--data", data, *QUICK]
    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "fit", interrupt)
        assert main([*arguments, "--output", str(folder)]) == 130
    assert "--resume" in capsys.readouterr().out
    run = Run.open(folder)
    assert run.record()["status"] == "interrupted"
    assert run.history() == {}
    assert main(["train", "--resume", str(folder)]) == 0
    assert run.history()["epoch"] == [0]


def test_complete_run_is_trained_on_with_more_epochs(
    copied, capsys, without_export
):
    message = refused(capsys, "train", "--resume", copied)
    assert "complete, with 1 epochs" in message and "--epochs" in message
    assert main(["train", "--resume", str(copied), "--epochs", "2"]) == 0
    run = Run.open(copied)
    assert run.history()["epoch"] == [0, 1]
    assert run.record()["final"]["epoch"] == 2
    assert run.record()["recipe"]["epochs"] == 2
    assert len(list((copied / "samples").iterdir())) == 3


def test_a_run_killed_before_its_export_is_finished(copied):
    run = Run.open(copied)
    record = {**run.record(), "status": "trained"}
    del record["final"]
    run.write_record(record)
    weights = load_model(run.model_path).get_weights()
    run.model_path.unlink()
    shutil.rmtree(run.export_path)
    assert main(["train", "--resume", str(copied)]) == 0
    assert run.record()["final"]["epoch"] == 1
    assert (run.export_path / "saved_model.pb").is_file()
    for before, after in zip(
        weights, load_model(run.model_path).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (["--seed", "1"], "Received: --seed"),
        (["--batch-size", "4"], "Received: --batch-size"),
        (["--preset", "quick"], "Received: --preset"),
        (["--overwrite"], "Received: --overwrite"),
        (["--width", "8"], "Received: --width"),
        (["--output", "elsewhere"], "Received: --output"),
    ],
)
def test_resume_changes_nothing_but_epochs(
    finished, no_training, capsys, arguments, hint
):
    before = files(finished)
    message = refused(capsys, "train", "--resume", finished, *arguments)
    assert "only --epochs may change" in message and hint in message
    assert files(finished) == before


def test_resume_refuses_another_model_and_other_folders(
    finished, tmp_path, no_training, capsys
):
    message = refused(capsys, "train", "gan", "--resume", finished)
    assert "trains DCGAN" in message and "model='gan'" in message
    message = refused(capsys, "train", "--resume", tmp_path)
    assert "run.json" in message and str(tmp_path) in message
    (tmp_path / "run.json").write_text('{"status": ')
    assert "broken" in refused(capsys, "train", "--resume", tmp_path)


def test_a_refused_resume_leaves_the_record(copied, no_training, capsys):
    run = Run.open(copied)
    before = run.record_path.read_bytes()
    resume = ["train", "--resume", copied, "--deterministic", "--offline"]
    assert "is complete" in refused(capsys, *resume)
    resume += ["--epochs", 2]
    assert "trains DCGAN" in refused(capsys, *resume, "gan")
    with run.locked():
        assert "in use" in refused(capsys, *resume)
    for checkpoint in run.checkpoints.iterdir():
        checkpoint.write_bytes(b"damaged")
    assert "no checkpoint is complete" in refused(capsys, *resume)
    assert run.record_path.read_bytes() == before


def test_another_machine_leaves_the_record(copied, monkeypatch):
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
    task = {"type": "worker", "index": 1}
    config = json.dumps({"cluster": cluster, "task": task})
    monkeypatch.setenv("TF_CONFIG", config)
    follow = mock.Mock()
    monkeypatch.setattr("keras_genai.runs.follow", follow)
    run = Run.open(copied)
    before = run.record_path.read_bytes()
    resume = ["train", "--resume", str(copied), "--epochs", "2"]
    more = ["--deterministic", "--offline", "--strategy", "multiworker"]
    assert main([*resume, *more]) == 0
    ((record, epochs, folder), _) = follow.call_args
    assert (epochs, folder) == (2, copied)
    assert (record["deterministic"], record["offline"]) == (True, True)
    assert record["strategy"] == "multiworker"
    assert run.record_path.read_bytes() == before


def test_resume_refuses_other_data(copied, tmp_path, no_training, capsys):
    run = Run.open(copied)
    record = run.record()
    other = tmp_path / "other.npz"
    np.savez(other, images=np.zeros((16, 8, 8), "uint8"))
    record["recipe"]["source"] = str(other)
    run.write_record(record)
    before = run.record_path.read_bytes()
    resume = ["train", "--resume", copied, "--epochs", "2", "--deterministic"]
    message = refused(capsys, *resume)
    assert "The data have changed" in message
    assert record["data"]["digest"] in message
    assert run.record_path.read_bytes() == before
    assert (copied / "model.keras").is_file()


# --- generate ----------------------------------------------------------------


def test_run_and_export_generate_the_same_bytes(finished, tmp_path, capsys):
    for name in ("images.png", "images.npz"):
        outputs = []
        for source in (finished, finished / "export"):
            output = tmp_path / source.name / name
            arguments = [
                "generate",
                str(source),
                "--num-samples",
                "5",
                "--seed",
                "7",
                "--output",
                str(output),
            ]
            assert main(arguments) == 0
            line = f"5 images, seed 7: {output}\n"
            assert capsys.readouterr().out == line
            outputs.append(output.read_bytes())
        assert outputs[0] == outputs[1]
    with np.load(tmp_path / "export" / "images.npz") as file:
        images = file["images"]
    assert images.shape == (5, 8, 8, 1) and images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1
    model = load_model(finished / "model.keras")
    np.testing.assert_array_equal(images, model.generate(5, seed=7))


def test_generate_keeps_what_is_there(finished, tmp_path, capsys):
    export = finished / "export"
    output = tmp_path / "mine.png"
    command = ["generate", str(export), "--output", str(output)]
    assert main([*command, "--num-samples", "2"]) == 0
    first = output.read_bytes()
    assert "--overwrite" in refused(capsys, *command, "--seed", "1")
    assert output.read_bytes() == first
    assert main([*command, "--num-samples", "3", "--overwrite"]) == 0
    assert output.read_bytes() != first
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]


def test_generate_refuses(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source in (finished, finished / "export"):
        message = refused(capsys, "generate", source, "--num-samples", "-1")
        assert "one sample or more" in message
        assert "--num-samples -1" in message
    message = refused(capsys, "generate", finished, "--output", "images.jpg")
    assert ".png or .npz" in message and "images.jpg" in message
    assert "run.json" in refused(capsys, "generate", tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


# --- export, list ------------------------------------------------------------


def test_export(finished, tmp_path, capsys):
    folder = tmp_path / "served"
    assert main(["export", str(finished), "--output", str(folder)]) == 0
    assert f"{folder}: loaded again" in capsys.readouterr().out
    assert (folder / "saved_model.pb").is_file()
    assert "run.json" in refused(capsys, "export", tmp_path)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "1.txt").write_text("years of work")
    message = refused(
        capsys, "export", finished, "--output", tmp_path / "thesis"
    )
    assert "something else" in message
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["1.txt"]


def test_export_to_other_runtimes(copied, capsys):
    before = {path.name for path in copied.iterdir()}
    for arguments, name in (
        (("--format", "onnx"), "export_onnx"),
        (("--format", "litert"), "export.tflite"),
        (
            ("--format", "litert", "--quantization", "int8"),
            "export_int8.tflite",
        ),
    ):
        assert main(["export", str(copied), *arguments]) == 0
        printed = capsys.readouterr().out
        assert f"{copied / name}: loaded again" in printed
        assert "left out: generate (it draws random numbers)" in printed
        before.add(name)
        assert {path.name for path in copied.iterdir()} == before
    message = refused(
        capsys, "export", copied, "--format", "onnx", "--quantization", "int8"
    )
    assert "Only LiteRT" in message


def test_export_of_a_run_without_a_model(copied, capsys):
    (copied / "model.keras").unlink()
    assert "no model to load" in refused(capsys, "export", copied)


def test_list(no_tfds_sets, capsys):
    info = no_tfds_sets / "tiny_animals" / "1.0.0" / "dataset_info.json"
    info.parent.mkdir(parents=True)
    info.touch()
    (no_tfds_sets / "downloads").mkdir()
    assert main(["list"]) == 0
    output = capsys.readouterr().out
    for model, presets in keras_genai.RECIPES.items():
        for preset in presets:
            assert f"    {model:22} {preset:8}" in output
    assert "    mnist_5k " in output
    assert str(no_tfds_sets) in output
    assert "    tiny_animals\n" in output
    assert "    downloads" not in output


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{keras_genai.__version__}\n"


def test_overwrite_keeps_the_old_run_until_the_new_one_can_start(
    finished, data, tmp_path, capsys
):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    for mistake in (["--loss", "hing"], ["--width", "0"], ["--split", "val"]):
        arguments = ["train", "dcgan", "--data", data, *QUICK, *mistake]
        refused(capsys, *arguments, "--output", str(folder), "--overwrite")
        after = sorted(path.relative_to(folder) for path in folder.rglob("*"))
        assert after == before
        assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_diverged_run_keeps_its_last_good_epoch(
    finished, tmp_path, capsys, monkeypatch
):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    weights = folder / "checkpoints" / "epoch_001.keras"
    before = weights.read_bytes()
    monkeypatch.setattr(
        keras_genai.losses.games,
        "ADVERSARIAL_LOSSES",
        {
            "non_saturating": (
                lambda real, fake, smoothing: real[:, 0] * float("nan"),
                keras_genai.losses.non_saturating_generator_loss,
            )
        },
    )
    message = refused(capsys, "train", "--resume", folder, "--epochs", "3")
    assert "d_loss is nan" in message
    assert weights.read_bytes() == before
    assert json.loads((folder / "run.json").read_text())["status"] == "diverged"


def test_equals_signs_and_paths_from_elsewhere(
    data, tmp_path, monkeypatch, without_export
):
    monkeypatch.chdir(Path(data).parent)
    folder = tmp_path / "run"
    arguments = ["train", "dcgan", "--data", Path(data).name, "--width=2"]
    rest = ["--epochs=1", "--batch-size", "8", "--output", str(folder)]
    assert main([*arguments, *rest]) == 0
    record = json.loads((folder / "run.json").read_text())
    assert record["recipe"]["model_arguments"] == {"width": 2}
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--resume", "run", "--epochs", "2"]) == 0


def test_sixteen_bits(data, tmp_path):
    folder, dtype = tmp_path / "run", "mixed_float16"
    arguments = ["train", "dcgan", "--data", data, "--output", str(folder)]
    assert main([*arguments, *QUICK, "--dtype", dtype]) == 0
    run = Run.open(folder)
    assert run.record()["recipe"]["model_arguments"]["dtype"] == dtype
    assert run.record()["final"]["export_difference"] < 0.02
    model = load_model(run.model_path)
    assert model.dtype_policy.name == dtype
    assert all(each.dtype == "float32" for each in model.trainable_variables)
    picture = tmp_path / "grid.png"
    assert main(["generate", str(folder), "--output", str(picture)]) == 0
    assert picture.is_file()
    assert main(["train", "--resume", str(folder), "--epochs", "2"]) == 0
    assert load_model(run.model_path).dtype_policy.name == dtype


# --- Autoencoders ------------------------------------------------------------


@pytest.fixture(scope="module")
def conditional(data, tmp_path_factory):
    """A conditional VAE, trained and validated for an epoch."""
    folder = tmp_path_factory.mktemp("runs") / "conditional"
    arguments = ["train", "conditional_vae", "--data", data, "--epochs", "1"]
    arguments += ["--networks", "dense", "--latent-dim", "3", "--beta", "2.0"]
    arguments += ["--validation-split", "train[:50%]", "--output", str(folder)]
    assert main([*arguments, "--batch-size", "8", "--seed", "0"]) == 0
    return folder


def test_a_vae_run_is_validated_and_knows_its_classes(conditional):
    record = json.loads((conditional / "run.json").read_text())
    assert record["recipe"]["model_arguments"] == {
        "networks": "dense",
        "latent_dim": 3,
        "beta": 2.0,
    }
    assert record["recipe"]["binarize"] == "dynamic"
    assert record["arguments"]["num_classes"] == 2
    assert "encoder" not in record["arguments"]
    final = record["final"]
    for prefix in ("", "val_"):
        assert final[f"{prefix}loss"] == pytest.approx(
            final[f"{prefix}reconstruction_loss"]
            + 2 * final[f"{prefix}kl_loss"],
            rel=1e-5,
        )
    assert final["export_difference"] <= 1e-5
    assert (conditional / "samples" / "epoch_001.png").is_file()


def test_evaluate_prints_the_bounds_and_records_them(conditional, capsys):
    arguments = ["evaluate", str(conditional), "--split", "train[50%:]"]
    assert main([*arguments, "--k", "50"]) == 0
    output = capsys.readouterr().out
    results = Run.open(conditional).record()["evaluation"]["train[50%:]"]
    name = "importance_weighted_bound_k50"
    assert set(results) == {
        *("loss", "reconstruction_loss", "kl_loss", "active_units"),
        *("elbo", "elbo_standard_error", name, f"{name}_standard_error"),
        "bits_per_pixel_binary",
    }
    error = results[f"{name}_standard_error"]
    assert f"{results[name]:10.3f} +- {error:.3f}" in output
    assert results["elbo"] < results[name] < 0
    message = refused(capsys, "evaluate", conditional, "--split", "dev")
    assert "dev" in message


def test_evaluate_of_a_gan_reports_what_it_does(finished, tmp_path, capsys):
    folder = shutil.copytree(finished, tmp_path / "run")
    assert main(["evaluate", str(folder), "--split", "train"]) == 0
    assert "d_real_accuracy" in capsys.readouterr().out
    assert "train" in Run.open(folder).record()["evaluation"]


def test_generate_with_labels(conditional, finished, tmp_path, capsys):
    outputs = []
    for number, source in enumerate((conditional, conditional / "export")):
        output = tmp_path / f"{number}.npz"
        arguments = ["generate", str(source), "--labels", "1,0,1"]
        assert main([*arguments, "--seed", "4", "--output", str(output)]) == 0
        with np.load(output) as file:
            outputs.append(file["images"])
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)
    model = load_model(conditional / "model.keras")
    expected = model.generate(labels=[1, 0, 1], seed=4)
    np.testing.assert_array_equal(outputs[0], expected)
    capsys.readouterr()
    for source in (finished, finished / "export"):
        message = refused(capsys, "generate", source, "--labels", "1")
        assert "not conditional" in message
    message = refused(capsys, "generate", conditional, "--labels", "2")
    assert "labels from 2 to 2" in message
    message = refused(
        capsys,
        *["generate", conditional, "--labels", "1,0"],
        "--num-samples",
        3,
    )
    assert "3, 2 labels" in message


@pytest.mark.parametrize(
    "model", ["vae", "autoencoder", "denoising_autoencoder"]
)
def test_train_takes_the_other_autoencoders(
    model, data, tmp_path, without_export
):
    folder = tmp_path / "run"
    arguments = ["train", model, "--data", data, "--output", str(folder)]
    arguments += ["--latent-dim", "2", "--networks", "dense", "--epochs", "1"]
    assert main(arguments) == 0
    record = Run.open(folder).record()
    assert record["status"] == "complete"
    # A file of one split has nothing to validate on, unless it is told.
    assert record["recipe"]["validation_split"] is None
    resume = ["train", model, "--resume", str(folder), "--epochs", "2"]
    assert main(resume) == 0
    assert Run.open(folder).record()["final"]["epoch"] == 2
