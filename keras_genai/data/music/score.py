"""A score: the note that each voice begins or holds at each sixteenth."""

import dataclasses

import numpy as np

STEPS_PER_QUARTER = 4
HOLD = -1  # the note or the rest continues
REST = -2  # a rest begins
FREE = -3  # not in a score: the model chooses


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Score:
    """Music of several voices, each with one note at a time.

    Scores that sound alike are equal: a second rest in a row becomes a hold,
    and a hold at the beginning becomes a rest.

    Args:
        events: Integer array `(steps, voices)`, a row a sixteenth: the MIDI
            pitch, 0 to 127, where a note begins (60 is middle C), -1 where the
            note or the rest continues, -2 where a rest begins.
        name: String, the title. Scores with different names can be equal.

    Raises:
        ValueError: If there is no step or no voice, or if an event is out of
            range.

    Example:
        >>> score = Score([[72, 64], [-1, 62], [-2, -1]])
        >>> score.pitches().tolist()
        [[72, 64], [72, 62], [-2, 62]]
        >>> print(score.transpose(-2)[1:])
        2 voices, 2 steps
    """

    events: np.ndarray
    name: str = ""

    def __post_init__(self):
        events = np.asarray(self.events)
        if events.ndim != 2 or 0 in events.shape:
            raise ValueError(
                "Expected events (steps, voices), with a step and a voice at "
                f"least. Received: shape {events.shape}"
            )
        if not np.issubdtype(events.dtype, np.integer):
            raise ValueError(
                f"Expected integers as events. Received: {events.dtype}"
            )
        if events.min() < REST or events.max() > 127:
            raise ValueError(
                "Expected events among the pitches 0 to 127, -1 (held) and -2 "
                f"(rest). Received: {events.min()} to {events.max()}"
            )
        events = events.astype("int16")  # a copy
        events[0][events[0] == HOLD] = REST
        before = _sounding(events)[:-1]
        events[1:][(events[1:] == REST) & (before == REST)] = HOLD
        events.flags.writeable = False
        object.__setattr__(self, "events", events)

    @property
    def num_voices(self):
        """Integer, voices."""
        return self.events.shape[1]

    def pitches(self):
        """Returns the pitches that sound.

        Returns:
            Int16 array `(steps, voices)` of MIDI pitches; -2 in rests.
        """
        return _sounding(self.events)

    def onsets(self):
        """Returns where notes begin.

        Returns:
            Boolean array `(steps, voices)`.
        """
        return self.events >= 0

    def transpose(self, semitones):
        """Moves all notes up or down.

        Args:
            semitones: Integer, upwards.

        Returns:
            `Score`.

        Raises:
            ValueError: If a note leaves 0 to 127.
        """
        notes = self.events[self.onsets()]
        if len(notes) and not (
            0 <= notes.min() + semitones <= notes.max() + semitones <= 127
        ):
            raise ValueError(
                "Expected pitches that stay in 0 to 127. Received: "
                f"semitones={semitones} for {notes.min()} to {notes.max()}"
            )
        moved = np.where(self.onsets(), self.events + semitones, self.events)
        return Score(moved, self.name)

    def voice(self, index):
        """Returns one of the voices.

        Args:
            index: Integer, 0 for the first, the highest.

        Returns:
            `Score` of one voice.

        Raises:
            ValueError: If there is no such voice.
        """
        if not 0 <= index < self.num_voices:
            raise ValueError(
                f"Expected a voice in [0, {self.num_voices}). "
                f"Received: index={index}"
            )
        return Score(self.events[:, index : index + 1], self.name)

    def __getitem__(self, steps):
        """Cuts out steps; a note held at the cut begins there again."""
        if not isinstance(steps, slice) or steps.step not in (None, 1):
            raise TypeError(
                "Cut a score by a slice of steps, such as score[16:32]. "
                f"Received: {steps!r}"
            )
        events = self.events[steps].copy()
        events[:1] = self.pitches()[steps][:1]
        return Score(events, self.name)

    def __len__(self):
        return len(self.events)

    def __eq__(self, other):
        if not isinstance(other, Score):
            return NotImplemented
        return np.array_equal(self.events, other.events)

    def __hash__(self):
        return hash((self.events.shape, self.events.tobytes()))

    def __str__(self):
        name = f"{self.name}: " * bool(self.name)
        voices = f"{self.num_voices} voice" + "s" * (self.num_voices != 1)
        return f"{name}{voices}, {len(self):,} step" + "s" * (len(self) != 1)

    def __repr__(self):
        return f"<Score {self}>"


def _sounding(events):
    # (steps, voices): the last step that was not held
    steps = np.arange(len(events), dtype="int32")[:, None]
    begun = np.maximum.accumulate(np.where(events == HOLD, 0, steps), axis=0)
    return np.take_along_axis(events, begun, axis=0)
