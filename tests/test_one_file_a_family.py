"""A family is one file: nothing else has to know of it."""

import sys

import numpy as np
import pytest
from checks import check_contract, random_images
from demo_exports import GRADIO_WARNS, loops_left_open

import keras_genai
from keras_genai.cli import main
from keras_genai.demo import build_page
from keras_genai.demo.served import load
from keras_genai.recipes.declared import families

pytestmark = pytest.mark.slow


@pytest.fixture
def family(monkeypatch):
    """The class, and its name among the public ones: all that is added."""
    from throw_away_family import Stencils

    home = {"Stencils": "throw_away_family"}
    monkeypatch.setattr(
        keras_genai, "_FAMILIES", {**keras_genai._FAMILIES, **home}
    )
    monkeypatch.setattr(keras_genai, "_HOME", {**keras_genai._HOME, **home})
    yield Stencils
    vars(keras_genai).pop("Stencils", None)


def test_it_keeps_the_contract(family, tmp_path):
    check_contract(
        lambda: family((8, 12, 1), num_classes=3, seed=0),
        lambda: random_images(num_classes=3, low=0, binary=True),
        tmp_path,
    )


@GRADIO_WARNS
def test_it_is_trained_measured_exported_and_shown(family, tmp_path, capsys):
    assert families()["throw_away_family"] == "Stencils"
    run = tmp_path / "run"
    main(["train", "throw_away_family", "--help"])
    assert "of Stencils" in capsys.readouterr().out
    main(
        [
            *("train", "throw_away_family", "--preset", "quick", "--offline"),
            *("--seed", "0", "--output", str(run)),
        ]
    )
    main(["evaluate", str(run), "--num-samples", "80", "--offline"])
    main(
        [
            *("generate", str(run), "--labels", "3,1"),
            *("--output", str(tmp_path / "made.png")),
        ]
    )
    assert (tmp_path / "made.png").exists()
    served = load(run / "export")
    assert served.family == "Stencils" and served.num_classes == 10
    with loops_left_open():
        endpoints = build_page([run / "export"]).get_api_info()
    assert any("generate" in name for name in endpoints["named_endpoints"])
    # It learned something: pixels of a 1 are white where those of ones are.
    model = keras_genai.load_model(run / "model.keras")
    images = model.generate(labels=np.ones(200, int), seed=0)
    assert images.mean(axis=0)[14, 13:15].max() > 0.5
    assert "keras_genai.models.throw_away_family" not in sys.modules
