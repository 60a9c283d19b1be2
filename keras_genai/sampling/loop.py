"""Tokens, one after another: the loop of text, music and pixels."""

import dataclasses
import typing

import numpy as np
import tensorflow as tf

from keras_genai.sampling.choice import best_beams, next_tokens

_BLOCK = 64  # draws of a row at a time


@dataclasses.dataclass
class Loop:
    """The state of a generation, between two steps.

    Attributes:
        tokens: Int32 tensor `(batch, room)`: given tokens and generated ones.
        given: Boolean tensor `(batch, room)`: tokens that were there at the
            start and are never changed. Those of a prompt are on the left.
        ends: Int32 tensor `(batch,)`, the place before which each text ends.
        place: Int32 scalar tensor, the place of the token to read next.
        position: Int32 scalar tensor, number of tokens in the state.
        state: Nested tensors of the model, batch first.
        uniform: Float tensor `(room, batch)`, one number in [0, 1) for each
            draw. They are drawn before the loop, because XLA would draw other
            ones with the same seed. Those of a row do not depend on the other
            rows.
        seen: Boolean tensor `(batch, vocabulary_size)`, tokens read so far.
        ended: Boolean tensor `(batch,)`, whether the text is complete.
        scores: Float tensor `(batch,)`, log-probability of the generated
            tokens. Only beam search uses it.
        lengths: Int32 tensor `(batch,)`, number of generated tokens, with the
            end token. Only beam search uses it.
    """

    tokens: tf.Tensor
    given: tf.Tensor
    ends: tf.Tensor
    place: tf.Tensor
    position: tf.Tensor
    state: object
    uniform: tf.Tensor
    seen: tf.Tensor
    ended: tf.Tensor
    scores: tf.Tensor
    lengths: tf.Tensor


def start_loop(
    model,
    tokens,
    given,
    max_new_tokens,
    seed=0,
    num_beams=1,
    state=None,
    padding=0,
):
    """Begins a loop.

    Args:
        model: Object with `initial_state` and `vocabulary_size`.
        tokens: Int32 tensor `(batch, room)`, prompts from the left on; with
            beams, each prompt `num_beams` times.
        given: Boolean tensor `(batch, room)`, which tokens are there. The
            first token of each row must be.
        max_new_tokens: Integer, or integer scalar tensor.
        seed: Integer, or integer scalar tensor.
        num_beams: Integer >= 1.
        state: State of the model before the first token, or `None` for its
            `initial_state`.
        padding: Integer, number of last rows that only fill the batch.

    Returns:
        `Loop`.
    """
    batch_size, room = tf.unstack(tf.shape(tokens))
    first = tf.range(batch_size) % num_beams == 0
    return Loop(
        tokens=tokens,
        given=given,
        ends=tf.reduce_sum(tf.cast(given, "int32"), axis=1) + max_new_tokens,
        place=tf.constant(0),
        position=tf.constant(0),
        state=model.initial_state(batch_size) if state is None else state,
        uniform=_draws(room, batch_size, tf.cast(seed, "int64")),
        seen=tf.zeros((batch_size, model.vocabulary_size), "bool"),
        ended=tf.equal(max_new_tokens, 0)
        | (tf.range(batch_size) >= batch_size - padding),
        # All beams of a text begin with the same tokens: only the first
        # counts.
        scores=tf.where(first, 0.0, -np.inf),
        lengths=tf.zeros((batch_size,), "int32"),
    )


_SCALARS = [tf.TensorSpec((), dtype) for dtype in ("int32", "int32", "int64")]


@tf.function(input_signature=_SCALARS, autograph=False)
def _draws(room, batch_size, seed):
    """Draws numbers `(room, batch)`; more rows or room change none of them."""

    def block(number):
        # Row after row: the numbers of additional rows come at the end.
        shape = batch_size, _BLOCK
        return tf.random.stateless_uniform(shape, (seed, number))

    # `seeded_noise` and `seeded_labels` use the numbers 0 and 1.
    numbers = tf.range(2, 3 + (room - 1) // _BLOCK)
    numbers = tf.cast(numbers, "int64")
    blocks = tf.map_fn(block, numbers, fn_output_signature="float32")
    blocks = tf.transpose(blocks, (0, 2, 1))  # (blocks, _BLOCK, batch)
    return tf.reshape(blocks, (-1, batch_size))[:room]


def lay_out(prompts, max_new_tokens):
    """Lays out prompts, a row each, with room for the new tokens.

    Args:
        prompts: List of int32 arrays, none of them empty.
        max_new_tokens: Integer >= 0.

    Returns:
        Pair of tensors `(batch, room)`: int32 tokens, and booleans, which of
        them are given. The room is a power of two, so that few shapes have to
        be compiled.
    """
    room = 64
    while room < max(map(len, prompts)) + max_new_tokens:
        room *= 2
    tokens = np.zeros((len(prompts), room), "int32")
    given = np.zeros(tokens.shape, "bool")
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = prompt
        given[row, : len(prompt)] = True
    return tf.constant(tokens), tf.constant(given)


class _Now(typing.NamedTuple):
    """The part of a `Loop` that changes from token to token."""

    place: tf.Tensor
    position: tf.Tensor
    tokens: tf.Tensor
    state: object
    seen: tf.Tensor
    ended: tf.Tensor
    scores: tf.Tensor
    lengths: tf.Tensor


def run_loop(model, loop, until, choice, end_token_id=-1, num_beams=1):
    """Reads token after token, and writes a new one at each free place.

    Each step has three parts:

    1. read: the model reads the token at `place` and gives the logits of the
       next one;
    2. choose: a token is drawn from the logits, or the best beams are kept;
    3. write: it is written at the next place, unless a token is given there.

    So prompts of different lengths go through together, and so do rows with
    given tokens here and there. When the model has read as many tokens as it
    can look back on, it reads the newer half of them again, and the loop goes
    on. The loop stops early when all texts have ended.

    Args:
        model: Object with `initial_state`, `extend` and `max_sequence_length`;
            if that is not `None`, with `read_again` too.
        loop: `Loop`.
        until: Integer scalar tensor, the place to stop before. All tokens
            before it are there then.
        choice: `Choice`: how a token is drawn with one beam, and how beams
            are ranked with several.
        end_token_id: Integer, the token that ends a text; -1 for no such
            token.
        num_beams: Integer >= 1. With several, the likeliest beams are kept
            and nothing is drawn.

    Returns:
        `Loop`.
    """
    limit = model.max_sequence_length
    each_row = tf.range(loop.tokens.shape[0] or tf.shape(loop.tokens)[0])
    room = loop.tokens.shape[1]
    if limit is not None and room is not None and room <= limit:
        limit = None  # no text gets that long

    def goes_on(now):
        return (now.place + 1 < until) & ~tf.reduce_all(now.ended)

    def step(now):
        # 1. Read.
        logits, now = _read(model, now)  # (batch, vocabulary_size)
        is_given = _column(loop.given, now.place)  # (batch,)
        # 2. Choose.
        if num_beams == 1:
            uniform = tf.slice(loop.uniform, (now.place, 0), (1, -1))[0]
            chosen = next_tokens(logits, uniform, choice, now.seen)
        else:
            chosen, rows, now = _choose_beams(
                now, logits, is_given, choice, end_token_id, num_beams
            )
            now = _continue_beams(now, tf.where(is_given, each_row, rows))
        # 3. Write.
        newest = tf.where(is_given, _column(now.tokens, now.place), chosen)
        now = _write(now, newest, each_row)
        ended = now.ended | (~is_given & (newest == end_token_id))
        return (now._replace(ended=ended | (now.place + 1 >= loop.ends)),)

    def read_again(now):
        kept = limit // 2
        newest = tf.slice(now.tokens, (0, now.place - kept), (-1, kept))
        state = model.read_again(newest, now.state)
        return now._replace(position=tf.constant(kept), state=state)

    def up_to_the_limit(now):
        # A loop inside the loop: XLA copies the results of a branch. A branch
        # in every step would copy the whole state for each token.
        now = tf.cond(
            now.position == limit, lambda: read_again(now), lambda: now
        )
        return tf.while_loop(
            lambda now: goes_on(now) & (now.position < limit), step, (now,)
        )

    start = _Now(*(getattr(loop, name) for name in _Now._fields))
    (end,) = tf.while_loop(
        goes_on, step if limit is None else up_to_the_limit, (start,)
    )
    return dataclasses.replace(loop, **end._asdict())


def _read(model, now):
    """The model reads the token at `place`.

    Returns:
        Pair of float32 logits `(batch, vocabulary_size)` of the next token,
        and `_Now` at the next place.
    """
    token_ids = _column(now.tokens, now.place)  # (batch,)
    logits, state = model.extend(token_ids[:, None], now.state, now.position)
    is_read = tf.one_hot(token_ids, now.seen.shape[1], True, False)
    return tf.cast(logits[:, -1], "float32"), now._replace(
        place=now.place + 1,
        position=now.position + 1,
        state=state,
        seen=now.seen | is_read,  # (batch, vocabulary_size)
    )


def _choose_beams(now, logits, is_given, choice, end_token_id, num_beams):
    """Chooses the likeliest beams of each text.

    Returns:
        Triple of int32 tokens `(batch,)`, of the int32 rows `(batch,)` of the
        beams that they continue, and of `_Now` with their scores.
    """
    lengths = tf.where(is_given | now.ended, now.lengths, now.lengths + 1)
    chosen, rows, scores = best_beams(
        logits,
        now.scores,
        now.ended,
        end_token_id,
        num_beams,
        lengths,
        choice.length_penalty,
    )
    scores = tf.where(is_given, now.scores, scores)
    return chosen, rows, now._replace(scores=scores, lengths=lengths)


def _continue_beams(now, rows):
    """Gives each beam the past of the beam that it continues."""
    tokens, state, seen, ended, lengths = tf.nest.map_structure(
        lambda each: tf.gather(each, rows),
        (now.tokens, now.state, now.seen, now.ended, now.lengths),
    )
    return now._replace(
        tokens=tokens, state=state, seen=seen, ended=ended, lengths=lengths
    )


def _write(now, newest, each_row):
    """Writes a token `(batch,)` in each row, at `place`."""
    columns = tf.fill(tf.shape(each_row), now.place)
    places = tf.stack([each_row, columns], axis=1)  # (batch, 2)
    tokens = tf.tensor_scatter_nd_update(now.tokens, places, newest)
    return now._replace(tokens=tokens)


def _column(tensor, place):
    # (batch, room) -> (batch,)
    return tf.slice(tensor, (0, place), (-1, 1))[:, 0]
