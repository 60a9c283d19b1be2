import io

import music21
import numpy as np
import pytest
import tensorflow as tf
from mido import MidiFile
from pretty_midi import PrettyMIDI
from test_music_score import notes_of, random_score

from keras_genai import MusicTokenizer, load_scores, load_tokenizer
from keras_genai.data.music import FREE, HOLD, REST, Score, midi_bytes

TOKENIZER = MusicTokenizer([64, 52, 40], [75, 63, 51], max_time=4)
END = TOKENIZER.end_token_id


def test_ids_of_a_score_that_is_written_out():
    tokenizer = MusicTokenizer(lowest=[60, 48], highest=[61, 50], max_time=3)
    # hold 0, rest 1, notes 2 3 and 4 5 6, times 7 8 9, end 10
    score = Score([[61, 48], [HOLD, REST], *[[HOLD, HOLD]] * 4, [60, 50]])
    ids = [3, 4, 7, 0, 1, 9, 0, 0, 8, 2, 6, 7]
    assert tokenizer.encode(score).tolist() == ids
    assert tokenizer.encode(score).dtype == np.int32
    assert tokenizer.vocabulary_size == 11 and tokenizer.end_token_id == 10
    assert tokenizer.group_size == 3 and tokenizer.num_voices == 2
    assert [tokenizer.note_id(1, pitch) for pitch in (48, 50)] == [4, 6]
    assert tokenizer.steps_per_token.tolist() == [0] * 7 + [1, 2, 3, 0]
    assert [np.flatnonzero(slot).tolist() for slot in tokenizer.slots] == [
        [0, 1, 2, 3, 10],
        [0, 1, 4, 5, 6],
        [7, 8, 9],
    ]


@pytest.mark.parametrize("max_time", [1, 4, 16])
@pytest.mark.parametrize("seed", range(5))
def test_scores_come_back_as_they_were(seed, max_time):
    score = random_score(seed)
    tokenizer = MusicTokenizer.from_scores([score], max_time)
    ids = tokenizer.encode(score)
    assert tokenizer.decode(ids) == score
    assert tokenizer.decode([*ids, tokenizer.end_token_id, 3]) == score
    assert tokenizer.steps_per_token[ids].sum() == len(score)
    places = np.arange(len(ids)) % tokenizer.group_size
    assert tokenizer.slots[places, ids].all()


def test_chorales_come_back_as_they_were():
    scores = load_scores("bach_chorales", "test[:4]").scores
    tokenizer = MusicTokenizer.from_scores(scores)
    assert len(scores) >= 2
    for score in scores:
        assert tokenizer.decode(tokenizer.encode(score)) == score


def test_silence_and_a_long_wait():
    score = Score([[64, REST, REST]] + [[HOLD] * 3] * 9)
    ids = TOKENIZER.encode(score)
    assert ids.reshape(-1, 4)[:, -1].tolist() == [END - 1, END - 1, END - 3]
    assert TOKENIZER.decode(ids) == score


def test_the_ranges_are_those_of_the_scores():
    scores = [Score([[70, 50], [72, 45]]), Score([[60, HOLD], [REST, 52]])]
    tokenizer = MusicTokenizer.from_scores(scores)
    assert (tokenizer.lowest, tokenizer.highest) == ([60, 45], [72, 52])
    with pytest.raises(ValueError, match=r"scores of \[1, 2\] voices"):
        MusicTokenizer.from_scores([scores[0], Score([[60]])])
    with pytest.raises(ValueError, match=r"scores of \[\] voices"):
        MusicTokenizer.from_scores([])
    with pytest.raises(ValueError, match="voice 1 never does"):
        MusicTokenizer.from_scores([Score([[60, REST]])])


def test_a_note_outside_is_refused_by_voice_pitch_and_range():
    score = Score([[70, 55, 45], [HOLD, HOLD, 52]])
    message = "range, 40 to 51. Received: pitch 52 in voice 2 at step 1"
    with pytest.raises(ValueError, match=message):
        TOKENIZER.encode(score)
    with pytest.raises(ValueError, match="pitch 76 in voice 0"):
        TOKENIZER.note_id(0, 76)
    with pytest.raises(ValueError, match=r"voice in \[0, 3\)"):
        TOKENIZER.note_id(3, 60)
    with pytest.raises(ValueError, match="Expected 3 voices"):
        TOKENIZER.encode(Score([[60, 50]]))


def test_events_become_the_ids_that_a_score_has():
    score = random_score(1)
    ids = TOKENIZER.events_to_ids(score.events)
    groups = TOKENIZER.encode(score).reshape(-1, 4)
    starts = np.cumsum(groups[:, 3] - END + 5) - (groups[:, 3] - END + 5)
    np.testing.assert_array_equal(ids[starts], groups[:, :3])
    assert not np.delete(ids, starts, axis=0).any()  # held, id 0
    free = TOKENIZER.events_to_ids([[FREE, REST, HOLD]])
    assert free.tolist() == [[-1, 1, 0]] and free.dtype == np.int32
    with pytest.raises(ValueError, match="pitch -4 in voice 1"):
        TOKENIZER.events_to_ids([[FREE, -4, HOLD]])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([2, 14, 26], "a group of 4 ids. Received: 3 before the end"),
        ([END], "Received: 0 before the end"),
        ([2, 2, 26, END - 1], "id 2 at place 1"),  # a note of another voice
        ([2, 14, 26, 0], "id 0 at place 3"),
        ([2, 14, END, 26], f"id {END} at place 2"),
        ([END - 1, 14, 26, END - 1], f"id {END - 1} at place 0"),
        ([2, 14, 26, END - 1, -1], "id -1 at place 4"),
        ([2, 14, 26, END + 1], f"id {END + 1} at place 3"),
    ],
)
def test_ids_that_are_no_score_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        TOKENIZER.decode(ids)


def test_a_last_group_that_is_not_complete_is_left_out():
    score = Score([[64, 52, 40], [HOLD] * 3])
    ids = TOKENIZER.encode(score).tolist()
    for cut in ([3], [3, 15], [3, 15, 27]):
        assert TOKENIZER.decode(ids + cut) == score


def test_transpositions_keep_every_voice_in_its_range():
    for seed in range(5):
        score = random_score(seed, num_steps=4)
        kept = []
        for shift in range(-6, 6):
            try:
                TOKENIZER.encode(score.transpose(shift))
            except ValueError:
                continue
            kept.append(shift)
        assert list(TOKENIZER.transpositions(score)) == kept
        assert 0 in kept
    wide = MusicTokenizer([0], [127])
    assert wide.transpositions(Score([[60]])) == range(-6, 6)
    assert wide.transpositions(Score([[127], [0]])) == range(1)
    assert wide.transpositions(Score([[REST]])) == range(-6, 6)


def test_it_is_saved_and_loaded(tmp_path):
    TOKENIZER.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert loaded.get_config() == TOKENIZER.get_config()
    score = random_score(2)
    assert loaded.encode(score).tolist() == TOKENIZER.encode(score).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lowest": [], "highest": []}, "Expected a range"),
        ({"lowest": [60], "highest": [70, 80]}, "Expected a range"),
        ({"lowest": [61], "highest": [60]}, "Expected a range"),
        ({"lowest": [0], "highest": [128]}, "Expected a range"),
        ({"lowest": [60], "highest": [70], "max_time": 0}, "`max_time` must"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MusicTokenizer(**arguments)


class Writer(tf.Module):
    """As an exported model carries it along."""

    @tf.function(
        input_signature=[tf.RaggedTensorSpec((None, None), tf.int32, 1)]
    )
    def write(self, token_ids):
        return TOKENIZER.detokenize(token_ids)


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("writer"))
    tf.saved_model.save(Writer(), folder)
    loaded = tf.saved_model.load(folder)

    def write(rows):
        ragged = tf.ragged.constant(rows, dtype="int32", ragged_rank=1)
        return loaded.write(ragged).numpy().tolist()

    return write


def test_an_exported_graph_writes_the_bytes_that_a_score_has(write):
    scores = [random_score(seed, 20 + seed) for seed in range(3)]
    scores.append(Score([[64, REST, 40]] + [[HOLD] * 3] * 200))
    rows = [TOKENIZER.encode(score).tolist() for score in scores]
    expected = [midi_bytes(score) for score in scores]
    assert write(rows) == expected
    # What follows the end, and a group that is not complete, is left out.
    assert write([[*row, END, 64, 3, 3, 9] for row in rows]) == expected
    assert write([[*row, 3, 15, 27] for row in rows]) == expected
    assert write([[*row, 3, END] for row in rows]) == expected
    assert write([]) == []


def test_rows_without_a_group_are_files_without_a_note(write):
    files = write([[], [END], [2, 14], TOKENIZER.encode(random_score(0))])
    assert files[0] == files[1] == files[2] != files[3]
    midi = MidiFile(file=io.BytesIO(files[0]))
    assert len(midi.tracks) == 4 and midi.length == 0
    assert not [m for t in midi.tracks for m in t if "note" in m.type[:5]]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_written_is_read_by_others(write, tmp_path, seed):
    score = random_score(seed, 64)
    (written,) = write([TOKENIZER.encode(score).tolist()])

    midi = PrettyMIDI(io.BytesIO(written))
    assert midi.resolution == 480
    assert midi.get_tempo_changes()[1].round(2).tolist() == [90.0]
    found = [
        [
            (
                midi.time_to_tick(note.start) / 120,
                midi.time_to_tick(note.end) / 120,
                note.pitch,
            )
            for note in voice.notes
        ]
        for voice in midi.instruments
    ]
    assert found == notes_of(score)

    path = tmp_path / "score.mid"
    path.write_bytes(written)
    parts = music21.converter.parse(path, forceSource=True).parts
    found = [
        [
            (note.offset * 4, (note.offset + note.quarterLength) * 4, p.midi)
            for note in part.flatten().stripTies().notes
            for p in note.pitches
        ]
        for part in parts
    ]
    assert found == notes_of(score)


def test_waits_of_every_length_are_written_as_short_as_they_can(write):
    # Of 1 to 4 bytes: 120, 16,320 and 16,440, and 2,097,240 ticks.
    for steps in (1, 136, 137, 17_477):
        events = np.full((steps + 1, 1), HOLD)
        events[0], events[-1] = 60, 62
        written = midi_bytes(Score(events))
        track = MidiFile(file=io.BytesIO(written)).tracks[1]
        assert [m.time for m in track if m.type == "note_off"] == [
            120 * steps,
            120,
        ]
        repeated = io.BytesIO()
        midi = MidiFile(file=io.BytesIO(written))
        midi.save(file=repeated)  # mido writes the shortest
        assert len(repeated.getvalue()) == len(written)
