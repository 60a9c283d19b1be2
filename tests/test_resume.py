"""A run that was killed ends as one that was not, bit for bit."""

import json
import signal
import time

import fresh
import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.alone]
TRAIN = """
import os, signal, sys
import keras_genai
keras_genai.prepare_tensorflow()
import keras
import numpy as np
import tensorflow as tf

folder, killed_in_epoch = sys.argv[1], int(sys.argv[2])
tf.config.experimental.enable_op_determinism()

class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == killed_in_epoch and batch == 1:
            os.kill(os.getpid(), signal.SIGKILL)

pixels = np.random.default_rng(0).integers(0, 256, (22, 8, 8, 1), "uint8")
data = keras_genai.image_dataset(
    pixels, batch_size=4, seed=3, augment={"flip": "horizontal"}
)
# Dropout, BatchNorm and draws of codes: each has a state of its own.
model = keras_genai.GAN((8, 8, 1), latent_dim=3, seed=0)
model.compile(
    d_optimizer=keras.optimizers.Adam(1e-2, beta_1=0.5), steps_per_execution=2
)
backup = keras.callbacks.BackupAndRestore(
    folder + "/backup", double_checkpoint=True
)
model.fit(data, validation_data=data, epochs=4, verbose=0,
          callbacks=[backup, Kill()])
state = [*model.variables, *model.d_optimizer.variables,
         *model.g_optimizer.variables]
np.savez(folder + "/state.npz", *[np.array(value) for value in state])
"""


def train(folder, killed_in_epoch=-1):
    folder.mkdir(exist_ok=True)
    return fresh.run(TRAIN, folder, killed_in_epoch)


def test_killed_and_resumed_equals_unbroken(tmp_path):
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    process = train(unbroken)
    assert process.returncode == 0, process.stderr
    killed = train(broken, killed_in_epoch=2)
    assert killed.returncode == -signal.SIGKILL
    assert not (broken / "state.npz").exists()
    process = train(broken)
    assert process.returncode == 0, process.stderr

    expected = np.load(unbroken / "state.npz")
    found = np.load(broken / "state.npz")
    assert len(expected.files) == len(found.files) > 30
    for name in expected.files:
        np.testing.assert_array_equal(found[name], expected[name])


def start(*arguments):
    script = "import sys; from keras_genai.cli import main; sys.exit(main())"
    return fresh.start(script, *arguments)


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.printed()
        assert time.monotonic() < end, "nothing to kill in time"
        time.sleep(0.01)


def test_a_killed_command_is_resumed(tmp_path):
    data = tmp_path / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), "uint8")
    np.savez(data, images=pixels)
    arguments = [
        *("train", "dcgan", "--data", data, "--width", 3, "--seed", 5),
        *("--epochs", 12, "--batch-size", 4, "--deterministic"),
    ]
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    whole = start(*arguments, "--output", unbroken)
    _, error = whole.communicate(300)
    assert whole.returncode == 0, error

    process = start(*arguments, "--output", broken)
    wait_for((broken / "samples" / "epoch_003.png").exists, process)
    process.kill()
    process.communicate()
    assert json.loads((broken / "run.json").read_text())["status"] == "training"

    resumed = start("train", "--resume", broken, "--deterministic")
    output, error = resumed.communicate(300)
    assert resumed.returncode == 0, error
    assert "Epoch 1/12" not in output

    histories = [
        (folder / "history.csv").read_text() for folder in (unbroken, broken)
    ]
    assert histories[0] == histories[1]
    import keras_genai

    models = [
        keras_genai.load_model(folder / "model.keras")
        for folder in (unbroken, broken)
    ]
    for one, other in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert len(list((broken / "samples").glob("*.png"))) == 13
