"""Scores <-> MIDI files."""

import io
import itertools
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_genai.data.folders import explain
from keras_genai.data.music.cleaning import notes_only
from keras_genai.data.music.score import (
    HOLD,
    REST,
    STEPS_PER_QUARTER,
    Score,
)
from keras_genai.data.music.smf import (
    MAX_VOICES,
    QUARTERS_PER_MINUTE,
    midi_file,
)
from keras_genai.extras import how_to_install
from keras_genai.files import complete_or_absent, read_regular

MAX_BYTES = 2**22  # of a file that is read
MAX_STEPS = 2**20  # of a file that is read: two days of music


def midi_bytes(score, quarters_per_minute=QUARTERS_PER_MINUTE):
    """Turns a score to a standard MIDI file, each voice a track and a channel.

    Args:
        score: `Score` of 15 voices at most.
        quarters_per_minute: Float, 4 to 1000. Defaults to `90`.

    Returns:
        Bytes.

    Raises:
        ValueError: If there are too many voices or the tempo is out of range.

    Example:
        >>> midi_bytes(Score([[60], [-1]]))[:4]
        b'MThd'
    """
    if score.num_voices > MAX_VOICES:
        raise ValueError(
            f"A MIDI file has {MAX_VOICES} voices at most. "
            f"Received: {score.num_voices}"
        )
    check_tempo(quarters_per_minute)
    with tf.device("CPU"):
        written = midi_file(
            tf.constant(score.events, "int32"),
            tf.range(len(score)),
            tf.constant(len(score)),
            quarters_per_minute,
        )
    return written.numpy()


def check_tempo(quarters_per_minute):
    """Refuses a tempo that a MIDI file cannot hold or that is inaudible.

    Args:
        quarters_per_minute: Float.

    Raises:
        ValueError: If it is not within 4 to 1000.
    """
    if not 4 <= quarters_per_minute <= 1000:
        raise ValueError(
            "`quarters_per_minute` must be in 4 to 1000. "
            f"Received: quarters_per_minute={quarters_per_minute}"
        )


def write_midi(score, path, quarters_per_minute=QUARTERS_PER_MINUTE):
    """Writes a score as a standard MIDI file.

    Args:
        score: `Score` of 15 voices at most.
        path: Path of the file to write.
        quarters_per_minute: Float, 4 to 1000. Defaults to `90`.

    Raises:
        ValueError: As for `midi_bytes`.
    """
    written = midi_bytes(score, quarters_per_minute)
    with complete_or_absent(path) as partial:
        partial.write_bytes(written)


def import_pretty_midi():
    """Imports the library that reads and plays MIDI.

    Returns:
        The module pretty_midi.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import pretty_midi
    except ImportError as error:
        raise ImportError(
            "Reading and playing MIDI needs pretty_midi: "
            f"{how_to_install('music')}"
        ) from error
    return pretty_midi


def read_midi(path, num_voices=4):
    """Reads a MIDI file as a score.

    Notes are moved to the nearest sixteenth, by their ticks. Tempo, loudness,
    drums and silence at the end are left out. Other messages, such as a broken
    key signature, do not matter.

    If the file has `num_voices` melodic tracks with one note at a time, each is
    a voice, the highest mean pitch first. Otherwise all notes are put together:
    at each step the voices have the highest pitches that sound, in order, and a
    note is held as long as it stays in its voice.

    Args:
        path: Path of the file.
        num_voices: Integer >= 1. Defaults to `4`.

    Returns:
        `Score` with the name of the file.

    Raises:
        ImportError: If pretty_midi is not installed.
        ValueError: If there is no such file, if it is broken, if it has no
            notes or only notes of drums, if it is longer than a million
            sixteenths or larger than 4 MiB, or if it has more than 262,144
            notes.
    """
    if num_voices < 1:
        raise ValueError(
            f"`num_voices` must be 1 or more. Received: num_voices={num_voices}"
        )
    path = Path(path).expanduser()
    midi = _parse(path)
    tracks = [track for track in midi.instruments if track.notes]
    if not tracks:
        raise ValueError(f"The file has no notes. Received: {str(path)!r}")
    tracks = [track for track in tracks if not track.is_drum]
    if not tracks:
        raise ValueError(
            f"The file has notes of drums only. Received: {str(path)!r}"
        )
    tracks = [_quantised(track.notes, midi) for track in tracks]
    # A very short note counts as one sixteenth.
    num_steps = max(
        max(stop, start + 1) for t in tracks for start, stop, _ in t
    )
    if num_steps > MAX_STEPS:
        raise ValueError(
            f"Expected {MAX_STEPS:,} sixteenths at most. "
            f"Received: {num_steps:,} in {str(path)!r}"
        )
    if len(tracks) == num_voices and all(map(_is_monophonic, tracks)):
        tracks.sort(key=lambda notes: -np.mean([note[2] for note in notes]))
        events = [_melody(notes, num_steps) for notes in tracks]
    else:
        events = _highest(
            [note for notes in tracks for note in notes], num_steps, num_voices
        )
    return Score(np.stack(events, axis=1), path.stem)


def _parse(path):
    pretty_midi = import_pretty_midi()
    if not path.exists() or path.is_dir():
        raise ValueError(f"There is no such file. Received: {str(path)!r}")
    data = read_regular(path, MAX_BYTES)
    try:
        # Broken key signatures, tempos and titles do not matter here.
        notes = notes_only(data)
        midi = pretty_midi.PrettyMIDI(io.BytesIO(notes))
    except Exception as error:  # its parser can raise any kind
        raise ValueError(
            f"Expected a MIDI file that can be read: {explain(error)}. "
            f"Received: {str(path)!r}"
        ) from error
    return midi


def _quantised(notes, midi):
    """Returns notes as triples: first step, step after the last, pitch."""

    def step(seconds):
        ticks = midi.time_to_tick(seconds) * STEPS_PER_QUARTER
        return (2 * ticks + midi.resolution) // (2 * midi.resolution)

    return sorted((step(n.start), step(n.end), n.pitch) for n in notes)


def _is_monophonic(notes):
    return all(
        before[1] <= after[0] for before, after in itertools.pairwise(notes)
    )


def _melody(notes, num_steps):
    events = np.full(num_steps, HOLD)
    for start, stop, pitch in notes:  # in order: the next note ends this one
        stop = max(stop, start + 1)
        events[start] = pitch
        events[start + 1 : stop] = HOLD
        events[stop : stop + 1] = REST
    return events


def _highest(notes, num_steps, num_voices):
    events = np.full((num_voices, num_steps), HOLD)
    begun = [[] for _ in range(num_steps)]
    for start, stop, pitch in notes:
        begun[start].append((pitch, max(stop, start + 1), start))
    sounding, before = {}, [None] * num_voices
    for step in range(num_steps):
        # Pitch -> (stop, start) of the latest note at that pitch.
        sounding = {p: note for p, note in sounding.items() if note[0] > step}
        sounding |= {pitch: (stop, start) for pitch, stop, start in begun[step]}
        chosen = sorted(sounding, reverse=True)[:num_voices]
        now = [(pitch, sounding[pitch][1]) for pitch in chosen]
        now += [None] * (num_voices - len(now))
        for voice, (old, new) in enumerate(zip(before, now, strict=True)):
            if new is None:
                events[voice, step] = REST
            elif new != old:
                events[voice, step] = new[0]
        before = now
    return list(events)
