"""Streams of token ids -> windows and their targets, as `tf.data`."""

import itertools
import random

import numpy as np
import tensorflow as tf

from keras_genai.data.epochs import epoch_dataset

IGNORED = -1  # the target at a place without a token: losses ignore it


def random_windows(
    stream, draw, sequence_length, batch_size, num_batches, seed
):
    """Makes windows that start at random places, new ones each epoch.

    Args:
        stream: Integer array or tensor `(tokens,)`. No window reaches beyond
            its end.
        draw: Function of a seed, an int64 tensor `(2,)`, that returns int64
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
        stream: Integer array or tensor `(tokens,)`. Targets of -1 are not
            predicted; the part of a window beyond the end has such targets
            too.
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
    """Lays out pieces in rows, each a window and its last target.

    Args:
        pieces: Iterable of int32 arrays `(tokens,)`, of at least two tokens.
        sequence_length: Integer, tokens of a window.
        cuts: Function of a piece's number of tokens that returns the places
            where its windows start. The first is 0, and none is longer than
            `sequence_length`.

    Returns:
        Pair of an int32 stream, with -1 in the empty room of a row, and the
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
    """Makes windows from their starts; `beyond` lets them pass the end."""
    # A variable, in the stream's own small integers: a tensor would be copied
    # into the graph of each iterator.
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
        # The model reads 0 where there is no token.
        return tf.maximum(tokens[:, :-1], 0), tokens[:, 1:]

    return epoch_dataset(load_batch, num_batches)
