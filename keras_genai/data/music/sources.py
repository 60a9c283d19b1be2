"""A name, a path or scores -> the scores of one split, and their source.

Whole pieces are split first. If windows were shuffled before the split,
training and held-out windows would share most of their notes.
"""

import dataclasses
import functools
import os
import reprlib
from pathlib import Path

import numpy as np

from keras_genai.checks import check_at_least_one
from keras_genai.data.folders import list_folder
from keras_genai.data.music.chorales import chorale_names, read_chorales
from keras_genai.data.music.midi import read_midi
from keras_genai.data.music.score import Score
from keras_genai.data.reading import EmptySplitError, naming, read_each
from keras_genai.data.splits import absolute_split, sizes_of
from keras_genai.data.texts import check_name
from keras_genai.digests import file_digest, short_digest

CHORALES = "bach_chorales"
EVERYTHING = "train+validation+test"
_SUFFIXES = {".mid", ".midi", ".kar"}
_VOICES = 4  # read from files, by default


@dataclasses.dataclass(frozen=True)
class Scores:
    """The scores of one split.

    Attributes:
        scores: Tuple of `Score`s.
        source: String, where they came from.
        digest: String, the first 16 hexadecimal digits of the SHA-256 of
            their events.
        held_out: Boolean. Whether some are not training data.
    """

    scores: tuple
    source: str
    digest: str
    held_out: bool = False

    unit = "steps"  # the unit of its length

    def __len__(self):
        return sum(map(len, self.scores))

    def __str__(self):
        return (
            f"{self.source}: {len(self.scores):,} scores, {len(self):,} steps, "
            f"sha256 {self.digest}"
        )


def load_scores(
    source, split="train", offline=False, num_voices=None, skip_broken=False
):
    """Reads the scores of a split.

    Sub-folders with the names of splits are these splits. Otherwise a tenth of
    the pieces, rounded down, is `"validation"`, another tenth `"test"`, and
    the rest `"train"`, by a fixed random order. A piece that occurs twice
    counts once: in the held-out split, if one of the two is in it.

    Args:
        source: One of

            - `"bach_chorales"`, the chorales in four parts that come with
              music21. They are parsed once and then kept in the folder of the
              environment variable `KERAS_GENAI_CACHE`, or in
              `~/.cache/keras_genai`. A tune that Bach has set several times
              can be in several splits;
            - the path of a MIDI file, or of a folder of `.mid`, `.midi` and
              `.kar` files; sub-folders `train/`, `validation/` and `test/`
              (also `Training/`, `val/`, ...) are splits;
            - a list of `Score`s;
            - `Scores`, which are returned unchanged.
        split: String, a split with TFDS's slicing of pieces:
            `"train[:10%]"`, `"validation+test"`.
        offline: Boolean. Whether to use no network; no source here does.
        num_voices: Integer >= 1, as for `read_midi`, or `None` for 4.
            Chorales and `Score`s must have that many voices already.
        skip_broken: Boolean. Whether to skip files of a folder that cannot
            be read, and print them, instead of an error.

    Returns:
        `Scores`.

    Raises:
        ImportError: If music21 or pretty_midi is needed and not installed.
        ValueError: If the source is unknown, if a file is broken, if the
            split is unknown or empty, or if scores have another number of
            voices.

    Example:
        >>> scale = [Score([[60 + step]]) for step in range(20)]
        >>> print(load_scores(scale, "test"))
        scores/test: 2 scores, 2 steps, sha256 ...
    """
    del offline  # an argument that all sources of data have
    check_at_least_one(num_voices=_VOICES if num_voices is None else num_voices)
    if isinstance(source, Scores):
        _check_voices(source.scores, num_voices)
        return source
    name, splits, read = _find(source, num_voices, skip_broken)
    sizes = sizes_of({name: len(pieces) for name, pieces in splits.items()})
    with naming(name):
        parts = absolute_split(split, sizes)
    chosen = [
        piece
        for part, start, stop in parts
        for piece in splits[part][start:stop]
    ]
    scores = tuple(dict.fromkeys(read(chosen)))
    if not scores:
        raise EmptySplitError(
            "The split has no scores. Received: "
            f"source={name!r} of {sum(map(len, splits.values()))} pieces, "
            f"split={split!r}"
        )
    _check_voices(scores, num_voices)
    digest = short_digest(
        part
        for score in scores
        for part in (
            repr(score.events.shape).encode(),
            score.events.astype("<i2").tobytes(),
        )
    )
    held_out = any(part != "train" for part, _, _ in parts)
    return Scores(scores, f"{name}/{split}", digest, held_out)


def _find(source, num_voices, skip_broken):
    """Returns a source's name, its splits, and a function that reads pieces."""

    def read_files(paths):
        read = functools.partial(_read, num_voices=num_voices or _VOICES)
        return read_each(paths, read, skip_broken).values()

    if isinstance(source, (list, tuple)):
        for index, score in enumerate(source):
            if not isinstance(score, Score):
                raise ValueError(
                    "Expected a list of `Score`s. Received: "
                    f"{type(score).__name__} in it, source[{index}]"
                )
        return "scores", _drawn(list(dict.fromkeys(source))), list
    if source == CHORALES:
        return CHORALES, _drawn(chorale_names()), read_chorales
    name = reprlib.repr(source)
    if isinstance(source, (str, os.PathLike)):
        check_name(source)
        name = str(source)
        path = Path(source).expanduser()
        if path.is_dir():
            return name, _from_folder(path), read_files
        if path.exists():
            # A single file has its own error, without a count.
            return (
                name,
                _drawn([path]),
                lambda paths: [
                    _read(path, num_voices or _VOICES) for path in paths
                ],
            )
    raise ValueError(
        f"Expected {CHORALES!r}, a MIDI file, a folder of MIDI files or a list "
        f"of `Score`s. Received: source={name!r}"
    )


def _drawn(pieces):
    """Splits pieces at random, always in the same way."""
    order = np.random.default_rng(0).permutation(len(pieces))
    tenth = len(pieces) // 10
    return {
        "train": [pieces[place] for place in order[2 * tenth :]],
        "validation": [pieces[place] for place in order[tenth : 2 * tenth]],
        "test": [pieces[place] for place in order[:tenth]],
    }


def _from_folder(path):
    """Returns the splits of a folder; files with the same bytes count once."""
    try:
        folder = list_folder(path, _SUFFIXES, "MIDI files")
    except ValueError as error:
        raise ValueError(f"{error}; of 0 pieces") from error
    splits, seen = {"train": [], "validation": [], "test": []}, set()
    for name in ("test", "validation", "train"):  # no copies in training
        for file, _ in folder.splits.get(name, []):
            digest = file_digest(file)
            if digest in seen:
                folder.left_out["copies"] += 1
            else:
                splits[name].append(file)
            seen.add(digest)
    folder.print_left_out()
    return splits if folder.has_splits else _drawn(splits["train"])


def _read(path, num_voices):
    status = path.stat()
    return _read_unchanged(path, num_voices, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4096)
def _read_unchanged(path, num_voices, *status):
    """Reads a file only once: each split and the tokenizer ask for it."""
    return read_midi(path, num_voices)


def _check_voices(scores, num_voices):
    counts = sorted({score.num_voices for score in scores})
    if num_voices is not None and counts != [num_voices]:
        raise ValueError(
            f"Expected scores of {num_voices} voices: `num_voices` changes "
            "only how files are read. Received: "
            f"num_voices={num_voices}, scores of {counts} voices"
        )
