"""Scores -> sound, by a plain organ of a few harmonics."""

import io
import wave

import numpy as np

from keras_genai.data.music.midi import import_pretty_midi, midi_bytes
from keras_genai.data.music.score import STEPS_PER_QUARTER
from keras_genai.data.music.smf import QUARTERS_PER_MINUTE
from keras_genai.files import complete_or_absent

SAMPLE_RATE = 22_050
_HARMONICS = (1.0, 0.5, 0.25, 0.12, 0.06)
_PEAK = 0.9


def synthesize(
    score, sample_rate=SAMPLE_RATE, quarters_per_minute=QUARTERS_PER_MINUTE
):
    """Turns a score to sound, for `IPython.display.Audio`.

    Args:
        score: `Score` of 15 voices at most.
        sample_rate: Integer >= 8000, samples a second. Defaults to `22050`.
        quarters_per_minute: Float, 4 to 1000. Defaults to `90`.

    Returns:
        Float32 NumPy array `(samples,)` with a peak of 0.9, or of 0 for a
        silent score.

    Raises:
        ImportError: If pretty_midi is not installed.
        ValueError: If an argument is out of range.
    """
    if sample_rate < 8000:
        raise ValueError(
            "`sample_rate` must be 8000 or more. "
            f"Received: sample_rate={sample_rate}"
        )
    pretty_midi = import_pretty_midi()
    midi = midi_bytes(score, quarters_per_minute)
    midi = pretty_midi.PrettyMIDI(io.BytesIO(midi))
    seconds = len(score) / STEPS_PER_QUARTER * 60 / quarters_per_minute
    samples = np.zeros(round(seconds * sample_rate), "float32")
    for voice in midi.instruments:
        sound = voice.synthesize(sample_rate, _organ)[: len(samples)]
        samples[: len(sound)] += sound
    return samples * np.float32(_PEAK / max(np.abs(samples).max(), 1e-9))


def write_wav(
    score,
    path,
    sample_rate=SAMPLE_RATE,
    quarters_per_minute=QUARTERS_PER_MINUTE,
):
    """Writes a score as sound: a WAV file of one channel in 16 bits.

    Args:
        score: `Score` of 15 voices at most.
        path: Path of the file to write.
        sample_rate: Integer, as for `synthesize`.
        quarters_per_minute: Float, as for `synthesize`.

    Raises:
        ImportError: If pretty_midi is not installed.
        ValueError: If an argument is out of range.
    """
    samples = synthesize(score, sample_rate, quarters_per_minute)
    with (
        complete_or_absent(path) as partial,
        wave.open(str(partial), "wb") as file,
    ):
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.round(samples * 32767).astype("<i2").tobytes())


def _organ(phase):
    return sum(
        amplitude * np.sin((index + 1) * phase)
        for index, amplitude in enumerate(_HARMONICS)
    )
