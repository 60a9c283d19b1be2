"""MusicTransformer: GPT with relative attention, on scores of some voices."""

import functools

import keras
import numpy as np
import tensorflow as tf

from keras_genai import sampling
from keras_genai.export.saved_model import graph
from keras_genai.models.autoregressive.gpt import GPT
from keras_genai.models.core.checks import check_num_samples
from keras_genai.models.core.condition import NUM_SAMPLES, SEED

# Events of a score that are no notes, as `Score` has them; and what the model
# is to choose.
HOLD, REST, FREE = -1, -2, -3


@keras.saving.register_keras_serializable("keras_genai")
class MusicTransformer(GPT):
    """Transformer with relative attention, for music in some voices.

    A score is read as groups of tokens: what each voice does, then how long
    it is until the next group. What repeats in music repeats at a distance, a
    bar or a phrase later, rather than at a place: a learned vector a distance
    says where to look.

    While it generates, tokens that no score could have next are left out: a
    note of another voice, or one where a time must be. By the same rule a
    given voice is kept to: it allows what it has at each step, and no time
    that would pass over its next note.

    Args:
        tokenizer: `keras_genai.MusicTokenizer`.
        max_sequence_length: Integer >= 1, tokens that attention reaches, as
            many as the windows of the training have: a distance that was
            never there has learned nothing. Defaults to `256`, some ten bars.
        num_layers: Integer >= 1. Defaults to `3`.
        num_heads: Integer >= 1, divides `hidden_dim`. Defaults to `4`.
        hidden_dim: Integer >= 1. Defaults to `96`.
        positions: As in `GPT`. Defaults to `"relative"`.
        seed: Integer, or `None` for one drawn at random.
        **kwargs: All else that `GPT` takes.

    Call arguments:
        token_ids: Integer tensor `(batch, length)`, `length` at most
            `max_sequence_length`.

    Raises:
        ValueError: If the tokenizer is missing, or as `GPT`.

    Example:
        >>> from keras_genai import MusicTokenizer
        >>> tokenizer = MusicTokenizer(lowest=[60, 48], highest=[72, 60])
        >>> model = MusicTransformer(tokenizer, num_layers=1, seed=0)
        >>> [score] = model.generate(1, num_steps=8, seed=0)
        >>> score.num_voices
        2

    Reference:
        Huang et al., Music Transformer, 2018.
    """

    recipe = {
        "kind": "music",
        "quick": {"epochs": 3, "steps_per_epoch": 50, "num_steps": 64},
        "also_called": ("music",),
    }

    makes = "music"
    hands_on = True

    def __init__(
        self,
        tokenizer=None,
        max_sequence_length=256,
        num_layers=3,
        num_heads=4,
        hidden_dim=96,
        positions="relative",
        seed=None,
        **kwargs,
    ):
        if not (hasattr(tokenizer, "slots") or isinstance(tokenizer, dict)):
            raise ValueError(
                "Expected `tokenizer` to be a MusicTokenizer. "
                f"Received: tokenizer={tokenizer!r}"
            )
        super().__init__(
            tokenizer=tokenizer,
            max_sequence_length=max_sequence_length,
            num_layers=num_layers,
            num_heads=num_heads,
            hidden_dim=hidden_dim,
            positions=positions,
            seed=seed,
            **kwargs,
        )

    # Generation. Beside keys and values the state knows where in the score
    # the next token stands, and what is wanted there.

    def initial_state(self, batch_size):
        voices = self.tokenizer.num_voices
        return self._start(
            wanted=tf.fill((batch_size, 1, voices), -1),
            reach=tf.fill((batch_size, 1), self.tokenizer.max_time),
            may_end=tf.fill((batch_size, 1), True),
        )

    def _start(self, wanted, reach, may_end):
        """The state before a score of which something is given.

        Args:
            wanted: Int32 tensor `(batch, steps, voices)`, ids; -1 for what is
                free. The last step stands for all that follow.
            reach: Int32 tensor `(batch, steps)`, how long the time from each
                step to the next group may be.
            may_end: Boolean tensor `(batch, steps)`, where nothing more is
                wanted.
        """
        batch_size = tf.shape(wanted)[0]
        return {
            "caches": super().initial_state(batch_size),
            "slot": tf.zeros((batch_size,), "int32"),
            "step": tf.zeros((batch_size,), "int32"),
            "wanted": wanted,
            "reach": reach,
            "may_end": may_end,
        }

    def extend(self, token_ids, state, position):
        logits, caches = super().extend(token_ids, state["caches"], position)
        state = {**state, "caches": caches}
        masked = []
        for index in range(token_ids.shape[1]):
            state = self._advanced(token_ids[:, index], state)
            allowed = self._allowed(state)
            masked.append(tf.where(allowed, logits[:, index], -1e9))
        return tf.stack(masked, axis=1), state

    def read_again(self, token_ids, state):
        caches = super().initial_state(tf.shape(token_ids)[0])
        if token_ids.shape[1]:
            _, caches = super().extend(token_ids, caches, 0)
        return {**state, "caches": caches}  # the place in the score stays

    def _advanced(self, token_ids, state):
        ended = token_ids == self.tokenizer.end_token_id
        slot = (state["slot"] + 1) % self.tokenizer.group_size
        step = state["step"] + tf.gather(self._steps, token_ids)
        return {
            **state,
            "slot": tf.where(ended, 0, slot),
            "step": tf.where(ended, 0, step),
        }

    def _allowed(self, state):
        """Which tokens may come next, a boolean `(batch, vocabulary_size)`."""
        slot, step = state["slot"], state["step"]
        tokens = tf.range(self.vocabulary_size)[None]
        allowed = tf.gather(tf.constant(self.tokenizer.slots), slot)
        # A score cannot begin by going on, nor by its end.
        first = (self.tokenizer.hold_id, self.tokenizer.end_token_id)
        begun = (step > 0)[:, None]
        allowed &= begun | ((tokens != first[0]) & (tokens != first[1]))
        place = tf.minimum(step, tf.shape(state["reach"])[1] - 1)
        reach = tf.gather(state["reach"], place, batch_dims=1)
        allowed &= self._steps[None] <= reach[:, None]
        may_end = tf.gather(state["may_end"], place, batch_dims=1)
        allowed &= may_end[:, None] | (tokens != self.tokenizer.end_token_id)
        # Times, the last of a group, are wanted by nobody.
        here = tf.gather(state["wanted"], place, batch_dims=1)
        here = tf.pad(here, [(0, 0), (0, 1)], constant_values=-1)
        wanted = tf.gather(here, slot, batch_dims=1)[:, None]
        return tf.where(wanted < 0, allowed, tokens == wanted)

    def generate(
        self,
        num_samples=1,
        num_steps=128,
        prompt=None,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        min_p=0.0,
        seed=None,
    ):
        """Composes scores, or goes on from one.

        Args:
            num_samples: Integer >= 0. Defaults to `1`.
            num_steps: Integer >= 1, sixteenths that a score has at most; it
                may end by itself before. Defaults to `128`, eight bars of
                4/4.
            prompt: `Score` that all of them begin with, or `None`.
            temperature: Float >= 0, as in `GPT.generate`.
            top_k: Integer >= 0, as in `GPT.generate`.
            top_p: Float in (0, 1], as in `GPT.generate`.
            min_p: Float in [0, 1], as in `GPT.generate`.
            seed: Integer: the same seed gives the same scores. Each has draws
                of its own: the first ones come out alike however many there
                are. `None` draws one from the model's own generator.

        Returns:
            List of `Score`s.

        Raises:
            ValueError: If an argument is out of its range, or if the prompt
                has other voices or ranges than the tokenizer, or leaves no
                step to compose.
        """
        check_num_samples(num_samples)
        _check_num_steps(num_steps)
        events = self._free(num_steps)
        if prompt is not None:
            if len(prompt) >= num_steps:
                raise ValueError(
                    "`num_steps` counts the prompt's steps too, and must be "
                    f"more. Received: num_steps={num_steps} and a prompt of "
                    f"{len(prompt)}"
                )
            self.tokenizer.encode(prompt)  # refuses what it cannot read
            events[: len(prompt)] = prompt.events
        choice = self._choice(temperature, top_k, top_p, min_p)
        return self._compose(events, num_samples, choice, seed)

    def harmonize(
        self,
        melody,
        num_samples=1,
        num_steps=None,
        voice=0,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        min_p=0.0,
        seed=None,
    ):
        """Composes the other voices under, over or around a given one.

        Each is drawn given all that stands before it, the melody's own next
        notes not included. A melody that is longer than attention reaches is
        gone through by windows: half of what was read is forgotten each time.

        Args:
            melody: `Score` of one voice.
            num_samples: Integer >= 0. Defaults to `1`.
            num_steps: Integer, sixteenths that the score has at most. After
                the melody's own all voices go on freely. `None` for the
                melody's, exactly.
            voice: Integer, which voice the melody is, 0 for the highest.
                Defaults to `0`.
            temperature: Float >= 0, as in `GPT.generate`.
            top_k: Integer >= 0, as in `GPT.generate`.
            top_p: Float in (0, 1], as in `GPT.generate`.
            min_p: Float in [0, 1], as in `GPT.generate`.
            seed: Integer, as in `generate`.

        Returns:
            List of `Score`s, with the melody in its voice, note by note.

        Raises:
            ValueError: If the melody leaves the voice's range or has more
                than one voice, or if an argument is out of its range.
        """
        check_num_samples(num_samples)
        num_voices = self.tokenizer.num_voices
        if not isinstance(voice, int) or not 0 <= voice < num_voices:
            raise ValueError(
                f"`voice` must be in [0, {num_voices}). Received: voice={voice}"
            )
        if melody.num_voices != 1:
            raise ValueError(
                "A melody has one voice: score.voice(0), for instance. "
                f"Received: a score of {melody.num_voices} voices"
            )
        num_steps = len(melody) if num_steps is None else num_steps
        _check_num_steps(num_steps)
        if num_steps < len(melody):
            raise ValueError(
                "`num_steps` must reach to the melody's end. "
                f"Received: num_steps={num_steps} and {len(melody)} steps"
            )
        events = self._free(num_steps)
        events[: len(melody), voice] = melody.events[:, 0]
        choice = self._choice(temperature, top_k, top_p, min_p)
        return self._compose(events, num_samples, choice, seed)

    def _choice(self, temperature, top_k, top_p, min_p):
        return sampling.Choice.asked(
            self.vocabulary_size,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
        )

    def _free(self, num_steps):
        shape = (num_steps, self.tokenizer.num_voices)
        return np.full(shape, FREE, "int16")

    def _compose(self, events, num_samples, choice, seed):
        """Scores in which those events are there that are given."""
        wanted = self.tokenizer.events_to_ids(events)
        seed = self._seed(seed)
        if num_samples == 0:
            return []
        # At most one group a step, between two end tokens.
        prompts = np.full((num_samples, 1), self.tokenizer.end_token_id)
        tokens, given = sampling.lay_out(
            prompts, self.tokenizer.group_size * len(wanted) + 1
        )
        # As many steps as there is room for tokens, for few shapes again.
        room = [(0, tokens.shape[1] - len(wanted)), (0, 0)]
        padded = np.pad(wanted, room, constant_values=-1)
        wishes = self._wishes(tf.constant(padded[None]), len(wanted))
        state = self._start(
            *(tf.repeat(each, num_samples, axis=0) for each in wishes)
        )
        loop = sampling.start_loop(
            self, tokens, given, tokens.shape[1], seed, state=state
        )
        loop = self.run_loop(loop, tokens.shape[1], choice)
        return [self.tokenizer.decode(row[1:]) for row in loop.tokens.numpy()]

    def _wishes(self, wanted, num_steps):
        """What the state holds of what is given.

        Args:
            wanted: Int32 tensor `(batch, room, voices)`, ids; -1 for what is
                free, and for all from `num_steps` on.
            num_steps: Integer below `room`, or scalar tensor: the step at
                which the score ends at last.

        Returns:
            `wanted` with the end token there, `reach` and `may_end`, as for
            `_start`.
        """
        steps = tf.range(tf.shape(wanted)[1])
        later = steps[None] >= steps[:, None]  # (from, to)
        may_end = ~tf.reduce_any(
            later & tf.reduce_any(wanted >= 0, axis=2)[:, None], axis=2
        )
        # From each step to the next at which something given begins.
        begins = tf.reduce_any(
            (wanted >= 0) & (wanted != self.tokenizer.hold_id), axis=2
        ) | (steps == num_steps)
        until = tf.where(
            (steps[None] > steps[:, None]) & begins[:, None],
            steps[None] - steps[:, None],
            self.tokenizer.max_time,
        )
        first = tf.range(self.tokenizer.num_voices) == 0
        wanted = tf.where(
            (steps == num_steps)[:, None] & first,
            self.tokenizer.end_token_id,
            wanted,
        )
        return wanted, tf.reduce_min(until, axis=2), may_end

    @functools.cached_property
    def _steps(self):
        return self.tokenizer.steps_per_token.astype("int32")

    # What is exported.

    def signatures(self):
        def generate(num_samples, num_steps, *choice):
            shape = (num_samples, num_steps, self.tokenizer.num_voices)
            return {"token_ids": compose(tf.fill(shape, -1), *choice)}

        def generate_midi(*arguments):
            return {"midi_bytes": midi(generate(*arguments)["token_ids"])}

        def complete(events, *choice):
            token_ids = compose(self._event_ids(events), *choice)
            return {"token_ids": token_ids, "midi_bytes": midi(token_ids)}

        def compose(wanted, temperature, top_k, top_p, seed):
            choice = sampling.asked_choice(temperature, top_k, top_p)
            batch_size, num_steps, _ = tf.unstack(tf.shape(wanted))
            wanted = tf.pad(
                wanted, [(0, 0), (0, 1), (0, 0)], constant_values=-1
            )
            room = self.tokenizer.group_size * num_steps + 2
            end = self.tokenizer.end_token_id
            loop = sampling.start_loop(
                self,
                tf.fill((batch_size, room), end),
                tf.repeat(tf.range(room)[None] == 0, batch_size, axis=0),
                room,
                seed,
                state=self._start(*self._wishes(wanted, num_steps)),
            )
            tokens = sampling.run_loop(self, loop, room, choice, end).tokens
            return _until_end(tokens[:, 1:], end).to_tensor(end)

        def midi(token_ids):
            ragged = tf.RaggedTensor.from_tensor(token_ids)
            return self.tokenizer.detokenize(ragged)

        def score(token_ids):
            nats = tf.map_fn(
                self._nats_per_step, token_ids, fn_output_signature="float32"
            )
            return {"nats_per_step": nats}

        choice = [
            tf.TensorSpec((), "float32", "temperature"),
            tf.TensorSpec((), "int32", "top_k"),
            tf.TensorSpec((), "float32", "top_p"),
            SEED,
        ]
        size = [NUM_SAMPLES, tf.TensorSpec((), "int32", "num_steps")]
        events = tf.TensorSpec(
            (None, None, self.tokenizer.num_voices), "int32", "events"
        )
        token_ids = tf.TensorSpec((None, None), "int32", "token_ids")
        # One graph for the three that call it: its loop is the most of them.
        compose = graph(compose, [events, *choice])
        return {
            "generate": (generate, [*size, *choice]),
            "generate_midi": (generate_midi, [*size, *choice]),
            "complete": (complete, [events, *choice]),
            "score": (score, [token_ids]),
        }

    def example_request(self):
        return {
            "num_samples": 1,
            "num_steps": 16,
            "temperature": 1.0,
            "top_k": 0,
            "top_p": 1.0,
            "seed": 0,
        }

    def _event_ids(self, events):
        """As the tokenizer's `events_to_ids`, in TensorFlow."""
        lowest = tf.constant(self.tokenizer.lowest)
        highest = tf.constant(self.tokenizer.highest)
        fits = (events >= lowest) & (events <= highest)
        tf.debugging.Assert(
            tf.reduce_all(fits | ((events < 0) & (events >= FREE))),
            ["Expected pitches of each voice from", lowest, "to", highest],
        )
        firsts = tf.constant(
            [
                self.tokenizer.note_id(voice, pitch)
                for voice, pitch in enumerate(self.tokenizer.lowest)
            ]
        )
        ids = tf.where(fits, firsts + events - lowest, -1)
        ids = tf.where(events == HOLD, self.tokenizer.hold_id, ids)
        return tf.where(events == REST, self.tokenizer.rest_id, ids)

    # Cost.

    def _prompt_ids(self, score):
        end = self.tokenizer.end_token_id
        return np.array([end, *self.tokenizer.encode(score)], "int32")

    def score(self, scores):
        """What scores cost, their ends included, each token scored once.

        Args:
            scores: `Score`, or list of them.

        Returns:
            Float, or list of floats: nats a sixteenth step, all voices
            together.

        Raises:
            ValueError: If one has other voices or ranges than the tokenizer.
        """
        single = not isinstance(scores, (list, tuple))
        rows = [
            self.tokenizer.encode(score)
            for score in ([scores] if single else scores)
        ]
        length = max(map(len, rows), default=0)
        padded = np.full(
            (len(rows), length), self.tokenizer.end_token_id, "int32"
        )
        for row, token_ids in zip(padded, rows, strict=True):
            row[: len(token_ids)] = token_ids
        nats = self._run("score", padded)["nats_per_step"].tolist()
        return nats[0] if single else nats

    def _nats_per_step(self, token_ids):
        end = self.tokenizer.end_token_id
        token_ids = _until_end(token_ids[None], end).flat_values
        steps = tf.reduce_sum(tf.gather(self._steps, token_ids))
        nats = self._nats(tf.concat([[end], token_ids, [end]], axis=0))
        return nats / tf.cast(tf.maximum(steps, 1), "float32")


def _until_end(token_ids, end_token_id):
    """The tokens before the first end of each row, ragged."""
    ended = tf.cumsum(tf.cast(token_ids == end_token_id, "int32"), axis=1)
    return tf.ragged.boolean_mask(token_ids, ended == 0)


def _check_num_steps(num_steps):
    if not isinstance(num_steps, int) or num_steps < 1:
        raise ValueError(
            "`num_steps` must be an integer, 1 or more. "
            f"Received: num_steps={num_steps!r}"
        )
