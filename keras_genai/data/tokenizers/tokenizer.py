"""The base of all tokenizers, and the file of a tokenizer."""

import importlib
import json

import keras
import numpy as np
import tensorflow as tf

from keras_genai.data.folders import explain
from keras_genai.files import complete_or_absent, read_regular

MAX_BYTES = 2**22  # of a file that is read: some 300,000 merges
_PART = 2**18  # characters that are turned to ids at once


class Tokenizer:
    """The base of all tokenizers.

    A subclass gives `tokenize` and `_pieces`, the bytes of each id.
    """

    @property
    def vocabulary_size(self):
        """Integer, number of ids, with the end token."""
        raise NotImplementedError

    @property
    def end_token_id(self):
        """Integer, the id that ends a text."""
        return self.vocabulary_size - 1

    @property
    def characters_per_token(self):
        """Float32 array `(vocabulary_size,)`; their sum over ids is exact."""
        raise NotImplementedError

    def tokenize(self, texts):
        """Turns strings to ids, in TensorFlow.

        Args:
            texts: String tensor `(batch,)`, UTF-8.

        Returns:
            `tf.RaggedTensor` of int32, `(batch, None)`.
        """
        raise NotImplementedError

    def detokenize(self, token_ids):
        """Turns ids to strings, in TensorFlow; the end token becomes nothing.

        Args:
            token_ids: `tf.RaggedTensor` of int32, `(batch, None)`.

        Returns:
            String tensor `(batch,)`, UTF-8. Bytes that are not a character,
            such as half of one, become U+FFFD, as in `decode`.
        """
        return tf.strings.unicode_transcode(
            self.join_bytes(token_ids), "UTF-8", "UTF-8", errors="replace"
        )

    def join_bytes(self, token_ids):
        """Turns ids to bytes, in TensorFlow, also to bytes that are not text.

        Args:
            token_ids: As for `detokenize`.

        Returns:
            String tensor `(batch,)`.
        """
        pieces = tf.gather(tf.constant(self._pieces), token_ids)
        return tf.strings.reduce_join(pieces, axis=-1)

    def scored_characters(self, token_ids):
        """Counts the characters of all tokens but the first, in TensorFlow.

        A language model scores these, given the first token. If that token
        cuts a character, the rest counts by its share of the bytes.

        Args:
            token_ids: Int32 tensor `(length,)`.

        Returns:
            Float32 scalar tensor.
        """
        rows = tf.ragged.stack([token_ids, token_ids[:1]])
        text, first = tf.unstack(self.join_bytes(rows), num=2)
        characters = tf.strings.unicode_split(text, "UTF-8")
        lengths = tf.strings.length(characters)  # bytes
        left = tf.cumsum(lengths) - tf.strings.length(first)
        shares = tf.clip_by_value(left / lengths, 0.0, 1.0)
        return tf.cast(tf.reduce_sum(shares), "float32")

    def encode(self, text):
        """Turns a string to ids.

        Args:
            text: String.

        Returns:
            Int32 NumPy array `(length,)`.
        """
        return self.tokenize(tf.constant([text])).flat_values.numpy()

    def _parts(self, text):
        # A subclass that knows where a text can be cut yields several parts.
        return [text]

    def decode(self, token_ids):
        """Turns ids to a string; invalid bytes become U+FFFD.

        Args:
            token_ids: Integer array `(length,)`.

        Returns:
            String.

        Raises:
            ValueError: If there is no such id.
        """
        token_ids = np.asarray(token_ids, "int32").reshape(-1)
        if len(token_ids) and not (
            0 <= token_ids.min() <= token_ids.max() < self.vocabulary_size
        ):
            raise ValueError(
                f"Expected token ids in [0, {self.vocabulary_size}). "
                f"Received: {token_ids.min()} to {token_ids.max()}"
            )
        joined = b"".join([self._pieces[token] for token in token_ids])
        return joined.decode("utf-8", "replace")

    def save(self, filepath):
        """Writes the tokenizer as JSON.

        Args:
            filepath: Path of the file to write.
        """
        config = keras.saving.serialize_keras_object(self)
        with complete_or_absent(filepath) as partial:
            partial.write_text(json.dumps(config))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def load_tokenizer(filepath):
    """Loads a tokenizer that `Tokenizer.save` wrote.

    Args:
        filepath: Path of the file.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: If the file cannot be read, is larger than 4 MiB, or does
            not hold a tokenizer.
    """
    # Its import registers the tokenizer of music.
    importlib.import_module("keras_genai.data.music.tokenizer")
    try:
        saved = json.loads(read_regular(filepath, MAX_BYTES))
        # The class is checked before an object is made.
        name = saved["registered_name"]
        kind = keras.saving.get_registered_object(name)
        if not (isinstance(kind, type) and issubclass(kind, Tokenizer)):
            raise ValueError(f"{name!r} is not a tokenizer that is known here")
        return kind.from_config(saved["config"])
    except Exception as error:  # broken values can raise any kind
        raise ValueError(
            f"Expected the file of a tokenizer: {explain(error)}. "
            f"Received: filepath={str(filepath)!r}"
        ) from error


def encode_parts(tokenizer, text):
    """Turns a long string to ids part by part, which takes less memory.

    Args:
        tokenizer: `Tokenizer`.
        text: String.

    Returns:
        Iterator of int32 NumPy arrays `(length,)`. Joined, they are the ids
        that `encode` returns.
    """
    return map(tokenizer.encode, tokenizer._parts(text))


def cut_text(text, next_boundary=None):
    """Cuts a text into parts of about 260,000 characters.

    Args:
        text: String.
        next_boundary: Function of a place that returns the next place where
            the text can be cut, or `None` if it can be cut anywhere.

    Yields:
        Strings, in order.
    """
    start = 0
    while True:
        stop = min(start + _PART, len(text))
        if next_boundary is not None:
            stop = next_boundary(stop)
        yield text[start:stop]
        if stop == len(text):
            return
        start = stop
