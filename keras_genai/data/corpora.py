"""A name, a path or a text -> the texts of one split, and where they are from.

A corpus is one long text (Shakespeare) or many documents (reviews). Held-out
text is cut off in one piece, at the end, before anything else is done: windows
that were shuffled before the split would share most of their characters.
"""

import dataclasses
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

from keras_genai.data.files import absolute_split
from keras_genai.data.sources import find_source, in_catalogue

OFFLINE_CORPORA = {
    "python_topics": "the help on Python's language, inside Python itself",
}
_STAND_INS = {"tiny_shakespeare": "python_topics"}


@dataclasses.dataclass(frozen=True)
class Corpus:
    """The texts of one split.

    Attributes:
        texts: Tuple of strings: one, or many documents.
        source: String, where they came from.
        digest: String, the first 16 hexadecimal digits of the SHA-256 of the
            texts in UTF-8.
    """

    texts: tuple
    source: str
    digest: str

    unit = "characters"  # what its length counts

    def __len__(self):
        return sum(map(len, self.texts))

    def __str__(self):
        documents = f" in {len(self.texts):,} documents" * (len(self.texts) > 1)
        return (
            f"{self.source}: {len(self):,} characters{documents}, "
            f"sha256 {self.digest}"
        )


def load_text(source, split="train", offline=False):
    """Reads the texts of a split, from wherever they can be had.

    A name is looked for as by `load_images`. TFDS's own splits are kept as
    they are; everything else is cut in order: the first 90 % are `"train"`,
    5 % `"validation"`, 5 % `"test"`, of the characters of one text or of the
    documents of many.

    Args:
        source: One of

            - the name of a TFDS text set, `"tiny_shakespeare"`,
              `"imdb_reviews"`, ..., or of an offline corpus,
              `"python_topics"`;
            - the path of a text file in UTF-8;
            - the path of a folder of `.txt` files, each a document;
            - a text itself: a string with a line break in it;
            - a list of strings, documents;
            - `Corpus`, which is returned as it is.
        split: String, a split with TFDS's slicing: `"train[:10%]"`,
            `"validation+test"`; of one text, slices count characters.
        offline: Boolean. Whether the network is left alone.

    Returns:
        `Corpus`.

    Raises:
        ValueError: If the source is unknown, empty or not UTF-8, or the split
            is unknown or empty.
        ConnectionError: If the source would have to be downloaded and there
            is no network.

    Example:
        >>> load_text("to be, or not to be\\n" * 5, "test").texts
        ('o be\\n',)
    """
    if isinstance(source, Corpus):
        return source
    if isinstance(source, (list, tuple)):
        name, splits = "texts", _cut(source)
    elif "\n" in str(source):
        name, splits = "text", _cut([source])
    elif Path(source).is_dir():
        name = str(source)
        paths = sorted(Path(source).glob("**/*.txt"))
        splits = _cut([_read(path) for path in paths])
    elif Path(source).is_file():
        name, splits = str(source), _cut([_read(Path(source))])
    elif os.sep in str(source) and not in_catalogue(str(source)):
        raise ValueError(
            "Expected a text file or a folder of .txt files. "
            f"Received: source={str(source)!r}, which does not exist"
        )
    else:
        name, builder = find_source(
            str(source), OFFLINE_CORPORA, _STAND_INS, offline
        )
        if builder is None:
            splits = _cut([_python_topics()])
        else:
            splits = _from_tfds(builder)
    texts = tuple(_take(splits, split))
    if not any(texts):
        raise ValueError(
            f"The split has no text. Received: source={name!r}, split={split!r}"
        )
    sha = hashlib.sha256()
    for text in texts:
        sha.update(text.encode())
    return Corpus(texts, f"{name}/{split}", sha.hexdigest()[:16])


def _cut(texts):
    whole = texts[0] if len(texts) == 1 else list(texts)
    first, second = int(0.9 * len(whole)), int(0.95 * len(whole))
    return {
        "train": whole[:first],
        "validation": whole[first:second],
        "test": whole[second:],
    }


def _take(splits, split):
    """Takes a split out of {name: one text, or a list of documents}."""
    sizes = {
        name: SimpleNamespace(num_examples=len(texts))
        for name, texts in splits.items()
    }
    parts = [
        splits[name][start:stop]
        for name, start, stop in absolute_split(split, sizes)
    ]
    if all(isinstance(part, str) for part in parts):
        return ["".join(parts)]
    return [text for part in parts for text in part]


def _read(path):
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Expected text in UTF-8. Received: {str(path)!r}, where byte "
            f"{error.start} is {error.object[error.start]:#04x}"
        ) from error


def _python_topics():
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def _from_tfds(builder):
    import tensorflow_datasets as tfds

    features = builder.info.features
    keys = [
        key
        for key, feature in features.items()
        if isinstance(feature, tfds.features.Text)
    ]
    if not keys:
        raise ValueError(
            "Expected a data set with a text in each example. "
            f"Received: source={builder.name!r} with {sorted(features)}"
        )
    splits = {
        name: [
            example[keys[0]].decode("utf-8")
            for example in builder.as_dataset(split=name).as_numpy_iterator()
        ]
        for name in builder.info.splits
    }
    if all(len(texts) == 1 for texts in splits.values()):
        return {name: texts[0] for name, texts in splits.items()}
    return splits
