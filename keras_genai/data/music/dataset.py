"""Scores -> windows of token ids and their targets, as `tf.data`."""

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_at_least_one, check_choice
from keras_genai.data.folders import print_once
from keras_genai.data.music.sources import (
    CHORALES,
    EVERYTHING,
    Scores,
    load_scores,
)
from keras_genai.data.music.tokenizer import MusicTokenizer
from keras_genai.data.windows import (
    padded_rows,
    random_windows,
    tiled_windows,
)


def music_dataset(
    source,
    split="train",
    tokenizer=None,
    sequence_length=160,
    batch_size=8,
    windows="random",
    transpose=None,
    steps_per_epoch=None,
    seed=None,
    offline=False,
    num_voices=None,
    skip_broken=False,
):
    """Feeds scores from any source as windows of token ids and their targets.

    The target of a token is the token after it, and the end token is before
    and after each piece. Every window begins with a group, or with the end
    token before the first group.

    Random windows depend only on (seed, epoch), as in `image_dataset`. Longer
    pieces are drawn more often. A piece is then moved to a random key in which
    each voice keeps its range. A window that reaches the end of a piece
    continues with the next one. Tiled windows hold one piece, or a part of it,
    in its own key.

    Args:
        source: A name, a path or scores, as for `load_scores`.
        split: String, a split with TFDS's slicing. Defaults to `"train"`.
        tokenizer: `MusicTokenizer`; held-out data need the one of the
            training data. `None` makes one from the ranges of the voices: for
            a file, a folder or a list in all splits, so that it can read the
            held-out pieces too; for the chorales and for `Scores` in this
            split.
        sequence_length: Integer >= the tokens of a group. Defaults to `160`.
        batch_size: Integer >= 1, windows of a batch. Defaults to `8`.
        windows: `"random"` (default) or `"tiled"`, each target once, in order.
        transpose: Boolean. Whether to move random windows of training data
            to other keys. `None` does so for these, and for no others.
        steps_per_epoch: Integer >= 1, batches of an epoch of random windows,
            or `None` for as many tokens as the scores have.
        seed: Integer, or `None` for one drawn at random.
        offline: Boolean, as for `load_scores`.
        num_voices: Integer >= 1, voices to read from MIDI files, or `None`
            for 4, as for `load_scores`.
        skip_broken: Boolean, as for `load_scores`.

    Returns:
        `tf.data.Dataset` of pairs of int32 tensors `(batch, sequence_length)`:
        token ids and targets. A target of -1 is ignored. The attributes
        `examples` and `tokenizer` hold the `Scores` and the `MusicTokenizer`.

    Raises:
        ImportError: As for `load_scores`.
        ValueError: If an argument is out of range, if `transpose` is true for
            held-out data or tiled windows, if a note is outside of the
            tokenizer's ranges, or as for `load_scores`.

    Example:
        >>> from keras_genai.data.music import Score
        >>> scale = Score([[60], [62], [64], [65]])
        >>> dataset = music_dataset([scale], sequence_length=8, windows="tiled")
        scores/train: 1 scores, 4 steps, sha256 ...
        >>> next(iter(dataset))[0].numpy()
        array([[24,  2,  8,  4,  8,  6,  8,  7],
               [ 7,  8, 24,  0,  0,  0,  0,  0]], dtype=int32)
    """
    check_at_least_one(
        sequence_length=sequence_length,
        batch_size=batch_size,
        steps_per_epoch=1 if steps_per_epoch is None else steps_per_epoch,
    )
    check_choice("windows", windows, ("random", "tiled"))
    if not (tokenizer is None or isinstance(tokenizer, MusicTokenizer)):
        raise ValueError(
            "Expected `tokenizer` to be a MusicTokenizer or None. "
            f"Received: tokenizer={tokenizer!r}"
        )

    def load(split):
        return load_scores(source, split, offline, num_voices, skip_broken)

    examples = load(split)
    can_transpose = windows == "random" and not examples.held_out
    if transpose and not can_transpose:
        raise ValueError(
            "Only random windows of training data can be transposed. Received: "
            f"transpose={transpose}, windows={windows!r}, {examples.source}"
        )
    print_once(str(examples))
    if tokenizer is None:
        # The range of a voice is known in advance, also for held-out pieces.
        known = isinstance(source, Scores) or source == CHORALES
        ranges = examples if known else load(EVERYTHING)
        tokenizer = MusicTokenizer.from_scores(ranges.scores)
    if sequence_length < tokenizer.group_size:
        raise ValueError(
            f"`sequence_length` must be {tokenizer.group_size} or more, the "
            f"tokens of a group. Received: sequence_length={sequence_length}"
        )

    if windows == "tiled":
        dataset = _tiled(examples, tokenizer, sequence_length, batch_size)
    else:
        dataset = _random(
            examples,
            tokenizer,
            sequence_length,
            batch_size,
            can_transpose if transpose is None else transpose,
            steps_per_epoch,
            seed,
        )
    dataset.examples, dataset.tokenizer = examples, tokenizer
    return dataset


def _tiled(examples, tokenizer, sequence_length, batch_size):
    group, end = tokenizer.group_size, tokenizer.end_token_id

    def cuts(length):
        # Windows begin where groups do; the end token is before the first.
        starts = [0]
        while starts[-1] + sequence_length < length - 1:
            furthest = starts[-1] + sequence_length - 1
            starts.append(1 + furthest // group * group)
        return starts

    pieces = (
        np.array([end, *tokenizer.encode(score), end], "int32")
        for score in examples.scores
    )
    stream, starts = padded_rows(pieces, sequence_length, cuts)
    return tiled_windows(stream, starts, sequence_length, batch_size)


def _random(
    examples,
    tokenizer,
    sequence_length,
    batch_size,
    transpose,
    steps_per_epoch,
    seed,
):
    """Makes random windows of a stream, a ring of all pieces in all their keys.

    A place in the pieces in their own key is drawn first, then a key.
    """
    end = np.array([tokenizer.end_token_id], "int32")
    copies, num_keys = [], []
    for score in examples.scores:
        shifts = tokenizer.transpositions(score) if transpose else range(1)
        num_keys.append(len(shifts))
        copies += [
            np.concatenate([end, tokenizer.encode(score.transpose(shift))])
            for shift in shifts
        ]
    first_key = np.cumsum(num_keys) - num_keys
    # In random order, so that a piece rarely follows itself in another key.
    order = np.random.default_rng(0).permutation(len(copies))
    lengths = np.array([len(copies[index]) for index in order])
    begins = np.zeros(len(copies), "int64")
    begins[order] = np.cumsum(lengths) - lengths
    stream = np.concatenate([copies[index] for index in order])
    stream = np.pad(stream, (0, sequence_length), mode="wrap")

    # Windows start at the end token before a piece, and at each group.
    places = [
        np.array([0, *range(1, len(copies[first]), tokenizer.group_size)])
        for first in first_key
    ]
    pieces = np.repeat(np.arange(len(places)), [len(p) for p in places])
    pieces, places, first_key, num_keys, begins = (
        tf.constant(each, "int64")
        for each in (
            pieces,
            np.concatenate(places),
            first_key,
            num_keys,
            begins,
        )
    )

    def draw(seed):
        chosen = tf.random.stateless_uniform(
            (batch_size, 2), seed, 0, 2**62, "int64"
        )
        place = chosen[:, 0] % tf.size(places, "int64")
        piece = tf.gather(pieces, place)
        key = chosen[:, 1] % tf.gather(num_keys, piece)
        begin = tf.gather(begins, tf.gather(first_key, piece) + key)
        return begin + tf.gather(places, place)

    num_tokens = sum(len(copies[int(first)]) for first in first_key)
    return random_windows(
        stream,
        draw,
        sequence_length,
        batch_size,
        steps_per_epoch or num_tokens // (batch_size * sequence_length),
        seed,
    )
