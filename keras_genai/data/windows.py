"""Streams of token ids -> windows and their targets, as `tf.data`."""

import itertools
import random

import numpy as np
import tensorflow as tf

from keras_genai.data.epochs import epoch_dataset

IGNORED = -1  # the target of what is not there: counted nowhere


def check_counts(**counts):
    """Refuses what is no integer above 0.

    Args:
        **counts: Values by the names of the arguments.

    Raises:
        ValueError: If one of them is none.
    """
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be an integer, 1 or more. "
                f"Received: {name}={value!r}"
            )


def check_choice(name, value, known):
    """Refuses what is not among the known values.

    Args:
        name: String, of the argument.
        value: String.
        known: Tuple of strings.

    Raises:
        ValueError: If it is not.
    """
    if value not in known:
        raise ValueError(
            f"Expected `{name}` among {', '.join(known)}. "
            f"Received: {name}={value!r}"
        )


def random_windows(
    stream, draw, sequence_length, batch_size, num_batches, seed
):
    """Makes windows that start where is drawn anew each epoch.

    Args:
        stream: Integer array or tensor `(tokens,)`, which no window leaves.
        draw: Function of the seed of a draw, an int64 tensor `(2,)`, to int64
            starts `(batch_size,)`.
        sequence_length: Integer, tokens of a window.
        batch_size: Integer, windows of a batch.
        num_batches: Integer, batches of an epoch; 0 counts as 1.
        seed: Integer, or `None` for one drawn at random.

    Returns:
        `tf.data.Dataset` of pairs of int32 tensors `(batch, sequence_length)`:
        token ids and targets.
    """
    if seed is None:
        seed = random.randrange(2**31)

    def starts(epoch, batch):
        return draw(
            tf.random.experimental.stateless_fold_in(
                tf.stack([tf.cast(seed, "int64"), epoch]), batch
            )
        )

    return _windows(stream, starts, sequence_length, max(1, num_batches))


def tiled_windows(stream, starts, sequence_length, batch_size):
    """Makes windows that start at given places, in order.

    Args:
        stream: Integer array or tensor `(tokens,)`; -1 where there is
            nothing to predict, as there is behind its end.
        starts: Integer array `(windows,)`.
        sequence_length: Integer, tokens of a window.
        batch_size: Integer, windows of a batch.

    Returns:
        `tf.data.Dataset`, as of `random_windows`.
    """
    num_batches = -(-len(starts) // batch_size)
    starts = tf.constant(starts, "int64")
    return _windows(
        stream,
        lambda epoch, batch: starts[batch * batch_size :][:batch_size],
        sequence_length,
        num_batches,
        beyond=True,
    )


def padded_rows(pieces, sequence_length, cuts):
    """Lays out pieces in rows of a window and its last target.

    Args:
        pieces: Iterable of int32 arrays `(tokens,)`, two tokens at least.
        sequence_length: Integer, tokens of a window.
        cuts: Function of a piece's number of tokens to where its windows
            start, the first at 0, none longer than `sequence_length`.

    Returns:
        Pair of an int32 stream, -1 in the room that is left in a row, and the
        starts of the rows.
    """
    rows = []
    for tokens in pieces:
        starts = [*cuts(len(tokens)), len(tokens) - 1]
        for start, stop in itertools.pairwise(starts):
            row = tokens[start : stop + 1]
            room = sequence_length + 1 - len(row)
            rows.append(np.pad(row, (0, room), constant_values=IGNORED))
    starts = np.arange(len(rows)) * (sequence_length + 1)
    return np.concatenate(rows), starts


def _windows(stream, starts, sequence_length, num_batches, beyond=False):
    """Windows from their starts; those `beyond` may leave the stream."""
    # Kept in integers as small as it comes in, and in a variable: a tensor
    # would be copied into the graph of each iterator.
    last = len(stream) - 1
    with tf.device("CPU"):
        stream = tf.Variable(stream, trainable=False)
    offsets = tf.range(sequence_length + 1, dtype="int64")

    def load_batch(epoch, batch):
        places = starts(epoch, batch)[:, None] + offsets
        tokens = tf.gather(
            stream, tf.minimum(places, last) if beyond else places
        )
        tokens = tf.cast(tokens, "int32")
        if beyond:
            tokens = tf.where(places > last, IGNORED, tokens)
        tokens = tf.ensure_shape(tokens, (None, sequence_length + 1))
        # What is ignored as a target is fed as anything.
        return tf.maximum(tokens[:, :-1], 0), tokens[:, 1:]

    return epoch_dataset(load_batch, num_batches)
