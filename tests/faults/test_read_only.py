"""A folder that turns read-only."""

import contextlib
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

import keras_genai
from keras_genai.callbacks import SampleImages
from keras_genai.cli import main
from keras_genai.runs import Run

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def read_only(folder):
    """Lets nobody write in a folder.

    Root may write whatever the permissions are: for root it is mounted on
    itself, read-only.
    """
    if os.geteuid() == 0:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        options = ["-o", "remount,bind,ro"]
        subprocess.run(["mount", *options, folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
        return
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for each in folders:
        each.chmod(0o555)
    try:
        yield
    finally:
        for each in folders:
            each.chmod(0o755)


@pytest.fixture
def disk(tmp_path, trained):
    """A folder with the trained run in it."""
    shutil.copytree(trained, tmp_path / "disk" / "run")
    return tmp_path / "disk"


def test_nothing_is_begun_in_it(disk, pixels, contents, capsys):
    before = contents(disk)
    run = str(disk / "run")
    data = ["--data", str(pixels), "--output"]
    with read_only(disk):
        for arguments in (
            ["train", "--resume", run, "--epochs", "3"],
            ["train", "gan", *data, run, "--overwrite"],
            ["train", "gan", *data, str(disk / "new")],
            ["evaluate", run, "--split", "train"],
            ["generate", run, "--output", str(disk / "new.png")],
        ):
            capsys.readouterr()
            assert main(arguments) == 2
            error = capsys.readouterr().err
            assert error.count("\n") == 1 and str(disk) in error
    assert contents(disk) == before


def test_it_may_be_read(disk, tmp_path):
    with read_only(disk):
        run = Run.open(disk / "run")
        model = keras_genai.load_model(run.model_path)
        assert run.history()["epoch"] == [0, 1]
        assert model.generate(2, seed=0).shape == (2, 8, 8, 1)
        output = ["--output", str(tmp_path / "images.png")]
        assert main(["generate", str(run.folder), *output]) == 0


def test_a_training_ends_in_it_and_goes_on(disk, run, monkeypatch):
    broken = Run.open(disk / "run")
    on_epoch_end = SampleImages.on_epoch_end

    def turn(callback, epoch, logs=None):
        if epoch == 3:
            turned.enter_context(read_only(broken.folder / "samples"))
        on_epoch_end(callback, epoch, logs)

    with contextlib.ExitStack() as turned, monkeypatch.context() as patch:
        patch.setattr(SampleImages, "on_epoch_end", turn)
        message = re.escape(str(broken.folder / "samples" / "epoch_004.png"))
        with pytest.raises(OSError, match=message):
            broken.train(epochs=5)
    assert broken.record()["status"] == "training"
    models = [each.train(epochs=5) for each in (broken, run)]
    histories = [each.history() for each in (broken, run)]
    assert histories[0]["epoch"] == histories[1]["epoch"] == [0, 1, 2, 3, 4]
    for one, other in zip(*[m.get_weights() for m in models], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
