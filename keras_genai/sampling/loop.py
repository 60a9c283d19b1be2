"""Tokens, one after another: the loop of text, music and pixels."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_genai.sampling.choice import best_beams, next_tokens

_BLOCK = 64  # draws of a row at once


@dataclasses.dataclass
class Loop:
    """Where a generation stands.

    Attributes:
        tokens: Int32 tensor `(batch, room)`: what was given, and what was made.
        given: Boolean tensor `(batch, room)`: tokens that were there from the
            first, and are read as they are; of a prompt, those on the left.
        ends: Int32 tensor `(batch,)`, the place where each text ends at last.
        place: Int32 scalar tensor, the place of the token to read next.
        position: Int32 scalar tensor, tokens that the state has room for and
            holds already.
        state: Nested tensors of the model, batch first.
        uniform: Float tensor `(room, batch)`, one number in [0, 1) a draw.
            They are drawn before the loop, because the same seed draws others
            where XLA compiles it; and each row has its own, whatever stands
            beside it.
        seen: Boolean tensor `(batch, vocabulary_size)`, tokens read so far.
        ended: Boolean tensor `(batch,)`, whether nothing more is made.
        scores: Float tensor `(batch,)`, log-probability of what was made, if
            beams are searched.
        lengths: Int32 tensor `(batch,)`, tokens that were made, the end
            included, if beams are searched.
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
        model: What has `initial_state` and `vocabulary_size`.
        tokens: Int32 tensor `(batch, room)`, prompts from the left on; with
            beams each of them `num_beams` times.
        given: Boolean tensor `(batch, room)`, which tokens are there. The
            first of each row must be.
        max_new_tokens: Integer, or integer scalar tensor.
        seed: Integer, or integer scalar tensor.
        num_beams: Integer >= 1.
        state: What the model knows before the first token, or `None` for its
            `initial_state`.
        padding: Integer, how many of the last rows nobody asked for.

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
        # All beams of a text begin alike, and one of them is enough.
        scores=tf.where(first, 0.0, -np.inf),
        lengths=tf.zeros((batch_size,), "int32"),
    )


_SCALARS = [tf.TensorSpec((), dtype) for dtype in ("int32", "int32", "int64")]


@tf.function(input_signature=_SCALARS, autograph=False)
def _draws(room, batch_size, seed):
    """Numbers in [0, 1) `(room, batch)`: more rows or room change none."""

    def block(number):
        # Row after row, so that those of more rows come behind.
        shape = batch_size, _BLOCK
        return tf.random.stateless_uniform(shape, (seed, number))

    # Numbers 0 and 1 are those of `seeded_noise` and `seeded_labels`.
    numbers = tf.range(2, 3 + (room - 1) // _BLOCK)
    numbers = tf.cast(numbers, "int64")
    blocks = tf.map_fn(block, numbers, fn_output_signature="float32")
    blocks = tf.transpose(blocks, (0, 2, 1))  # (blocks, _BLOCK, batch)
    return tf.reshape(blocks, (-1, batch_size))[:room]


def lay_out(prompts, max_new_tokens):
    """Lays prompts out beside one another, with room for what will be made.

    Args:
        prompts: List of int32 arrays, none empty.
        max_new_tokens: Integer >= 0.

    Returns:
        Pair of tensors `(batch, room)`, where the room is a power of two, so
        that few shapes are compiled: int32 tokens, and booleans, which of
        them are given.
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


def run_loop(model, loop, until, choice, end_token_id=-1, num_beams=1):
    """Reads token after token, and writes the next where there is none yet.

    Prompts of different lengths go through together: each is read up to its
    end and then gone on from; and so do rows of which tokens are given here
    and there. When the model can look back no further, it reads the newer half
    of what it held again, and the loop goes on. It stops early when all texts
    have ended.

    Args:
        model: What has `initial_state`, `extend` and `max_sequence_length`,
            and where that is no `None`, `read_again`.
        loop: `Loop`.
        until: Integer scalar tensor, the place before which to stop; all
            tokens before it are there then.
        choice: `Choice`, how a token is drawn where `num_beams` is 1, and how
            beams are ranked where there are more.
        end_token_id: Integer, what ends a text; -1 for nothing.
        num_beams: Integer >= 1. Of more, the likeliest are kept and nothing is
            drawn.

    Returns:
        `Loop`.
    """
    limit = model.max_sequence_length
    batch_size = loop.tokens.shape[0] or tf.shape(loop.tokens)[0]
    room = loop.tokens.shape[1]
    if limit is not None and room is not None and room <= limit:
        limit = None  # which cannot be reached
    each_row = tf.range(batch_size)

    def goes_on(place, position, tokens, state, seen, ended, *_):
        return (place + 1 < until) & ~tf.reduce_all(ended)

    def step(place, position, tokens, state, seen, ended, scores, lengths):
        token_ids = tf.slice(tokens, (0, place), (-1, 1))
        logits, state = model.extend(token_ids, state, position)
        logits = tf.cast(logits[:, -1], "float32")
        seen = seen | tf.one_hot(token_ids[:, 0], seen.shape[1], True, False)
        place += 1
        there = tf.slice(tokens, (0, place), (-1, 1))[:, 0]
        given = tf.slice(loop.given, (0, place), (-1, 1))[:, 0]
        if num_beams == 1:
            uniform = tf.slice(loop.uniform, (place, 0), (1, -1))[0]
            made = next_tokens(logits, uniform, choice, seen)
        else:
            lengths = tf.where(given | ended, lengths, lengths + 1)
            made, rows, totals = best_beams(
                logits,
                scores,
                ended,
                end_token_id,
                num_beams,
                lengths,
                choice.length_penalty,
            )
            scores = tf.where(given, scores, totals)
            rows = tf.where(given, each_row, rows)
            tokens, state, seen, ended, lengths = tf.nest.map_structure(
                lambda each: tf.gather(each, rows),
                (tokens, state, seen, ended, lengths),
            )
        newest = tf.where(given, there, made)
        tokens = tf.tensor_scatter_nd_update(
            tokens,
            tf.stack([each_row, tf.fill((batch_size,), place)], axis=1),
            newest,
        )
        ended |= ~given & (newest == end_token_id)
        ended |= place + 1 >= loop.ends
        position += 1
        return place, position, tokens, state, seen, ended, scores, lengths

    def read_again(place, position, tokens, state, *rest):
        kept = limit // 2
        newest = tf.slice(tokens, (0, place - kept), (-1, kept))
        state = model.read_again(newest, state)
        return place, tf.constant(kept), tokens, state, *rest

    def up_to_the_limit(*values):
        # A loop in a loop: XLA copies what a branch returns, and would copy
        # the whole state at each token.
        values = tf.cond(
            values[1] == limit,
            lambda: read_again(*values),
            lambda: values,
        )
        return tf.while_loop(
            lambda *now: goes_on(*now) & (now[1] < limit), step, values
        )

    names = (
        *("place", "position", "tokens", "state"),
        *("seen", "ended", "scores", "lengths"),
    )
    values = tf.while_loop(
        goes_on,
        step if limit is None else up_to_the_limit,
        tuple(getattr(loop, name) for name in names),
    )
    return dataclasses.replace(loop, **dict(zip(names, values, strict=True)))
