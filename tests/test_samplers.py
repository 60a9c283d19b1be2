"""The loop of generation, on a model whose answers are known beforehand."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_genai.sampling import (
    Choice,
    lay_out,
    next_tokens,
    run_loop,
    start_loop,
)

SIZE, END = 5, 4
RANDOM = np.random.default_rng(0)
# Probabilities of each token after each.
CHAIN = RANDOM.dirichlet(2 * np.ones(SIZE), SIZE).astype("float32")
# One that never gets to the end.
ENDLESS = np.where(np.arange(SIZE) == END, np.float32(1e-9), CHAIN)
ENDLESS /= ENDLESS.sum(axis=1, keepdims=True)


class Stub:
    """A chain that remembers one token; its state counts what it read."""

    vocabulary_size = SIZE

    def __init__(self, max_sequence_length=None, chain=CHAIN):
        self.max_sequence_length = max_sequence_length
        self.logits = np.log(chain)

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, 1), "int32")

    def extend(self, token_ids, state, position):
        return tf.gather(self.logits, token_ids), state + 1


def run(model, prompts, count, choice=None, seed=0, num_beams=1):
    rows = [
        np.array(prompt, "int32")
        for prompt in prompts
        for _ in range(num_beams)
    ]
    tokens, given = lay_out(rows, count)
    loop = start_loop(model, tokens, given, count, seed, num_beams)
    end = max(map(len, prompts)) + count
    loop = run_loop(model, loop, end, choice or Choice(), END, num_beams)
    made = loop.tokens.numpy()[::num_beams]
    found = [
        row[len(prompt) : len(prompt) + count].tolist()
        for row, prompt in zip(made, prompts, strict=True)
    ]
    return found, loop


def test_each_token_is_read_once():
    _, loop = run(Stub(chain=ENDLESS), [[0, 1], [2]], 9)
    assert loop.state.numpy().tolist() == [[10], [10]]  # all but the last


def test_draws_have_the_probabilities_of_the_chain():
    made, _ = run(Stub(), [[1]] * 3000, 3)
    made = np.array(made)
    for column, power in ((0, CHAIN), (1, CHAIN @ CHAIN)):
        expected = power[1].astype("float64")
        expected *= len(made) / expected.sum()
        found = np.bincount(made[:, column], minlength=SIZE)
        assert stats.chisquare(found, expected).pvalue > 1e-3


def test_a_row_has_draws_of_its_own():
    """Whatever number of rows is below it, and however long they are."""

    def uniform(rows, count):
        tokens, given = lay_out([np.array(row, "int32") for row in rows], count)
        return start_loop(Stub(), tokens, given, count, seed=2).uniform.numpy()

    first = uniform([[0], [1], [0]], 3)
    long = uniform([[0], [1], [0], [2] * 70, *[[3]] * 9], 80)
    np.testing.assert_array_equal(long[: len(first), :3], first)
    # No two are alike, and all of them are even.
    assert len(np.unique(long)) > 0.999 * long.size
    assert stats.kstest(long.ravel(), "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(long.T) - np.eye(13)).max() < 0.3
    few, _ = run(Stub(), [[0], [1]], 4, seed=2)
    many, _ = run(Stub(), [[0], [1], [2] * 70, [0]], 60, seed=2)
    assert [made[:4] for made in many[:2]] == few


def test_tokens_given_further_on_are_read_as_they_are():
    tokens = np.zeros((3000, 5), "int32")
    given = np.zeros((3000, 5), "bool")
    tokens[:, 0], given[:, 0] = 1, True
    tokens[:, 2], given[:, 2] = 2, True
    loop = start_loop(Stub(chain=ENDLESS), tokens, given, 5)
    made = run_loop(Stub(chain=ENDLESS), loop, 5, Choice()).tokens.numpy()
    assert (made[:, 0] == 1).all() and (made[:, 2] == 2).all()
    # What follows them goes on from them; what is before does not know them.
    for column, before in ((1, 1), (3, 2)):
        expected = ENDLESS[before].astype("float64")
        expected *= len(made) / expected.sum()
        found = np.bincount(made[:, column], minlength=SIZE)
        possible = expected > 0
        assert (found[~possible] == 0).all()
        pvalue = stats.chisquare(found[possible], expected[possible]).pvalue
        assert pvalue > 1e-3


def test_a_limit_further_off_than_there_is_room_compiles():
    """XLA refuses to cut more tokens out of a row than it has."""
    tokens, given = lay_out([np.array([1])], 20)
    model = Stub(max_sequence_length=4 * tokens.shape[1], chain=ENDLESS)

    @tf.function(jit_compile=True)
    def made():
        loop = start_loop(model, tokens, given, 20)
        return run_loop(model, loop, 21, Choice(temperature=0.0)).tokens

    expected = [1]
    for _ in range(20):
        expected.append(int(ENDLESS[expected[-1]].argmax()))
    assert made().numpy()[0, :21].tolist() == expected


# --- Beam search -------------------------------------------------------------


def probability(prompt, made):
    """Of what was made, an end being the last that costs."""
    cost = made.index(END) + 1 if END in made else len(made)
    if set(made[cost:]) - {END}:
        return 0.0
    path = [prompt[-1], *made[:cost]]
    return float(np.prod([CHAIN[pair] for pair in itertools.pairwise(path)]))


def likeliest(prompt, count):
    every = itertools.product(range(SIZE), repeat=count)
    return max(every, key=lambda made: probability(prompt, made))


@pytest.mark.parametrize("count", [1, 3])
def test_with_beams_enough_it_is_the_likeliest_of_all(count):
    prompts = [[0], [3, 1, 2]]
    made, loop = run(Stub(), prompts, count, num_beams=SIZE**2)
    for prompt, tokens, score in zip(
        prompts, made, loop.scores.numpy()[:: SIZE**2], strict=True
    ):
        assert tuple(tokens) == likeliest(prompt, count)
        assert np.exp(score) == pytest.approx(probability(prompt, tokens), 1e-5)


@pytest.mark.parametrize("penalty", [-1.0, 0.5, 1.0, 3.0])
def test_a_length_penalty_ranks_by_the_score_over_a_power_of_length(penalty):
    def rank(prompt, made):
        found = probability(prompt, made)
        cost = made.index(END) + 1 if END in made else len(made)
        return np.log(found) / cost**penalty if found else -np.inf

    prompts, every = [[0], [3, 1, 2]], SIZE**3
    made, loop = run(
        Stub(), prompts, 3, Choice(length_penalty=penalty), num_beams=every
    )
    assert any(END in tokens[:-1] for tokens in loop.tokens.numpy()[:, 1:])
    for prompt, tokens in zip(prompts, made, strict=True):
        best = max(
            itertools.product(range(SIZE), repeat=3),
            key=lambda made: rank(prompt, made),
        )
        assert tuple(tokens) == best


def test_long_texts_win_by_their_mean_and_short_ones_by_their_sum():
    # The end at once, p = .4; or five tokens of p = .6 each.
    chain = np.full((SIZE, SIZE), 0.2)
    chain[0] = [0.0, 0.6, 0.0, 0.0, 0.4]
    chain[1] = [0.0, 0.6, 0.4, 0.0, 0.0]
    chain = np.maximum(chain, 1e-9)
    model = Stub(chain=chain.astype("float32"))
    for penalty, best in ((0.0, [END] * 5), (1.0, [1] * 5)):
        choice = Choice(length_penalty=penalty)
        made, loop = run(model, [[0]], 5, choice, num_beams=4)
        assert made == [best]
        length = 1 if penalty == 0.0 else 5
        assert loop.lengths.numpy()[0] == length


def test_one_beam_would_be_misled_and_two_are_not():
    # The likelier first step leads to a place where nothing is likely.
    chain = np.full((SIZE, SIZE), 1e-6)
    chain[0, 1], chain[0, 2] = 0.55, 0.45
    chain[1], chain[2, 3] = 0.2, 1.0
    chain /= chain.sum(axis=1, keepdims=True)
    model = Stub(chain=chain.astype("float32"))
    greedy, _ = run(model, [[0]], 2, Choice(temperature=0.0))
    beams, _ = run(model, [[0]], 2, num_beams=2)
    assert greedy[0][0] == 1 and beams == [[2, 3]]


def test_beams_end_each_text_at_its_own_place():
    """A short prompt is not judged by what comes after its end."""
    prompts = [[0], [1, 2, 3, 0, 1, 2]]
    together, _ = run(Stub(), prompts, 3, num_beams=3)
    alone = [run(Stub(), [p], 3, num_beams=3)[0][0] for p in prompts]
    assert together == alone


def test_beams_take_their_state_along():
    class Counting(Stub):
        """Its state is the number that its tokens spell in base `SIZE`."""

        def extend(self, token_ids, state, position):
            logits, _ = super().extend(token_ids, state, position)
            return logits, state * SIZE + token_ids

    _, loop = run(Counting(), [[3]], 4, num_beams=4)
    for row, state in zip(loop.tokens.numpy(), loop.state.numpy(), strict=True):
        digits = "".join(map(str, row[: int(loop.place)]))
        assert state == int(digits, SIZE)


# --- KerasHub's samplers -----------------------------------------------------

# name -> (their sampler, its arguments, our choice)
SAMPLERS = {
    "random": ("RandomSampler", {}, Choice()),
    "temperature": (
        "RandomSampler",
        {"temperature": 0.5},
        Choice(temperature=0.5),
    ),
    "top_k": ("TopKSampler", {"k": 3}, Choice(top_k=3)),
    "top_p": ("TopPSampler", {"p": 0.7}, Choice(top_p=0.7)),
    "top_p_of_warm": (
        "TopPSampler",
        {"p": 0.7, "temperature": 2.0},
        Choice(temperature=2.0, top_p=0.7),
    ),
}


@pytest.fixture(scope="module")
def samplers():
    """KerasHub takes seconds to import: one worker does."""
    from keras_hub import samplers

    return samplers


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("token", range(3))
def test_draws_agree_with_keras_hub(name, token, samplers):
    class_name, arguments, choice = SAMPLERS[name]
    sampler = getattr(samplers, class_name)(seed=1, **arguments)
    logits = np.repeat(np.log(CHAIN[token : token + 1]), 4000, axis=0)
    theirs = sampler.get_next_token(sampler.compute_probabilities(logits))
    uniform = np.random.default_rng(token).random(4000).astype("float32")
    ours = next_tokens(tf.constant(logits), uniform, choice)
    counts = np.stack(
        [np.bincount(drawn, minlength=SIZE) for drawn in (ours, theirs)]
    )
    np.testing.assert_array_equal(*(counts > 0))
    counts = counts[:, counts.any(axis=0)]
    assert stats.chi2_contingency(counts).pvalue > 1e-3


def theirs_in_a_loop(sampler, prompt, count):
    def next(prompt, cache, index):
        newest = tf.gather(prompt, index - 1, axis=1)
        return tf.gather(np.log(ENDLESS), newest), None, cache

    room = np.zeros((1, len(prompt) + count), "int32")
    room[0, : len(prompt)] = prompt
    made = sampler(next, tf.constant(room), index=len(prompt))
    return np.array(made)[0, len(prompt) :].tolist()


@pytest.mark.parametrize("prompt", [[0], [1], [2, 3]])
def test_greedy_and_beam_search_agree_with_keras_hub(prompt, samplers):
    # Without an end: their beams go on after it.
    greedy = samplers.GreedySampler()
    made, _ = run(Stub(chain=ENDLESS), [prompt], 8, Choice(temperature=0.0))
    assert made == [theirs_in_a_loop(greedy, prompt, 8)]
    for num_beams in (2, 3):
        beams = samplers.BeamSampler(num_beams=num_beams)
        made, _ = run(Stub(chain=ENDLESS), [prompt], 8, num_beams=num_beams)
        assert made == [theirs_in_a_loop(beams, prompt, 8)]
