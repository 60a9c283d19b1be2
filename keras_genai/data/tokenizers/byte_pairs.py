"""The tokenizer of byte pairs, and of bytes."""

import keras
import numpy as np
import tensorflow as tf

from keras_genai.data.tokenizers.learning import learn_merges
from keras_genai.data.tokenizers.tokenizer import Tokenizer, cut_text
from keras_genai.data.tokenizers.words import WHITE_SPACE, starts_word

_MAX_TOKEN_BYTES = 2**26  # of all tokens together


@keras.saving.register_keras_serializable("keras_genai")
class BytePairTokenizer(Tokenizer):
    """Bytes of UTF-8, with one id for each pair that is frequent.

    Ids below 256 are bytes. Each merge makes a new id of two existing ones.
    Without merges, this is the tokenizer of bytes. A text is cut into words
    first; a space belongs to the word behind it. In each word the merge that
    was learned first is applied first, at its leftmost place, until no merge
    applies. Every text decodes to itself.

    Args:
        merges: Pairs of ids, in the order in which they were learned.

    Raises:
        ValueError: If a merge has an id that does not exist yet, or is there
            twice, or if all tokens together have more than 64 MiB.

    Example:
        >>> tokenizer = BytePairTokenizer([(104, 101), (256, 114)])
        >>> tokenizer.encode("there")
        array([116, 257, 101], dtype=int32)
        >>> tokenizer.decode([116, 257, 101])
        'there'

    Reference:
        Sennrich et al., Neural machine translation of rare words with subword
        units, 2016; Radford et al., Language models are unsupervised multitask
        learners, 2019 (on bytes).
    """

    def __init__(self, merges=()):
        self.merges = [tuple(map(int, pair)) for pair in merges]
        if len(set(self.merges)) < len(self.merges):
            raise ValueError(
                "Expected each merge once. Received: "
                f"{len(self.merges):,} merges, {len(set(self.merges)):,} "
                "different ones"
            )
        ids = {bytes([value]): value for value in range(256)}
        self._bytes, self._merged, size = [*ids], [], 256
        for left, right in self.merges:
            if not 0 <= min(left, right) <= max(left, right) < len(ids):
                raise ValueError(
                    "A merge is of two ids that exist before it. "
                    f"Received: {(left, right)} beside {len(ids)} ids"
                )
            # Forty merges can make a token of a tebibyte: check the size first.
            size += len(self._bytes[left]) + len(self._bytes[right])
            if size > _MAX_TOKEN_BYTES:
                raise ValueError(
                    f"Expected {_MAX_TOKEN_BYTES:,} bytes of tokens at most. "
                    f"Received: {size:,} after {len(self._merged) + 1} merges"
                )
            token = self._bytes[left] + self._bytes[right]
            if token not in ids:  # else other halves made it before
                ids[token] = len(ids)
                self._bytes.append(token)
            self._merged.append(ids[token])
        self._pieces = [*self._bytes, b""]
        # Each pair as one number, sorted, so that bisection finds a pair.
        pairs = np.array(self.merges, "int64").reshape(-1, 2)
        keys = pairs[:, 0] * self.vocabulary_size + pairs[:, 1]
        self._ranks = np.argsort(keys)
        self._keys = keys[self._ranks]

    @classmethod
    def train(cls, texts, vocabulary_size):
        """Learns the merges of a corpus.

        Args:
            texts: String, `Corpus`, or iterable of strings.
            vocabulary_size: Integer > 257. The tokenizer has fewer ids if the
                corpus has too few pairs.

        Returns:
            `BytePairTokenizer`.

        Raises:
            ImportError: If the package tokenizers is not installed.
            ValueError: If the size leaves no room for a merge, or if there are
                no texts, or no pairs in them.
        """
        if vocabulary_size <= 257:
            raise ValueError(
                "`vocabulary_size` must be above 257: 256 bytes and the end. "
                f"Received: vocabulary_size={vocabulary_size}"
            )
        return cls(learn_merges(texts, vocabulary_size))

    @property
    def vocabulary_size(self):
        return len(self._bytes) + 1

    @property
    def characters_per_token(self):
        # A character counts at its first byte: 10xxxxxx is a later one.
        counts = [
            sum(byte & 0b11000000 != 0b10000000 for byte in token)
            for token in self._bytes
        ]
        return np.array([*counts, 0], "float32")

    def tokenize(self, texts):
        letters = tf.strings.bytes_split(texts)
        token_ids = tf.io.decode_raw(letters.flat_values, "uint8")
        token_ids = tf.cast(tf.reshape(token_ids, (-1,)), "int32")
        rows = letters.value_rowids()
        if self.merges:
            token_ids, rows = self._merge(token_ids, rows)
        return tf.RaggedTensor.from_value_rowids(
            token_ids, rows, nrows=tf.shape(texts, tf.int64)[0]
        )

    def _merge(self, token_ids, rows):
        """Merges the pairs of all words, one merge a word in each step.

        For one word this is, with `rank` the place of a pair in `merges`:

            while True:
                pairs = [word[i : i + 2] for i in range(len(word) - 1)]
                i = the place of the pair of lowest rank, the leftmost of these
                if no pair has a rank: break
                word[i : i + 2] = [the id of the merged pair]

        Args:
            token_ids: Int32 tensor `(tokens,)`, bytes of all texts in a row.
            rows: Int64 tensor `(tokens,)`, the text that each belongs to.

        Returns:
            Pair of such tensors, of fewer tokens.
        """
        # (tokens,): the word that each token belongs to
        words = tf.cumsum(tf.cast(starts_word(token_ids, rows), "int64"))
        no_rank = len(self.merges)

        def rank_pairs(token_ids, words):
            # (tokens,): the rank of each token and the next one, or `no_rank`
            wide = tf.cast(token_ids, "int64")
            keys = wide[:-1] * self.vocabulary_size + wide[1:]
            places = tf.searchsorted(self._keys, keys)
            places = tf.minimum(places, len(self._keys) - 1)
            is_known = tf.gather(self._keys, places) == keys
            is_one_word = words[:-1] == words[1:]
            ranks = tf.gather(self._ranks, places)
            ranks = tf.where(is_known & is_one_word, ranks, no_rank)
            # The last token has no next one.
            return tf.concat([ranks, [no_rank]], 0)[: tf.size(token_ids)]

        def some_left(token_ids, rows, words, ranks):
            return tf.reduce_any(ranks < no_rank)

        def merge_once(token_ids, rows, words, ranks):
            # In each word the pair of lowest rank, the leftmost of these.
            count = tf.size(token_ids, tf.int64)
            order = ranks * count + tf.range(count)
            first = tf.math.unsorted_segment_min(order, words, words[-1] + 1)
            is_merged = (order == tf.gather(first, words)) & (ranks < no_rank)
            # The left half becomes the new token, and the right half is
            # removed.
            made = tf.gather(self._merged, tf.minimum(ranks, no_rank - 1))
            token_ids = tf.where(is_merged, made, token_ids)
            is_kept = tf.concat([[True], ~is_merged[:-1]], axis=0)
            token_ids, rows, words = (
                tf.boolean_mask(each, is_kept)
                for each in (token_ids, rows, words)
            )
            return token_ids, rows, words, rank_pairs(token_ids, words)

        token_ids, rows, _, _ = tf.while_loop(
            some_left,
            merge_once,
            (token_ids, rows, words, rank_pairs(token_ids, words)),
            shape_invariants=(tf.TensorShape([None]),) * 4,
        )
        return token_ids, rows

    def _parts(self, text):
        def next_white_space(place):
            # A word begins there.
            found = WHITE_SPACE.search(text, place)
            return found.start() if found else len(text)

        return cut_text(text, next_white_space if self.merges else None)

    def get_config(self):
        return {"merges": self.merges}
