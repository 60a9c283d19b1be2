import itertools

import numpy as np
import pytest
from test_music_score import random_score

from keras_genai import MusicTokenizer, load_scores, music_dataset
from keras_genai.data.music import Score

PIECES = [random_score(seed, 20 + 5 * seed, num_voices=2) for seed in range(10)]
TRAIN = load_scores(PIECES).scores
WIDE = MusicTokenizer([30, 30], [90, 90])
WIDE_OF_THREE = MusicTokenizer([30] * 3, [90] * 3)
END = WIDE.end_token_id


def windows_of(dataset):
    batches = [
        (token_ids.numpy(), targets.numpy()) for token_ids, targets in dataset
    ]
    return [np.concatenate(part) for part in zip(*batches, strict=True)]


def pieces_of(dataset):
    """The pieces of tiled windows, each of one row of targets or more."""
    rows = []
    for token_ids, targets in zip(*windows_of(dataset), strict=True):
        targets = targets[targets >= 0]
        if token_ids[0] == dataset.tokenizer.end_token_id:
            rows.append([])
        rows[-1].extend(targets.tolist())
    return rows


@pytest.mark.parametrize("sequence_length", [3, 7, 8, 9, 50, 500])
def test_tiles_have_each_target_once_and_one_piece_each(sequence_length):
    dataset = music_dataset(
        PIECES,
        tokenizer=WIDE,
        sequence_length=sequence_length,
        batch_size=4,
        windows="tiled",
    )
    assert pieces_of(dataset) == [[*WIDE.encode(score), END] for score in TRAIN]
    token_ids, targets = windows_of(dataset)
    assert token_ids.shape == targets.shape
    assert token_ids.shape[1] == sequence_length and token_ids.min() == 0
    # A target is the token after, up to where the rest is ignored.
    there = targets[:, :-1] >= 0
    follows = there[:, :] & (targets[:, 1:] >= 0)
    assert (token_ids[:, 1:][follows] == targets[:, :-1][follows]).all()
    # Each begins with the end token, or with a group: one of its first notes.
    assert (WIDE.slots[0][token_ids[:, 0]]).all()
    assert ((targets >= 0).sum(axis=1) > 0).all()
    assert (np.diff(targets < 0, axis=1).sum(axis=1) <= 1).all()
    assert len(dataset) == -(-len(token_ids) // 4)


def test_random_windows_are_shifted_by_one_and_begin_with_a_group():
    dataset = music_dataset(
        PIECES, tokenizer=WIDE, sequence_length=31, batch_size=4, seed=0
    )
    token_ids, targets = windows_of(dataset)
    assert targets.min() >= 0 and token_ids.shape[1] == 31
    np.testing.assert_array_equal(token_ids[:, 1:], targets[:, :-1])
    for row in np.concatenate([token_ids, targets[:, -1:]], axis=1):
        slot = 0
        for token in row:
            assert WIDE.slots[slot, token]
            slot = 0 if token == END else (slot + 1) % 3
    assert (token_ids[:, 0] == END).any() and (token_ids[:, 0] != END).any()


def test_random_windows_hold_pieces_in_the_keys_they_can_have():
    narrow = MusicTokenizer([51, 38], [66, 53])
    dataset = music_dataset(
        PIECES,
        tokenizer=narrow,
        sequence_length=250,
        batch_size=8,
        steps_per_epoch=60,
        seed=0,
    )
    seen = {}
    possible = {
        tuple(narrow.encode(score.transpose(shift))): (place, shift)
        for place, score in enumerate(TRAIN)
        for shift in narrow.transpositions(score)
    }
    for row in windows_of(dataset)[0]:
        ends = np.flatnonzero(row == narrow.end_token_id)
        for start, stop in itertools.pairwise(ends):
            place, shift = possible[tuple(row[start + 1 : stop])]
            seen.setdefault(place, set()).add(shift)
    for place, score in enumerate(TRAIN):
        assert seen[place] == set(narrow.transpositions(score))
    assert sum(map(len, seen.values())) > 2 * len(TRAIN)


def test_a_piece_weighs_what_its_length_does_and_not_its_keys():
    # Only the first of two pieces as long as each other can be transposed.
    short, wide = Score([[50]] * 8), Score([[40], [67]] * 4)
    tokenizer = MusicTokenizer([40], [67])
    assert len(tokenizer.transpositions(short)) == 12
    assert len(tokenizer.transpositions(wide)) == 1
    dataset = music_dataset(
        [short, wide],
        tokenizer=tokenizer,
        sequence_length=2,
        batch_size=100,
        steps_per_epoch=40,
        seed=0,
    )
    notes = windows_of(dataset)[0]
    notes = notes[notes[:, 0] != tokenizer.end_token_id][:, 0]
    is_wide = np.isin(notes, [tokenizer.note_id(0, p) for p in (40, 67)])
    assert is_wide.mean() == pytest.approx(0.5, abs=0.03)
    pitches, counts = np.unique(notes[~is_wide], return_counts=True)
    assert (pitches - 2 + 40).tolist() == list(range(44, 56))
    assert counts.min() > 0.7 * counts.mean()


@pytest.mark.parametrize("split", ["validation", "test", "train[:3]+test"])
def test_held_out_data_are_never_transposed(split):
    arguments = {"tokenizer": WIDE, "sequence_length": 200, "seed": 0}
    dataset = music_dataset(PIECES, split, steps_per_epoch=20, **arguments)
    heard = {tuple(WIDE.encode(score)) for score in dataset.examples.scores}
    for row in windows_of(dataset)[0]:
        ends = np.flatnonzero(row == END)
        for start, stop in itertools.pairwise(ends):
            assert tuple(row[start + 1 : stop]) in heard
    # Nor when they are handed over as what `load_scores` gave.
    for source in (PIECES, load_scores(PIECES, split)):
        with pytest.raises(ValueError, match="Only random windows of training"):
            music_dataset(source, split, transpose=True, **arguments)


def test_transposing_can_be_refused_and_is_for_tiles():
    dataset = music_dataset(
        PIECES, tokenizer=WIDE, transpose=False, sequence_length=9, seed=1
    )
    written = {
        tuple(group)
        for score in TRAIN
        for group in WIDE.encode(score).reshape(-1, 3).tolist()
    }
    for row in windows_of(dataset)[0]:
        if END not in row:
            assert {tuple(g) for g in row.reshape(-1, 3).tolist()} <= written
    with pytest.raises(ValueError, match="Only random windows of training"):
        music_dataset(PIECES, windows="tiled", transpose=True)


def test_windows_depend_on_seed_and_epoch_alone():
    def epochs(seed, start=0):
        dataset = music_dataset(
            PIECES, sequence_length=10, batch_size=2, seed=seed
        )
        dataset.set_epoch(start)
        return [windows_of(dataset)[0] for _ in range(2)]

    first, second = epochs(0)
    np.testing.assert_array_equal(epochs(0)[0], first)
    np.testing.assert_array_equal(epochs(0, start=1)[0], second)
    assert (first != second).any()
    assert (first != epochs(1)[0]).any()


def test_an_epoch_has_as_many_tokens_as_the_scores_or_steps_as_asked():
    count = sum(len(WIDE.encode(score)) + 1 for score in TRAIN)
    dataset = music_dataset(
        PIECES, tokenizer=WIDE, sequence_length=10, batch_size=4
    )
    assert len(dataset) == count // 40
    assert len(music_dataset(PIECES, sequence_length=10_000)) == 1
    dataset = music_dataset(PIECES, steps_per_epoch=3, sequence_length=5)
    assert len(dataset) == len(list(dataset)) == 3


def test_the_data_and_their_tokenizer_come_along(capsys):
    scores = [random_score(seed, 33) for seed in range(3)]
    dataset = music_dataset(scores)
    assert capsys.readouterr().out == f"{dataset.examples}\n"
    assert dataset.examples.scores == load_scores(scores).scores
    made = MusicTokenizer.from_scores(scores)
    assert dataset.tokenizer.get_config() == made.get_config()
    assert dataset.element_spec[0].shape.as_list() == [8, 160]
    again = music_dataset(scores, tokenizer=WIDE_OF_THREE)
    assert again.tokenizer is WIDE_OF_THREE
    assert capsys.readouterr().out == ""


def test_training_and_generation_read_scores_by_one_encoder():
    class OneHigher(MusicTokenizer):
        """Whose notes all are those a semitone above."""

        def events_to_ids(self, events):
            ids = super().events_to_ids(events)
            return np.where(ids > 1, ids + 1, ids)

    tokenizer, score = OneHigher([30, 30], [90, 90]), PIECES[0]
    prompt = tokenizer.encode(score)  # what a model is asked to go on from
    assert (prompt != WIDE.encode(score)).any()
    for windows in ("tiled", "random"):
        dataset = music_dataset(
            [score],
            tokenizer=tokenizer,
            windows=windows,
            sequence_length=len(prompt) + 1,
            batch_size=200,
            transpose=False,
            seed=0,
        )
        token_ids = windows_of(dataset)[0]
        whole = token_ids[token_ids[:, 0] == END]
        assert len(whole)
        assert (whole == [END, *prompt]).all()
    # And what it is told to keep to, as `harmonize` asks.
    given = tokenizer.events_to_ids(score.events)
    groups = prompt.reshape(-1, tokenizer.group_size)
    starts = np.cumsum(tokenizer.steps_per_token[groups[:, -1]]).astype(int)
    np.testing.assert_array_equal(given[[0, *starts[:-1]]], groups[:, :-1])
