"""Files are loaded by Keras's own function, in a process that used nothing."""

import re
from pathlib import Path

import fresh
import keras
import numpy as np
import pytest

import keras_genai
from keras_genai import registered

PACKAGE = Path(keras_genai.__file__).parent


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    gan = keras_genai.GAN((4, 4, 1), latent_dim=2, seed=0)
    gan.compile()
    gan.save(folder / "gan.keras")
    tokenizer = keras_genai.CharacterTokenizer.from_text("the cat")
    chain = keras_genai.MarkovChain(tokenizer=tokenizer, order=1, seed=0)
    chain.save(folder / "chain.keras")
    network = keras.Sequential(
        [keras.layers.Input((3,)), keras_genai.layers.Dropout(0.5, seed=0)]
    )
    network.save(folder / "network.keras")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports", ["keras, keras_genai", "keras_genai, keras"]
)
def test_two_imports_are_enough(saved, imports):
    process = fresh.run(
        f"import {imports}\n"
        f"for name in ('gan', 'chain', 'network'):\n"
        f"    path = '{saved}/' + name + '.keras'\n"
        "    print(type(keras.models.load_model(path)).__name__)\n"
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["GAN", "MarkovChain", "Sequential"]


def test_every_registered_class_has_its_stand_in():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for name in re.findall(
            r"^@keras.saving.register_keras_serializable.*\nclass (\w+)",
            path.read_text(),
            re.MULTILINE,
        ):
            module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
            found.add((module, name))
    assert found == {
        (module, name)
        for module, names in registered.MODULES.items()
        for name in names
    }


def test_a_stand_in_makes_the_class_itself():
    made = registered.StandIn("layers", "LabelPlanes").from_config(
        keras_genai.layers.LabelPlanes(3).get_config()
    )
    planes = made(np.zeros((1, 2, 2, 1), "float32"), np.array([2]))
    assert planes.shape == (1, 2, 2, 4)
    assert planes[0, 0, 0].numpy().tolist() == [0, 0, 0, 1]
