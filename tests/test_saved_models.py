"""Files that earlier versions saved compute the same, and train on."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import keras_genai
from keras_genai.demo.served import load

FOLDER = Path(__file__).parent / "saved"
NAMES = sorted(path.stem for path in FOLDER.glob("*.keras"))
specification = importlib.util.spec_from_file_location(
    "make", FOLDER / "make.py"
)
make = importlib.util.module_from_spec(specification)
specification.loader.exec_module(make)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_computes_the_same_and_trains_on(name):
    model = keras_genai.load_model(FOLDER / f"{name}.keras")
    with np.load(FOLDER / "outputs.npz") as saved:
        np.testing.assert_allclose(
            make.outputs(model), saved[name], rtol=1e-4, atol=1e-5
        )
    before = int(model.optimizer.iterations.numpy())
    history = make.train(model)
    assert all(np.isfinite(values).all() for values in history.values())
    if name != "markov":  # which counts
        assert int(model.optimizer.iterations.numpy()) > before > 0


def test_every_family_has_a_file():
    assert {*NAMES} >= {*keras_genai.RECIPES}


@pytest.mark.parametrize("name", make.EXPORTED)
def test_a_saved_export_answers(name):
    served = load(FOLDER / f"{name}_export")
    if name == "gpt":
        assert [*served.stream("the ", 4, seed=0)][-1].startswith("the ")
    else:
        images = served.generate(2, seed=0, label=1)
        assert np.isfinite(images).all() and len(images) == 2
