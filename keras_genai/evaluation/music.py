"""How well scores keep to a key and to the rules of part-writing."""

import dataclasses

import numpy as np

# How well each of the twelve pitch classes fits a key, from its tonic up: the
# ratings of listeners in Krumhansl and Kessler, 1982.
_PROFILES = {
    "major": (
        *(6.35, 2.23, 3.48, 2.33, 4.38, 4.09),
        *(2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    ),
    "minor": (
        *(6.33, 2.68, 3.52, 5.38, 2.60, 3.53),
        *(2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
}
_SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    # natural minor, with the raised sixth and seventh of melodic minor
    "minor": (0, 2, 3, 5, 7, 8, 9, 10, 11),
}
_TONICS = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
_STEPS_PER_QUARTER = 4
_FIFTH, _OCTAVE = 7, 0  # semitones, modulo an octave


@dataclasses.dataclass(frozen=True)
class Key:
    """A key, as from `find_key`.

    Attributes:
        tonic: Integer, the pitch class of the tonic, 0 for C to 11 for B.
        mode: `"major"` or `"minor"`.

    Example:
        >>> print(Key(9, "minor"), Key(9, "minor").pitch_classes)
        A minor (0, 2, 4, 5, 6, 7, 8, 9, 11)
    """

    tonic: int
    mode: str

    @property
    def pitch_classes(self):
        """Tuple of the pitch classes in the key, ascending.

        Seven in major. Nine in minor: the natural scale, and the raised sixth
        and seventh degrees of the melodic and the harmonic scale.
        """
        scale = _SCALES[self.mode]
        return tuple(sorted((self.tonic + degree) % 12 for degree in scale))

    def __str__(self):
        return f"{_TONICS[self.mode][self.tonic]} {self.mode}"


def find_key(score):
    """Finds the key of a score, by the algorithm of Krumhansl and Schmuckler.

    The time that each pitch class sounds, in all voices, is correlated with the
    profiles of Krumhansl and Kessler in all 24 keys. The highest correlation
    wins.

    Args:
        score: `Score`, or any object whose `pitches()` returns the MIDI
            pitches that sound `(steps, voices)`, negative in rests.

    Returns:
        `Key`.

    Raises:
        ValueError: If no note sounds.

    Example:
        >>> import types
        >>> scale = np.array([[60], [62], [64], [65], [67], [69], [71], [72]])
        >>> print(find_key(types.SimpleNamespace(pitches=lambda: scale)))
        C major

    Reference:
        Krumhansl, Cognitive foundations of musical pitch, 1990, chapter 4;
        Krumhansl and Kessler, Tracing the dynamic changes in perceived tonal
        organization in a spatial representation of musical keys, 1982.
    """
    (pitches,) = _all_pitches([score])
    return _key_of(pitches)


def music_measures(scores):
    """Measures how well scores keep to a key and to rules of part-writing.

    Steps and chord changes of all scores are counted together, so that a long
    piece counts more than a short one. A chord changes at a step at which a
    voice has another pitch than just before, falls silent, or begins.

    The best value is not 0 or 1, but the value of the music that a model
    learned from: measure held-out pieces too. Pieces that never move break no
    rule; `notes_per_quarter` shows them.

    Args:
        scores: `Score`, a sequence of them, or the `Scores` of a split. A
            score is any object with `pitches()`, which returns the MIDI
            pitches that sound `(steps, voices)`, a step for each sixteenth,
            the highest voice first, negative in rests; and with `onsets()`,
            which returns booleans of that shape, where notes begin.

    Returns:
        Dictionary of floats:

        - `in_key`: share of the sounding time with a pitch class in the
          piece's key (`find_key`, `Key.pitch_classes`). If all twelve were as
          frequent, it would be 7 / 12 = 0.58 in major, 9 / 12 = 0.75 in minor.
        - `voice_crossings`: share of the steps at which a voice sounds below
          a lower voice.
        - `parallel_fifths`: per 100 chord changes. Two voices are a perfect
          fifth apart just before a step and again at it, after both have moved
          in the same direction. A fifth is 7 semitones, with or without
          octaves between. Every pair of voices counts.
        - `parallel_octaves`: the same for unisons and octaves.
        - `notes_per_quarter`: notes that a voice begins in a quarter.

    Raises:
        ValueError: If there are no scores, if one is not a score, or if no
            note sounds in any.

    Example:
        >>> import types
        >>> pitches = np.array([[67, 60], [69, 62]])  # C-G, D-A
        >>> score = types.SimpleNamespace(
        ...     pitches=lambda: pitches, onsets=lambda: pitches > 0
        ... )
        >>> music_measures(score)["parallel_fifths"]
        100.0

    Reference:
        Fitsioris and Conklin, Parallel successions of perfect fifths in the
        Bach chorales, 2008.
    """
    scores = getattr(scores, "scores", scores)  # of `Scores`
    scores = [scores] if hasattr(scores, "pitches") else list(scores)
    pieces = _all_pitches(scores)
    sounding = sum((pitches >= 0).sum() for pitches in pieces)
    cells = sum(pitches.size for pitches in pieces)
    steps = sum(map(len, pieces))
    changes = sum(_chord_changes(pitches) for pitches in pieces)
    notes = sum(np.asarray(score.onsets()).sum() for score in scores)

    def per_100_changes(interval):
        found = sum(_parallels(pitches, interval) for pitches in pieces)
        return float(100 * found / max(changes, 1))

    return {
        "in_key": float(sum(map(_in_key, pieces)) / sounding),
        "voice_crossings": float(sum(map(_crossed, pieces)) / steps),
        "parallel_fifths": per_100_changes(_FIFTH),
        "parallel_octaves": per_100_changes(_OCTAVE),
        "notes_per_quarter": float(_STEPS_PER_QUARTER * notes / cells),
    }


def _all_pitches(scores):
    if not scores:
        raise ValueError("Expected at least one score. Received: scores=[]")
    for score in scores:
        if not hasattr(score, "pitches"):
            raise ValueError(
                "Expected scores, which have `pitches()` and `onsets()`. "
                f"Received: {type(score).__name__}"
            )
    pieces = [np.asarray(score.pitches(), "int64") for score in scores]
    if not any((pitches >= 0).any() for pitches in pieces):
        raise ValueError(
            "Expected scores in which a note sounds. "
            f"Received: {len(pieces)} silent"
        )
    return pieces


def _key_of(pitches):
    durations = np.bincount(pitches[pitches >= 0] % 12, minlength=12)
    deviations = durations - durations.mean()
    fits = {}
    for mode, profile in _PROFILES.items():
        profile = (np.array(profile) - np.mean(profile)) / np.std(profile)
        for tonic in range(12):
            # The correlation, up to a factor that all keys share.
            fits[Key(tonic, mode)] = deviations @ np.roll(profile, tonic)
    return max(fits, key=fits.get)


def _in_key(pitches):
    sounding = pitches[pitches >= 0]
    if not len(sounding):
        return 0
    return np.isin(sounding % 12, _key_of(pitches).pitch_classes).sum()


def _crossed(pitches):
    upper, lower = _pairs(pitches)
    crossed = (upper >= 0) & (lower >= 0) & (upper < lower)
    return crossed.any(axis=1).sum()


def _chord_changes(pitches):
    return (pitches[1:] != pitches[:-1]).any(axis=1).sum()


def _parallels(pitches, interval):
    upper, lower = _pairs(pitches)
    sounds = (upper >= 0) & (lower >= 0)
    there = sounds & (np.abs(upper - lower) % 12 == interval)
    moves = np.sign(np.diff(upper, axis=0))
    together = (moves != 0) & (moves == np.sign(np.diff(lower, axis=0)))
    return (there[:-1] & there[1:] & together).sum()


def _pairs(pitches):
    # two arrays (steps, pairs of voices)
    upper, lower = np.triu_indices(pitches.shape[1], k=1)
    return pitches[:, upper], pitches[:, lower]
