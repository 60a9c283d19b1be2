"""The tokenizer of characters."""

import keras
import numpy as np
import tensorflow as tf

from keras_genai.data.tokenizers.tokenizer import Tokenizer, cut_text


@keras.saving.register_keras_serializable("keras_genai")
class CharacterTokenizer(Tokenizer):
    """One id for each character, that is, for each Unicode code point.

    An unknown character becomes the last id but one, which decodes to U+FFFD,
    the replacement character.

    Args:
        vocabulary: String, the characters in the order of their code points,
            each once.

    Raises:
        ValueError: If the vocabulary is empty or out of order.

    Example:
        >>> tokenizer = CharacterTokenizer.from_text("abba")
        >>> tokenizer.encode("bad")
        array([1, 0, 2], dtype=int32)
        >>> tokenizer.decode([1, 0, 1])
        'bab'
    """

    def __init__(self, vocabulary):
        if not vocabulary or sorted(set(vocabulary)) != list(vocabulary):
            raise ValueError(
                "`vocabulary` must be characters in order, each once. "
                f"Received: vocabulary={vocabulary!r}"
            )
        self.vocabulary = vocabulary
        self._code_points = np.array([ord(c) for c in vocabulary], "int32")
        self._pieces = [*(c.encode() for c in vocabulary + "\ufffd"), b""]

    @classmethod
    def from_text(cls, text):
        """Makes the tokenizer for the characters of a text.

        Args:
            text: String, or a set of characters; not empty.

        Returns:
            `CharacterTokenizer`.
        """
        return cls("".join(sorted(set(text))))

    @property
    def vocabulary_size(self):
        return len(self.vocabulary) + 2

    @property
    def characters_per_token(self):
        counts = np.ones(self.vocabulary_size, "float32")
        counts[self.end_token_id] = 0
        return counts

    def tokenize(self, texts):
        code_points = tf.strings.unicode_decode(texts, "UTF-8")
        values = code_points.flat_values
        places = tf.searchsorted(self._code_points, values)
        unknown = len(self.vocabulary)
        nearest = tf.gather(self._code_points, tf.minimum(places, unknown - 1))
        return code_points.with_flat_values(
            tf.where(nearest == values, places, unknown)
        )

    def _parts(self, text):
        return cut_text(text)

    def get_config(self):
        return {"vocabulary": self.vocabulary}
