"""Two processes that train one model, on the loopback address."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

import keras_genai

MAIN = "import sys; from keras_genai.cli import main; sys.exit(main())"


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


def start_machines(*arguments):
    """Starts `keras-genai train` twice, as two machines of one run."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    return [
        subprocess.Popen(
            [sys.executable, "-c", MAIN, "train", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "TF_CONFIG": json.dumps(
                    {
                        "cluster": {"worker": workers},
                        "task": {"type": "worker", "index": index},
                    }
                ),
            },
        )
        for index in range(2)
    ]


def finish(processes):
    outputs = [process.communicate(timeout=400)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output
    return outputs


def arguments(data, folder, epochs):
    return [
        *("dcgan", "--data", data, "--width", 3, "--seed", 5),
        *("--epochs", epochs, "--batch-size", 6, "--deterministic"),
        *("--synchronize-batch-normalization", True, "--output", folder),
    ]


def weights(folder):
    model = keras_genai.load_model(folder / "model.keras")
    return [weight.numpy() for weight in model.weights]


def test_two_machines_train_as_one_and_resume(data, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    alone = subprocess.run(
        [
            *(sys.executable, "-c", MAIN, "train"),
            *map(str, arguments(data, whole, 4)),
        ],
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert alone.returncode == 0, alone.stderr

    more = ["--strategy", "multiworker"]
    processes = start_machines(*arguments(data, broken, 4), *more)
    end = time.monotonic() + 300
    while not (broken / "checkpoints" / "epoch_002.keras").exists():
        for process in processes:
            assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "nothing to kill in time"
        time.sleep(0.01)
    processes[1].send_signal(signal.SIGKILL)
    output, _ = processes[0].communicate(timeout=300)
    # The chief may have ended before it noticed; else it says what to do.
    if processes[0].returncode != 0:
        assert "start all of them again, each with --resume" in output
    processes[1].communicate()

    if json.loads((broken / "run.json").read_text())["status"] != "complete":
        outputs = finish(start_machines("--resume", broken))
        assert "Epoch 1/4" not in outputs[0]
    for one, other in zip(weights(whole), weights(broken), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert json.loads((broken / "run.json").read_text())["status"] == "complete"


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
