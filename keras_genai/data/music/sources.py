"""A name, a path or scores -> the scores of one split, and whence they are.

Pieces are split before anything else is done with them, each a whole: windows
that were shuffled before the split would share most of their notes.
"""

import dataclasses
import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from keras_genai.data.files import absolute_split
from keras_genai.data.music.chorales import chorale_names, read_chorales
from keras_genai.data.music.midi import read_midi
from keras_genai.data.music.score import Score

CHORALES = "bach_chorales"
_SUFFIXES = (".mid", ".midi")


@dataclasses.dataclass(frozen=True)
class Scores:
    """The scores of one split.

    Attributes:
        scores: Tuple of `Score`s.
        source: String, where they came from.
        digest: String, the first 16 hexadecimal digits of the SHA-256 of
            their events.
        held_out: Boolean. Whether some of them are not from training data.
    """

    scores: tuple
    source: str
    digest: str
    held_out: bool = False

    unit = "steps"  # what its length counts

    def __len__(self):
        return sum(map(len, self.scores))

    def __str__(self):
        return (
            f"{self.source}: {len(self.scores):,} scores, {len(self):,} steps, "
            f"sha256 {self.digest}"
        )


def load_scores(source, split="train", offline=False, num_voices=4):
    """Reads the scores of a split.

    A tenth of the pieces, rounded down, are `"validation"`, another tenth
    `"test"`, and the others `"train"`; which ones is drawn once and for all.
    A piece that is there twice counts once.

    Args:
        source: One of

            - `"bach_chorales"`: those in four parts that music21 brings along,
              parsed once and then kept in the folder of the environment
              variable `KERAS_GENAI_CACHE`, or `~/.cache/keras_genai`. A tune
              that Bach has set several times can be in several splits;
            - the path of a MIDI file, or of a folder of `.mid` and `.midi`
              files;
            - a list of `Score`s;
            - `Scores`, which are returned as they are.
        split: String, a split with TFDS's slicing of pieces:
            `"train[:10%]"`, `"validation+test"`.
        offline: Boolean. Whether the network is left alone; nothing here
            needs it.
        num_voices: Integer >= 1, as for `read_midi`. Defaults to `4`.

    Returns:
        `Scores`.

    Raises:
        ImportError: If music21 or pretty_midi is needed and not installed.
        ValueError: If the source is unknown, a file is broken, or the split is
            unknown or empty.

    Example:
        >>> scale = [Score([[60 + step]]) for step in range(20)]
        >>> print(load_scores(scale, "test"))
        scores/test: 2 scores, 2 steps, sha256 ...
    """
    del offline  # as for the other data
    if isinstance(source, Scores):
        return source
    name, pieces, read = _find(source, num_voices)
    order = np.random.default_rng(0).permutation(len(pieces))
    tenth = len(pieces) // 10
    splits = {
        "train": order[2 * tenth :],
        "validation": order[tenth : 2 * tenth],
        "test": order[:tenth],
    }
    sizes = {
        name: SimpleNamespace(num_examples=len(places))
        for name, places in splits.items()
    }
    parts = absolute_split(split, sizes)
    chosen = [
        pieces[place]
        for part, start, stop in parts
        for place in splits[part][start:stop]
    ]
    scores = tuple(dict.fromkeys(read(chosen)))
    if not scores:
        raise ValueError(
            "The split has no scores. Received: "
            f"source={name!r} of {len(pieces)} pieces, split={split!r}"
        )
    sha = hashlib.sha256()
    for score in scores:
        sha.update(repr(score.events.shape).encode())
        sha.update(score.events.astype("<i2").tobytes())
    held_out = any(part != "train" for part, _, _ in parts)
    return Scores(scores, f"{name}/{split}", sha.hexdigest()[:16], held_out)


def _find(source, num_voices):
    """The name of a source, its pieces, and what reads a list of these."""

    def read_files(paths):
        return [read_midi(path, num_voices) for path in paths]

    if isinstance(source, (list, tuple)):
        for score in source:
            if not isinstance(score, Score):
                raise ValueError(
                    "Expected a list of `Score`s. "
                    f"Received: {type(score).__name__} in it"
                )
        return "scores", list(dict.fromkeys(source)), list
    if source == CHORALES:
        return CHORALES, chorale_names(), read_chorales
    path = Path(source)
    if path.is_dir():
        return str(source), _midi_files(path), read_files
    if path.is_file():
        return str(source), [path], read_files
    raise ValueError(
        f"Expected {CHORALES!r}, a MIDI file, a folder of such or a list of "
        f"`Score`s. Received: source={str(source)!r}"
    )


def _midi_files(folder):
    """The files of a folder, those with the same bytes once."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            digest = hashlib.sha256(path.read_bytes()).digest()
            files.setdefault(digest, path)
    return list(files.values())
