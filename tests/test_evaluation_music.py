import itertools
import types

import numpy as np
import pytest
from music21 import corpus, voiceLeading

from keras_genai.evaluation import Key, find_key, music_measures
from keras_genai.evaluation.music import _PROFILES

CHORALES = ("bwv269", "bwv347", "bwv153.1", "bwv281", "bwv17.7")


class Piece:
    """What a score is to an evaluation: what sounds, and what begins."""

    def __init__(self, pitches, onsets=None):
        self._pitches = np.array(pitches, "int16")
        if onsets is None:  # no note is repeated
            onsets = self._pitches >= 0
            onsets[1:] &= self._pitches[1:] != self._pitches[:-1]
        self._onsets = onsets

    def pitches(self):
        return self._pitches

    def onsets(self):
        return self._onsets


def on_grid(parsed):
    """A piece of what music21 parsed, and its notes `(steps, voices)`."""
    steps = round(parsed.flatten().highestTime * 4)
    sounding = np.full((steps, len(parsed.parts)), None)
    for voice, part in enumerate(parsed.parts):
        for note in part.flatten().notes:
            begin = round(note.offset * 4)
            sounding[begin : begin + round(note.quarterLength * 4), voice] = (
                note
            )
    pitches = [[n.pitch.midi if n else -2 for n in row] for row in sounding]
    return Piece(pitches), sounding


@pytest.fixture(scope="module")
def chorales():
    return [corpus.parse(f"bach/{name}") for name in CHORALES]


def test_keys_are_those_that_music21_finds(chorales):
    modes = set()
    for parsed in chorales:
        expected = parsed.analyze("key.krumhanslschmuckler")
        key = find_key(on_grid(parsed)[0])
        assert key == Key(expected.tonic.pitchClass, expected.mode)
        # Its spelling is of the same sharps or flats.
        assert str(key) == str(expected).replace("-", "b").capitalize()
        modes.add(key.mode)
    assert modes == {"major", "minor"}


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_a_profile_is_its_own_key_in_every_transposition(mode):
    for tonic in range(12):
        durations = np.round(np.array(_PROFILES[mode]) * 100).astype(int)
        pitches = np.repeat(60 + tonic + np.arange(12), durations)
        assert find_key(Piece(pitches[:, None])) == Key(tonic, mode)


def test_keys_correlate_best_of_all():
    pitches = np.random.default_rng(3).integers(40, 80, (30, 3))
    durations = np.bincount(pitches.ravel() % 12, minlength=12)
    correlations = {
        (tonic, mode): np.corrcoef(np.roll(profile, tonic), durations)[0, 1]
        for mode, profile in _PROFILES.items()
        for tonic in range(12)
    }
    best = max(correlations, key=correlations.get)
    assert find_key(Piece(pitches)) == Key(*best)


def test_minor_has_both_sixths_and_both_sevenths():
    assert Key(0, "major").pitch_classes == (0, 2, 4, 5, 7, 9, 11)
    natural, raised = {0, 2, 3, 5, 7, 8, 10}, {9, 11}
    assert set(Key(0, "minor").pitch_classes) == natural | raised
    assert Key(11, "major").pitch_classes == (1, 3, 4, 6, 8, 10, 11)


def test_in_key_is_weighed_by_duration_and_found_by_piece():
    c_major = [60, 62, 64, 65, 67, 67, 69, 71, 60, 60]
    strange = Piece([[p] for p in [*c_major, 61, -2]])  # a C#, a rest
    assert music_measures(strange)["in_key"] == pytest.approx(10 / 11)
    # In F# major, of which C major holds two pitch classes only.
    moved = Piece([[p + 6] for p in c_major])
    assert music_measures([strange, moved])["in_key"] == pytest.approx(20 / 21)


def test_crossings_are_of_voices_that_sound():
    pitches = [
        [60, 64, 48],  # the second above the first
        [60, 64, 65],  # two crossings, one step
        [60, 60, 48],  # one note for two is none
        [-2, 64, 48],  # nothing to be below
        [50, -2, 55],  # over a silent voice
    ]
    measures = music_measures(Piece(pitches))
    assert measures["voice_crossings"] == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    "before, after, fifths, octaves",
    [
        ((67, 60), (69, 62), 1, 0),
        ((69, 62), (67, 60), 1, 0),  # downwards
        ((79, 60), (81, 62), 1, 0),  # twelfths
        ((67, 60), (81, 62), 1, 0),  # a fifth to a twelfth
        ((67, 60), (69, 50), 0, 0),  # in contrary motion
        ((67, 60), (67, 60), 0, 0),  # nothing moves
        ((67, 60), (68, 62), 0, 0),  # to a diminished one
        ((65, 60), (67, 62), 0, 0),  # fourths
        ((67, 60), (69, 53), 0, 0),  # not a fifth any more
        ((72, 60), (74, 62), 0, 1),
        ((60, 60), (62, 62), 0, 1),  # unisons
        ((84, 60), (86, 62), 0, 1),  # two octaves
        ((72, 60), (74, 50), 0, 0),
        ((-2, -2), (67, 60), 0, 0),  # silence is no interval
        ((67, 60), (-2, -2), 0, 0),
    ],
)
def test_parallels_of_two_voices(before, after, fifths, octaves):
    pitches = [before, before, after, after, (80, 71)]
    measures = music_measures(Piece(pitches))
    changes = 1 + (before != after)
    assert measures["parallel_fifths"] == 100 * fifths / changes
    assert measures["parallel_octaves"] == 100 * octaves / changes


def test_parallels_count_every_pair_that_moves_at_once():
    # C-G-C to D-A-D: fifth, octave; a fourth between the upper two.
    together = [[72, 67, 60], [74, 69, 62]]
    measures = music_measures(Piece(together))
    assert measures["parallel_fifths"] == 100
    assert measures["parallel_octaves"] == 100
    # One voice after the other: two changes, no parallel.
    apart = [[67, 60], [69, 60], [69, 62]]
    assert music_measures(Piece(apart))["parallel_fifths"] == 0
    # Taken together, per change of chords: 1 in 3.
    both = music_measures([Piece(apart), Piece([[67, 60], [69, 62]])])
    assert both["parallel_fifths"] == pytest.approx(100 / 3)


def test_parallels_are_those_that_music21_finds(chorales):
    found = {"P5": 0, "P8": 0}
    # The last, of steps drawn at random, is full of them.
    random = np.random.default_rng(0)
    for parsed in chorales:
        _, notes = on_grid(parsed)
        for order in (np.arange(len(notes)), random.permutation(len(notes))):
            mixed = notes[order]
            pitches = [[n.pitch.midi if n else -2 for n in r] for r in mixed]
            counts, changes = {"P5": 0, "P8": 0}, 0
            for now, then in itertools.pairwise(range(len(mixed))):
                changes += pitches[now] != pitches[then]
                for a, b in itertools.combinations(range(4), 2):
                    four = (*mixed[[now, then], a], *mixed[[now, then], b])
                    if None in four or pitches[now] == pitches[then]:
                        continue
                    motion = voiceLeading.VoiceLeadingQuartet(*four)
                    for name in counts:
                        sizes = [i.semiSimpleName for i in motion.vIntervals]
                        # Unisons and octaves are one to us.
                        sizes = ["P8" if s == "P1" else s for s in sizes]
                        counts[name] += (
                            sizes == [name] * 2 and motion.similarMotion()
                        )
            measures = music_measures(Piece(pitches))
            for name, key in (("P5", "fifths"), ("P8", "octaves")):
                found[name] += counts[name]
                assert measures[f"parallel_{key}"] == pytest.approx(
                    100 * counts[name] / changes
                )
    assert min(found.values()) > 10


def test_notes_per_quarter_counts_repeated_notes():
    onsets = np.zeros((8, 2), bool)
    onsets[::2, 0] = True  # four eighths on one pitch
    onsets[0, 1] = True
    piece = Piece(np.full((8, 2), 60), onsets)
    assert music_measures(piece)["notes_per_quarter"] == 5 / 2 / 2


def test_chorales_are_told_from_voices_that_do_not_belong_together(chorales):
    pieces = [on_grid(parsed)[0] for parsed in chorales]
    real = music_measures(pieces)
    # Each voice late by a bar more, and the tenor over the soprano.
    mixed = [
        Piece(
            np.stack(
                [
                    np.roll(piece.pitches()[:, voice], 16 * late, axis=0)
                    for late, voice in enumerate((2, 1, 0, 3))
                ],
                axis=1,
            )
        )
        for piece in pieces
    ]
    mixed = music_measures(mixed)
    assert real["in_key"] > 0.9
    assert real["voice_crossings"] < 0.05 < mixed["voice_crossings"]
    for name in ("parallel_fifths", "parallel_octaves"):
        assert real[name] < 0.5 < mixed[name]


@pytest.mark.parametrize(
    "scores, received",
    [
        ([], r"scores=\[\]"),
        ([np.zeros((4, 2))], "ndarray"),
        ([Piece([[-2, -2]]), Piece([[-2]])], "2 silent"),
    ],
)
def test_what_is_no_music_is_refused(scores, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        music_measures(scores)


def test_silent_pieces_count_only_by_their_steps():
    pieces = [Piece([[60, 64]]), Piece([[-2, -2]])]
    assert music_measures(pieces) == {
        "in_key": 1,
        "voice_crossings": 0.5,
        "parallel_fifths": 0,
        "parallel_octaves": 0,
        "notes_per_quarter": 2,
    }
    with pytest.raises(ValueError, match="1 silent"):
        find_key(pieces[1])


def test_one_score_or_a_split_will_do():
    piece = Piece([[67, 60], [69, 62]])
    split = types.SimpleNamespace(scores=(piece,))
    expected = music_measures([piece])
    assert music_measures(piece) == music_measures(split) == expected
