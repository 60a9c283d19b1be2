"""Steps of two devices are the steps of one, on the same whole batches."""

import json
from pathlib import Path
from types import SimpleNamespace

import fresh
import numpy as np
import pytest
import tensorflow as tf
import test_contract

FOLDER = Path(__file__).parent
# Their steps are those of others that do more: with labels, noise, dropout,
# augmentation or a mixture.
COVERED = (
    *("gan", "dcgan", "autoencoder", "vae", "pixelcnn"),
    *("lstm", "gpt"),
)
FAMILIES = (
    *(name for name in test_contract.MODELS if name not in COVERED),
    *("music_transformer", "dropping_lstm"),
)
HALF = len(FAMILIES) // 2


def differences(*arguments):
    process = fresh.run(FOLDER / "two_replicas.py", *arguments, timeout=900)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def is_rounding(difference, of_one_rounding):
    """Whether a difference comes of rounding in another order alone.

    A step rounds in some hundred places, where `of_one_rounding` is what one
    in each weight, at the beginning, grows to.
    """
    return difference <= 100 * max(of_one_rounding, 2.0**-23)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(
    "families", [FAMILIES[:HALF], FAMILIES[HALF:]], ids=["one", "other"]
)
def test_two_replicas_are_one(families):
    # Weights, slots and states; what `fit` reports; what `evaluate` does. The
    # last batch is short, and of some it does not split evenly.
    far = {
        (family, part): found
        for family, parts in differences(*families).items()
        for part, found in parts.items()
        if not is_rounding(*found)
    }
    assert far == {}


@pytest.mark.slow
@pytest.mark.alone
def test_local_statistics_are_another_step():
    # So the comparison above can fail, and BatchNorm is why to synchronise.
    found = differences("dcgan", "--local-statistics")
    assert found["dcgan"]["state"][0] > 1e-3
    assert not is_rounding(*found["dcgan"]["state"])


@pytest.mark.slow
@pytest.mark.alone
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
