import io
import json
import sys

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)
from tensorboard.plugins.projector import ProjectorConfig

from keras_genai import (
    GAN,
    VAE,
    Autoencoder,
    ConditionalVAE,
    MarkovChain,
    TensorBoard,
    text_dataset,
)
from keras_genai.cli import main
from keras_genai.plotting import image_grid

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 1, (10, 4, 6, 1)).astype("float32")
LABELS = np.arange(10) % 3


def fit(model, callback, images=IMAGES, **arguments):
    model.compile()
    arguments = {"epochs": 2, "batch_size": 5, "verbose": 0, **arguments}
    return model.fit(images, callbacks=[callback], **arguments).history


def events(folder):
    """What TensorBoard finds: tag -> {step: array}."""
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return {
        tag: {
            event.step: tf.make_ndarray(event.tensor_proto)
            for event in accumulator.Tensors(tag)
        }
        for tag in accumulator.Tags()["tensors"]
    }


def picture(summary):
    width, height, encoded = summary
    image = Image.open(io.BytesIO(encoded))
    assert image.size == (int(width), int(height))
    return np.asarray(image)


def projected(folder):
    """The config of the projector and the paths that it names."""
    config = text_format.Parse(
        (folder / "projector_config.pbtxt").read_text(), ProjectorConfig()
    )
    (embedding,) = config.embeddings
    return embedding, np.loadtxt(folder / embedding.tensor_path, ndmin=2)


def vae(**arguments):
    return VAE(
        image_shape=(4, 6, 1),
        latent_dim=3,
        networks="dense",
        seed=0,
        **arguments,
    )


# --- Scalars and samples -----------------------------------------------------


def test_scalars_are_those_of_the_history(tmp_path):
    history = fit(
        vae(),
        TensorBoard(tmp_path, num_samples=2),
        validation_data=(IMAGES,),
    )
    for folder, prefix in (("train", ""), ("validation", "val_")):
        found = events(tmp_path / folder)
        for name in ("loss", "kl_loss", "reconstruction_loss"):
            scalars = found[f"epoch_{name}"]
            assert list(scalars) == [0, 1]
            np.testing.assert_allclose(
                list(scalars.values()), history[prefix + name], rtol=1e-6
            )
    assert "epoch_learning_rate" in events(tmp_path / "train")


def test_samples_are_of_the_same_noise(tmp_path):
    model = GAN(image_shape=(4, 6, 1), latent_dim=2, seed=0)
    callback = TensorBoard(tmp_path, num_samples=5, period=2, seed=3)
    history = fit(model, callback, 2 * IMAGES - 1, epochs=4)
    found = events(tmp_path / "train")
    assert list(found["epoch_d_loss"]) == [0, 1, 2, 3]
    np.testing.assert_allclose(found["epoch_d_loss"][3], history["d_loss"][3])
    assert list(found["samples"]) == [1, 3]
    np.testing.assert_array_equal(
        picture(found["samples"][3]),
        image_grid(model.generate(5, seed=3), zoom=14),
    )
    assert not (tmp_path / "train" / "projector_config.pbtxt").exists()


def test_a_language_model_goes_on_from_the_prompt(tmp_path):
    data = text_dataset(
        "to be or\nnot to be " * 20, sequence_length=16, batch_size=4, seed=0
    )
    model = MarkovChain(tokenizer=data.tokenizer, order=2, seed=0)
    model.compile()
    callback = TensorBoard(tmp_path, prompt="to\n", max_new_tokens=30, seed=4)
    model.fit(data, callbacks=[callback], verbose=0)
    (shown,) = events(tmp_path / "train")["samples"].values()
    lines = shown.item().decode().splitlines()
    assert all(line.startswith("    ") for line in lines)
    expected = model.generate("to\n", 30, seed=4)
    assert [line[4:] for line in lines] == expected.splitlines()


def test_it_leaves_training_as_it_is(tmp_path):
    without, watched = vae(), vae()
    without.compile()
    without.fit(IMAGES, epochs=2, batch_size=5, shuffle=False, verbose=0)
    fit(watched, TensorBoard(tmp_path, images=IMAGES), shuffle=False)
    for a, b in zip(without.weights, watched.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_killed_run_has_its_finished_epochs(tmp_path):
    class Killed(TensorBoard):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            assert list(events(tmp_path / "train")["samples"])[-1] == epoch

    fit(vae(), Killed(tmp_path, num_samples=1))


def test_arguments_of_keras_are_taken(as_graphs, tmp_path):
    callback = TensorBoard(tmp_path, update_freq=1, write_graph=True)
    fit(vae(), callback, epochs=3)
    assert list(events(tmp_path / "train")["batch_loss"]) == [1, 2, 3, 4, 5, 6]


# --- Codes -------------------------------------------------------------------


def test_the_projector_is_shown_codes_classes_and_images(tmp_path):
    model = vae()
    fit(model, TensorBoard(tmp_path, images=IMAGES, labels=LABELS))
    folder = tmp_path / "train"
    embedding, codes = projected(folder)
    z_mean, _ = model.encode(IMAGES)
    np.testing.assert_allclose(codes, z_mean, rtol=1e-5)
    labels = (folder / embedding.metadata_path).read_text().splitlines()
    assert labels == [str(label) for label in LABELS]
    width, height = embedding.sprite.single_image_dim
    assert (width, height) == (6, 4)
    with Image.open(folder / embedding.sprite.image_path) as file:
        sprite = np.asarray(file)
    # Rows of so many images as there is room for, as the projector cuts it.
    for index, image in enumerate(IMAGES):
        row, column = divmod(index, sprite.shape[1] // width)
        found = sprite[row * height :, column * width :][:height, :width, 0]
        np.testing.assert_allclose(found / 255, image[..., 0], atol=1 / 255)


def test_codes_without_classes(tmp_path):
    model = Autoencoder(
        image_shape=(4, 6, 1), latent_dim=1, networks="dense", seed=0
    )
    fit(model, TensorBoard(tmp_path, images=IMAGES))
    embedding, codes = projected(tmp_path / "train")
    np.testing.assert_allclose(codes, model.encode(IMAGES), rtol=1e-5)
    assert not embedding.metadata_path


def test_a_conditional_model_encodes_with_the_labels(tmp_path):
    model = ConditionalVAE(
        image_shape=(4, 6, 1),
        num_classes=3,
        latent_dim=2,
        networks="dense",
        seed=0,
    )
    data = tf.data.Dataset.from_tensors((IMAGES, LABELS))
    model.compile()
    with pytest.raises(ValueError, match="with their `labels`"):
        model.fit(data, callbacks=[TensorBoard(tmp_path, images=IMAGES)])
    callback = TensorBoard(tmp_path, images=IMAGES, labels=LABELS)
    model.fit(data, callbacks=[callback], verbose=0)
    _, codes = projected(tmp_path / "train")
    np.testing.assert_allclose(
        codes, model.encode(IMAGES, LABELS)[0], rtol=1e-5
    )


# --- What is refused ---------------------------------------------------------


def test_a_model_without_codes_is_refused(tmp_path):
    model = GAN(image_shape=(4, 6, 1), latent_dim=2, seed=0)
    with pytest.raises(ValueError, match="`images` for GAN"):
        fit(model, TensorBoard(tmp_path, images=IMAGES), 2 * IMAGES - 1)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_samples": 0}, "num_samples=0"),
        ({"period": 0}, "period=0"),
        ({"max_new_tokens": 0}, "max_new_tokens=0"),
        ({"labels": LABELS}, "10 labels, images of length None"),
        ({"images": IMAGES[:9], "labels": LABELS}, "images of length 9"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TensorBoard(**arguments)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match=r"\.\[tensorboard\]"):
        TensorBoard()


# --- keras-genai train --tensorboard -----------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    images = RNG.integers(0, 256, (24, 8, 8), "uint8")
    labels = np.arange(24) % 2
    np.savez(
        path,
        x_train=images[:16],
        y_train=labels[:16],
        x_test=images[16:],
        y_test=labels[16:],
    )
    return str(path)


def train(model, data, folder, *more):
    arguments = ["train", model, "--data", data, "--batch-size", "8"]
    arguments += ["--epochs", "1", "--seed", "0", "--output", str(folder)]
    return main([*arguments, *more])


def test_a_run_projects_its_validation_images(
    data, tmp_path, capsys, without_export
):
    run = tmp_path / "run"
    more = ["--networks", "dense", "--latent-dim", "3"]
    more += ["--validation-split", "test", "--tensorboard"]
    assert train("conditional_vae", data, run, *more) == 0
    folder = run / "tensorboard"
    assert f"tensorboard --logdir {folder}" in capsys.readouterr().out
    assert json.loads((run / "run.json").read_text())["tensorboard"] is True
    assert projected(folder / "train")[1].shape == (8, 3)
    assert (folder / "validation").is_dir()

    # A run that is resumed goes on writing, without being told.
    assert main(["train", "--resume", str(run), "--epochs", "2"]) == 0
    assert list(events(folder / "train")["samples"]) == [0, 1]
    assert list(events(folder / "validation")["epoch_loss"]) == [0, 1]


def test_tensorboard_from_the_second_epoch_on(
    data, tmp_path, monkeypatch, capsys, without_export
):
    run = tmp_path / "run"
    assert train("dcgan", data, run, "--width", "2") == 0
    assert not (run / "tensorboard").exists()
    assert "--logdir" not in capsys.readouterr().out
    record = (run / "run.json").read_text()
    assert json.loads(record)["tensorboard"] is False
    resume = ["train", "--resume", str(run), "--epochs", "2", "--tensorboard"]
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "tensorboard", None)
        assert main(resume) == 2
    assert "'.[tensorboard]'" in capsys.readouterr().err
    assert (run / "run.json").read_text() == record
    assert main(resume) == 0
    found = events(run / "tensorboard" / "train")
    assert list(found["samples"]) == [1]


def test_without_the_extra_nothing_is_left(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert train("gan", data, tmp_path / "run", "--tensorboard") == 2
    assert "'.[tensorboard]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_text(tmp_path, without_export):
    text = tmp_path / "text.txt"
    text.write_text("to be or not to be\n" * 40)
    run = tmp_path / "run"
    arguments = ["train", "markov", "--text", str(text), "--order", "2"]
    arguments += ["--sequence-length", "16", "--output", str(run), "--seed"]
    assert main([*arguments, "0", "--tensorboard"]) == 0
    (shown,) = events(run / "tensorboard" / "train")["samples"].values()
    sample = (run / "samples" / "epoch_001.txt").read_text()
    lines = [line[4:] for line in shown.item().decode().splitlines()]
    assert lines == sample.splitlines()
