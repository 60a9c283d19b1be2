"""Scores <-> token ids, and from there to MIDI, also inside a graph."""

import keras
import numpy as np
import tensorflow as tf

from keras_genai.data.music.score import FREE, HOLD, REST, Score
from keras_genai.data.music.smf import midi_file
from keras_genai.data.tokenizers import Tokenizer


@keras.saving.register_keras_serializable("keras_genai")
class MusicTokenizer(Tokenizer):
    """Turns scores to groups of ids, one group whenever a voice changes.

    In a group each voice in turn has its note, a hold or a rest. The last id of
    the group is the time, in sixteenths, until the next group. If that is more
    than `max_time`, a group of holds follows. Ids are 0 for hold, 1 for rest,
    then the notes of one voice after another, then the times from 1 up, and
    last the end of a piece.

    Args:
        lowest: Integers, the lowest MIDI pitch of each voice.
        highest: Integers, the highest ones.
        max_time: Integer >= 1, sixteenths, the longest time that is one id.
            Defaults to `16`.

    Raises:
        ValueError: If a range or the time is out of range.

    Example:
        >>> tokenizer = MusicTokenizer(lowest=[60, 48], highest=[72, 60])
        >>> score = Score([[72, 48], [-1, -1], [71, -1]])
        >>> tokenizer.encode(score)
        array([14, 15, 29, 13,  0, 28], dtype=int32)
        >>> tokenizer.decode(tokenizer.encode(score)) == score
        True
    """

    hold_id, rest_id = 0, 1

    def __init__(self, lowest, highest, max_time=16):
        self.lowest = [int(pitch) for pitch in lowest]
        self.highest = [int(pitch) for pitch in highest]
        self.max_time = int(max_time)
        if (
            not self.lowest
            or len(self.lowest) != len(self.highest)
            or not all(
                0 <= low <= high <= 127
                for low, high in zip(self.lowest, self.highest, strict=True)
            )
        ):
            raise ValueError(
                "Expected a range within 0 to 127 for each voice. "
                f"Received: lowest={lowest}, highest={highest}"
            )
        if self.max_time < 1:
            raise ValueError(
                "`max_time` must be 1 sixteenth or more. "
                f"Received: max_time={max_time}"
            )
        sizes = np.subtract(self.highest, self.lowest) + 1
        # (voices + 1,): where the notes of each voice begin, and the times
        self._first = 2 + np.cumsum([0, *sizes])
        notes = [
            pitch
            for low, high in zip(self.lowest, self.highest, strict=True)
            for pitch in range(low, high + 1)
        ]
        self._events = np.full(self.vocabulary_size, HOLD, "int32")
        self._events[self.rest_id] = REST
        self._events[2 : self._first[-1]] = notes

    @classmethod
    def from_scores(cls, scores, max_time=16):
        """Makes the tokenizer for the ranges of some scores.

        Args:
            scores: Iterable of `Score`s, all with the same number of voices.
            max_time: Integer, as above.

        Returns:
            `MusicTokenizer`.

        Raises:
            ValueError: If there are no scores, if a voice never sounds, or if
                the scores differ in their number of voices.
        """
        scores = list(scores)
        counts = sorted({score.num_voices for score in scores})
        if len(counts) != 1:
            raise ValueError(
                "Expected scores with the same number of voices. "
                f"Received: scores of {counts} voices"
            )
        events = np.concatenate([score.events for score in scores])
        silent = np.flatnonzero((events < 0).all(axis=0))
        if len(silent):
            raise ValueError(
                "Expected voices that sound somewhere: read the files with "
                f"num_voices={max(1, silent[0])} (--num-voices on the command "
                "line). Received: scores in which voice "
                f"{silent[0]} never does"
            )
        lowest = np.where(events < 0, 128, events).min(axis=0)
        return cls(lowest.tolist(), events.max(axis=0).tolist(), max_time)

    @property
    def vocabulary_size(self):
        return int(self._first[-1]) + self.max_time + 1

    @property
    def num_voices(self):
        """Integer, voices."""
        return len(self.lowest)

    @property
    def group_size(self):
        """Integer, ids of a group: one for each voice, and the time."""
        return self.num_voices + 1

    @property
    def steps_per_token(self):
        """Float32 array `(vocabulary_size,)`: sixteenths that an id takes."""
        steps = np.zeros(self.vocabulary_size, "float32")
        steps[self._first[-1] : -1] = np.arange(1, self.max_time + 1)
        return steps

    @property
    def slots(self):
        """Boolean array `(group_size, vocabulary_size)`: valid places of ids.

        The end may be at the first place of a group.
        """
        slots = np.zeros((self.group_size, self.vocabulary_size), bool)
        slots[:-1, [self.hold_id, self.rest_id]] = True
        for voice in range(self.num_voices):
            slots[voice, self._first[voice] : self._first[voice + 1]] = True
        slots[-1, self._first[-1] : -1] = True
        slots[0, self.end_token_id] = True
        return slots

    def note_id(self, voice, pitch):
        """Returns the id of a note.

        Args:
            voice: Integer, 0 for the first, the highest.
            pitch: Integer, its MIDI pitch.

        Returns:
            Integer.

        Raises:
            ValueError: If there is no such voice, or if the pitch is outside
                of its range.
        """
        if not 0 <= voice < self.num_voices:
            raise ValueError(
                f"Expected a voice in [0, {self.num_voices}). "
                f"Received: voice={voice}"
            )
        events = np.full((1, self.num_voices), HOLD)
        events[0, voice] = pitch
        return int(self.events_to_ids(events)[0, voice])

    def events_to_ids(self, events):
        """Turns events to ids one by one, without times.

        Args:
            events: Integer array `(steps, voices)`, as in a `Score`, with -3
                where the event is free.

        Returns:
            Int32 array of the same shape, with -1 where the event is free.

        Raises:
            ValueError: If the number of voices is wrong, or if a note is
                outside of its voice's range.
        """
        events = np.asarray(events, "int32")
        if events.ndim != 2 or events.shape[1] != self.num_voices:
            raise ValueError(
                f"Expected {self.num_voices} voices. "
                f"Received: events of shape {events.shape}"
            )
        outside = (events < self.lowest) | (events > self.highest)
        outside &= (events >= 0) | (events < FREE)
        if outside.any():
            step, voice = np.argwhere(outside)[0]
            raise ValueError(
                "A note is outside of its voice's range, "
                f"{self.lowest[voice]} to {self.highest[voice]}. Received: "
                f"pitch {events[step, voice]} in voice {voice} at step {step}"
            )
        notes = self._first[:-1] + events - self.lowest
        ids = np.select(
            [events >= 0, events == HOLD, events == REST],
            [notes, self.hold_id, self.rest_id],
            -1,
        )
        return ids.astype("int32")

    def encode(self, score):
        """Turns a score to ids, without the end token.

        Args:
            score: `Score`.

        Returns:
            Int32 NumPy array `(group_size * groups,)`.

        Raises:
            ValueError: As for `events_to_ids`.
        """
        ids = self.events_to_ids(score.events)
        begins = np.flatnonzero((ids != self.hold_id).any(axis=1))
        # Groups of holds, too, where a time is longer than `max_time`.
        starts = np.concatenate(
            [
                np.arange(start, stop, self.max_time)
                for start, stop in zip(
                    begins, [*begins[1:], len(ids)], strict=True
                )
            ]
        )
        times = np.diff(starts, append=len(ids))
        times = (self._first[-1] - 1 + times)[:, None]
        groups = np.concatenate([ids[starts], times], axis=1)
        return groups.reshape(-1).astype("int32")

    def decode(self, token_ids):
        """Turns ids to a score, up to the first end token.

        Args:
            token_ids: Integer array `(length,)` that begins with a group. An
                incomplete last group is left out.

        Returns:
            `Score`.

        Raises:
            ValueError: If an id is at a wrong place, or if no group is
                complete.
        """
        ids = np.asarray(token_ids, "int64").reshape(-1)
        ends = np.flatnonzero(ids == self.end_token_id)
        if len(ends) and ends[0] % self.group_size == 0:
            ids = ids[: ends[0]]
        places = np.arange(len(ids)) % self.group_size
        known = (ids >= 0) & (ids < self.vocabulary_size)
        known &= self.slots[places, np.where(known, ids, 0)]
        if not known.all():
            place = np.argmin(known)
            raise ValueError(
                f"Expected groups of {self.num_voices} voices and a time. "
                f"Received: id {ids[place]} at place {place}"
            )
        groups = ids[: len(ids) // self.group_size * self.group_size]
        groups = groups.reshape(-1, self.group_size)
        if not len(groups):
            raise ValueError(
                f"Expected a group of {self.group_size} ids. "
                f"Received: {len(ids)} before the end"
            )
        times = groups[:, -1] - self._first[-1] + 1
        events = np.full((times.sum(), self.num_voices), HOLD)
        events[np.cumsum(times) - times] = self._events[groups[:, :-1]]
        return Score(events)

    def detokenize(self, token_ids):
        """Turns ids to MIDI files, in TensorFlow.

        Ids behind the first end token and an incomplete last group are left
        out. A row without a group becomes a file without a note.

        Args:
            token_ids: `tf.RaggedTensor` of int32, `(batch, None)`. Each row
                begins with a group.

        Returns:
            String tensor `(batch,)`, the bytes of standard MIDI files, at 90
            quarters a minute.
        """
        events = tf.constant(self._events)
        steps = tf.constant(self.steps_per_token.astype("int32"))

        def one(ids):
            goes_on = tf.cast(ids != self.end_token_id, "int32")
            count = tf.reduce_sum(tf.math.cumprod(goes_on))
            count = count // self.group_size * self.group_size
            groups = tf.reshape(ids[:count], (-1, self.group_size))
            times = tf.gather(steps, groups[:, -1])
            starts = tf.cumsum(times, exclusive=True)
            return midi_file(
                tf.gather(events, groups[:, :-1]), starts, tf.reduce_sum(times)
            )

        return tf.map_fn(one, token_ids, fn_output_signature=tf.string)

    def transpositions(self, score):
        """Returns by how many semitones a score can be moved.

        Args:
            score: `Score` within the ranges.

        Returns:
            Range within -6 to 5, with 0 in it, in which each voice keeps its
            range.
        """
        notes = score.events
        down = np.where(notes < 0, 6, notes - self.lowest).min()
        up = np.where(notes < 0, 5, np.subtract(self.highest, notes)).min()
        return range(-int(np.clip(down, 0, 6)), int(np.clip(up, 0, 5)) + 1)

    def get_config(self):
        return {
            "lowest": self.lowest,
            "highest": self.highest,
            "max_time": self.max_time,
        }
