"""Steps of two devices are the steps of one, on the same whole batches."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import test_contract

FOLDER = Path(__file__).parent
GANS = (
    "gan",
    "dcgan",
    "augmented_dcgan",
    "wgan_gp",
    "conditional_gan",
    "acgan",
)
OTHERS = (
    *(name for name in test_contract.MODELS if name not in GANS),
    *("music_transformer", "lstm", "dropping_lstm", "gpt"),
)


def differences(*arguments):
    process = subprocess.run(
        [sys.executable, "two_replicas.py", *arguments],
        cwd=FOLDER,
        env={
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": os.pathsep.join(
                [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
            ),
        },
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


@pytest.mark.parametrize("families", [GANS, OTHERS], ids=["gans", "others"])
def test_two_replicas_are_one(families):
    # Weights, slots and states; what `fit` reports; what `evaluate` does. The
    # last batch is short, and of some it does not split evenly.
    far = {
        (family, part): difference
        for family, parts in differences(*families).items()
        for part, difference in parts.items()
        if not difference < 1e-5
    }
    assert far == {}


def test_local_statistics_are_another_step():
    # So the comparison above can fail, and BatchNorm is why to synchronise.
    found = differences("dcgan", "--local-statistics")
    assert found["dcgan"]["state"] > 1e-3


def test_scaled_losses_are_clipped_and_overflow_as_a_whole():
    # Gradients (3, 4), of which each replica has a part, are clipped to
    # length 1; where one replica's are not finite no replica steps.
    found = differences("--scaled-steps")
    np.testing.assert_allclose(
        found, [[0.4, 0.2, 8.0], [0.4, 0.2, 4.0]], rtol=1e-6
    )


def test_a_markov_chain_wants_one_device(monkeypatch):
    chain = test_contract.LANGUAGE_MODELS["markov"]()
    strategy = SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    with pytest.raises(ValueError, match="of 2 replicas"):
        chain.compile()
