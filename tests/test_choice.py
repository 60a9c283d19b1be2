"""How the next token is chosen."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_genai.sampling import Choice, next_tokens, restrict

LOGITS = np.log([[0.5, 0.2, 0.15, 0.1, 0.05], [0.1, 0.1, 0.2, 0.2, 0.4]])
LOGITS = LOGITS.astype("float32")


def counts(choice, row=0, draws=4000, seen=None):
    logits = tf.constant(np.repeat(LOGITS[row : row + 1], draws, axis=0))
    if seen is not None:
        seen = tf.constant(np.repeat([seen], draws, axis=0))
    uniform = np.random.default_rng(0).random(draws).astype("float32")
    drawn = next_tokens(logits, uniform, choice, seen).numpy()
    return np.bincount(drawn, minlength=5)


def assert_drawn_from(probabilities, choice, **arguments):
    expected = np.array(probabilities) / np.sum(probabilities)
    found = counts(choice, **arguments)
    assert found[expected == 0].sum() == 0
    kept = expected > 0
    test = stats.chisquare(found[kept], expected[kept] * found.sum())
    assert test.pvalue > 1e-3


def test_draws_have_the_probabilities_of_the_logits():
    assert_drawn_from([0.5, 0.2, 0.15, 0.1, 0.05], Choice())


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_divides_logits(temperature):
    powers = np.array([0.5, 0.2, 0.15, 0.1, 0.05]) ** (1 / temperature)
    assert_drawn_from(powers, Choice(temperature=temperature))


def test_temperature_0_and_top_k_1_are_the_likeliest():
    for choice in (Choice(temperature=0.0), Choice(top_k=1)):
        drawn = next_tokens(tf.constant(LOGITS), [0.3, 0.3], choice)
        np.testing.assert_array_equal(drawn, [0, 4])


def test_top_k_top_p_and_min_p_leave_what_they_should():
    assert_drawn_from([0.5, 0.2, 0, 0, 0], Choice(top_k=2))
    assert_drawn_from([0.5, 0.2, 0.15, 0, 0], Choice(top_p=0.75))
    assert_drawn_from([0.5, 0.2, 0, 0, 0], Choice(top_p=0.6))
    assert_drawn_from([0.5, 0.2, 0.15, 0, 0], Choice(min_p=0.25))
    assert_drawn_from([0.5, 0.2, 0, 0, 0], Choice(top_k=2, top_p=0.95))


def restricted_by_numpy(logits, top_k, top_p, min_p):
    """A token at a time, in the order of the library transformers."""
    left = sorted(range(len(logits)), key=lambda token: -logits[token])
    left = left[: top_k or None]
    weights = np.exp(np.array(logits, "float64")[left])
    shares = weights / weights.sum()  # of those that top_k leaves
    nucleus, held = [], 0.0
    for token, share in zip(left, shares, strict=True):
        if held < top_p:
            nucleus.append((token, share))
        held += share
    return {token for token, share in nucleus if share >= min_p * shares[0]}


@pytest.mark.parametrize("top_k", [0, 1, 3, 7])
@pytest.mark.parametrize("top_p", [0.3, 0.62, 0.9, 1.0])
def test_rules_follow_one_another_as_in_numpy(top_k, top_p):
    logits = np.random.default_rng(0).normal(scale=1.5, size=(20, 9))
    logits = logits.astype("float32")
    for min_p in (0.0, 0.2):
        left = np.isfinite(restrict(tf.constant(logits), top_k, top_p, min_p))
        for row, found in zip(logits, left, strict=True):
            expected = restricted_by_numpy(row, top_k, top_p, min_p)
            assert set(np.flatnonzero(found)) == expected


def test_top_p_is_of_what_top_k_leaves():
    # Of .5 and .2 the first is 5/7, which is 0.6 already.
    assert counts(Choice(top_k=2, top_p=0.6)).tolist() == [4000, 0, 0, 0, 0]


def test_the_likeliest_is_left_whatever_the_rules():
    left = restrict(tf.constant(LOGITS), top_p=1e-6, min_p=1.0)
    np.testing.assert_array_equal(np.isfinite(left).sum(axis=1), [1, 1])


def test_of_equals_top_k_leaves_k():
    left = restrict(tf.zeros((1, 6)), top_k=4)
    assert np.isfinite(left).sum() == 4


def test_everything_is_left_by_default():
    np.testing.assert_array_equal(restrict(tf.constant(LOGITS)), LOGITS)


def test_penalty_weakens_what_was_seen_on_either_side_of_0():
    seen = [True, False, False, False, False]
    # log 0.5 is negative: times 2 it is log 0.25.
    assert_drawn_from(
        [0.25, 0.2, 0.15, 0.1, 0.05],
        Choice(repetition_penalty=2.0),
        seen=seen,
    )
    logits = tf.constant([[2.0, 1.5]])
    greedy = Choice(temperature=0.0, repetition_penalty=2.0)
    drawn = next_tokens(logits, [0.5], greedy, tf.constant([[True, False]]))
    assert drawn.numpy() == [1]


def test_a_draw_falls_where_it_should():
    choice = Choice(top_k=2)  # 5/7 and 2/7
    for uniform, token in ((0.0, 0), (0.71, 0), (0.72, 1), (0.999999, 1)):
        drawn = next_tokens(tf.constant(LOGITS[:1]), [uniform], choice)
        assert drawn.numpy() == [token]


def test_compiled_it_draws_the_same():
    logits = tf.constant(np.tile(LOGITS, (50, 1)))
    uniform = np.random.default_rng(1).random(100).astype("float32")
    choice = Choice(0.7, top_k=4, top_p=0.95, min_p=0.02)
    plain = next_tokens(logits, uniform, choice)
    compiled = tf.function(next_tokens, jit_compile=True)
    np.testing.assert_array_equal(plain, compiled(logits, uniform, choice))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(temperature=-0.1), "`temperature` must be 0 or more"),
        (Choice(top_k=6), r"`top_k` must be an integer in \[0, 5\]"),
        (Choice(top_k=-1), "`top_k`"),
        (Choice(top_k=1.5), "`top_k`"),
        (Choice(top_p=0.0), r"`top_p` must be in \(0, 1\]"),
        (Choice(top_p=1.1), "`top_p`"),
        (Choice(min_p=-0.1), "`min_p`"),
        (Choice(repetition_penalty=0.0), "`repetition_penalty`"),
        (Choice(length_penalty=float("inf")), "`length_penalty`"),
        (Choice(temperature=float("nan")), "`temperature`"),
    ],
)
def test_choices_out_of_range_are_refused(choice, message):
    with pytest.raises(ValueError, match=message):
        choice.check(vocabulary_size=5)
