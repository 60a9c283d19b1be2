import io
import sys
import wave

import mido
import numpy as np
import pytest
from pretty_midi import Instrument, Note, PrettyMIDI
from test_music_score import notes_of, random_score

from keras_genai import Score, read_midi, write_midi, write_wav
from keras_genai.data.music import HOLD, REST, midi_bytes, synthesize


def write_notes(path, *tracks, resolution=480):
    """Writes notes (start, stop, pitch) in quarters, a list a track."""
    midi = PrettyMIDI(resolution=resolution, initial_tempo=60)
    for track in tracks:
        voice = Instrument(0, is_drum=track[:1] == ["drums"])
        voice.notes = [
            Note(80, pitch, start, stop)  # a quarter a second
            for start, stop, pitch in track[track[:1] == ["drums"] :]
        ]
        midi.instruments.append(voice)
    midi.write(str(path))
    return path


@pytest.mark.parametrize("num_voices", [1, 4, 12])
@pytest.mark.parametrize("tempo", [23.7, 90, 240])
def test_what_is_written_is_read(tmp_path, num_voices, tempo):
    score = random_score(num_voices, 60, min(num_voices, 7), 20)
    if num_voices > 7:  # past the channel of drums
        voices = [score, random_score(9, 60, 5, 20)]
        events = np.concatenate([v.events for v in voices], axis=1)
        order = np.argsort(
            -np.array([events[events[:, v] >= 0, v].mean() for v in range(12)])
        )
        score = Score(events[:, order])
    write_midi(score, tmp_path / "a.mid", tempo)
    read = read_midi(tmp_path / "a.mid", num_voices)
    assert read == score and read.name == "a"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]


def test_voices_that_cross_keep_their_tracks(tmp_path):
    score = Score([[60, 62], [72, HOLD], [HOLD, 64], [70, REST], [71, HOLD]])
    write_midi(score, tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid", 2) == score


def test_a_track_a_voice_is_sorted_by_its_pitch(tmp_path):
    low, high = [(0, 1, 40), (1, 2, 75)], [(0, 2, 60)]
    path = write_notes(tmp_path / "a.mid", low, high)
    assert notes_of(read_midi(path, 2)) == [
        [(0, 8, 60)],
        [(0, 4, 40), (4, 8, 75)],
    ]


def test_notes_put_together_are_given_to_voices_by_height(tmp_path):
    # A held chord, a note above it for a quarter, and another one at the end.
    piano = [(0, 4, 60), (0, 4, 55), (0, 2, 48), (1, 2, 72), (3, 4, 60)]
    path = write_notes(tmp_path / "a.mid", piano)
    assert notes_of(read_midi(path, 3)) == [
        [(0, 4, 60), (4, 8, 72), (8, 12, 60), (12, 16, 60)],
        [(0, 4, 55), (4, 8, 60), (8, 16, 55)],
        [(0, 4, 48), (4, 8, 55)],
    ]
    assert notes_of(read_midi(path, 1)) == [
        [(0, 4, 60), (4, 8, 72), (8, 12, 60), (12, 16, 60)]
    ]
    assert notes_of(read_midi(path))[3] == [(4, 8, 48)]


@pytest.mark.parametrize("resolution", [96, 220, 480])
def test_notes_move_to_the_nearest_sixteenth(tmp_path, resolution):
    played = [(0.02, 0.27, 60), (0.27, 0.72, 62), (0.8, 0.81, 64)]
    path = write_notes(tmp_path / "a.mid", played, resolution=resolution)
    assert notes_of(read_midi(path, 1)) == [
        [(0, 1, 60), (1, 3, 62), (3, 4, 64)]
    ]


def test_tempo_changes_do_not_move_notes(tmp_path):
    midi = mido.MidiFile(ticks_per_beat=100)
    for times in ([0, 150, 150], [100, 30, 20]):
        track = mido.MidiTrack()
        for tempo, time in zip((500_000, 300_000, 900_000), times, strict=True):
            track.append(mido.MetaMessage("set_tempo", tempo=tempo, time=time))
        midi.tracks.append(track)
    for message in ("note_on", "note_off") * 3:
        midi.tracks[1].append(mido.Message(message, note=60, time=100))
    midi.save(tmp_path / "a.mid")
    # pretty_midi warns of such a file: here it must not be heard.
    assert notes_of(read_midi(tmp_path / "a.mid", 1)) == [
        [(10, 14, 60), (18, 22, 60), (26, 30, 60)]
    ]


def test_drums_are_left_out(tmp_path):
    drums = ["drums", (0, 8, 35)]
    path = write_notes(tmp_path / "a.mid", drums, [(0, 1, 60)])
    assert notes_of(read_midi(path, 1)) == [[(0, 4, 60)]]
    path = write_notes(tmp_path / "b.mid", drums)
    with pytest.raises(ValueError, match=r"drums only. Received: .*b\.mid"):
        read_midi(path)


def test_silence_at_the_end_is_cut_and_at_the_beginning_kept(tmp_path):
    score = Score([[REST], [60], [HOLD], [REST], [HOLD]])
    write_midi(score, tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid", 1) == score[:3]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no MIDI at all",
        midi_bytes(random_score(0))[:-40],
        midi_bytes(random_score(0))[:16],
        midi_bytes(random_score(0)).replace(b"\x90", b"\x90\xff", 1),
        # Time in frames of a film, and in no ticks at all.
        midi_bytes(random_score(0)).replace(b"\x01\xe0", b"\xe7\x28", 1),
        midi_bytes(random_score(0)).replace(b"\x01\xe0", b"\x00\x00", 1),
    ],
)
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "broken.mid").write_bytes(content)
    message = r"MIDI file that can be read: .*broken\.mid"
    with pytest.raises(ValueError, match=message):
        read_midi(tmp_path / "broken.mid")


def test_what_cannot_be_read_or_written_is_refused(tmp_path):
    with pytest.raises(ValueError, match="There is no such file"):
        read_midi(tmp_path / "none.mid")
    with pytest.raises(ValueError, match="There is no such file"):
        read_midi(tmp_path)
    write_midi(Score([[REST]]), tmp_path / "a.mid")
    with pytest.raises(ValueError, match=r"no notes. Received: .*a\.mid"):
        read_midi(tmp_path / "a.mid")
    with pytest.raises(ValueError, match="`num_voices` must be 1 or more"):
        read_midi(tmp_path / "a.mid", 0)
    with pytest.raises(ValueError, match="15 voices at most"):
        midi_bytes(Score([[60] * 16]))
    for tempo in (0, 3.9, 1001, float("nan")):
        with pytest.raises(ValueError, match="`quarters_per_minute` must be"):
            midi_bytes(Score([[60]]), tempo)


def test_sound_lasts_as_long_as_the_score_and_has_its_pitch(tmp_path):
    score = Score([[69]] + [[HOLD]] * 7 + [[REST]] + [[HOLD]] * 7)
    write_wav(score, tmp_path / "a.wav", 16_000, quarters_per_minute=60)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        assert file.getframerate() == 16_000
        samples = np.frombuffer(file.readframes(10**6), "<i2") / 32767
    assert len(samples) == 4 * 16_000  # 16 sixteenths at a quarter a second
    assert np.abs(samples).max() == pytest.approx(0.9, abs=1e-4)
    assert not samples[2 * 16_000 + 1 :].any()
    spectrum = np.abs(np.fft.rfft(samples[: 2 * 16_000]))
    assert spectrum.argmax() / 2 == pytest.approx(440, abs=1)
    np.testing.assert_allclose(
        synthesize(score, 16_000, 60), samples, atol=1e-4
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_silence_sounds_like_silence():
    samples = synthesize(Score([[REST, REST], [HOLD, HOLD]]))
    assert samples.dtype == np.float32
    assert len(samples) == round(22_050 / 3) and not samples.any()
    with pytest.raises(ValueError, match="`sample_rate` must be 8000"):
        synthesize(Score([[60]]), 0)


def test_without_the_library_the_error_says_what_to_install(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "pretty_midi", None)
    write_midi(Score([[60]]), tmp_path / "a.mid")  # takes none
    assert mido.MidiFile(file=io.BytesIO(midi_bytes(Score([[60]])))).length
    message = r"pip install -e '\.\[music\]'"
    for use in (
        lambda: read_midi(tmp_path / "a.mid"),
        lambda: synthesize(Score([[60]])),
        lambda: write_wav(Score([[60]]), tmp_path / "a.wav"),
    ):
        with pytest.raises(ImportError, match=message):
            use()
