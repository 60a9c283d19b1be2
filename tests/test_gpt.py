import subprocess
import sys

import fresh
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_genai import GPT, CharacterTokenizer, load_model, text_dataset
from keras_genai.losses import next_token_losses

pytestmark = pytest.mark.slow

TEXT = "the cat sat on the mat; the dog sat on the log.\n" * 30
TOKENIZER = CharacterTokenizer.from_text(TEXT)
SMALL = {"num_layers": 2, "num_heads": 3, "hidden_dim": 12, "seed": 0}
FORMS = {
    "modern": {},
    "gpt2": {"style": "gpt2"},
    "grouped": {"num_heads": 6, "num_key_value_heads": 2, "hidden_dim": 24},
    "untied": {"tied_embeddings": False, "positions": "learned"},
    "relative": {"positions": "relative"},
    "other": {"normalization": "layer", "activation": "gelu", "qk_norm": False},
}
every_form = pytest.mark.parametrize("form", FORMS)


def gpt(max_sequence_length=10, **arguments):
    arguments = {**SMALL, **arguments}
    if "tokenizer" not in arguments:
        arguments.setdefault("vocabulary_size", 7)
    return GPT(max_sequence_length=max_sequence_length, **arguments)


def text_gpt(**arguments):
    model = gpt(tokenizer=TOKENIZER, **arguments)
    model.compile()
    model.compiled_loop = False  # XLA takes seconds: one test is of it
    return model


def with_end(model, bonus):
    """Makes the end token likelier; far likelier, or impossible."""
    end = tf.one_hot(model.tokenizer.end_token_id, model.vocabulary_size)
    extend = model.extend

    def extend_with_bonus(token_ids, state, position):
        logits, state = extend(token_ids, state, position)
        return logits + bonus * end, state

    model.extend = extend_with_bonus
    return model


def endless(model):
    return with_end(model, -1e4)


def tokens(batch=2, length=5, size=7, seed=0):
    draw = np.random.default_rng(seed).integers(0, size, (batch, length))
    return draw.astype("int32")


# --- The network -------------------------------------------------------------


@every_form
def test_a_token_changes_nothing_before_it(form):
    model = gpt(**FORMS[form])
    token_ids = tokens()
    logits = model(token_ids).numpy()
    assert logits.shape == (2, 5, 7)
    for place in range(5):
        changed = token_ids.copy()
        changed[:, place] = (changed[:, place] + 1) % 7
        difference = np.abs(model(changed).numpy() - logits).max(axis=(0, 2))
        assert difference[:place].max(initial=0) < 1e-5
        assert difference[place:].min() > 1e-5


def test_gradients_of_a_logit_reach_no_later_token():
    model = gpt()
    with tf.GradientTape() as tape:
        x = model.embed(tokens())
        tape.watch(x)
        seen = x
        for block in model.blocks:
            seen, _ = block(seen)
        score = tf.reduce_sum(model.logits(seen)[:, 2])
    slopes = np.abs(tape.gradient(score, x)).max(axis=(0, 2))
    assert (slopes[:3] > 0).all() and (slopes[3:] == 0).all()


@every_form
def test_reading_in_pieces_gives_the_logits_of_reading_at_once(form):
    model = gpt(**FORMS[form])
    token_ids = tokens(length=10)
    expected = model(token_ids).numpy()
    state, position = model.initial_state(2), 0
    for length in (1, 3, 1, 5):
        piece = token_ids[:, position : position + length]
        logits, state = model.extend(piece, state, position)
        np.testing.assert_allclose(
            logits, expected[:, position : position + length], atol=1e-4
        )
        position += length


def test_positions_of_each_kind_tell_order():
    for positions in ("rotary", "learned", "relative"):
        model = gpt(positions=positions)
        one, other = model(np.array([[1, 2, 3], [2, 1, 3]]))
        assert np.abs(one[-1] - other[-1]).max() > 1e-6


def test_attention_maps_are_causal_and_sum_to_1():
    model = text_gpt()
    maps = model.attention_maps("the cat")
    assert maps.shape == (2, 3, 7, 7)
    np.testing.assert_allclose(maps.sum(axis=-1), 1, rtol=1e-5)
    assert (np.triu(maps[0, 0], k=1) == 0).all()
    assert np.tril(maps).min(initial=1) >= 0


def test_gpt2_has_the_weights_that_it_should():
    model = GPT(50, None, 16, 2, 3, 12, style="gpt2")
    # Radford et al.: tokens and places; four products, biases and two norms
    # a block; the last norm.
    block = 12 * 36 + 36 + 12 * 12 + 12 + 2 * 12 * 48 + 48 + 12 + 4 * 12
    assert model.count_params() == 50 * 12 + 16 * 12 + 2 * block + 2 * 12


def test_dropout_is_on_in_training_alone():
    model = gpt(dropout=0.5)
    one, other = (model(tokens(), training=True) for _ in range(2))
    assert np.abs(one - other).max() > 1e-4
    np.testing.assert_array_equal(model(tokens()), model(tokens()))


# --- The loss ----------------------------------------------------------------


def test_loss_of_uniform_logits_is_the_logarithm_of_their_number():
    losses, weights = next_token_losses(ops.zeros((2, 3, 7)), tokens(2, 3))
    np.testing.assert_allclose(losses, np.log(7), rtol=1e-6)
    np.testing.assert_array_equal(weights, np.ones((2, 3)))


def test_ignored_targets_count_nowhere():
    model = gpt()
    model.compile()
    token_ids, targets = tokens(4, 5), tokens(4, 5, seed=1)
    padded = np.where(np.arange(5) < 3, targets, -1)
    short = tf.data.Dataset.from_tensors((token_ids[:, :3], targets[:, :3]))
    long = tf.data.Dataset.from_tensors((token_ids, padded))
    expected, found = (model.evaluate(d, verbose=0) for d in (short, long))
    assert expected == pytest.approx(found, rel=1e-5)
    assert expected["perplexity"] == pytest.approx(np.exp(expected["loss"]))
    bits = expected["loss"] / np.log(2)
    assert expected["bits_per_character"] == pytest.approx(bits, rel=1e-5)


def test_it_learns_a_text_and_goes_on_with_it():
    text = "a quick brown fox jumps over the lazy dog.\n" * 30
    data = text_dataset(
        text, sequence_length=16, batch_size=16, steps_per_epoch=100, seed=0
    )
    model = GPT(
        tokenizer=data.tokenizer,
        max_sequence_length=16,
        num_layers=1,
        hidden_dim=32,
        seed=0,
    )
    model.compile()
    history = model.fit(data, epochs=3, verbose=0).history
    assert history["loss"][-1] < 0.2 < 0.5 < history["loss"][0]
    made = model.generate("a quick br", 100, temperature=0.0)
    assert made in text and len(made) == 110


# --- Generation --------------------------------------------------------------


def greedy_uncached(model, prompt, count, limit):
    """The definition: the newest tokens, all of them anew, each time."""
    token_ids = list(model.tokenizer.encode(prompt))
    window = token_ids[:]
    for _ in range(count):
        if len(window) > limit:
            window = window[-(limit // 2) - 1 :]
        logits = model(np.array([window], "int32"))[0, -1]
        token_ids.append(int(np.argmax(logits)))
        window.append(token_ids[-1])
    return model.tokenizer.decode(token_ids)


@pytest.mark.parametrize("style", ["modern", "gpt2"])
def test_generation_is_that_of_the_uncached_model_also_past_its_limit(style):
    model = text_gpt(style=style)
    made = model.generate("the ", 40, temperature=0.0)
    assert made == greedy_uncached(model, "the ", 40, limit=10)


def test_the_loop_that_xla_compiles_makes_the_same_text():
    plain, compiled = endless(text_gpt()), endless(text_gpt())
    compiled.compiled_loop = True
    for arguments in ({"temperature": 0.0}, {"seed": 1, "top_p": 0.8}):
        texts = [
            model.generate(["the", "on"], 30, **arguments)
            for model in (plain, compiled)
        ]
        assert texts[0] == texts[1]


def test_a_beam_search_finds_a_likelier_text_than_greed():
    model = endless(text_gpt())
    greedy = model.generate("the", 12, temperature=0.0)
    texts = model.generate(["the", "the dog"], 12, num_beams=4)
    assert model.score(texts[0]) <= model.score(greedy) + 1e-6
    assert [len(text) for text in texts] == [15, 19]
    stopped = model.generate("the", 12, num_beams=4, stop=texts[0][8])
    assert stopped == texts[0][: texts[0].find(texts[0][8], 3)]


def test_exactly_max_new_tokens_are_made():
    model = endless(text_gpt())
    for count in (0, 1, 5, 33, 70):
        assert len(model.generate("the", count, seed=1)) == 3 + count


def test_a_batch_of_unequal_prompts_is_as_each_alone():
    model = text_gpt()
    prompts = ["t", "the dog", "on t"]
    together = model.generate(prompts, 20, temperature=0.0)
    alone = [model.generate(text, 20, temperature=0.0) for text in prompts]
    assert together == alone
    assert model.generate([], 20) == []


def test_a_seed_is_a_text():
    model = text_gpt()
    first, again = (model.generate("the", 40, seed=5) for _ in range(2))
    assert first == again
    assert first != model.generate("the", 40, seed=6)
    assert model.generate("the", 40) != model.generate("the", 40)


def test_the_first_texts_do_not_depend_on_those_below_them():
    model = endless(text_gpt())
    few = model.generate(["the", "on"], 8, seed=5)
    many = model.generate(["the", "on", "the", "the log; " * 12], 70, seed=5)
    assert [
        text[: len(made)] for text, made in zip(many[:2], few, strict=True)
    ] == few
    assert many[0] != many[2]  # the same prompt, in another place


def test_a_stream_is_the_text_in_pieces():
    model = endless(text_gpt())
    pieces = list(model.generate("the", 100, seed=0, stream=True))
    assert len(pieces) > 2
    assert "the" + "".join(pieces) == model.generate("the", 100, seed=0)


def test_stop_strings_end_the_text_and_are_cut_off():
    model = endless(text_gpt())
    whole = model.generate("the", 100, seed=0)[3:]
    for stop in (whole[40:43], whole[31:33], whole[0]):
        expected = "the" + whole[: whole.find(stop)]
        assert model.generate("the", 100, seed=0, stop=stop) == expected
        pieces = model.generate("the", 100, seed=0, stop=[stop], stream=True)
        assert "the" + "".join(pieces) == expected


def test_the_end_token_ends_the_text():
    model = with_end(text_gpt(), 1e4)
    assert model.generate("the", 50, temperature=0.0) == "the"
    assert list(model.generate("the", 50, stream=True)) == [""]


def test_score_is_bits_of_each_character_once():
    model = text_gpt()
    text = "the cat sat on"  # longer than the model looks back
    token_ids = TOKENIZER.encode(text)
    nats = []
    for place in range(1, len(token_ids)):
        # Windows of 10, 5 further each: the context that each target has.
        start = 0 if place <= 10 else -(-(place - 10) // 5) * 5
        window = token_ids[start:place]
        logits = np.array(model(window[None])[0, -1], "float64")
        nats.append(np.log(np.exp(logits).sum()) - logits[token_ids[place]])
    expected = np.sum(nats) / np.log(2) / (len(text) - 1)
    assert model.score(text) == pytest.approx(expected, rel=1e-4)
    assert model.score([text, "the"])[0] == pytest.approx(expected, rel=1e-4)


# --- Export and saving -------------------------------------------------------

SERVE = """
import sys
import tensorflow as tf
served = tf.saved_model.load(sys.argv[1]).signatures
assert "keras_genai" not in sys.modules
answer = served["generate"](
    prompt=tf.constant(["the", "on the"]),
    max_new_tokens=tf.constant(30),
    temperature=tf.constant(0.8),
    top_k=tf.constant(5),
    top_p=tf.constant(0.9),
    seed=tf.constant(4),
)["text"].numpy()
print("|".join(text.decode() for text in answer), end="|")
scores = served["score"](text=tf.constant(["the cat sat on the mat"]))
print(scores["bits_per_character"].numpy()[0], end="")
"""


def test_an_exported_model_takes_text_and_gives_text(tmp_path):
    model = text_gpt()
    model.export(tmp_path / "served")
    process = subprocess.run(
        [sys.executable, "-c", SERVE, tmp_path / "served"],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    *texts, bits = process.stdout.split("|")
    assert texts == model.generate(
        ["the", "on the"], 30, 0.8, top_k=5, top_p=0.9, seed=4
    )
    score = model.score("the cat sat on the mat")
    assert float(bits) == pytest.approx(score, rel=1e-4)


def test_the_tokenizer_is_part_of_the_saved_model(tmp_path):
    model = text_gpt(style="gpt2", qk_norm=True)
    model.save(tmp_path / "gpt.keras")
    loaded = load_model(tmp_path / "gpt.keras")
    assert loaded.get_config() == model.get_config()
    assert loaded.generate("the", 20, seed=0) == model.generate(
        "the", 20, seed=0
    )


LOAD = """
import sys
import keras_genai
model = keras_genai.load_model(sys.argv[1])
print(model.generate("the", 20, seed=0), end="")
"""


def test_it_is_loaded_where_nothing_was_imported_before(tmp_path):
    model = text_gpt()
    model.save(tmp_path / "gpt.keras")
    process = fresh.run(LOAD, tmp_path / "gpt.keras")
    assert process.stdout == model.generate("the", 20, seed=0), process.stderr


# --- Bad input ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary_size": 0}, "`vocabulary_size` must be"),
        ({"num_heads": 5}, "`num_heads` must divide `hidden_dim`"),
        ({"num_key_value_heads": 2}, "must divide `num_heads`"),
        ({"style": "llama"}, "Expected `style` among modern, gpt2"),
        ({"activation": "relu"}, "Expected `activation` among gelu, swiglu"),
        ({"positions": "sines"}, "Expected `positions` among"),
        ({"num_heads": 12, "hidden_dim": 12}, "must be even"),
        ({"num_layers": 0}, "`num_layers` must be"),
        ({"max_sequence_length": 0}, "`max_sequence_length` must be"),
        ({"tokenizer": TOKENIZER, "vocabulary_size": 7}, "one vocabulary"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        gpt(**arguments)


def test_bad_prompts_are_refused():
    model = text_gpt()
    for prompt, message in (
        ("", "an empty string"),
        (3, "Expected a string"),
    ):
        with pytest.raises(ValueError, match=message):
            model.generate(prompt)
    for arguments, message in (
        ({"max_new_tokens": -1}, "`max_new_tokens` must be"),
        ({"temperature": -1.0}, "`temperature` must be"),
        ({"top_k": -1}, "`top_k` must be"),
        ({"top_p": 0.0}, "`top_p` must be"),
    ):
        with pytest.raises(ValueError, match=message):
            model.generate("the", **arguments)
    for arguments, message in (
        ({"num_beams": 0}, "`num_beams` must be"),
        ({"num_beams": 2, "stream": True}, "A beam search draws nothing"),
        ({"num_beams": 2, "temperature": 0.5}, "A beam search draws nothing"),
        ({"length_penalty": 1.0}, "`length_penalty` ranks beams"),
    ):
        with pytest.raises(ValueError, match=message):
            model.generate("the", **arguments)
    with pytest.raises(ValueError, match="One prompt is streamed"):
        model.generate(["the", "a"], stream=True)
    with pytest.raises(ValueError, match="two tokens or more"):
        model.score("t")
    with pytest.raises(ValueError, match="reads no text"):
        gpt().generate("the")
    with pytest.raises(ValueError, match="needs a tokenizer"):
        gpt().export("served")


def test_arrays_are_data_too():
    model = gpt()
    model.compile(jit_compile=False)
    batch_size = 2
    history = model.fit(tokens(4), tokens(4, seed=1), batch_size, verbose=0)
    assert 0 < history.history["loss"][0] < 10


def test_bad_data_are_refused():
    model = text_gpt()
    with pytest.raises(ValueError, match="Expected pairs of token ids"):
        model.fit(tokens())
    with pytest.raises(ValueError, match="Expected token ids in"):
        model.fit(tokens(size=99), tokens())
    with pytest.raises(ValueError, match="Expected token ids in"):
        model.fit(tf.data.Dataset.from_tensors((tokens(size=99),) * 2))
    with pytest.raises(ValueError, match="Expected pairs of token ids"):
        model.fit(tf.data.Dataset.from_tensors(tokens()))
    with pytest.raises(ValueError, match="Expected integer token ids"):
        model.fit(tf.data.Dataset.from_tensors((np.ones((2, 5)),) * 2))
    with pytest.raises(ValueError, match="Attention reaches 10 tokens"):
        model(tokens(length=11))
