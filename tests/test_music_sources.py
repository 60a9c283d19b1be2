import sys
import time

import numpy as np
import pytest
from test_music_score import random_score

from keras_genai import load_scores, write_midi
from keras_genai.data.music import Score, Scores, chorales, sources
from keras_genai.files import cache_folder

SCALE = [Score([[pitch]], f"note {pitch}") for pitch in range(40, 93)]


def pitches(scores):
    return {int(score.events[0, 0]) for score in scores.scores}


def test_pieces_are_split_by_tenths_and_always_the_same():
    splits = [
        load_scores(SCALE, split) for split in ("train", "validation", "test")
    ]
    assert [len(split.scores) for split in splits] == [43, 5, 5]
    assert set.union(*map(pitches, splits)) == set(range(40, 93))
    assert load_scores(SCALE, "test") == splits[2]
    assert [part.held_out for part in splits] == [False, True, True]
    both = load_scores(SCALE, "validation+test")
    assert both.scores == splits[1].scores + splits[2].scores
    assert load_scores(SCALE, "train[:5]").scores == splits[0].scores[:5]
    assert load_scores(SCALE, "train[:5]+test").held_out
    # Fixed for good, not only within a run.
    assert sorted(pitches(splits[2])) == [50, 51, 58, 63, 78]


def test_a_piece_that_is_there_twice_is_on_one_side():
    splits = [
        load_scores(SCALE * 3, split)
        for split in ("train", "validation", "test")
    ]
    assert sum(len(split.scores) for split in splits) == len(SCALE)


def test_its_text_names_source_count_length_and_digest():
    scores = load_scores([random_score(seed) for seed in range(5)])
    assert str(scores) == (
        f"scores/train: 5 scores, 200 steps, sha256 {scores.digest}"
    )
    assert len(scores) == 200 and scores.unit == "steps"
    other = load_scores([random_score(seed) for seed in range(6)])
    assert len(scores.digest) == 16 and other.digest != scores.digest
    assert load_scores(scores) is scores


def test_a_file_and_a_folder_of_midi(tmp_path):
    scores = [random_score(seed, num_voices=4) for seed in range(12)]
    (tmp_path / "more").mkdir()
    for number, score in enumerate(scores):
        folder = tmp_path / "more" if number % 2 else tmp_path
        write_midi(score, folder / f"{number}.{('mid', 'MIDI')[number % 2]}")
    write_midi(scores[0], tmp_path / "again.mid")
    (tmp_path / "notes.txt").write_text("no music")
    whole = load_scores(tmp_path, "train+validation+test")
    assert set(whole.scores) == set(scores) and len(whole.scores) == 12
    one = load_scores(str(tmp_path / "0.mid"))
    assert one.scores == (scores[0],) and one.scores[0].name == "0"
    melody = load_scores(tmp_path / "0.mid", num_voices=1)
    assert melody.scores[0].num_voices == 1

    (tmp_path / "broken.mid").write_bytes(b"MThd")
    with pytest.raises(ValueError, match=r"can be read: .*broken\.mid"):
        load_scores(tmp_path, "train+validation+test")


@pytest.mark.parametrize(
    ("source", "split", "message"),
    [
        ("beatles", "train", "Expected 'bach_chorales', a MIDI file"),
        (["bach_chorales"], "train", "list of `Score`s. Received: str"),
        ([], "train", "The split has no scores"),
        (SCALE[:9], "test", "of 9 pieces, split='test'"),
        (SCALE, "held_out", "There is no such split"),
    ],
)
def test_what_is_no_source_is_refused(source, split, message):
    with pytest.raises(ValueError, match=message):
        load_scores(source, split)


def test_a_folder_without_midi_is_refused(tmp_path):
    with pytest.raises(ValueError, match="of 0 pieces"):
        load_scores(tmp_path)


@pytest.fixture
def parsed(tmp_path, monkeypatch):
    """An empty cache, and the names that are parsed."""
    monkeypatch.setenv("KERAS_GENAI_CACHE", str(tmp_path))
    names, parse = [], chorales._parsed

    def count(name):
        names.append(name)
        return parse(name)

    monkeypatch.setattr(chorales, "_parsed", count)
    return names


def test_chorales_are_parsed_once(parsed):
    first = load_scores("bach_chorales", "validation[:5]")
    assert len(parsed) == 5 and 3 <= len(first.scores) <= 5
    assert {score.num_voices for score in first.scores} == {4}
    parsed.clear()
    started = time.perf_counter()
    assert load_scores("bach_chorales", "validation[:5]") == first
    assert time.perf_counter() - started < 2
    assert load_scores("bach_chorales", "validation[2:5]").scores
    assert not parsed


def test_a_broken_file_of_the_cache_is_parsed_again(parsed):
    first = load_scores("bach_chorales", "validation[:4]")
    files = sorted(cache_folder("bach_chorales").glob("*/*"))
    assert len(files) == 4
    assert {path.suffix for path in files} == {".npz"}  # nothing half-written
    names = sorted(parsed)
    parsed.clear()
    files[0].write_bytes(files[0].read_bytes()[:-30])
    files[1].write_bytes(b"")
    np.savez(files[2], events=np.full((3, 4), -9))
    assert load_scores("bach_chorales", "validation[:4]") == first
    assert parsed == [name for name in parsed if name in names[:3]]
    assert len(parsed) == 3
    parsed.clear()
    assert load_scores("bach_chorales", "validation[:4]") == first
    assert not parsed


def test_a_chorale_is_what_music21_says(parsed):
    import music21

    (score,) = chorales.read_chorales(["bwv269"])
    piece = music21.corpus.parse("bach/bwv269")
    assert len(score) == piece.highestTime * 4
    sounding = score.pitches()
    for voice, part in enumerate(piece.parts):
        notes = part.stripTies().flatten().notes
        assert score.onsets()[:, voice].sum() == len(notes)
        for note in notes:
            start = int(note.offset * 4)
            stop = start + int(note.quarterLength * 4)
            assert score.onsets()[start, voice]
            assert (sounding[start:stop, voice] == note.pitch.midi).all()


def test_pieces_in_other_than_four_parts_or_off_the_grid_are_left_out(parsed):
    # In six parts, and with a triplet.
    assert chorales.read_chorales(["bwv250", "bwv432"]) == []
    assert parsed == ["bwv250", "bwv432"]
    assert chorales.read_chorales(["bwv250", "bwv432"]) == []
    assert len(parsed) == 2  # that, too, is remembered


def test_every_chorale_is_there_once():
    names = chorales.chorale_names()
    assert len(names) == len(set(names)) == 347
    # bwv274 is bwv62.6 in another key, and so on.
    assert not {"bwv274", "bwv253", "bwv18.5-w"} & set(names)
    assert {"bwv62.6", "bwv414", "bwv18.5-l"} <= set(names)


def test_splits_of_the_chorales_have_no_piece_in_common(monkeypatch):
    def as_read(names):
        return [Score([[i % 128, i // 128]], n) for n, i in names.items()]

    places = {n: i for i, n in enumerate(chorales.chorale_names())}
    monkeypatch.setattr(
        sources,
        "read_chorales",
        lambda names: as_read({name: places[name] for name in names}),
    )
    splits = [
        {score.name for score in load_scores("bach_chorales", split).scores}
        for split in ("train", "validation", "test")
    ]
    assert [len(split) for split in splits] == [279, 34, 34]
    assert set.union(*splits) == set(places)


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(ImportError, match=r"pip install -e '\.\[music"):
        load_scores("bach_chorales")
    assert isinstance(load_scores(SCALE), Scores)
