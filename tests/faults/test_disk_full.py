"""A full disk: one line names the file, and what was there is still there.

Root is given a small disk; for others each file is limited in size.
"""

import contextlib
import os
import resource
import signal
import subprocess

import pytest

import keras_genai
from keras_genai.callbacks import Checkpoints, SampleImages
from keras_genai.cli import main
from keras_genai.runs import Run

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path):
    """A folder, and a function that lets nothing more be written there."""
    folder = tmp_path / "disk"
    folder.mkdir()
    root = os.geteuid() == 0
    if root:
        command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]
        subprocess.run(command, check=True)

    @contextlib.contextmanager
    def full():
        if root:
            with (
                (folder / "ballast").open("wb", buffering=0) as file,
                contextlib.suppress(OSError),
            ):
                while file.write(bytes(4096)):
                    pass
            yield
            (folder / "ballast").unlink()
            return
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)

    yield folder, full
    if root:
        subprocess.run(["umount", "-l", folder], check=True)


def score():
    return keras_genai.Score([[60 + step % 12] for step in range(40)])


def save_samples(model, folder):
    callback = SampleImages(folder / "samples", folder / "samples.gif")
    callback.set_model(model)
    callback.on_epoch_end(0)


def save_gif(model, folder):
    callback = SampleImages(folder / "samples", folder / "samples.gif")
    callback.set_model(model)
    callback.on_train_begin()  # of pictures that are there it makes none
    callback.on_train_end()


def save_checkpoint(model, folder):
    callback = Checkpoints(folder)
    callback.set_model(model)
    callback.on_epoch_end(0)


# What writes, and the file that it writes to.
WRITERS = {
    "tokenizer.json": lambda model, folder: keras_genai.CharacterTokenizer(
        "".join(map(chr, range(200, 1000)))
    ).save(folder / "tokenizer.json"),
    "score.mid": lambda model, folder: keras_genai.write_midi(
        score(), folder / "score.mid"
    ),
    "score.wav": lambda model, folder: keras_genai.write_wav(
        score(), folder / "score.wav", sample_rate=8000
    ),
    "samples/epoch_001.png": save_samples,
    "samples.gif": save_gif,
    "epoch_001.keras": save_checkpoint,
    "served": lambda model, folder: model.export(folder / "served"),
    "model.tflite": lambda model, folder: model.export(
        folder / "model.tflite", format="litert"
    ),
    "model_onnx": lambda model, folder: model.export(
        folder / "model_onnx", format="onnx"
    ),
    "run.json": lambda model, folder: Run(folder).write_record({"a": [0] * 99}),
}


@pytest.fixture(scope="module")
def model():
    model = keras_genai.DCGAN((8, 8, 1), latent_dim=2, width=2, seed=0)
    model.compile()
    return model


@pytest.mark.parametrize("name", WRITERS)
def test_what_was_there_is_there(name, model, disk, contents):
    folder, full = disk
    WRITERS[name](model, folder)
    assert (folder / name).exists()
    before = contents(folder)
    with full(), pytest.raises(OSError) as caught:
        WRITERS[name](model, folder)
    told = str(caught.value)
    assert repr(str(folder / name)) in told and "\n" not in told
    assert contents(folder) == before
    assert not [path for path in folder.rglob(".*")]
    WRITERS[name](model, folder)  # and with room it is written again


def test_commands_say_so_in_one_line(run, disk, capsys):
    folder, full = disk
    for arguments in (
        ["generate", str(run.folder), "--output", str(folder / "made.png")],
        ["generate", str(run.folder), "--output", str(folder / "made.npz")],
        ["train", "gan", "--output", str(folder / "run")],
    ):
        with full():
            capsys.readouterr()
            assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and str(folder) in error
        assert list(folder.iterdir()) == []


def test_a_comparison_that_finds_no_room(disk, tmp_path, capsys):
    folder, full = disk
    for name in ("one", "other"):
        recipe = keras_genai.get_recipe("gan")
        run = Run.create(tmp_path / name, recipe, seed=0)
        run.history_path.write_text("epoch,d_loss\n0,1.0\n1,0.5\n")
    runs, output = (
        [str(tmp_path / name) for name in ("one", "other")],
        "out.pdf",
    )
    command = ["compare", *runs, "--output", str(folder / output)]
    with full():
        assert main(command) == 2
    told = capsys.readouterr().err
    assert str(folder / output) in told and told.count("\n") == 1
    assert list(folder.iterdir()) == []
    assert main(command) == 0
    assert (folder / output).read_bytes().startswith(b"%PDF")
