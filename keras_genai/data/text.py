"""Texts -> windows of token ids and their targets, as `tf.data`."""

import random

import numpy as np
import tensorflow as tf

from keras_genai.data.corpora import load_text
from keras_genai.data.epochs import epoch_dataset
from keras_genai.data.tokenizers import (
    BytePairTokenizer,
    CharacterTokenizer,
    Tokenizer,
)

IGNORED = -1  # the target of what is not there: counted nowhere

_announced = set()


def text_dataset(
    source,
    split="train",
    tokenizer="character",
    sequence_length=64,
    batch_size=64,
    windows="random",
    documents="pack",
    steps_per_epoch=None,
    seed=None,
    offline=False,
):
    """Feeds text from any source as windows of token ids and their targets.

    The target of a token is the token after it. Windows are drawn at random
    places, which depend on (seed, epoch) alone as in `image_dataset`; or they
    tile the text, so that each target is there once.

    Args:
        source: A name, a path or a text, as for `load_text`.
        split: String, a split with TFDS's slicing. Defaults to `"train"`.
        tokenizer: `"character"` (those of the split), `"byte"`, or
            a `Tokenizer`, which held-out data need: that of the training.
        sequence_length: Integer >= 1, tokens of a window. Defaults to `64`.
        batch_size: Integer >= 1, windows of a batch. Defaults to `64`.
        windows: `"random"` (default) or `"tiled"`.
        documents: What becomes of many documents. `"pack"` (default): one
            after another, the end token before, between and after them.
            `"pad"`: a window holds one document, or a piece of one, and what
            is left of it is ignored.
        steps_per_epoch: Integer >= 1, batches of an epoch of random windows,
            or `None` for as many tokens as the text has.
        seed: Integer, or `None` for one drawn at random.
        offline: Boolean. Whether the network is left alone.

    Returns:
        `tf.data.Dataset` of pairs of int32 tensors `(batch, sequence_length)`:
        token ids, and targets, which are -1 where there is nothing to
        predict. Its attributes `examples` and `tokenizer` hold the `Corpus`
        and the `Tokenizer`.

    Raises:
        ValueError: If an argument is out of its range, if the text is shorter
            than a random window and its last target, or than two tokens, or
            as `load_text`.
        ConnectionError: As `load_text`.

    Example:
        >>> counting = "0123456789\\n" * 10
        >>> dataset = text_dataset(
        ...     counting, sequence_length=4, batch_size=2, windows="tiled"
        ... )
        text/train: 99 characters, sha256 ...
        >>> token_ids, targets = next(iter(dataset))
        >>> targets[0].numpy() - token_ids[0].numpy()
        array([1, 1, 1, 1], dtype=int32)
    """
    for name, value in {
        "sequence_length": sequence_length,
        "batch_size": batch_size,
        "steps_per_epoch": 1 if steps_per_epoch is None else steps_per_epoch,
    }.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be an integer, 1 or more. "
                f"Received: {name}={value!r}"
            )
    for name, value, known in (
        ("windows", windows, ("random", "tiled")),
        ("documents", documents, ("pack", "pad")),
    ):
        if value not in known:
            raise ValueError(
                f"Expected `{name}` among {', '.join(known)}. "
                f"Received: {name}={value!r}"
            )
    corpus = load_text(source, split, offline)
    if str(corpus) not in _announced:
        _announced.add(str(corpus))
        print(corpus)
    tokenizer = _tokenizer(tokenizer, corpus)
    if seed is None:
        seed = random.randrange(2**31)

    if len(corpus.texts) > 1 and documents == "pad":
        stream, starts = _padded(corpus, tokenizer, sequence_length)
    else:
        stream, starts = _packed(corpus, tokenizer, sequence_length, windows)
    num_batches = -(-len(starts) // batch_size)
    if windows == "random":
        num_batches = steps_per_epoch or max(
            1, len(stream) // (batch_size * sequence_length)
        )
    # The last of tiled windows may reach beyond the text.
    stream = np.pad(stream, (0, sequence_length), constant_values=IGNORED)
    stream, starts = tf.constant(stream), tf.constant(starts, "int64")
    offsets = tf.range(sequence_length + 1, dtype="int64")

    def load_batch(epoch, batch):
        if windows == "tiled":
            chosen = starts[batch * batch_size :][:batch_size]
        else:
            draw = tf.random.experimental.stateless_fold_in(
                tf.stack([tf.cast(seed, "int64"), epoch]), batch
            )
            chosen = tf.gather(
                starts,
                tf.random.stateless_uniform(
                    (batch_size,), draw, 0, len(starts), "int64"
                ),
            )
        tokens = tf.gather(stream, chosen[:, None] + offsets)
        tokens = tf.ensure_shape(tokens, (None, sequence_length + 1))
        # What is ignored as a target is fed as anything.
        return tf.maximum(tokens[:, :-1], 0), tokens[:, 1:]

    dataset = epoch_dataset(load_batch, num_batches)
    dataset.examples, dataset.tokenizer = corpus, tokenizer
    return dataset


def _tokenizer(tokenizer, corpus):
    if isinstance(tokenizer, Tokenizer):
        return tokenizer
    if tokenizer == "character":
        return CharacterTokenizer.from_text("".join(corpus.texts))
    if tokenizer == "byte":
        return BytePairTokenizer()
    raise ValueError(
        "Expected `tokenizer` to be 'character', 'byte' or a Tokenizer. "
        f"Received: tokenizer={tokenizer!r}"
    )


def _packed(corpus, tokenizer, sequence_length, windows):
    """All tokens in a row, and where windows may start."""
    pieces = [tokenizer.encode(text) for text in corpus.texts]
    if len(pieces) > 1:
        end = np.array([tokenizer.end_token_id], "int32")
        pieces = [end, *(part for piece in pieces for part in (piece, end))]
    stream = np.concatenate(pieces)
    # A last tile may be short, and so may the only one.
    least = 2 if windows == "tiled" else sequence_length + 1
    if len(stream) < least:
        raise ValueError(
            f"Expected {least} tokens or more, a window and its last target. "
            f"Received: {len(stream)} in {corpus.source}"
        )
    if windows == "random":
        return stream, np.arange(len(stream) - sequence_length)
    return stream, np.arange(0, len(stream) - 1, sequence_length)


def _padded(corpus, tokenizer, sequence_length):
    """Rows of one document, or a piece, each; and where the rows start."""
    end, rows = tokenizer.end_token_id, []
    for text in corpus.texts:
        tokens = np.array([end, *tokenizer.encode(text), end], "int32")
        for start in range(0, len(tokens) - 1, sequence_length):
            piece = tokens[start : start + sequence_length + 1]
            room = sequence_length + 1 - len(piece)
            rows.append(np.pad(piece, (0, room), constant_values=IGNORED))
    starts = np.arange(len(rows)) * (sequence_length + 1)
    return np.concatenate(rows), starts
