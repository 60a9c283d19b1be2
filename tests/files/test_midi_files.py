"""MIDI files as programs write them: what is broken beside the notes."""

import mido
import numpy as np
import pytest

from keras_genai import (
    Score,
    load_scores,
    music_dataset,
    read_midi,
    write_midi,
)

# A scale of quarters, 480 ticks each, as bytes of its messages.
NOTES = b"".join(
    bytes([0, 0x90, pitch, 80, 0x83, 0x60, 0x80, pitch, 0])
    for pitch in (60, 62, 64, 65)
)
END = b"\x00\xff\x2f\x00"
SCALE = Score(
    [[event] for pitch in (60, 62, 64, 65) for event in (pitch, -1, -1, -1)]
)


def chunk(name, data):
    return name + len(data).to_bytes(4, "big") + data


def midi(*tracks, resolution=480):
    header = (1).to_bytes(2, "big") + len(tracks).to_bytes(2, "big")
    return chunk(b"MThd", header + resolution.to_bytes(2, "big")) + b"".join(
        chunk(b"MTrk", track) for track in tracks
    )


DRUMS = bytes([0, 0x99, 35, 80, 0x83, 0x60, 0x89, 35, 0]) * 9 + END
SPOILED = {
    "plain": midi(NOTES + END),
    "key of 9 flats": midi(b"\x00\xff\x59\x02\xf7\x00" + NOTES + END),
    "key of no mode": midi(b"\x00\xff\x59\x02\x00\x07" + NOTES + END),
    "key cut short": midi(b"\x00\xff\x59\x00" + NOTES + END),
    "tempo 0": midi(b"\x00\xff\x51\x03\x00\x00\x00" + NOTES + END),
    "tempo cut short": midi(b"\x00\xff\x51\x01\x07" + NOTES + END),
    "no meter": midi(b"\x00\xff\x58\x04\x00\x00\x00\x00" + NOTES + END),
    "title in no encoding": midi(b"\x00\xff\x03\x02\xc3\x28" + NOTES + END),
    "empty track": midi(b"", NOTES + END),
    "track of nothing": midi(END, NOTES + END, b"\x00\xff\x03\x01a" + END),
    "no end of track": midi(NOTES),
    "drums": midi(DRUMS, NOTES + END),
    "tempo elsewhere": midi(NOTES + END, b"\x60\xff\x51\x03\x07\xa1\x20" + END),
    "system exclusive": midi(b"\x00\xf0\x03\x7e\x7f\xf7" + NOTES + END),
    "pedal and bend": midi(
        b"\x00\xb0\x40\x7f\x00\xe0\x00\x40\x00\xd0\x10" + NOTES + END
    ),
    "running status": midi(
        b"\x00\x90\x3c\x50\x83\x60\x3c\x00\x00\x3e\x50\x83\x60\x3e\x00"
        b"\x00\x40\x50\x83\x60\x40\x00\x00\x41\x50\x83\x60\x41\x00" + END
    ),
    "another chunk": chunk(b"XFIH", b"what is this").join(
        [midi(NOTES + END)[:14], midi(NOTES + END)[14:]]
    ),
    "junk behind": midi(NOTES + END) + b"\x00" * 7,
}


@pytest.mark.parametrize("kind", SPOILED)
def test_whole_notes_are_read_whatever_is_beside_them(kind, tmp_path):
    path = tmp_path / "scale.mid"
    path.write_bytes(SPOILED[kind])
    assert read_midi(path, num_voices=1) == SCALE


def test_notes_after_a_wait_of_other_messages_stay_where_they_are(tmp_path):
    path = tmp_path / "late.kar"
    # Half a quarter to a text, another half to the note.
    text = b"\x81\x70\xff\x01\x02la" + b"\x81\x70\x90\x3c\x50\x83\x60\x80\x3c"
    path.write_bytes(midi(text + b"\x00" + END))
    np.testing.assert_array_equal(
        read_midi(path, 1).events[:, 0], [-2, -1, -1, -1, 60, -1, -1, -1]
    )


def test_tracks_and_programs_are_kept_apart(tmp_path):
    midi_file = mido.MidiFile(ticks_per_beat=480)
    for channel, pitch in ((0, 72), (1, 60), (9, 35)):
        track = mido.MidiTrack()
        track.append(mido.MetaMessage("track_name", name="voice"))
        track.append(mido.Message("program_change", program=19))
        for kind, time in (("note_on", 0), ("note_off", 480)):
            track.append(
                mido.Message(kind, note=pitch, channel=channel, time=time)
            )
        midi_file.tracks.append(track)
    midi_file.save(tmp_path / "a.mid")
    score = read_midi(tmp_path / "a.mid", 2)
    np.testing.assert_array_equal(score.events[0], [72, 60])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin as a MIDI file"),
        (b"RIFF", "does not begin as a MIDI file"),
        (midi(NOTES + END)[:-9], "it ends within track 1"),
        (
            midi(NOTES + END, NOTES + END)[: len(midi(NOTES + END))],
            "after 1 of",
        ),
        (midi(NOTES[:-1]), "track 1 ends within a message"),
        (midi(b"\x00\x3c" + NOTES), "in the middle of a message"),
        (midi(NOTES, resolution=0), "parts of a quarter"),
        (midi(NOTES, resolution=0xE728), "parts of a quarter"),
    ],
)
def test_a_broken_file_is_told_in_words(content, message, tmp_path):
    path = tmp_path / "broken.mid"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message + r".*broken\.mid"):
        read_midi(path)


def write_tunes(folder, names, pitches=range(60, 90)):
    """Tunes of one voice, each with a pitch of its own."""
    for name, pitch in zip(names, pitches, strict=False):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_midi(Score([[pitch], [pitch]]), path)
    return folder


def pitches_of(source, split):
    scores = load_scores(source, split, num_voices=1).scores
    return {int(score.events[0, 0]) for score in scores}


def test_broken_files_of_a_folder_are_told_together(tmp_path, capsys):
    write_tunes(tmp_path, [f"{number}.mid" for number in range(12)])
    (tmp_path / "no.mid").write_bytes(b"")
    (tmp_path / "half.mid").write_bytes(midi(NOTES)[:-9])
    (tmp_path / "drums.mid").write_bytes(midi(DRUMS))
    with pytest.raises(ValueError, match="3 of 15 files cannot") as refused:
        load_scores(tmp_path, "train+validation+test", num_voices=1)
    for part in ("no.mid", "half.mid", "drums.mid", "--skip-broken"):
        assert part in str(refused.value)
    dataset = music_dataset(
        tmp_path,
        sequence_length=8,
        num_voices=1,
        skip_broken=True,
    )
    assert dataset.tokenizer.lowest == [60]
    assert dataset.tokenizer.highest == [71]
    assert "left out: 3 of 15 files" in capsys.readouterr().out


def test_folders_of_splits_are_the_splits(tmp_path, capsys):
    names = [f"Training/{number}.mid" for number in range(12)]
    write_tunes(tmp_path, [*names, "val/a.MID", "Test/b.kar", "Test/c.midi"])
    write_tunes(tmp_path, ["train/.hidden.mid", "Training/copy.mid"], [99, 73])
    (tmp_path / "cover.jpg").write_bytes(b"")
    assert pitches_of(tmp_path, "train") == set(range(60, 72))
    assert pitches_of(tmp_path, "validation") == {72}
    # What is in two splits is not trained on.
    assert pitches_of(tmp_path, "test") == {73, 74}
    output = capsys.readouterr().out
    for part in ("1 .jpg", "1 hidden", "1 copies"):
        assert part in output
    assert load_scores(tmp_path, "test", num_voices=1).held_out


def test_a_folder_without_validation_says_so(tmp_path):
    write_tunes(tmp_path, ["train/a.mid", "test/b.mid"])
    assert pitches_of(tmp_path, "train") == {60}
    with pytest.raises(ValueError, match="The split has no scores"):
        load_scores(tmp_path, "validation")


def test_the_tokenizer_of_a_folder_covers_its_splits(tmp_path):
    write_tunes(tmp_path, [f"train/{number}.mid" for number in range(3)])
    write_tunes(tmp_path, ["test/high.mid", "val/low.mid"], [90, 40])
    arguments = {"sequence_length": 8, "num_voices": 1}
    train = music_dataset(tmp_path, **arguments)
    assert (train.tokenizer.lowest, train.tokenizer.highest) == ([40], [90])
    assert len(train.examples.scores) == 3
    held_out = music_dataset(
        tmp_path, "test", train.tokenizer, windows="tiled", **arguments
    )
    token_ids, _ = next(iter(held_out))
    assert train.tokenizer.note_id(0, 90) in token_ids.numpy()
    # Of a list, too; of the scores of one split, theirs.
    scores = [Score([[pitch]]) for pitch in range(50, 70)]
    dataset = music_dataset(scores, sequence_length=8)
    assert dataset.tokenizer.lowest == [50]
    assert dataset.tokenizer.highest == [69]
    part = load_scores(scores, "train[:1]")
    dataset = music_dataset(part, sequence_length=8)
    assert dataset.tokenizer.lowest == dataset.tokenizer.highest


def test_tunes_of_one_voice_say_how_they_are_read(tmp_path):
    write_tunes(tmp_path, [f"{number}.mid" for number in range(12)])
    message = r"num_voices=1 \(--num-voices on the command line\)"
    with pytest.raises(ValueError, match=message):
        music_dataset(tmp_path, sequence_length=16)
    dataset = music_dataset(tmp_path, sequence_length=16, num_voices=1)
    assert dataset.tokenizer.num_voices == 1


def test_scores_that_are_there_have_as_many_voices_as_asked_for():
    scores = [Score([[60, 48]]), Score([[62, 50]])]
    assert load_scores(scores, num_voices=2).scores[0].num_voices == 2
    for source in (scores, load_scores(scores)):
        with pytest.raises(ValueError, match="num_voices=3, scores of"):
            load_scores(source, num_voices=3)


@pytest.mark.parametrize("num_voices", [0, -1, 1.5, "2"])
def test_voices_are_counted(num_voices, tmp_path):
    write_tunes(tmp_path, ["a.mid"])
    with pytest.raises(ValueError, match="`num_voices` must be an integer"):
        load_scores(tmp_path, num_voices=num_voices, skip_broken=True)


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "a.mid"
    write_midi(SCALE, path)
    assert load_scores(path, num_voices=1).scores == (SCALE,)
    write_midi(SCALE[:8], path)
    assert load_scores(path, num_voices=1).scores == (SCALE[:8],)
