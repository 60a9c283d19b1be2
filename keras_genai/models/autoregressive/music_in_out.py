"""MusicInOut: composes scores with a model of token ids, and scores them."""

import numpy as np
import tensorflow as tf

from keras_genai import sampling
from keras_genai.export.saved_model import graph
from keras_genai.models.autoregressive.score_rules import (
    FREE,
    NOT_GIVEN,
    event_ids,
)
from keras_genai.models.autoregressive.text_scoring import total_nats
from keras_genai.models.autoregressive.token_by_token import TokenByToken
from keras_genai.models.core.checks import check_num_samples
from keras_genai.models.core.condition import NUM_SAMPLES, SEED


class MusicInOut(TokenByToken):
    """Composes, continues and harmonises scores, and exports this.

    A family comes with `tokenizer`, a `keras_genai.MusicTokenizer`; `rules`,
    its `ScoreRules`; `_state_of`, which makes the state of the loop from that
    of the rules; and all that `TokenByToken` needs.
    """

    makes = "music"

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
        """Composes scores, or continues one.

        Args:
            num_samples: Integer >= 0. Defaults to `1`.
            num_steps: Integer >= 1, sixteenths that a score has at most; it
                may end earlier. Defaults to `128`, eight bars of 4/4.
            prompt: `Score` that all of them begin with, or `None`.
            temperature: Float >= 0, as in `GPT.generate`.
            top_k: Integer >= 0, as in `GPT.generate`.
            top_p: Float in (0, 1], as in `GPT.generate`.
            min_p: Float in [0, 1], as in `GPT.generate`.
            seed: Integer: the same seed gives the same scores. Each has draws
                of its own: with the same seed, more scores leave the first
                ones unchanged. `None` draws a seed from the model's own
                generator.

        Returns:
            List of `Score`s.

        Raises:
            ValueError: If an argument is out of its range, or if the prompt
                does not fit the voices and ranges of the tokenizer, or leaves
                no step to compose.
        """
        check_num_samples(num_samples)
        _check_num_steps(num_steps)
        # All voices are free, except in the steps of the prompt.
        events = self._free(num_steps)
        if prompt is not None:
            if len(prompt) >= num_steps:
                raise ValueError(
                    "`num_steps` includes the prompt's steps, and must be "
                    f"more. Received: num_steps={num_steps} and a prompt of "
                    f"{len(prompt)} steps"
                )
            self.tokenizer.encode(prompt)  # refuses notes out of range
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
        """Composes the other voices to a given one.

        Each token is drawn given those before it; the next notes of the melody
        are not known yet. A melody that is longer than attention reaches is
        read in windows: each time, the older half is forgotten.

        Args:
            melody: `Score` of one voice.
            num_samples: Integer >= 0. Defaults to `1`.
            num_steps: Integer, sixteenths that the score has at most; after
                the melody's end all voices are free. `None` for exactly the
                melody's steps.
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
            ValueError: If the melody leaves the range of its voice or has
                more than one voice, or if an argument is out of its range.
        """
        check_num_samples(num_samples)
        num_voices = self.tokenizer.num_voices
        if not isinstance(voice, int) or not 0 <= voice < num_voices:
            raise ValueError(
                f"`voice` must be in [0, {num_voices}). Received: voice={voice}"
            )
        if melody.num_voices != 1:
            raise ValueError(
                "Expected a melody of one voice, score.voice(0) for instance. "
                f"Received: a score of {melody.num_voices} voices"
            )
        num_steps = len(melody) if num_steps is None else num_steps
        _check_num_steps(num_steps)
        if num_steps < len(melody):
            raise ValueError(
                "`num_steps` must reach the melody's end. Received: "
                f"num_steps={num_steps} and a melody of {len(melody)} steps"
            )
        # All voices are free, except that of the melody.
        events = self._free(num_steps)
        events[: len(melody), voice] = melody.events[:, 0]
        choice = self._choice(temperature, top_k, top_p, min_p)
        return self._compose(events, num_samples, choice, seed)

    def _compose(self, events, num_samples, choice, seed):
        """Composes scores that have the given events.

        Args:
            events: Int16 array `(num_steps, voices)`, -3 where a voice is free.
            num_samples: Integer >= 0.
            choice: `sampling.Choice`.
            seed: Integer, or `None`.

        Returns:
            List of `Score`s.
        """
        given = self.tokenizer.events_to_ids(events)  # (num_steps, voices)
        num_steps = len(given)
        seed = self._seed(seed)
        if num_samples == 0:
            return []
        # The prompt is an end token, after which a score begins. Each step
        # has at most one group, and an end token is the last.
        prompts = np.full((num_samples, 1), self.tokenizer.end_token_id)
        tokens, is_given = sampling.lay_out(
            prompts, self.tokenizer.group_size * num_steps + 1
        )
        room = tokens.shape[1]  # a power of two: few shapes are compiled
        # The rules have as many steps as there are tokens, for the same
        # reason. They are the same for all scores.
        padding = [(0, room - num_steps), (0, 0)]
        given = np.pad(given, padding, constant_values=NOT_GIVEN)
        rules = self.rules.start_with(tf.constant(given[None]), num_steps)
        rules = {
            name: tf.repeat(each, num_samples, axis=0)
            for name, each in rules.items()
        }
        loop = sampling.start_loop(
            self, tokens, is_given, room, seed, state=self._state_of(rules)
        )
        loop = self.run_loop(loop, room, choice)
        return [self.tokenizer.decode(row[1:]) for row in loop.tokens.numpy()]

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

    def score(self, scores):
        """Scores music by its negative log-likelihood, ends included.

        Args:
            scores: `Score`, or list of them.

        Returns:
            Float, or list of floats: nats for each sixteenth step, all voices
            together.

        Raises:
            ValueError: If a score does not fit the voices and ranges of the
                tokenizer.
        """
        single = not isinstance(scores, (list, tuple))
        rows = [
            self.tokenizer.encode(score)
            for score in ([scores] if single else scores)
        ]
        # Short rows are filled with end tokens.
        length = max(map(len, rows), default=0)
        padded = np.full(
            (len(rows), length), self.tokenizer.end_token_id, "int32"
        )
        for row, token_ids in zip(padded, rows, strict=True):
            row[: len(token_ids)] = token_ids
        nats = self._run("score", padded)["nats_per_step"].tolist()
        return nats[0] if single else nats

    # Plumbing.

    def _prompt_ids(self, score):
        end = self.tokenizer.end_token_id
        return np.array([end, *self.tokenizer.encode(score)], "int32")

    def _nats_per_step(self, token_ids):
        """Of one score, token ids `(length,)`."""
        end = self.tokenizer.end_token_id
        token_ids = _until_end(token_ids[None], end).flat_values
        steps = tf.reduce_sum(tf.gather(self.rules.steps_per_token, token_ids))
        # The end before the first token is a context; the last is scored.
        nats = total_nats(self, tf.concat([[end], token_ids, [end]], axis=0))
        return nats / tf.cast(tf.maximum(steps, 1), "float32")

    def signatures(self):
        def generate(num_samples, num_steps, *choice):
            shape = (num_samples, num_steps, self.tokenizer.num_voices)
            free = tf.fill(shape, NOT_GIVEN)
            return {"token_ids": compose(free, *choice)}

        def generate_midi(*arguments):
            return {"midi_bytes": midi(generate(*arguments)["token_ids"])}

        def complete(events, *choice):
            given = event_ids(self.tokenizer, events)
            token_ids = compose(given, *choice)
            return {"token_ids": token_ids, "midi_bytes": midi(token_ids)}

        def compose(given, temperature, top_k, top_p, seed):
            choice = sampling.asked_choice(temperature, top_k, top_p)
            batch_size, num_steps, _ = tf.unstack(tf.shape(given))
            end = self.tokenizer.end_token_id
            # As `_compose`, with a step more, in which the scores end.
            given = tf.pad(
                given, [(0, 0), (0, 1), (0, 0)], constant_values=NOT_GIVEN
            )
            rules = self.rules.start_with(given, num_steps)
            room = self.tokenizer.group_size * num_steps + 2
            is_given = tf.repeat(tf.range(room)[None] == 0, batch_size, axis=0)
            loop = sampling.start_loop(
                self,
                tf.fill((batch_size, room), end),
                is_given,
                room,
                seed,
                state=self._state_of(rules),
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
        # One graph for the three functions that call it, because most of each
        # is its loop.
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


def _until_end(token_ids, end_token_id):
    """The tokens of each row before its first end, ragged."""
    ended = tf.cumsum(tf.cast(token_ids == end_token_id, "int32"), axis=1)
    return tf.ragged.boolean_mask(token_ids, ended == 0)


def _check_num_steps(num_steps):
    if not isinstance(num_steps, int) or num_steps < 1:
        raise ValueError(
            "`num_steps` must be an integer, 1 or more. "
            f"Received: num_steps={num_steps!r}"
        )
