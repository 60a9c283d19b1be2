"""Two processes that train one model by the loopback address, and two CPUs."""

import json
import os
import shutil
import signal
import socket
import time
from unittest import mock

import fresh
import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_genai
from keras_genai.archives import check_keras_archive
from keras_genai.callbacks import Checkpoints
from keras_genai.runs.machines import check_same_epochs

pytestmark = pytest.mark.slow

MAIN = "import sys; from keras_genai.cli import main; sys.exit(main())"
# The same without an export, which takes longer than the training.
TRAINED_ONLY = f"""
from keras_genai.runs import Run
Run.finish = lambda run, model: None
{MAIN}
"""
# Trains on two CPUs, exports nothing, and prints how many replicas there were.
TWO_CPUS = """
import sys
import tensorflow as tf
from keras_genai.cli import main
from keras_genai.runs import Run

def finish(run, model):
    print(model.distribute_strategy.num_replicas_in_sync, "replicas in sync")

Run.finish = finish
tf.config.set_visible_devices([], "GPU")
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
sys.exit(main())
"""
EPOCHS = 8
SEVERAL = ["--strategy", "multiworker"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (22, 8, 8, 1), "uint8")
    np.savez(path, images=pixels)
    return path


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def started(script, arguments, **environment):
    return fresh.start(
        script, "train", *arguments, env={**os.environ, **environment}
    )


def start_machines(*arguments):
    """Starts `keras-genai train` as each of the machines of one run."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(len(arguments))]
    configs = [
        {
            "cluster": {"worker": workers},
            "task": {"type": "worker", "index": index},
        }
        for index in range(len(arguments))
    ]
    return [
        started(MAIN, each, TF_CONFIG=json.dumps(config))
        for each, config in zip(arguments, configs, strict=True)
    ]


def finish(*processes, status=0):
    outputs = ["".join(process.communicate(400)) for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == status, output
    return outputs


def arguments(data, folder):
    return [
        *("dcgan", "--data", data, "--width", 3, "--seed", 5),
        *("--epochs", EPOCHS, "--batch-size", 6, "--deterministic"),
        *("--synchronize-batch-normalization", True, "--output", folder),
    ]


def check_same_weights(one, other):
    weights = [
        keras_genai.load_model(folder / "model.keras").get_weights()
        for folder in (one, other)
    ]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def record(folder):
    return json.loads((folder / "run.json").read_text())


def checkpoints(folder):
    return sorted((folder / "checkpoints").glob("epoch_???.keras"))


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """The run of one process with one device."""
    folder = tmp_path_factory.mktemp("runs") / "alone"
    finish(started(TRAINED_ONLY, arguments(data, folder)))
    return folder


def check_killed(folder, machines, killed, epoch):
    """Kills one of two machines after an epoch; both end as is written."""
    end = time.monotonic() + 300
    while not (folder / f"checkpoints/epoch_{epoch:03d}.keras").exists():
        for process in machines:
            assert process.poll() is None, process.printed()
        assert time.monotonic() < end, "nothing to kill in time"
        time.sleep(0.01)
    machines[killed].kill()
    finish(machines[killed], status=-signal.SIGKILL)
    (output,) = finish(machines[1 - killed], status=2)
    assert "start all of them again, each with --resume" in output
    assert record(folder)["status"] == "training"
    assert checkpoints(folder)[-1].stem < f"epoch_{EPOCHS:03d}"


def test_two_machines_train_as_one_whichever_is_killed(data, alone, tmp_path):
    run, stale = tmp_path / "run", tmp_path / "stale"
    new, resumed = [*arguments(data, run), *SEVERAL], ["--resume", run]
    check_killed(run, start_machines(new, new), killed=1, epoch=2)
    machines = start_machines(resumed, resumed)
    check_killed(run, machines, killed=0, epoch=4)

    # One sees the folder as it was an epoch earlier, and is asked for more.
    shutil.copytree(run, stale)
    checkpoints(stale)[-1].unlink()
    done = int(checkpoints(run)[-1].stem.removeprefix("epoch_"))
    before = (run / "run.json").read_bytes()
    more = ["--resume", stale, "--epochs", EPOCHS + 1]
    for output in finish(*start_machines(resumed, more), status=2):
        assert f"done={done} of epochs={EPOCHS}, " in output
        assert f"done={done - 1} of epochs={EPOCHS + 1}" in output
    assert (run / "run.json").read_bytes() == before

    chief, _ = finish(*start_machines(resumed, resumed))
    assert f"Epoch {done + 1}/{EPOCHS}" in chief
    assert f"Epoch {done}/{EPOCHS}" not in chief
    assert record(run)["status"] == "complete"
    check_same_weights(alone, run)


def test_mirrored_trains_as_one(data, alone, tmp_path):
    folder = tmp_path / "mirrored"
    options = [*arguments(data, folder), "--strategy", "mirrored"]
    (output,) = finish(started(TWO_CPUS, options))
    assert "2 replicas in sync" in output
    assert record(folder)["strategy"] == "mirrored"
    assert "strategy" not in record(alone)
    check_same_weights(alone, folder)


def of_machines(*rows):
    """A model as one of several machines has it, that are at `rows`."""
    strategy = mock.create_autospec(
        tf.distribute.MultiWorkerMirroredStrategy, instance=True
    )
    strategy.experimental_local_results.return_value = [tf.constant(rows)]
    return mock.Mock(distribute_strategy=strategy)


def test_machines_agree_on_their_epochs():
    check_same_epochs(of_machines([2, 4], [2, 4]), 2, 4)
    with pytest.raises(ValueError, match="=4, done=1 of epochs=4"):
        check_same_epochs(of_machines([2, 4], [1, 4]), 2, 4)
    with pytest.raises(ValueError, match="of epochs=4, done=2 of epochs=6"):
        check_same_epochs(of_machines([2, 4], [2, 6]), 2, 4)
    model = of_machines()
    model.distribute_strategy.run.side_effect = tf.errors.UnavailableError(
        None, None, "Connection reset by peer"
    )
    with pytest.raises(ConnectionError, match="Another machine"):
        check_same_epochs(model, 2, 4)


def test_a_checkpoint_that_vanishes_is_passed_over(tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    callback = Checkpoints(tmp_path / "checkpoints")
    callback.set_model(model)
    for epoch in range(2):
        model.set_weights([np.full((2, 1), epoch), np.zeros(1)])
        callback.on_epoch_end(epoch)

    def check(path):
        if path.stem == "epoch_002":  # the chief is quicker
            path.rename(path.with_name(f"{path.name}.damaged"))
        check_keras_archive(path)

    checked = "keras_genai.callbacks.checkpoints.check_keras_archive"
    monkeypatch.setattr(checked, check)
    assert callback.restore(model, set_aside=False) == 1
    np.testing.assert_array_equal(model.get_weights()[0], np.zeros((2, 1)))


def refused(monkeypatch, capsys, *options):
    from keras_genai.cli import main

    assert main(["train", "dcgan", *options]) == 2
    return capsys.readouterr().err


def test_what_several_machines_need(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    message = refused(monkeypatch, capsys, "--strategy", "multiworker")
    assert "the same --seed" in message
    with pytest.raises(ValueError, match="TF_CONFIG"):
        from keras_genai.replicas import get_strategy

        get_strategy("multiworker")
    with pytest.raises(ValueError, match="'horovod'"):
        get_strategy("horovod")
