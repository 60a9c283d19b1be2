"""Keras's policies and its floatx take effect, or are refused by name."""

import keras
import numpy as np
import pytest
import test_contract
from test_precision import in_policy

import keras_genai

MUON = ("gpt", "music_transformer", "pixelcnn")


def models():
    contract = {**test_contract.MODELS, **test_contract.LANGUAGE_MODELS}
    names = ("gan", "wgan_gp", "autoencoder", "vae", "pixelcnn", "lstm", "gpt")
    return {name: contract[name] for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("name", models())
def test_networks_of_float64_train_and_generate(name, tmp_path):
    made = models()[name]
    make, data = (
        made if isinstance(made, tuple) else (made, test_contract.windows)
    )
    model = in_policy(make, "float64")
    if name in MUON:
        with pytest.raises(ValueError, match=r'optimizer="adam"'):
            model.compile()
    if "gan" in name:
        model.compile(run_eagerly=True)
    else:
        model.compile("adam", run_eagerly=True)
    history = model.fit(data().take(1), verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    assert {weight.dtype for weight in model.trainable_variables} == {"float64"}
    if name in test_contract.LANGUAGE_MODELS:
        assert isinstance(model.generate("a", 2, seed=0), str)
    else:
        assert np.isfinite(model.generate(2, seed=0)).all()
    model.save(tmp_path / "m.keras")
    again = keras_genai.load_model(tmp_path / "m.keras")
    assert again.dtype_policy.name == "float64"


@pytest.mark.parametrize("floatx", ["float64", "float16"])
def test_another_floatx_is_refused_with_the_argument_to_use(floatx):
    keras.config.set_floatx(floatx)
    try:
        with pytest.raises(ValueError, match=f'dtype="{floatx}"'):
            keras_genai.GPT(5, None, 8, 1, 1, 4)
    finally:
        keras.config.set_floatx("float32")
