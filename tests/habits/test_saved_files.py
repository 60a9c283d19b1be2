"""Files are loaded by Keras's own function, in a process that used nothing."""

import os
import re
import subprocess
import sys
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
            names = path.relative_to(PACKAGE.parent).with_suffix("").parts
            found.add((".".join(names), name))
    stand_ins = registered.stand_ins(keras_genai._FAMILIES)
    assert found == {(each.module, each.name) for each in stand_ins}


def test_a_search_for_keras_leaves_the_stand_ins(tmp_path):
    # Keras of one dictionary: what is asked is only when it is filled.
    (tmp_path / "keras.py").write_text(
        "class saving:\n"
        "    known = {}\n"
        "    get_custom_objects = lambda: saving.known\n"
    )
    process = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import importlib.util, keras_genai\n"
            "importlib.util.find_spec('keras')\n"
            "import keras\n"
            "print(*keras.saving.known)",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{PACKAGE.parent}"},
        check=True,
    )
    assert process.stdout.split() == [
        f"keras_genai>{each.name}"
        for each in registered.stand_ins(keras_genai._FAMILIES)
    ]


def test_a_stand_in_makes_the_class_itself():
    made = registered.StandIn("keras_genai.layers", "LabelPlanes").from_config(
        keras_genai.layers.LabelPlanes(3).get_config()
    )
    planes = made(np.zeros((1, 2, 2, 1), "float32"), np.array([2]))
    assert planes.shape == (1, 2, 2, 4)
    assert planes[0, 0, 0].numpy().tolist() == [0, 0, 0, 1]
