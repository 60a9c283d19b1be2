import numpy as np
import pytest

from keras_genai.data.music import HOLD, REST, Score


def random_score(seed, num_steps=40, num_voices=3, lowest=40):
    """A canonical score whose voices, of an octave each, never cross."""
    draw = np.random.default_rng(seed)
    kinds = draw.choice(3, (num_steps, num_voices), p=[0.2, 0.1, 0.7])
    octaves = lowest + 12 * np.arange(num_voices)[::-1]
    notes = octaves + draw.integers(0, 12, (num_steps, num_voices))
    events = np.select([kinds == 0, kinds == 1], [notes, REST], HOLD)
    events[-1] = notes[-1]  # no silence at the end
    return Score(events)


def notes_of(score):
    """For each voice its notes: first step, step after the last, pitch."""
    found = []
    for events in score.events.T:
        notes = []
        sounding = False
        for step, event in enumerate(events.tolist()):
            if event == HOLD:
                if sounding:
                    notes[-1][1] += 1
            else:
                sounding = event >= 0
                if sounding:
                    notes.append([step, step + 1, event])
        found.append([tuple(note) for note in notes])
    return found


def test_scores_that_sound_alike_are_equal():
    said = Score([[HOLD, 60], [REST, HOLD], [HOLD, REST], [REST, REST]])
    plain = Score([[REST, 60], [HOLD, HOLD], [HOLD, REST], [HOLD, HOLD]])
    assert said == plain and hash(said) == hash(plain)
    assert said.events.tolist() == plain.events.tolist()
    assert said != Score([[REST, 60], [HOLD, 60], [HOLD, REST], [HOLD, HOLD]])
    assert Score([[60]], "a") == Score([[60]], "b")
    assert Score([[60]]) != "a score"


@pytest.mark.parametrize("seed", range(3))
def test_pitches_and_onsets_tell_the_notes(seed):
    score = random_score(seed)
    pitches = np.full(score.events.shape, REST)
    onsets = np.zeros(score.events.shape, bool)
    for voice, notes in enumerate(notes_of(score)):
        for start, stop, pitch in notes:
            pitches[start:stop, voice] = pitch
            onsets[start, voice] = True
    np.testing.assert_array_equal(score.pitches(), pitches)
    np.testing.assert_array_equal(score.onsets(), onsets)


def test_a_slice_begins_anew_what_is_held():
    score = Score([[60, 50], [HOLD, REST], [62, HOLD], [HOLD, 52]])
    assert score[1:].events.tolist() == [[60, -2], [62, -1], [-1, 52]]
    assert score[:2] == Score([[60, 50], [HOLD, REST]])
    assert len(score[-1:]) == 1 and score[-1:] == Score([[62, 52]])
    for wrong in (0, slice(None, None, 2)):
        with pytest.raises(TypeError, match="a slice of steps"):
            score[wrong]
    with pytest.raises(ValueError, match="a step and a voice at least"):
        score[4:]


def test_transposing_moves_notes_alone_and_keeps_to_midi():
    score = Score([[60, REST], [HOLD, 0], [REST, 127]])
    assert score[:2].transpose(2).events.tolist() == [[62, -2], [-1, 2]]
    assert score[:1].transpose(-3).transpose(3) == score[:1]
    for semitones in (1, -1):  # down, a pitch of 0 would become a hold
        with pytest.raises(ValueError, match="stay in 0 to 127"):
            score.transpose(semitones)


def test_voices_are_scores():
    score = random_score(0)
    assert score.voice(1).pitches()[:, 0].tolist() == [
        row[1] for row in score.pitches().tolist()
    ]
    for index in (-1, 3):
        with pytest.raises(ValueError, match=r"voice in \[0, 3\)"):
            score.voice(index)


def test_a_score_cannot_be_changed_from_outside():
    events = np.array([[60, 50]])
    score = Score(events)
    events[0, 0] = 61
    assert score.events[0, 0] == 60 and score.events.dtype == np.int16
    with pytest.raises(ValueError, match="read-only"):
        score.events[0, 0] = 61


def test_its_text_is_short():
    assert str(Score([[60, 50]], "bwv1.6")) == "bwv1.6: 2 voices, 1 step"
    assert repr(Score([[60], [62]])) == "<Score 1 voice, 2 steps>"


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([60, 62], "Expected events"),
        (np.zeros((0, 4), "int16"), "Expected events"),
        (np.zeros((4, 0), "int16"), "Expected events"),
        ([[60.0]], "Expected integers"),
        ([[128]], "Received: 128 to 128"),
        ([[-3]], "Received: -3 to -3"),
        ([[70_000]], "Received: 70000 to 70000"),
    ],
)
def test_bad_events_are_refused(events, message):
    with pytest.raises(ValueError, match=message):
        Score(events)
