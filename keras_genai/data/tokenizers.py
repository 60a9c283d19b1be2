"""Text <-> token ids: characters, bytes and byte pairs, also inside a graph.

A tokenizer is a vocabulary that is fixed. It turns strings to ids and back in
Python (`encode`, `decode`), and by the same rule in TensorFlow operations that
an exported model carries along (`tokenize`, `detokenize`). Its last id is the
end of a text, which no text holds and which decodes to nothing.
"""

import importlib
import json
import re

import keras
import numpy as np
import tensorflow as tf

from keras_genai.data.corpora import Corpus
from keras_genai.data.folders import explain
from keras_genai.data.texts import is_path, list_of_texts
from keras_genai.extras import how_to_install
from keras_genai.files import complete_or_absent, read_regular

MAX_BYTES = 2**22  # of a file that is read: some 300,000 merges
_MAX_TOKEN_BYTES = 2**26  # of all tokens of byte pairs
_PART = 2**18  # characters that are turned to ids at once


class Tokenizer:
    """What every tokenizer has in common.

    A kind gives `_pieces`, the bytes that each id stands for, and `tokenize`.
    """

    @property
    def vocabulary_size(self):
        """Integer, ids in all, with that of the end."""
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
        """Turns ids to strings, in TensorFlow; the end becomes nothing.

        Args:
            token_ids: `tf.RaggedTensor` of int32, `(batch, None)`.

        Returns:
            String tensor `(batch,)`, UTF-8; bytes that are no character, as
            half of one, become U+FFFD, as in `decode`.
        """
        return tf.strings.unicode_transcode(
            self.join_bytes(token_ids), "UTF-8", "UTF-8", errors="replace"
        )

    def join_bytes(self, token_ids):
        """Turns ids to bytes, in TensorFlow, of which some may be no text.

        Args:
            token_ids: As for `detokenize`.

        Returns:
            String tensor `(batch,)`.
        """
        pieces = tf.gather(tf.constant(self._pieces), token_ids)
        return tf.strings.reduce_join(pieces, axis=-1)

    def scored_characters(self, token_ids):
        """Counts the characters of all tokens but the first, in TensorFlow.

        A language model scores these, given the first. Of a character that
        the first token cuts, it is the share of its bytes that are left.

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
        # A kind that knows where a text may be cut says so.
        return [text]

    def decode(self, token_ids):
        """Turns ids to a string; bytes that are no character become U+FFFD.

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


def encode_parts(tokenizer, text):
    """Turns a long string to ids part by part, which takes less memory.

    Args:
        tokenizer: `Tokenizer`.
        text: String.

    Returns:
        Iterator of int32 NumPy arrays `(length,)`; one after another they are
        what `encode` returns.
    """
    return map(tokenizer.encode, tokenizer._parts(text))


def load_tokenizer(filepath):
    """Loads what `Tokenizer.save` wrote.

    Args:
        filepath: Path of the file.

    Returns:
        `Tokenizer`.

    Raises:
        ValueError: If the file cannot be read, is larger than 4 MiB, or does
            not hold a tokenizer.
    """
    # It registers its tokenizer.
    importlib.import_module("keras_genai.data.music.tokenizer")
    try:
        saved = json.loads(read_regular(filepath, MAX_BYTES))
        # The class is looked at before anything is made.
        name = saved["registered_name"]
        kind = keras.saving.get_registered_object(name)
        if not (isinstance(kind, type) and issubclass(kind, Tokenizer)):
            raise ValueError(f"{name!r} is no tokenizer that is known here")
        return kind.from_config(saved["config"])
    except Exception as error:  # of whatever kind its values make
        raise ValueError(
            f"Expected the file of a tokenizer: {explain(error)}. "
            f"Received: filepath={str(filepath)!r}"
        ) from error


@keras.saving.register_keras_serializable("keras_genai")
class CharacterTokenizer(Tokenizer):
    """One id a character, that is, a Unicode code point.

    A character that is not in the vocabulary becomes the id before the last,
    which decodes to U+FFFD, the replacement character.

    Args:
        vocabulary: String, its characters in the order of their code points,
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
        """Makes the tokenizer of the characters that a text has.

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
        return _cut(text)

    def get_config(self):
        return {"vocabulary": self.vocabulary}


@keras.saving.register_keras_serializable("keras_genai")
class BytePairTokenizer(Tokenizer):
    """Bytes of UTF-8, of which pairs that are frequent have become one id.

    Ids below 256 are bytes; each merge makes a new id of two that are there
    already. Without merges it is the tokenizer of bytes. A text is cut into
    words first (a space belongs to the word behind it), and in each word the
    earliest merge that applies is made, leftmost first, until none does. Any
    text comes back as it was.

    Args:
        merges: Pairs of ids, in the order in which they were learned.

    Raises:
        ValueError: If a merge is of ids that do not exist yet, or is there
            twice, or if the ids stand for more than 64 MiB in all.

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
            # Forty merges can make a token of a tebibyte.
            size += len(self._bytes[left]) + len(self._bytes[right])
            if size > _MAX_TOKEN_BYTES:
                raise ValueError(
                    f"Expected {_MAX_TOKEN_BYTES:,} bytes of tokens at most. "
                    f"Received: {size:,} after {len(self._merged) + 1} merges"
                )
            token = self._bytes[left] + self._bytes[right]
            if token not in ids:  # it may be known by other halves
                ids[token] = len(ids)
                self._bytes.append(token)
            self._merged.append(ids[token])
        self._pieces = [*self._bytes, b""]
        # Pairs as one number, sorted, so that a pair is looked up by bisection.
        pairs = np.array(self.merges, "int64").reshape(-1, 2)
        keys = pairs[:, 0] * self.vocabulary_size + pairs[:, 1]
        self._ranks = np.argsort(keys)
        self._keys = keys[self._ranks]

    @classmethod
    def train(cls, texts, vocabulary_size):
        """Learns the merges of a corpus.

        Args:
            texts: String, `Corpus`, or iterable of strings.
            vocabulary_size: Integer > 257. There are fewer ids where the
                corpus has too few pairs.

        Returns:
            `BytePairTokenizer`.

        Raises:
            ImportError: If the package tokenizers is not installed.
            ValueError: If the size leaves no merge, or if there are no texts
                to learn one from.
        """
        if vocabulary_size <= 257:
            raise ValueError(
                "`vocabulary_size` must be above 257: 256 bytes and the end. "
                f"Received: vocabulary_size={vocabulary_size}"
            )
        texts = _texts_to_learn_from(texts)
        try:
            import tokenizers
        except ImportError as error:
            raise ImportError(
                "Byte pairs are learned by the package tokenizers: "
                f"{how_to_install('bpe')}"
            ) from error
        learner = byte_pair_learner(tokenizers.models.BPE())
        learner.train_from_iterator(
            texts,
            tokenizers.trainers.BpeTrainer(
                vocab_size=vocabulary_size - 1,
                initial_alphabet=sorted(_BYTE_LETTERS.values()),
                show_progress=False,
            ),
        )
        model = json.loads(learner.to_str())["model"]
        ids = {letter: byte for byte, letter in _BYTE_LETTERS.items()}
        merges = []
        for left, right in model["merges"]:
            merges.append((ids[left], ids[right]))
            ids.setdefault(left + right, len(ids))
        if not merges:
            raise ValueError(
                "No pair of bytes is in the texts, so nothing was learned: "
                "give more text, or take BytePairTokenizer(), of bytes only. "
                f"Received: {len(texts)} texts, {sum(map(len, texts))} "
                "characters"
            )
        return cls(merges)

    @property
    def vocabulary_size(self):
        return len(self._bytes) + 1

    @property
    def characters_per_token(self):
        # A character is counted where it begins: 10xxxxxx goes on with one.
        counts = [
            sum(byte & 0b11000000 != 0b10000000 for byte in token)
            for token in self._bytes
        ]
        return np.array([*counts, 0], "float32")

    def tokenize(self, texts):
        letters = tf.strings.bytes_split(texts)
        values = tf.io.decode_raw(letters.flat_values, "uint8")
        values = tf.cast(tf.reshape(values, (-1,)), "int32")
        rows = letters.value_rowids()
        if self.merges:
            values, rows = self._merge(values, rows)
        return tf.RaggedTensor.from_value_rowids(
            values, rows, nrows=tf.shape(texts, tf.int64)[0]
        )

    def _merge(self, values, rows):
        words = tf.cumsum(tf.cast(_starts_word(values, rows), "int64"))
        none = len(self.merges)

        def ranks(values, words):
            # (tokens,): of the pair that each token begins, or `none`
            wide = tf.cast(values, "int64")
            keys = wide[:-1] * self.vocabulary_size + wide[1:]
            places = tf.minimum(tf.searchsorted(self._keys, keys), none - 1)
            known = (tf.gather(self._keys, places) == keys) & (
                words[:-1] == words[1:]
            )
            found = tf.where(known, tf.gather(self._ranks, places), none)
            return tf.concat([found, [none]], axis=0)[: tf.size(values)]

        def some_left(values, rows, words, ranks_now):
            return tf.reduce_any(ranks_now < none)

        def merge_once(values, rows, words, ranks_now):
            # In each word one merge: the earliest learned, leftmost of these.
            count = tf.size(values, tf.int64)
            order = ranks_now * count + tf.range(count)
            first = tf.math.unsorted_segment_min(order, words, words[-1] + 1)
            merged = (order == tf.gather(first, words)) & (ranks_now < none)
            made = tf.gather(self._merged, tf.minimum(ranks_now, none - 1))
            values = tf.where(merged, made, values)
            kept = tf.concat([[True], ~merged[:-1]], axis=0)
            values, rows, words = (
                tf.boolean_mask(each, kept) for each in (values, rows, words)
            )
            return values, rows, words, ranks(values, words)

        values, rows, _, _ = tf.while_loop(
            some_left,
            merge_once,
            (values, rows, words, ranks(values, words)),
            shape_invariants=(tf.TensorShape([None]),) * 4,
        )
        return values, rows

    def _parts(self, text):
        def boundary(place):
            # The next white space: a word begins there.
            found = _WHITE_SPACE.search(text, place)
            return found.start() if found else len(text)

        return _cut(text, boundary if self.merges else None)

    def get_config(self):
        return {"merges": self.merges}


def _cut(text, boundary=None):
    """Parts of a text of about `_PART` characters, each up to a boundary."""
    start = 0
    while True:
        stop = min(start + _PART, len(text))
        if boundary is not None:
            stop = boundary(stop)
        yield text[start:stop]
        if stop == len(text):
            return
        start = stop


def _texts_to_learn_from(texts):
    """A list of strings, not all empty, of whatever holds texts."""
    if isinstance(texts, Corpus):
        texts = texts.texts
    if is_path(texts):
        raise ValueError(
            "Expected texts, not the path of some: load_text(path) reads them. "
            f"Received: texts={str(texts)!r}"
        )
    if isinstance(texts, str):
        texts = [texts]
    listed = list_of_texts(texts, "texts")
    if listed is None:
        if isinstance(texts, (bytes, dict)) or not hasattr(texts, "__iter__"):
            raise ValueError(
                "Expected a string, a Corpus or an iterable of strings. "
                f"Received: texts of type {type(texts).__name__}"
            )
        listed = list_of_texts(list(texts), "texts")
    if not any(listed):
        raise ValueError(
            "Expected a text that is not empty; a generator that has been used "
            f"up gives none. Received: texts with {len(listed)} empty strings"
        )
    return listed


def byte_pair_learner(model):
    """A tokenizer of the package tokenizers that cuts words as ours does.

    Args:
        model: `tokenizers.models.BPE`.

    Returns:
        `tokenizers.Tokenizer`.
    """
    import tokenizers
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

    learner = tokenizers.Tokenizer(model)
    words = Split(tokenizers.Regex(_WORD), behavior="isolated")
    bytes_as_letters = ByteLevel(add_prefix_space=False, use_regex=False)
    learner.pre_tokenizer = Sequence([words, bytes_as_letters])
    return learner


# A word is a space, if there is one, and then letters (all that is not ASCII
# counts as such), digits, or other signs; other white space is a word each.
_WORD = (
    r" ?[A-Za-z\x{80}-\x{10FFFF}]+| ?[0-9]+"
    r"| ?[^A-Za-z0-9\x{80}-\x{10FFFF}\t-\r ]+|[\t-\r ]"
)
_WHITE_SPACE = re.compile(r"[\t-\r ]")
_SPACE, _LETTER, _DIGIT, _SIGN = range(4)


def _byte_classes():
    classes = np.full(256, _SIGN)
    classes[[*range(ord("\t"), ord("\r") + 1), ord(" ")]] = _SPACE
    classes[[byte for byte in range(128) if chr(byte).isalpha()]] = _LETTER
    classes[128:] = _LETTER
    classes[ord("0") : ord("9") + 1] = _DIGIT
    return classes


_CLASSES = _byte_classes()


def _starts_word(values, rows):
    """Whether each byte begins a word, as `_WORD` has it."""
    classes = tf.gather(_CLASSES, values)
    goes_on = (
        (rows[1:] == rows[:-1])
        & (classes[1:] != _SPACE)
        & ((classes[1:] == classes[:-1]) | (values[:-1] == ord(" ")))
    )
    return tf.concat([[True], ~goes_on], axis=0)[: tf.size(values)]


def _byte_letters():
    """Byte -> the visible character that stands for it in that package."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in visible}
    hidden = [byte for byte in range(256) if byte not in letters]
    return letters | {byte: chr(256 + i) for i, byte in enumerate(hidden)}


_BYTE_LETTERS = _byte_letters()
