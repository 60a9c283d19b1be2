import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import LSTMLanguageModel, load_model, text_dataset
from keras_genai.models.autoregressive.lstm import LSTM

TEXT = "she sells sea shells on the sea shore.\n" * 30


def lstm(**arguments):
    arguments = {
        "vocabulary_size": 7,
        "embedding_dim": 4,
        "hidden_dim": 6,
        "num_layers": 3,
        "seed": 0,
        **arguments,
    }
    return LSTMLanguageModel(**arguments)


def tokens(batch=2, length=5):
    draw = np.random.default_rng(0).integers(0, 7, (batch, length))
    return draw.astype("int32")


@pytest.mark.parametrize("tied", [False, True])
def test_a_token_changes_nothing_before_it(tied):
    model = lstm(tied_embeddings=tied)
    token_ids = tokens()
    logits = model(token_ids).numpy()
    assert logits.shape == (2, 5, 7)
    for place in range(5):
        changed = token_ids.copy()
        changed[:, place] = (changed[:, place] + 1) % 7
        difference = np.abs(model(changed).numpy() - logits).max(axis=(0, 2))
        assert difference[:place].max(initial=0) == 0
        assert difference[place:].min() > 0


def test_reading_in_pieces_gives_the_logits_of_reading_at_once():
    model = lstm()
    token_ids = tokens(length=9)
    expected = model(token_ids).numpy()
    state, position = model.initial_state(2), 0
    for length in (1, 3, 5):
        piece = token_ids[:, position : position + length]
        logits, state = model.extend(piece, state, position)
        np.testing.assert_allclose(
            logits, expected[:, position : position + length], atol=1e-5
        )
        position += length


def test_the_layer_is_that_of_keras():
    """Results, last state, and gradients of all that goes in."""
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 5, 4)).astype("float32")
    state = random.normal(size=(2, 2, 3)).astype("float32")
    ours = LSTM(3, iter(range(9)))
    theirs = keras.layers.LSTM(3, return_sequences=True, return_state=True)
    theirs.build(x.shape)
    ours.build(x.shape)
    np.testing.assert_array_equal(ours.bias, theirs.cell.bias)  # at first
    for weight, twin in zip(ours.weights, theirs.weights, strict=True):
        assert weight.shape == twin.shape
        weight.assign(random.normal(size=weight.shape))
        twin.assign(weight)

    def run(layer, call):
        inputs = [tf.constant(each) for each in (x, *state)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = call(*inputs)
            score = sum(
                tf.reduce_sum(weight * tf.sin(output))
                for weight, output in zip((1.0, 2.0, 3.0), outputs, strict=True)
            )
        slopes = tape.gradient(score, [*inputs, *layer.trainable_variables])
        return [*outputs, *slopes]

    for one, other in zip(
        run(ours, lambda x, h, c: tf.nest.flatten(ours(x, (h, c)))),
        run(theirs, lambda x, h, c: theirs(x, initial_state=[h, c])),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_it_learns_a_text_and_goes_on_with_it(tmp_path):
    data = text_dataset(
        TEXT, sequence_length=20, batch_size=16, steps_per_epoch=80, seed=0
    )
    model = LSTMLanguageModel(
        tokenizer=data.tokenizer, embedding_dim=16, hidden_dim=48, seed=0
    )
    model.compile(tf.keras.optimizers.Adam(1e-2))
    history = model.fit(data, epochs=3, verbose=0).history
    assert history["loss"][-1] < 0.3 < 0.6 < history["loss"][0]
    text = model.generate("she sells", 100, temperature=0.0)
    assert text in TEXT and len(text) == 109
    model.save(tmp_path / "lstm.keras")
    loaded = load_model(tmp_path / "lstm.keras")
    assert loaded.generate("she", 50, seed=1) == model.generate(
        "she", 50, seed=1
    )
    assert model.score(TEXT[:80]) < 0.5


def test_a_batch_of_unequal_prompts_is_as_each_alone():
    data = text_dataset(TEXT, sequence_length=20, seed=0)
    model = lstm(vocabulary_size=None, tokenizer=data.tokenizer)
    prompts = ["s", "the sea", "on "]
    together = model.generate(prompts, 20, temperature=0.0)
    alone = [model.generate(text, 20, temperature=0.0) for text in prompts]
    assert together == alone


def test_bad_arguments_are_refused():
    for name in ("embedding_dim", "num_layers", "hidden_dim"):
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            lstm(**{name: 0})
