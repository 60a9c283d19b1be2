import sys
import types

import keras
import numpy as np
import pytest
from PIL import Image

from keras_genai import GAN, SampleImages, SampleText
from keras_genai.callbacks import Checkpoints, RaiseOnNaN
from keras_genai.plotting import image_grid


class Shades:
    """A stand-in for a model: its samples darken from call to call."""

    def __init__(self):
        self.calls = []

    def generate(self, num_samples, seed):
        self.calls.append((num_samples, seed))
        shade = 1 - 0.1 * len(self.calls)
        return np.full((num_samples, 8, 6, 1), shade, "float32")


def run(callback, epochs, model=None):
    callback.set_model(model or Shades())
    callback.on_train_begin()
    for epoch in range(epochs):
        callback.on_epoch_end(epoch)
    callback.on_train_end()
    return callback.model


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_epoch_has_its_picture_of_the_same_noise(tmp_path):
    folder = tmp_path / "new" / "samples"
    model = run(SampleImages(folder, num_samples=5, seed=3), epochs=2)
    assert names(folder) == [f"epoch_{epoch:03d}.png" for epoch in range(3)]
    assert model.calls == [(5, 3)] * 3
    with Image.open(folder / "epoch_001.png") as picture:
        grid = image_grid(np.full((5, 8, 6, 1), 0.8), zoom=7)
        np.testing.assert_array_equal(np.asarray(picture), grid)


def test_period(tmp_path):
    run(SampleImages(tmp_path, period=3), epochs=7)
    assert names(tmp_path) == [
        "epoch_000.png",
        "epoch_003.png",
        "epoch_006.png",
    ]


def test_gif_has_a_frame_for_every_picture(tmp_path):
    gif = tmp_path / "samples.gif"
    run(SampleImages(tmp_path / "samples", gif=gif), epochs=4)
    with Image.open(gif) as picture:
        assert picture.n_frames == 5
        shades = []
        for frame in range(5):
            picture.seek(frame)
            shades.append(picture.convert("RGB").getpixel((5, 5)))
    assert shades == [(round(255 * (1 - 0.1 * k)),) * 3 for k in range(1, 6)]


def test_a_resumed_run_keeps_its_pictures(tmp_path):
    run(SampleImages(tmp_path), epochs=2)
    first = (tmp_path / "epoch_000.png").read_bytes()
    callback = SampleImages(tmp_path, gif=tmp_path / "all.gif")
    callback.set_model(Shades())
    callback.on_train_begin()
    assert callback.model.calls == []
    assert (tmp_path / "epoch_000.png").read_bytes() == first
    callback.on_epoch_end(2)
    callback.on_train_end()
    assert names(tmp_path)[1:] == [f"epoch_{k:03d}.png" for k in range(4)]


def test_gif_of_a_thousand_epochs_is_in_order(tmp_path, monkeypatch):
    for epoch in (0, 999, 1000):
        (tmp_path / f"epoch_{epoch:03d}.png").touch()
    given = []

    def write_gif(pictures, path):
        given.extend(pictures)
        path.touch()

    monkeypatch.setattr("keras_genai.callbacks.samples.write_gif", write_gif)
    SampleImages(tmp_path, gif=tmp_path / "all.gif").on_train_end()
    assert [path.stem for path in given] == [
        "epoch_000",
        "epoch_999",
        "epoch_1000",
    ]


def test_inline_shows_one_picture_and_updates_it(monkeypatch):
    shown, updated = [], []
    handle = types.SimpleNamespace(update=updated.append)

    def display(picture, display_id):
        assert display_id
        shown.append(picture)
        return handle

    fake = types.ModuleType("IPython.display")
    fake.display = display
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    run(SampleImages(inline=True), epochs=2)
    assert (len(shown), len(updated)) == (1, 1)
    assert isinstance(shown[0], Image.Image)
    assert shown[0].getpixel((9, 9)) > updated[0].getpixel((9, 9))


def test_inline_finds_out_whether_there_is_a_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert not SampleImages().inline
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    assert SampleImages().inline
    assert not SampleImages(inline=False).inline


def test_sampling_leaves_training_as_it_is(tmp_path):
    weights = []
    for callbacks in ([], [SampleImages(tmp_path, num_samples=2)]):
        model = GAN(image_shape=(4, 4, 1), latent_dim=2, seed=0)
        model.compile()
        images = np.random.default_rng(0).uniform(-1, 1, (6, 4, 4, 1))
        model.fit(
            images.astype("float32"),
            batch_size=3,
            epochs=2,
            shuffle=False,
            callbacks=callbacks,
            verbose=0,
        )
        weights.append([np.array(weight) for weight in model.weights])
    for without, with_pictures in zip(*weights, strict=True):
        np.testing.assert_array_equal(without, with_pictures)
    assert len(names(tmp_path)) == 3
    picture = keras.utils.img_to_array(
        Image.open(tmp_path / "epoch_002.png"), dtype="uint8"
    )
    expected = image_grid(model.generate(2, seed=0), zoom=14)
    np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_samples": 0}, "num_samples=0"),
        ({"period": 0}, "period=0"),
        ({"gif": "all.gif"}, "gif='all.gif', directory=None"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SampleImages(**arguments)


def test_a_number_that_is_not_finite_ends_training_with_an_error():
    callback = RaiseOnNaN()
    callback.on_train_batch_end(0, {"d_loss": 0.5, "g_loss": -3.0})
    with pytest.raises(FloatingPointError, match="g_loss is nan at batch 7"):
        callback.on_train_batch_end(7, {"d_loss": 0.5, "g_loss": np.nan})
    with pytest.raises(FloatingPointError, match="d_loss is inf"):
        callback.on_train_batch_end(7, {"d_loss": np.inf})


# --- Text --------------------------------------------------------------------


class Echo:
    def generate(self, prompt, max_new_tokens, seed):
        return f"{prompt} {max_new_tokens} {seed} é"


def test_texts_of_one_prompt_are_written_and_printed(tmp_path, capsys):
    callback = SampleText(
        tmp_path / "texts", "ROMEO:", 7, period=2, seed=3, show=True
    )
    callback.set_model(Echo())
    for epoch in range(5):
        callback.on_epoch_end(epoch)
    paths = sorted((tmp_path / "texts").iterdir())
    assert [path.name for path in paths] == ["epoch_002.txt", "epoch_004.txt"]
    assert paths[0].read_text(encoding="utf-8") == "ROMEO: 7 3 é"
    assert capsys.readouterr().out.count("ROMEO: 7 3 é") == 2


def test_text_callback_refuses_nothing_to_do():
    for arguments in ({"max_new_tokens": 0}, {"period": 0}):
        with pytest.raises(ValueError, match="must be at least 1"):
            SampleText(**arguments)


def test_saving_makes_no_optimizers(tmp_path, monkeypatch):
    # Their variables would stay in TensorFlow's memory for good.
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    callback, made = Checkpoints(tmp_path), []
    callback.set_model(model)
    callback.on_train_begin()
    init = keras.optimizers.Optimizer.__init__

    def counted(optimizer, *arguments, **keywords):
        made.append(optimizer)
        init(optimizer, *arguments, **keywords)

    monkeypatch.setattr(keras.optimizers.Optimizer, "__init__", counted)
    callback.on_epoch_end(0)
    assert names(tmp_path) == ["epoch_001.keras"]
    assert not made
