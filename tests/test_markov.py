import collections
import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from keras_genai import (
    BytePairTokenizer,
    CharacterTokenizer,
    MarkovChain,
    evaluation,
    load_model,
    load_text,
    text_dataset,
)

TEXT = "abracadabra, abracadabra! a cab and a bar; a crab.\n" * 12


def counted(order=2, smoothing="kneser_ney", text=TEXT, **arguments):
    length = len(load_text(text)) - 1  # all in one window
    data = text_dataset(text, sequence_length=length, windows="tiled")
    model = MarkovChain(
        tokenizer=data.tokenizer, order=order, smoothing=smoothing, **arguments
    )
    model.compile()
    model.fit(data, verbose=0)
    return model, data.examples.texts[0]


def test_its_parameters_are_the_sequences_that_it_keeps():
    model = MarkovChain(vocabulary_size=3, order=1)
    assert model.count_params() == 0
    model.compile()
    token_ids = np.array([[0, 1, 0, 1, 0, 1]])
    model.fit(token_ids, (token_ids + 1) % 2, verbose=0)
    assert model.count_params() == 4  # 0, 1, 01, 10


# --- Probabilities -----------------------------------------------------------


def kneser_ney(tokens, order, size):
    """Straight from the formula, with dictionaries; one n at a time."""
    grams = [collections.Counter() for _ in range(order + 1)]
    for place in range(1, len(tokens)):
        for n in range(min(order, place) + 1):
            grams[n][tuple(tokens[place - n : place + 1])] += 1
    for n in range(order):
        grams[n] = collections.Counter(gram[1:] for gram in grams[n + 1])

    def probability(token, context, n):
        if n < 0:
            return 1 / size
        shorter = probability(token, context[1:] if n else (), n - 1)
        gram = grams[n]
        follow = {g[-1]: c for g, c in gram.items() if g[:-1] == context}
        if not follow:
            return shorter
        ones, twos = (list(gram.values()).count(k) for k in (1, 2))
        discount = min(max(ones / max(ones + 2 * twos, 1), 0.1), 0.9)
        total = sum(follow.values())
        kept = max(follow.get(token, 0) - discount, 0)
        return kept / total + discount * len(follow) / total * shorter

    return probability


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_by_an_oracle(order):
    model, text = counted(order)
    tokens = [int(token) for token in model.tokenizer.encode(text)]
    oracle = kneser_ney(tokens, order, model.vocabulary_size)
    probe = model.tokenizer.encode("abr cab,")
    logits = model(probe[None]).numpy()[0]
    for place in range(len(probe)):
        n = min(order, place + 1)
        context = tuple(int(t) for t in probe[place + 1 - n : place + 1])
        expected = [
            oracle(token, context, n) for token in range(model.vocabulary_size)
        ]
        np.testing.assert_allclose(np.exp(logits[place]), expected, rtol=1e-4)


def test_witten_bell_by_hand():
    # After "a": b twice, c once; in all: a 3, b 2, c 1 of vocabulary 5.
    model, text = counted(1, "witten_bell", "abacabab\n" * 10)
    tokens = model.tokenizer.encode(text)
    bigrams = collections.Counter(itertools.pairwise(tokens.tolist()))
    a = 1
    assert model.tokenizer.encode("a") == a
    follow = {y: c for (x, y), c in bigrams.items() if x == a}
    after = collections.Counter(tokens[1:].tolist())
    size, kinds = model.vocabulary_size, len(after)
    total = sum(after.values())
    logits = model(np.array([[a]], "int32"))[0, 0]
    for token in range(size):
        unigram = (after[token] + kinds / size) / (total + kinds)
        count = sum(follow.values())
        expected = follow.get(token, 0) + len(follow) * unigram
        expected /= count + len(follow)
        assert math.exp(logits[token]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("smoothing", ["kneser_ney", "witten_bell"])
def test_probabilities_sum_to_1_in_seen_and_unseen_contexts(smoothing):
    model, _ = counted(3, smoothing)
    draw = np.random.default_rng(0)
    token_ids = draw.integers(0, model.vocabulary_size, (4, 9))
    totals = np.exp(model(token_ids)).sum(axis=-1)
    np.testing.assert_allclose(totals, 1, rtol=1e-5)


def test_before_counting_all_tokens_are_equally_likely():
    model = MarkovChain(vocabulary_size=7, order=2)
    logits = model(np.array([[1, 2]]))
    np.testing.assert_allclose(logits, -np.log(7), rtol=1e-6)


def test_the_matrix_holds_the_transitions_of_order_1():
    model, _ = counted(1)
    matrix = model.transition_matrix()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)
    every = np.arange(model.vocabulary_size)[:, None]
    np.testing.assert_allclose(
        np.log(matrix), model(every)[:, 0], rtol=1e-4, atol=1e-5
    )
    a, b, c = model.tokenizer.encode("abc")
    assert matrix[b, a] > 10 * matrix[b, c]


# --- The contract of its own -------------------------------------------------


def test_batches_count_as_one_and_scores_do_not_depend_on_them():
    data = [
        text_dataset(TEXT, sequence_length=50, batch_size=size, windows="tiled")
        for size in (1, 64)
    ]
    models = [
        MarkovChain(tokenizer=data[0].tokenizer, order=2) for _ in range(2)
    ]
    for model, batches in zip(models, data, strict=True):
        model.compile()
        model.fit(batches, verbose=0)
    results = [model.evaluate(data[0], verbose=0) for model in models]
    assert results[0] == pytest.approx(results[1], rel=1e-6)
    assert results[0]["bits_per_character"] < 2.0


def test_a_batch_is_scored_before_it_is_counted():
    data = text_dataset(
        TEXT, sequence_length=50, batch_size=64, windows="tiled"
    )
    model = MarkovChain(tokenizer=data.tokenizer, order=2)
    model.compile()
    history = model.fit(data, verbose=0).history  # one batch
    uniform = math.log(model.vocabulary_size)
    assert history["loss"][0] == pytest.approx(uniform, rel=1e-5)


def test_counts_are_saved_and_added_to(tmp_path):
    model, text = counted(2)
    model.save(tmp_path / "markov.keras")
    loaded = load_model(tmp_path / "markov.keras")
    probe = model.tokenizer.encode("abracadabra")[None]
    np.testing.assert_array_equal(loaded(probe), model(probe))
    data = text_dataset(text, sequence_length=20, windows="tiled")
    for each in (model, loaded):
        each.fit(data, verbose=0)
        each.evaluate(data, verbose=0)
    np.testing.assert_array_equal(loaded(probe), model(probe))


def test_generation_is_the_chain_itself():
    model, _ = counted(4)
    made = model.generate("abr", 60, temperature=0.0)
    assert made.startswith("abracadabra") and len(made) == 63
    assert model.generate("a", 30, seed=3) == model.generate("a", 30, seed=3)
    unseen = model.generate("bbbb", 5, seed=0)
    assert unseen.startswith("bbbb") and len(unseen) == 9


@pytest.mark.slow
def test_it_is_exported_with_its_tables(tmp_path):
    model, _ = counted(3)
    model.export(tmp_path / "served")
    served = tf.saved_model.load(tmp_path / "served").signatures["generate"]
    answer = served(
        prompt=tf.constant(["abr", "a"]),
        max_new_tokens=tf.constant(20),
        temperature=tf.constant(1.0),
        top_k=tf.constant(0),
        top_p=tf.constant(1.0),
        seed=tf.constant(2),
    )["text"].numpy()
    expected = model.generate(["abr", "a"], 20, seed=2)
    assert [text.decode() for text in answer] == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": 0}, "`order` must be an integer"),
        ({"smoothing": "laplace"}, "Expected `smoothing` among"),
        ({"order": 9, "vocabulary_size": 257}, "too many of them"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    arguments = {"vocabulary_size": 7, **arguments}
    with pytest.raises(ValueError, match=message):
        MarkovChain(**arguments)


def test_scores_are_over_the_characters_that_are_scored(tmp_path):
    # Nothing was counted: each token but the first costs as much.
    tokenizer = BytePairTokenizer([(104, 101), (256, 114)])  # he, her
    model = MarkovChain(tokenizer=tokenizer, order=1)
    each = np.log2(tokenizer.vocabulary_size)
    expected = {
        "heron": 2 * each / 2,  # after her: o, n
        "o her": 2 * each / 4,  # after o: a space, her
        "é": each / 0.5,  # one of its bytes after the other
        "é🙂a": 6 * each / 2.5,
        "a\0\0": each,
        "\0\0": each,
        "her": np.nan,  # nothing is scored
        "": np.nan,
    }
    bits = model.score(list(expected))
    np.testing.assert_allclose(bits, list(expected.values()), rtol=1e-6)
    assert model.score("é") == bits[2]
    assert model.score([]) == []
    # So it is in an export.
    model.export(tmp_path / "served")
    served = tf.saved_model.load(tmp_path / "served").signatures["score"]
    answer = served(text=tf.constant(list(expected)))
    np.testing.assert_array_equal(answer["bits_per_character"], bits)
    np.testing.assert_array_equal(
        answer["scored_characters"], [2, 4, 0.5, 2.5, 2, 1, 0, 0]
    )
    # All texts together: 14 tokens over 12 characters.
    together = evaluation.bits_per_character(model, list(expected))
    assert together == pytest.approx(14 / 12 * each, rel=1e-6)


def test_a_tokenizer_of_its_own():
    tokenizer = CharacterTokenizer("ab")
    model = MarkovChain(tokenizer=tokenizer, order=1)
    assert model.vocabulary_size == 4
