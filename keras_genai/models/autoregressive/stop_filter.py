"""StopFilter: the part of a new text that is complete and can be shown."""

import numpy as np


class StopFilter:
    """Turns the tokens of one text, as they are made, to pieces of text.

    The end token or a stop string ends the text and is cut off. Before that,
    the last characters may be the beginning of a stop string, and a replacement
    character at the end may be half of a character: both are held back until
    more tokens have come. With the stop string "END":

        the tokens so far      "the E"    "the EN"    "the END."
        the pieces shown       "the"      " "         "", and the text ends

    Args:
        tokenizer: `keras_genai.data.tokenizers.Tokenizer`.
        stop: Tuple of strings, which may be empty.

    Example:
        >>> from keras_genai import CharacterTokenizer
        >>> tokenizer = CharacterTokenizer("DENa")
        >>> pieces = StopFilter(tokenizer, ("END",))
        >>> token_ids = tokenizer.encode("aaENENDa")
        >>> pieces.take(token_ids[:4]), pieces.take(token_ids)
        ('aa', 'EN')
        >>> pieces.ended
        True
    """

    def __init__(self, tokenizer, stop):
        self.tokenizer = tokenizer
        self.stop = stop
        self.ended = False
        self._shown = 0  # characters
        # So many last characters may be the beginning of a stop string.
        self._held_back = max(map(len, stop), default=1) - 1

    def take(self, token_ids, is_last=False):
        """Takes the tokens so far.

        Args:
            token_ids: Integer array `(length,)`, all tokens that were made.
            is_last: Boolean, whether no more will come. Defaults to `False`.

        Returns:
            String, the text that is new and complete.
        """
        if self.ended:
            return ""
        text, is_cut = self._cut(token_ids)
        self.ended = is_cut or is_last
        ready = len(text)
        if not self.ended:
            ready = len(text.rstrip("\ufffd")) - self._held_back
            ready = max(ready, self._shown)
        piece = text[self._shown : ready]
        self._shown = ready
        return piece

    def _cut(self, token_ids):
        """The text up to its end, and whether the end is there."""
        ends = np.flatnonzero(token_ids == self.tokenizer.end_token_id)
        has_ended = len(ends) > 0
        if has_ended:
            token_ids = token_ids[: ends[0]]
        text = self.tokenizer.decode(token_ids)
        # The first of the stop strings.
        found = [text.find(string) for string in self.stop if string in text]
        if found:
            return text[: min(found)], True
        return text, has_ended
