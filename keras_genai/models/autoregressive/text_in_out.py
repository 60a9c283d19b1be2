"""TextInOut: continues prompts with a model of token ids, and scores texts."""

import math

import numpy as np
import tensorflow as tf

from keras_genai import sampling
from keras_genai.models.autoregressive.stop_filter import StopFilter
from keras_genai.models.autoregressive.text_arguments import (
    as_int,
    as_list,
    as_strings,
    check_beams,
    check_max_new_tokens,
    check_stream,
)
from keras_genai.models.autoregressive.text_scoring import total_nats
from keras_genai.models.autoregressive.token_by_token import TokenByToken
from keras_genai.models.core.condition import SEED

_CHUNK = 32  # tokens that are made before the texts are looked at


class TextInOut(TokenByToken):
    """Continues prompts, scores texts, and exports both.

    A model has `tokenizer`, `vocabulary_size`, `max_sequence_length`, `call`,
    `initial_state` and `extend`, as `LanguageModel` does.
    """

    makes = "text"

    @property
    def end_token_id(self):
        return self.tokenizer.end_token_id

    def generate(
        self,
        prompts,
        max_new_tokens=256,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        min_p=0.0,
        repetition_penalty=1.0,
        num_beams=1,
        stop=(),
        seed=None,
        stream=False,
        length_penalty=0.0,
    ):
        """Continues prompts, a token at a time.

        Args:
            prompts: String, or list or array of strings, each of a token or
                more. Of a prompt longer than `max_sequence_length` only the
                newest tokens are read.
            max_new_tokens: Integer >= 0. So many tokens are made, unless the
                end token or a stop string comes first. Defaults to `256`.
            temperature: Float >= 0 that logits are divided by; 0 takes the
                likeliest token. Defaults to `1.0`. `None`, here and for the
                arguments below, is the default.
            top_k: Integer >= 0. Only the likeliest k tokens are drawn from;
                0, or more than there are, for all. Defaults to `0`.
            top_p: Float in (0, 1]. Only the likeliest tokens that together
                have this probability are drawn from; of those that `top_k`
                leaves, whose probabilities sum to 1. Defaults to `1.0`.
            min_p: Float in [0, 1]. Only tokens at least this many times as
                likely as the likeliest are drawn from. Defaults to `0.0`.
            repetition_penalty: Float > 0 that weakens the logits of tokens
                that are in the text already. Defaults to `1.0`, no change.
            num_beams: Integer >= 1. With more than 1, that many of the
                likeliest continuations are kept at each token (beam search),
                nothing is drawn, and the likeliest text is returned; the
                arguments from `temperature` to `repetition_penalty` must have
                their defaults. Defaults to `1`.
            stop: String or strings. Where one of them appears after the
                prompt, the text ends, and it is cut off. `None` for none.
            seed: Integer: the same seed gives the same text. Each prompt has
                draws of its own, by its place in the list: other prompts
                after it, and their lengths, change nothing. `None` draws
                a seed from the model's own generator.
            stream: Boolean. Whether to return a generator of pieces of text,
                without the prompt, as they are made; for one prompt. Defaults
                to `False`.
            length_penalty: Float, only for beams: they are ranked by their
                log-probability over `length ** length_penalty`, where the
                length counts the tokens that were made, the end token
                included. 0 favours short texts, because each token makes
                a text less likely; 1 ranks by the mean. Defaults to `0.0`.

        Returns:
            String, prompt and continuation, or list of them as `prompts`.

        Raises:
            ValueError: If an argument is out of its range, if a prompt or
                a stop string is empty, or if the model has no tokenizer.

        Reference:
            Holtzman et al., The curious case of neural text degeneration,
            2020 (top-p); Keskar et al., CTRL, 2019 (the penalty); Nguyen et
            al., min-p sampling, 2024; Wu et al., Google's neural machine
            translation system, 2016, section 7 (lengths of beams).
        """
        # How each token is chosen.
        choice = sampling.Choice.asked(
            self.vocabulary_size,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            length_penalty=length_penalty,
        )
        max_new_tokens, num_beams = map(as_int, (max_new_tokens, num_beams))
        check_beams(num_beams, choice, stream)
        # The prompts, as token ids.
        texts = as_list(prompts)
        rows = [self._newest(self._prompt(text)) for text in texts]
        check_max_new_tokens(max_new_tokens)
        check_stream(stream, rows)
        if not rows:
            return []
        stop = as_strings(stop)
        # If the texts are read during generation, a graph makes a few tokens
        # at a time. Otherwise it makes all of them, also for beams: the best
        # beam is known only at the end.
        looks = (stream or stop) and num_beams == 1
        pieces = self._pieces(
            rows,
            max_new_tokens,
            choice,
            stop,
            self._seed(seed),
            num_beams,
            at_once=_CHUNK if looks else max_new_tokens,
        )
        if stream:
            return (new[0] for new in pieces)
        # Each prompt, and all pieces of its text.
        full = list(texts)
        for new in pieces:
            full = [text + piece for text, piece in zip(full, new, strict=True)]
        return full[0] if isinstance(prompts, str) else full

    def _pieces(
        self, rows, max_new_tokens, choice, stop, seed, num_beams, at_once
    ):
        """Makes `at_once` tokens of each text at a time.

        Yields:
            Lists of strings, the new piece of each text.
        """
        # As many texts as a power of two, for few graphs; each text once for
        # each beam.
        padding = 2 ** math.ceil(math.log2(len(rows))) - len(rows)
        padded = [*rows, *rows[:1] * padding]
        beams = [row for row in padded for _ in range(num_beams)]
        tokens, given = sampling.lay_out(beams, max_new_tokens)
        loop = sampling.start_loop(
            self,
            tokens,
            given,
            max_new_tokens,
            seed,
            num_beams,
            padding=padding * num_beams,
        )
        filters = [StopFilter(self.tokenizer, stop) for _ in rows]
        place = max(map(len, rows))
        end = place + max_new_tokens
        while place < end:
            # Every text is made up to this place, or to its own end.
            place = min(place + at_once, end)
            loop = self.run_loop(loop, place, choice, num_beams)
            tokens = loop.tokens.numpy()[::num_beams]  # the best beam of each
            all_ended = bool(tf.reduce_all(loop.ended))
            pieces = []
            for row, made, text in zip(
                rows, tokens[: len(rows)], filters, strict=True
            ):
                made = made[len(row) : place][:max_new_tokens]
                is_last = all_ended or len(made) == max_new_tokens
                pieces.append(text.take(made, is_last))
            yield pieces
            if all(text.ended for text in filters):
                return

    def score(self, texts):
        """Scores texts by the bits of each character, given those before it.

        The first token is only a context for the others. Their bits are
        divided by the number of characters that they stand for, which the
        tokenizer's `scored_characters` counts.

        Args:
            texts: String, of two tokens or more; or list of strings.

        Returns:
            Float, or list of floats: bits for each character, NaN for a text
            of the list that has fewer than two tokens.

        Raises:
            ValueError: If a single text has fewer than two tokens.
        """
        rows = as_list(texts)
        if isinstance(texts, str) and len(self._prompt_ids(texts)) < 2:
            raise ValueError(
                "Expected a text of two tokens or more: the first is only "
                f"a context for the others. Received: {texts!r}"
            )
        self._check_tokenizer()
        # A tensor: NumPy's strings would lose NULs at their end.
        rows = tf.constant(rows, "string")
        bits = self._run("score", rows)["bits_per_character"]
        bits = list(map(float, bits))
        return bits[0] if isinstance(texts, str) else bits

    def _score(self, text):
        """Of a string tensor: bits a character, and how many characters."""
        token_ids = self.tokenizer.tokenize(text[None]).flat_values
        characters = self.tokenizer.scored_characters(token_ids)
        # bits = nats / ln 2
        bits = tf.cond(
            tf.size(token_ids) > 1,
            lambda: total_nats(self, token_ids) / math.log(2.0) / characters,
            lambda: np.nan,
        )
        return bits, characters

    # Plumbing.

    def _check_tokenizer(self):
        if self.tokenizer is None:
            raise ValueError(
                "The model has no tokenizer, and reads no text: make it with "
                "the argument `tokenizer`. Received: tokenizer=None"
            )

    def _prompt_ids(self, text):
        self._check_tokenizer()
        return self.tokenizer.encode(text)

    def _prompt(self, text):
        row = self._prompt_ids(text)
        if len(row) == 0:
            raise ValueError(
                "Expected a prompt of a character or more. "
                "Received: an empty string"
            )
        return row

    def _newest(self, row):
        limit = self.max_sequence_length
        if limit is not None and len(row) > limit:
            self.say_once(
                f"The model looks back on {limit} tokens: of a longer prompt "
                "it reads the newest."
            )
            return row[-limit:]
        return row

    def signatures(self):
        if self.tokenizer is None:
            raise ValueError(
                "An export takes text, and needs a tokenizer: make the model "
                "with the argument `tokenizer`. Received: tokenizer=None"
            )

        def generate(prompt, max_new_tokens, temperature, top_k, top_p, seed):
            prompts = self.tokenizer.tokenize(prompt)
            lengths = tf.cast(prompts.row_lengths(), "int32")
            shortest, longest = tf.reduce_min(lengths), tf.reduce_max(lengths)
            limit = self.max_sequence_length or longest
            tf.debugging.Assert(
                (shortest > 0) & (longest <= limit),
                ["Expected prompts of 1 to", limit, "tokens."],
            )
            # A row for each prompt, with room for the new tokens.
            batch_size, room = tf.shape(prompt)[0], longest + max_new_tokens
            loop = sampling.start_loop(
                self,
                prompts.to_tensor(0, shape=(batch_size, room)),
                tf.sequence_mask(lengths, room),
                max_new_tokens,
                seed,
            )
            choice = sampling.asked_choice(temperature, top_k, top_p)
            tokens = sampling.run_loop(
                self, loop, room, choice, self.end_token_id
            ).tokens
            # Each row ends after `max_new_tokens`, or before an end token
            # that was made.
            places = tf.range(room)[None]
            is_new = places >= lengths[:, None]
            is_end = is_new & (tokens == self.tokenizer.end_token_id)
            is_before_end = tf.cumsum(tf.cast(is_end, "int32"), axis=1) == 0
            is_in_reach = places < lengths[:, None] + max_new_tokens
            made = tf.ragged.boolean_mask(tokens, is_before_end & is_in_reach)
            return {
                "text": self.tokenizer.detokenize(made),
                # For the next call: it may end in half a character.
                "text_bytes": self.tokenizer.join_bytes(made),
            }

        def score(text):
            bits, characters = tf.map_fn(
                self._score, text, fn_output_signature=(tf.float32, tf.float32)
            )
            return {"bits_per_character": bits, "scored_characters": characters}

        return {
            "generate": (
                generate,
                [
                    tf.TensorSpec((None,), "string", "prompt"),
                    tf.TensorSpec((), "int32", "max_new_tokens"),
                    tf.TensorSpec((), "float32", "temperature"),
                    tf.TensorSpec((), "int32", "top_k"),
                    tf.TensorSpec((), "float32", "top_p"),
                    SEED,
                ],
            ),
            "score": (score, [tf.TensorSpec((None,), "string", "text")]),
        }

    def example_request(self):
        return {
            "prompt": [self.tokenizer.decode([0])],
            "max_new_tokens": 20,
            "temperature": 1.0,
            "top_k": 0,
            "top_p": 1.0,
            "seed": 0,
        }
