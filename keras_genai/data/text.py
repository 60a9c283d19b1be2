"""Texts -> windows of token ids and their targets, as `tf.data`."""

import itertools

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_at_least_one, check_choice
from keras_genai.data.corpora import load_text
from keras_genai.data.folders import print_once
from keras_genai.data.reading import EmptySplitError
from keras_genai.data.tokenizers import (
    BytePairTokenizer,
    CharacterTokenizer,
    Tokenizer,
    encode_parts,
)
from keras_genai.data.windows import (
    padded_rows,
    random_windows,
    tiled_windows,
)

_PART = 2**16  # tokens
_NONE = np.zeros(0, "int8")


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
    skip_broken=False,
):
    """Feeds text from any source as windows of token ids and their targets.

    The target of a token is the token after it. Random windows start at places
    that depend only on (seed, epoch), as in `image_dataset`. Tiled windows
    cover the text in order, so that each target is there once.

    Args:
        source: A name, a path or a text, as for `load_text`.
        split: String, a split with TFDS's slicing. Defaults to `"train"`.
        tokenizer: `"character"` (the characters of the split), `"byte"`, or
            a `Tokenizer`. Held-out data need the tokenizer of the training
            data.
        sequence_length: Integer >= 1, tokens of a window. Defaults to `64`.
        batch_size: Integer >= 1, windows of a batch. Defaults to `64`.
        windows: `"random"` (default) or `"tiled"`.
        documents: How several documents are laid out. `"pack"` (default):
            one after another, with the end token before, between and after
            them. `"pad"`: a window holds one document or a piece of one, and
            the rest of the window is ignored.
        steps_per_epoch: Integer >= 1, batches of an epoch of random windows,
            or `None` for as many tokens as the text has.
        seed: Integer, or `None` for one drawn at random.
        offline: Boolean. Whether to use no network.
        skip_broken: Boolean, as for `load_text`.

    Returns:
        `tf.data.Dataset` of pairs of int32 tensors `(batch, sequence_length)`:
        token ids and targets. A target of -1 is ignored. The attributes
        `examples` and `tokenizer` hold the `Corpus` and the `Tokenizer`.

    Raises:
        ValueError: If an argument is out of range, if the text is shorter
            than a random window and its last target, or than two tokens, or
            as for `load_text`.
        ConnectionError: As for `load_text`.

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
    check_at_least_one(
        sequence_length=sequence_length,
        batch_size=batch_size,
        steps_per_epoch=1 if steps_per_epoch is None else steps_per_epoch,
    )
    check_choice("windows", windows, ("random", "tiled"))
    check_choice("documents", documents, ("pack", "pad"))
    corpus = load_text(source, split, offline, skip_broken)
    print_once(str(corpus))
    tokenizer = _tokenizer(tokenizer, corpus)

    if len(corpus.texts) > 1 and documents == "pad":
        stream, starts = _padded(corpus, tokenizer, sequence_length)
    else:
        stream, starts = _packed(corpus, tokenizer, sequence_length, windows)
    if windows == "tiled":
        dataset = tiled_windows(stream, starts, sequence_length, batch_size)
    else:
        places = None  # a window can start anywhere
        if not isinstance(starts, range):
            places = tf.constant(starts, "int64")

        def draw(seed):
            chosen = tf.random.stateless_uniform(
                (batch_size,), seed, 0, len(starts), "int64"
            )
            return chosen if places is None else tf.gather(places, chosen)

        dataset = random_windows(
            stream,
            draw,
            sequence_length,
            batch_size,
            steps_per_epoch or len(stream) // (batch_size * sequence_length),
            seed,
        )
    dataset.examples, dataset.tokenizer = corpus, tokenizer
    return dataset


def _tokenizer(tokenizer, corpus):
    if isinstance(tokenizer, Tokenizer):
        return tokenizer
    if tokenizer == "character":
        return CharacterTokenizer.from_text(set().union(*corpus.texts))
    if tokenizer == "byte":
        return BytePairTokenizer()
    raise ValueError(
        "Expected `tokenizer` to be 'character', 'byte' or a Tokenizer. "
        f"Received: tokenizer={tokenizer!r}"
    )


def _packed(corpus, tokenizer, sequence_length, windows):
    """Returns all tokens in one stream, and the places where windows start."""
    end = np.array([tokenizer.end_token_id], "int32")
    ends = [end] if len(corpus.texts) > 1 else []
    pieces = itertools.chain(
        ends,
        *(
            itertools.chain(encode_parts(tokenizer, text), ends)
            for text in corpus.texts
        ),
    )
    stream = _joined(pieces, tokenizer.vocabulary_size)
    # The last tile may be short, also if it is the only one.
    if windows == "tiled" and len(stream) < 2:
        raise EmptySplitError(
            "Expected 2 tokens or more: one and its target. "
            f"Received: {len(stream)} in {corpus.source}"
        )
    if windows == "random" and len(stream) <= sequence_length:
        raise ValueError(
            f"Expected {sequence_length + 1} tokens or more: a window and its "
            "last target. Give a longer text, or a smaller `sequence_length` "
            "(--sequence-length on the command line). Received: "
            f"sequence_length={sequence_length}, {len(stream)} tokens in "
            f"{corpus.source}"
        )
    if windows == "random":
        return stream, range(len(stream) - sequence_length)
    return stream, np.arange(0, len(stream) - 1, sequence_length)


def _joined(pieces, vocabulary_size):
    """Joins all ids in one tensor; they are in memory at most twice."""
    # The smallest integers that hold every id and -1.
    dtype = np.min_scalar_type(-vocabulary_size)
    parts, waiting, size = [], [], 0
    with tf.device("CPU"):
        for piece in pieces:
            waiting.append(piece.astype(dtype))
            size += len(piece)
            if size >= _PART:
                parts.append(tf.constant(np.concatenate(waiting)))
                waiting, size = [], 0
        parts.append(
            tf.constant(np.concatenate([*waiting, _NONE], dtype=dtype))
        )
        return tf.concat(parts, axis=0)


def _padded(corpus, tokenizer, sequence_length):
    """Returns rows of one document or a piece each, and where they start."""
    end = tokenizer.end_token_id
    return padded_rows(
        (
            np.array([end, *tokenizer.encode(text), end], "int32")
            for text in corpus.texts
        ),
        sequence_length,
        lambda length: range(0, length - 1, sequence_length),
    )
