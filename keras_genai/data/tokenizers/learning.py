"""Which byte pairs a corpus merges, learned by the package tokenizers."""

import json

from keras_genai.data.corpora import Corpus
from keras_genai.data.texts import is_path, list_of_texts
from keras_genai.data.tokenizers.words import WORD
from keras_genai.extras import how_to_install


def learn_merges(texts, vocabulary_size):
    """Learns the merges of a corpus.

    Args:
        texts: String, `Corpus`, or iterable of strings.
        vocabulary_size: Integer > 257, with the end token.

    Returns:
        List of pairs of ids, in the order in which they were learned.

    Raises:
        ImportError: If the package tokenizers is not installed.
        ValueError: If there are no texts, or no pairs in them.
    """
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
            initial_alphabet=sorted(BYTE_LETTERS.values()),
            show_progress=False,
        ),
    )
    model = json.loads(learner.to_str())["model"]
    ids = {letter: byte for byte, letter in BYTE_LETTERS.items()}
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
    return merges


def byte_pair_learner(model):
    """Makes a tokenizer of that package that cuts words as ours does.

    Args:
        model: `tokenizers.models.BPE`.

    Returns:
        `tokenizers.Tokenizer`.
    """
    import tokenizers
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

    learner = tokenizers.Tokenizer(model)
    words = Split(tokenizers.Regex(WORD), behavior="isolated")
    bytes_as_letters = ByteLevel(add_prefix_space=False, use_regex=False)
    learner.pre_tokenizer = Sequence([words, bytes_as_letters])
    return learner


def _texts_to_learn_from(texts):
    """Makes a list of strings, not all empty, from the user's texts."""
    if isinstance(texts, Corpus):
        texts = texts.texts
    if is_path(texts):
        raise ValueError(
            "Expected texts, not a path: load_text(path) reads them. "
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


def _byte_letters():
    """Byte -> the visible character that replaces it in that package."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in visible}
    hidden = [byte for byte in range(256) if byte not in letters]
    return letters | {byte: chr(256 + i) for i, byte in enumerate(hidden)}


BYTE_LETTERS = _byte_letters()
