"""What no family adds to: how many batches one execution trains on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import GAN, GPT, VAE, LSTMLanguageModel, load_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_graphs")]
SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).random((44, *SHAPE)).astype("float32")


def batches():
    return tf.data.Dataset.from_tensor_slices(IMAGES).batch(4)  # 11 of them


def vae(**arguments):
    model = VAE(SHAPE, latent_dim=2, networks="dense", seed=0)
    model.compile(**arguments)
    return model


def test_several_steps_are_one_execution_unless_chosen_otherwise():
    assert vae().steps_per_execution == 8
    assert vae(steps_per_execution=3).steps_per_execution == 3
    assert vae(run_eagerly=True).steps_per_execution == 1


def test_steps_are_the_same_however_many_are_one_execution():
    models = vae(steps_per_execution=8), vae()  # a callback counts batches
    calls = []
    counter = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: calls.append(batch)
    )
    for model in models:
        model.fit(batches(), verbose=0, callbacks=[counter])
        assert model.optimizer.iterations == 11
    assert len(calls) == 2 + 11  # after 8 batches and the 3 left; after each
    for one, other in zip(*(model.weights for model in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_progress_bar_counts_no_further_than_the_last_batch(capsys):
    model = vae()
    model.fit(batches(), epochs=2)
    model.evaluate(batches())
    shown = capsys.readouterr().out
    # A data set of unknown length tells it after the first pass.
    assert shown.count("11/11") >= 2 and "16/11" not in shown
    known = batches().apply(tf.data.experimental.assert_cardinality(11))
    model.fit(known)
    model.evaluate(known)
    shown = capsys.readouterr().out
    assert "8/11" in shown and "11/11" in shown and "16/11" not in shown
    model.fit(known, verbose=0)
    assert capsys.readouterr().out == ""


def test_many_short_trainings_warn_of_nothing(caplog):
    tf.get_logger().propagate, before = True, tf.get_logger().propagate
    try:
        for _ in range(6):
            vae().fit(batches(), validation_data=batches(), verbose=0)
    finally:
        tf.get_logger().propagate = before
    assert "retracing" not in caplog.text


def test_one_step_is_one_execution_on_several_devices():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = vae()
    assert model.steps_per_execution == 1
    history = model.fit(batches(), verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("family", [VAE, GAN])
def test_a_saved_model_keeps_what_was_chosen_not_what_it_came_to(
    tmp_path, family
):
    for given in (None, 3):
        model = family(SHAPE, latent_dim=2)
        model.compile(steps_per_execution=given)
        model.save(tmp_path / "model.keras")
        loaded = load_model(tmp_path / "model.keras")
        assert loaded.get_compile_config()["steps_per_execution"] == given
        assert loaded.steps_per_execution == (given or 8)


def test_xla_compiles_on_a_cpu_what_gains_by_it(with_xla, tmp_path):
    def gpt(**arguments):
        model = GPT(7, None, 4, num_layers=1, num_heads=1, hidden_dim=2)
        model.compile(**arguments)
        return model

    assert gpt().jit_compile is True
    assert gpt(jit_compile=False).jit_compile is False
    assert gpt(run_eagerly=True).jit_compile is False
    assert vae().jit_compile is vae(jit_compile="auto").jit_compile
    # What was left to the machine is left to the next one.
    gpt().save(tmp_path / "gpt.keras")
    loaded = load_model(tmp_path / "gpt.keras")
    assert loaded.get_compile_config()["jit_compile"] is None


def test_every_language_model_has_the_optimizer_that_suits_it():
    gpt = GPT.make_optimizer(1e-3)
    lstm = LSTMLanguageModel.make_optimizer(1e-3)
    assert isinstance(gpt, keras.optimizers.Muon)
    assert isinstance(lstm, keras.optimizers.Adam)
    # Muon is for the matrices between tokens and logits.
    model = GPT(7, None, 4, 1, 1, 2, style="gpt2")
    model.compile()
    adam = [
        variable.path
        for variable in model.trainable_variables
        if model.optimizer._should_use_adamw(variable)
    ]
    matrices = [v for v in model.trainable_variables if v.path not in adam]
    assert len(matrices) == 4  # of one block
    assert all(len(variable.shape) == 2 for variable in matrices)
