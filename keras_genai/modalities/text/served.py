"""An export that continues a prompt, a few tokens at a time."""

import numpy as np

from keras_genai.demo.checks import check_integer, check_text, shortened
from keras_genai.demo.served import (
    MAX_SEED,
    ServedModel,
    check_choice,
    check_seed,
)

MAX_PROMPT = 2_000  # characters
MAX_NEW_TOKENS = 1_000
MAX_SCORED = 20_000  # characters
_PIECE = 16  # tokens of each call
_CONTEXT = 512  # bytes that are read again, if a model has no limit


class ServedText(ServedModel):
    """A model that continues a prompt."""

    makes = "text"

    def stream(
        self,
        prompt,
        max_new_tokens=200,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        seed=0,
    ):
        """Continues a prompt, a few tokens at a time.

        An export makes its text in one call, so it is called again and again
        for a few more tokens. Its draws depend on the seed and the place in
        the text: with the text so far and the same seed, it continues exactly
        as one long call would. When the text is as long as the model looks
        back, the export gets only the newer half, and another seed, because
        the places start again. So one seed always gives one text; up to that
        length it is equal to the text of one call.

        Args:
            prompt: String of 1 to 2,000 characters.
            max_new_tokens: Integer from 0 to 1,000. Defaults to `200`.
            temperature: Float from 0 to 10. Defaults to `1.0`.
            top_k: Integer >= 0; 0 for all. Defaults to `0`.
            top_p: Float from 0.01 to 1. Defaults to `1.0`.
            seed: Integer >= 0. Defaults to `0`.

        Yields:
            String, all of the text so far, with the prompt.

        Raises:
            ValueError: If an argument is out of its range.
        """
        text = check_text("prompt", prompt, MAX_PROMPT).encode()
        left = check_integer(
            "max_new_tokens", max_new_tokens, 0, MAX_NEW_TOKENS
        )
        seed = check_seed(seed)
        choice = check_choice(temperature, top_k, top_p)
        # As the tokenizer reads it: an unknown character is U+FFFD.
        context = self._go_on(self._newest(text), 0, seed, choice)
        yield _shown(text)
        while left:
            # If the export does not state its limit, all at once.
            room = max(1, self._limit - len(context))
            count = min(_PIECE, room, left) if self.about else left
            left -= count
            longer = self._go_on(context, count, seed, choice)
            new = longer[len(context) :]
            text += new
            yield _shown(text) if left else text.decode("utf-8", "replace")
            if len(new) < count:  # the text has ended
                return
            context = self._newest(longer)
            if context != longer:
                seed = (seed + 1) % MAX_SEED

    @property
    def _limit(self):
        """Bytes, and so tokens at most, that are read again."""
        return self.about.get("max_sequence_length", _CONTEXT)

    def _newest(self, text):
        """The part of a text that is read again: less than the limit."""
        if not self.about or len(text) < self._limit:
            return text
        newest = text[-max(1, self._limit // 2) :]
        # Do not begin in the middle of a character.
        return newest.lstrip(bytes(range(0x80, 0xC0))) or newest

    def _go_on(self, text, count, seed, choice):
        answer = self.ask(
            "generate", prompt=[text], max_new_tokens=count, seed=seed, **choice
        )
        # Earlier exports have no `text_bytes`: their `text` has the bytes.
        return answer.get("text_bytes", answer["text"])[0]

    def score(self, text):
        """Scores a text.

        Args:
            text: String of at most 20,000 characters.

        Returns:
            Float, bits a character.

        Raises:
            ValueError: If it is longer, or too short to be scored.
        """
        text = check_text("text", text, MAX_SCORED)
        (bits,) = self.ask("score", text=[text])["bits_per_character"]
        if not np.isfinite(bits):
            raise ValueError(
                "Expected a text of two tokens or more: the first is only "
                f"a context for the others. Received: {shortened(text)}"
            )
        return float(bits)


def _shown(text):
    """Bytes as a string, without an incomplete character at the end."""
    return text.decode("utf-8", "replace").rstrip("\ufffd")
