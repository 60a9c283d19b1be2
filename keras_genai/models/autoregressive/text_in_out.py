"""Text in, text out: what a model of token ids does with its tokenizer."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from keras_genai import sampling
from keras_genai.losses import next_token_losses
from keras_genai.models.autoregressive.token_by_token import TokenByToken
from keras_genai.models.core.condition import SEED

SCORED_AT_ONCE = 512  # tokens, where a model looks back without limit
_WINDOWS = 16  # scored at once
_CHUNK = 32  # tokens between two looks at what was made


class TextInOut(TokenByToken):
    """Goes on from prompts, says what texts cost, and exports both.

    What it needs of a model: `tokenizer`, `vocabulary_size`,
    `max_sequence_length`, `call`, `initial_state` and `extend`, as
    `LanguageModel` has them.
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
        """Goes on from prompts, a token at a time.

        Args:
            prompts: String, or list or array of strings, each of a token or
                more. Of more than `max_sequence_length` the newest are read.
            max_new_tokens: Integer >= 0. So many are made, unless the end of
                the text or a stop string comes first. Defaults to `256`.
            temperature: Float >= 0 that logits are divided by; 0 takes the
                likeliest token. Defaults to `1.0`. `None`, here and in what
                follows, is the default.
            top_k: Integer >= 0. Only the likeliest k tokens are drawn from;
                0, or more than there are, for all. Defaults to `0`.
            top_p: Float in (0, 1]. Only the likeliest tokens that together
                have this probability are drawn from; of those that `top_k`
                leaves, whose probabilities sum to 1. Defaults to `1.0`.
            min_p: Float in [0, 1]. Only tokens at least this many times as
                likely as the likeliest are drawn from. Defaults to `0.0`.
            repetition_penalty: Float > 0 that the logits of tokens which are
                there already are weakened by. Defaults to `1.0`, not at all.
            num_beams: Integer >= 1. Of more than 1, so many of the likeliest
                continuations are kept at each token (beam search), nothing is
                drawn, and the likeliest is what is returned; the arguments
                from `temperature` to `repetition_penalty` are left alone
                then. Defaults to `1`.
            stop: Strings that end a text where one of them comes up after the
                prompt; it is cut off. `None` for none.
            seed: Integer: the same seed gives the same text. Each prompt has
                draws of its own, by its place in the list: how many follow,
                and how long they are, makes no difference. `None` draws one
                from the model's own generator.
            stream: Boolean. Whether to return a generator of pieces as they
                come, the prompt left out; for one prompt. Defaults to
                `False`.
            length_penalty: Float, of beams alone: they are ranked by their
                log-probability over `length ** length_penalty`, the tokens
                that were made, the end included. 0 favours short texts, for
                each token costs; 1 ranks by the mean. Defaults to `0.0`.

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
        choice = sampling.Choice.asked(
            self.vocabulary_size,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            length_penalty=length_penalty,
        )
        max_new_tokens, num_beams = map(_as_int, (max_new_tokens, num_beams))
        _check_beams(num_beams, choice, stream)
        texts = _as_list(prompts)
        rows = [self._newest(self._prompt(text)) for text in texts]
        if not isinstance(max_new_tokens, int) or max_new_tokens < 0:
            raise ValueError(
                "`max_new_tokens` must be an integer, 0 or more. "
                f"Received: max_new_tokens={max_new_tokens!r}"
            )
        if stream and len(rows) != 1:
            raise ValueError(
                "One prompt is streamed at a time. "
                f"Received: {len(rows)} prompts, stream=True"
            )
        if not rows:
            return []
        stop = (stop,) if isinstance(stop, str) else tuple(stop or ())
        if not all(isinstance(string, str) and string for string in stop):
            raise ValueError(
                "Expected `stop` to be strings of a character or more, or "
                f"None for none. Received: stop={stop!r}"
            )
        # Texts that nobody waits for and nothing cuts are looked at when they
        # are complete; so are beams, of which the best is not known before.
        in_pieces = (stream or stop) and num_beams == 1
        pieces = self._pieces(
            rows,
            max_new_tokens,
            choice,
            stop,
            self._seed(seed),
            num_beams,
            _CHUNK if in_pieces else max_new_tokens,
        )
        if stream:
            return (new[0] for new in pieces)
        made = [""] * len(rows)
        for new in pieces:
            made = [text + piece for text, piece in zip(made, new, strict=True)]
        full = [text + more for text, more in zip(texts, made, strict=True)]
        return full[0] if isinstance(prompts, str) else full

    def _check_tokenizer(self):
        if self.tokenizer is None:
            raise ValueError(
                "The model has no tokenizer, and reads no text. "
                "Received: tokenizer=None"
            )

    def _prompt_ids(self, text):
        self._check_tokenizer()
        return self.tokenizer.encode(text)

    def _prompt(self, text):
        row = self._prompt_ids(text)
        if len(row) == 0:
            raise ValueError(
                "A prompt needs a character at least, to go on from. "
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

    def _pieces(
        self, rows, max_new_tokens, choice, stop, seed, num_beams, at_once
    ):
        """Yields lists of strings: what is new of each text.

        It looks at what was made each time that so many tokens are there.
        """
        # A power of two of them, so that few numbers are compiled.
        padding = 2 ** math.ceil(math.log2(len(rows))) - len(rows)
        asked = [*rows, *rows[:1] * padding]
        beams = [row for row in asked for _ in range(num_beams)]
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
        place = max(map(len, rows))
        end = place + max_new_tokens
        waits = max(map(len, stop), default=1) - 1
        shown = [0] * len(rows)
        while place < end:
            place = min(place + at_once, end)
            loop = self.run_loop(loop, place, choice, num_beams)
            tokens = loop.tokens.numpy()[::num_beams]  # the best of each
            all_ended = bool(tf.reduce_all(loop.ended))
            pieces, going_on = [], False
            for number, row in enumerate(rows):
                room = min(place, len(row) + max_new_tokens)
                text, ended = self._cut(tokens[number, len(row) : room], stop)
                ended |= all_ended or room == len(row) + max_new_tokens
                # What may be the beginning of a stop string, or half of
                # a character, is held back.
                ready = len(text)
                if not ended:
                    ready = len(text.rstrip("\ufffd")) - waits
                    ready = max(ready, shown[number])
                pieces.append(text[shown[number] : ready])
                shown[number] = ready
                going_on |= not ended
            yield pieces
            if not going_on:
                return

    def _cut(self, token_ids, stop):
        """The text of new tokens up to its end, and whether that is there."""
        ends = np.flatnonzero(token_ids == self.tokenizer.end_token_id)
        ended = len(ends) > 0
        if ended:
            token_ids = token_ids[: ends[0]]
        text = self.tokenizer.decode(token_ids)
        places = [text.find(string) for string in stop]
        places = [place for place in places if place >= 0]
        if places:
            return text[: min(places)], True
        return text, ended

    def signatures(self):
        if self.tokenizer is None:
            raise ValueError(
                "What is exported takes text, and needs a tokenizer. "
                "Received: tokenizer=None"
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
            # Each row to its own end: so many tokens, or the first end token.
            places = tf.range(room)[None]
            ends = (tokens == self.tokenizer.end_token_id) & (
                places >= lengths[:, None]
            )
            before = tf.cumsum(tf.cast(ends, "int32"), axis=1) == 0
            kept = before & (places < lengths[:, None] + max_new_tokens)
            made = tf.ragged.boolean_mask(tokens, kept)
            return {
                "text": self.tokenizer.detokenize(made),
                # What to go on from: it may end in half a character.
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

    def score(self, texts):
        """What texts cost: each token once, after all that is seen.

        The first token is what the others are scored after, and the bits of
        these are over the characters that they stand for, as the tokenizer's
        `scored_characters` counts them.

        Args:
            texts: String, of two tokens or more; or list of strings.

        Returns:
            Float, or list of floats: bits a character, NaN for a text of the
            list that has fewer than two tokens.

        Raises:
            ValueError: If a text that is alone is too short.
        """
        rows = _as_list(texts)
        if isinstance(texts, str) and len(self._prompt_ids(texts)) < 2:
            raise ValueError(
                "Expected a text of two tokens or more: the first is what "
                f"the others are scored after. Received: {texts!r}"
            )
        self._check_tokenizer()
        # NumPy's strings would lose NULs at their end.
        rows = tf.constant(rows, "string")
        bits = self._run("score", rows)["bits_per_character"]
        bits = list(map(float, bits))
        return bits[0] if isinstance(texts, str) else bits

    def _score(self, text):
        """Of a string tensor: bits a character, and how many characters."""
        token_ids = self.tokenizer.tokenize(text[None]).flat_values
        characters = self.tokenizer.scored_characters(token_ids)
        bits = tf.cond(
            tf.size(token_ids) > 1,
            lambda: self._nats(token_ids) / math.log(2.0) / characters,
            lambda: np.nan,
        )
        return bits, characters

    def _nats(self, token_ids):
        """What tokens `(length,)` cost but for the first, each scored once.

        Windows as long as the model looks back, half of one from each to the
        next: all but the first score their newer half alone.
        """
        length = self.max_sequence_length or SCORED_AT_ONCE
        stride = max(1, length // 2)
        count = tf.size(token_ids) - 1  # targets
        windows = 1 + tf.maximum(0, -(-(count - length) // stride))
        batches = -(-windows // _WINDOWS)  # the last ones may be empty
        starts = tf.range(batches * _WINDOWS)[:, None] * stride
        places = starts + tf.range(length)[None]
        new = (places >= starts + length - stride) | (starts == 0)
        targets = tf.where(
            new & (places < count),
            tf.gather(token_ids, tf.minimum(places + 1, count)),
            -1,
        )
        inputs = tf.gather(token_ids, tf.minimum(places, count))

        def nats(batch):
            logits = self(batch[0], training=False)
            losses, _ = next_token_losses(logits, batch[1])
            return tf.reduce_sum(losses)

        batched = [
            tf.reshape(each, (-1, _WINDOWS, length))
            for each in (inputs, targets)
        ]
        return tf.reduce_sum(
            tf.map_fn(nats, batched, fn_output_signature=tf.float32)
        )


def _as_int(number):
    """NumPy's integers as Python's; anything else is left to be refused."""
    return int(number) if isinstance(number, np.integer) else number


def _as_list(texts):
    texts = [texts] if isinstance(texts, str) else texts
    if isinstance(texts, np.ndarray) and texts.ndim == 1:
        texts = texts.tolist()
    if not isinstance(texts, (list, tuple)) or not all(
        isinstance(text, str) for text in texts
    ):
        raise ValueError(
            f"Expected a string, or a list of strings. Received: {texts!r}"
        )
    return list(texts)


def _check_beams(num_beams, choice, stream):
    if not isinstance(num_beams, int) or num_beams < 1:
        raise ValueError(
            "`num_beams` must be an integer, 1 or more. "
            f"Received: num_beams={num_beams!r}"
        )
    if num_beams == 1 and choice.length_penalty:
        raise ValueError(
            "`length_penalty` ranks beams: num_beams=4, for instance. "
            f"Received: num_beams=1, length_penalty={choice.length_penalty}"
        )
    others = dataclasses.replace(choice, length_penalty=0.0)
    if num_beams > 1 and (stream or others != sampling.Choice()):
        raise ValueError(
            "A beam search draws nothing, and knows its text at the end alone: "
            "it takes no other choice and no stream. "
            f"Received: num_beams={num_beams}, stream={stream}, {choice}"
        )
