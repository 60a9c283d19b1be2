"""Scores of several voices: read, write, hear them, turn them to token ids."""

from keras_genai.data.music.dataset import music_dataset
from keras_genai.data.music.midi import midi_bytes, read_midi, write_midi
from keras_genai.data.music.score import (
    FREE,
    HOLD,
    REST,
    STEPS_PER_QUARTER,
    Score,
)
from keras_genai.data.music.sound import synthesize, write_wav
from keras_genai.data.music.sources import Scores, load_scores
from keras_genai.data.music.tokenizer import MusicTokenizer

__all__ = [
    "FREE",
    "HOLD",
    "REST",
    "STEPS_PER_QUARTER",
    "MusicTokenizer",
    "Score",
    "Scores",
    "load_scores",
    "midi_bytes",
    "music_dataset",
    "read_midi",
    "synthesize",
    "write_midi",
    "write_wav",
]
