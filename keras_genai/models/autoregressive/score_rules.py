"""ScoreRules: which tokens a score may go on with, while it is composed."""

import tensorflow as tf

# Events of a score that are not notes, as `keras_genai.data.music` has them.
HOLD, REST, FREE = -1, -2, -3
NOT_GIVEN = -1  # in place of a token id


class ScoreRules:
    """The tokens that may come next in a score, of which a part may be given.

    A score is groups of tokens, and the end. For two voices:

            +------------------- the next group <--------------------+
            |                                                        |
            v     a note,             a note,             a time     |
        [ slot 0 ] hold ---> [ slot 1 ] hold ---> [ slot 2 ] --------+
            |      or rest            or rest     `step` grows by it
            |
            +---> the end, only here

    The place of the next token is its `slot` in the group and its `step` in
    the score. It decides three things:

    - A slot takes the tokens shown in the drawing. The first group has no
      hold, and the score does not end there.
    - Where an event of a voice is given, its token is the only one. Where
      nothing is given, the voice is free.
    - A time does not go beyond the next given event that is not a hold, and
      the score does not end before the last given event.

    The state is a dictionary of tensors:

        slot          (batch,)                place in the group, from 0 on
        step          (batch,)                sixteenths since the beginning
        given         (batch, steps, voices)  ids, or -1 where a voice is free
        longest_time  (batch, steps)          from a step to the next group
        may_end       (batch, steps)          whether nothing given follows

    The last of the steps represents all later ones.

    Args:
        tokenizer: `keras_genai.MusicTokenizer`.
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.steps_per_token = tokenizer.steps_per_token.astype("int32")

    def start(self, batch_size):
        """The state before scores of which nothing is given.

        Args:
            batch_size: Integer, or integer scalar tensor.

        Returns:
            The state.
        """
        shape = (batch_size, 1, self.tokenizer.num_voices)
        return self._start(
            given=tf.fill(shape, NOT_GIVEN),
            longest_time=tf.fill(shape[:2], self.tokenizer.max_time),
            may_end=tf.fill(shape[:2], True),
        )

    def start_with(self, given, num_steps):
        """The state before scores of which events are given.

        Args:
            given: Int32 tensor `(batch, steps, voices)`, ids; -1 where a voice
                is free, and from `num_steps` on.
            num_steps: Integer below `steps`, or scalar tensor: the scores end
                at this step at the latest.

        Returns:
            The state.
        """
        is_given = given != NOT_GIVEN  # (batch, steps, voices)
        steps = tf.range(tf.shape(given)[1])
        start, other = steps[:, None], steps[None]  # (from, to)
        # A score may end where nothing is given from that step on.
        any_given = tf.reduce_any(is_given, axis=2)  # (batch, steps)
        follows = (other >= start) & any_given[:, None]  # (batch, from, to)
        may_end = ~tf.reduce_any(follows, axis=2)
        # A time lasts to the next given event that begins, or to the end.
        begins = is_given & (given != self.tokenizer.hold_id)
        begins = tf.reduce_any(begins, axis=2) | (steps == num_steps)
        distances = tf.where(
            (other > start) & begins[:, None],
            other - start,
            self.tokenizer.max_time,
        )  # (batch, from, to)
        # The end itself is given, in the first slot.
        is_end = (steps == num_steps)[:, None] & (
            tf.range(self.tokenizer.num_voices) == 0
        )  # (steps, voices)
        given = tf.where(is_end, self.tokenizer.end_token_id, given)
        return self._start(given, tf.reduce_min(distances, axis=2), may_end)

    def _start(self, given, longest_time, may_end):
        batch_size = tf.shape(given)[0]
        return {
            "slot": tf.zeros((batch_size,), "int32"),
            "step": tf.zeros((batch_size,), "int32"),
            "given": given,
            "longest_time": longest_time,
            "may_end": may_end,
        }

    def advance(self, token_ids, state):
        """Goes on by a token.

        Args:
            token_ids: Int32 tensor `(batch,)`. An end begins a new score.
            state: The state before it.

        Returns:
            The state after it.
        """
        ended = token_ids == self.tokenizer.end_token_id
        slot = (state["slot"] + 1) % self.tokenizer.group_size
        step = state["step"] + tf.gather(self.steps_per_token, token_ids)
        return {
            **state,
            "slot": tf.where(ended, 0, slot),
            "step": tf.where(ended, 0, step),
        }

    def allowed(self, state):
        """The tokens that may come next.

        Args:
            state: The state before them.

        Returns:
            Boolean tensor `(batch, vocabulary_size)`.
        """
        slot, step = state["slot"], state["step"]
        tokens = tf.range(self.tokenizer.vocabulary_size)[None]
        is_end = tokens == self.tokenizer.end_token_id
        is_hold = tokens == self.tokenizer.hold_id
        # The rows of this step.
        last = tf.shape(state["given"])[1] - 1
        place = tf.minimum(step, last)
        given, longest_time, may_end = (
            tf.gather(state[name], place, batch_dims=1)
            for name in ("given", "longest_time", "may_end")
        )  # (batch, voices), (batch,), (batch,)

        # The tokens of the slot; at first no hold and no end.
        allowed = tf.gather(tf.constant(self.tokenizer.slots), slot)
        allowed &= (step > 0)[:, None] | ~(is_hold | is_end)
        # No time beyond the next given event, no end before the last one.
        allowed &= self.steps_per_token[None] <= longest_time[:, None]
        allowed &= may_end[:, None] | ~is_end
        # A given event is the only one. Times are never given.
        given = tf.pad(given, [(0, 0), (0, 1)], constant_values=NOT_GIVEN)
        given = tf.gather(given, slot, batch_dims=1)[:, None]  # (batch, 1)
        return tf.where(given == NOT_GIVEN, allowed, tokens == given)


def event_ids(tokenizer, events):
    """As the tokenizer's `events_to_ids`, in TensorFlow.

    Args:
        tokenizer: `keras_genai.MusicTokenizer`.
        events: Int32 tensor `(batch, steps, voices)`: pitches, -1 for hold, -2
            for rest and -3 where a voice is free.

    Returns:
        Int32 tensor like `events`; -1 where a voice is free.
    """
    lowest = tf.constant(tokenizer.lowest)
    highest = tf.constant(tokenizer.highest)
    is_note = (events >= lowest) & (events <= highest)
    tf.debugging.Assert(
        tf.reduce_all(is_note | ((events < 0) & (events >= FREE))),
        ["Expected pitches of each voice from", lowest, "to", highest],
    )
    # The id of each voice's lowest note.
    firsts = tf.constant(
        [
            tokenizer.note_id(voice, pitch)
            for voice, pitch in enumerate(tokenizer.lowest)
        ]
    )
    ids = tf.where(is_note, firsts + events - lowest, NOT_GIVEN)
    ids = tf.where(events == HOLD, tokenizer.hold_id, ids)
    return tf.where(events == REST, tokenizer.rest_id, ids)
