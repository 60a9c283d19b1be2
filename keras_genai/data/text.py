"""Texts -> windows of token ids and their targets, as `tf.data`."""

import numpy as np
import tensorflow as tf

from keras_genai.data.corpora import load_text
from keras_genai.data.tokenizers import (
    BytePairTokenizer,
    CharacterTokenizer,
    Tokenizer,
)
from keras_genai.data.windows import (
    announce,
    check_choice,
    check_counts,
    padded_rows,
    random_windows,
    tiled_windows,
)


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
    check_counts(
        sequence_length=sequence_length,
        batch_size=batch_size,
        steps_per_epoch=1 if steps_per_epoch is None else steps_per_epoch,
    )
    check_choice("windows", windows, ("random", "tiled"))
    check_choice("documents", documents, ("pack", "pad"))
    corpus = load_text(source, split, offline)
    announce(corpus)
    tokenizer = _tokenizer(tokenizer, corpus)

    if len(corpus.texts) > 1 and documents == "pad":
        stream, starts = _padded(corpus, tokenizer, sequence_length)
    else:
        stream, starts = _packed(corpus, tokenizer, sequence_length, windows)
    if windows == "tiled":
        dataset = tiled_windows(stream, starts, sequence_length, batch_size)
    else:
        places = tf.constant(starts, "int64")

        def draw(seed):
            chosen = tf.random.stateless_uniform(
                (batch_size,), seed, 0, len(starts), "int64"
            )
            return tf.gather(places, chosen)

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
    end = tokenizer.end_token_id
    return padded_rows(
        (
            np.array([end, *tokenizer.encode(text), end], "int32")
            for text in corpus.texts
        ),
        sequence_length,
        lambda length: range(0, length - 1, sequence_length),
    )
