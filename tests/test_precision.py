"""Sixteen bits for the networks, thirty-two for the losses."""

import keras
import numpy as np
import pytest
import test_contract

import keras_genai

pytestmark = pytest.mark.slow

MODELS = {
    **test_contract.MODELS,
    "music_transformer": (test_contract.composer, test_contract.scores),
    **{
        name: (make, test_contract.windows)
        for name, make in test_contract.LANGUAGE_MODELS.items()
        if name != "markov"
    },
}


def in_policy(make, dtype):
    """Makes a model as `dtype=` does, through the same door for all."""
    keras.config.set_dtype_policy(dtype)
    try:
        return make()
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("name", MODELS)
def test_mixed_precision_trains_samples_and_reloads(name, tmp_path):
    make, make_data = MODELS[name]
    model = in_policy(make, "mixed_float16")
    model.compile(steps_per_execution=1, jit_compile=False)
    optimizers = [
        value
        for value in vars(model).values()
        if isinstance(value, keras.optimizers.Optimizer)
    ]
    assert optimizers
    for optimizer in optimizers:
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    before = [np.array(weight) for weight in model.trainable_variables]
    epochs = 4 if name == "conditional_pixelcnn" else 2  # large losses overflow
    history = model.fit(make_data(), epochs=epochs, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    # The first steps may find the scale too high, and only lower it.
    assert any(
        (np.array(weight) != old).any()
        for weight, old in zip(model.trainable_variables, before, strict=True)
    )
    assert all(w.dtype == "float32" for w in model.trainable_variables)
    model.save(tmp_path / "m.keras")
    again = keras_genai.load_model(tmp_path / "m.keras")
    assert again.dtype_policy.name == "mixed_float16"


@pytest.mark.parametrize(
    "name", ["dcgan", "vae", "pixelcnn", "gpt", "music_transformer"]
)
def test_bfloat16_trains_like_float32(name):
    make, make_data = MODELS[name]
    losses = []
    for dtype in ("float32", "mixed_bfloat16"):
        model = in_policy(make, dtype)
        model.compile(steps_per_execution=1, jit_compile=False)
        before = [np.array(weight) for weight in model.trainable_variables]
        history = model.fit(make_data(), epochs=1, verbose=0).history
        losses.append([history[key] for key in history if "loss" in key])
        changed = [
            (np.array(weight) != old).any()
            for weight, old in zip(
                model.trainable_variables, before, strict=True
            )
        ]
        assert any(changed)
    assert all(w.dtype == "float32" for w in model.trainable_variables)
    # The range is that of float32: nothing is scaled.
    assert not any(
        isinstance(value, keras.optimizers.LossScaleOptimizer)
        for value in vars(model).values()
    )
    # Eight bits of mantissa, of which rounding takes half of the last: 0.002
    # of each number, and of numbers near 1 whose sum is small.
    of_float32, of_bfloat16 = np.array(losses)
    difference = np.abs(of_bfloat16 - of_float32)
    assert (difference <= 0.005 * np.maximum(1.0, np.abs(of_float32))).all()
    assert losses[1] != losses[0]


def test_the_argument_reaches_every_network():
    model = keras_genai.VAE((8, 8, 1), 2, seed=0, dtype="mixed_bfloat16")
    assert {layer.compute_dtype for layer in model.encoder.layers} == {
        "bfloat16"
    }
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="mixed_float15"):
        keras_genai.VAE((8, 8, 1), 2, dtype="mixed_float15")
    assert keras.config.dtype_policy().name == "float32"
