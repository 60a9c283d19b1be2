"""A name, a path or a text -> the texts of one split, and their source.

A corpus is one long text (Shakespeare) or many documents (reviews). Held-out
text is cut off first, in one piece, at the end. If windows were shuffled before
the split, training and held-out windows would share most of their characters.
"""

import dataclasses
import itertools
import os
from pathlib import Path

from keras_genai.data.folders import list_folder, print_once
from keras_genai.data.lookup import find_source, in_catalogue
from keras_genai.data.reading import EmptySplitError, naming, read_each
from keras_genai.data.splits import absolute_split, sizes_of
from keras_genai.data.texts import (
    TEXT_SUFFIXES,
    Reader,
    check_name,
    is_path,
    is_text,
    list_of_texts,
)
from keras_genai.digests import short_digest

OFFLINE_CORPORA = {
    "python_topics": "the help on Python's language, inside Python itself",
}
_STAND_INS = {"tiny_shakespeare": "python_topics"}
_FEW = 10  # fewer documents are all for training
_PART = 2**20  # characters


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

    unit = "characters"  # the unit of its length

    def __len__(self):
        return sum(map(len, self.texts))

    def __str__(self):
        documents = f" in {len(self.texts):,} documents" * (len(self.texts) > 1)
        return (
            f"{self.source}: {len(self):,} characters{documents}, "
            f"sha256 {self.digest}"
        )


def load_text(source, split="train", offline=False, skip_broken=False):
    """Reads the texts of a split, from any source.

    A name is looked up as in `load_images`. The splits of TFDS and the splits
    that sub-folders name are kept. Everything else is cut in order: the first
    90 % are `"train"`, the next 5 % `"validation"`, the last 5 % `"test"`. One
    text is cut by its characters, several texts by documents. Fewer than ten
    documents are all `"train"`.

    Byte-order marks are removed, and every line ends with a line feed only.
    These changes, and the files left out of a folder, are printed once.

    Args:
        source: One of

            - the name of a TFDS text set, `"tiny_shakespeare"`,
              `"imdb_reviews"`, ..., or of an offline corpus,
              `"python_topics"`;
            - the path of a text file in UTF-8, or in UTF-16 or UTF-32 with a
              byte-order mark;
            - the path of a folder of `.txt`, `.text` and `.md` files, each
              a document; sub-folders `train/`, `validation/` and `test/`
              (also `Training/`, `val/`, ...) are splits;
            - a text itself: a string with a line break, or with more than 255
              characters;
            - documents: a list, a NumPy array or a column of a table (a
              Series of pandas) of strings;
            - `Corpus`, which is returned unchanged.
        split: String, a split with TFDS's slicing: `"train[:10%]"`,
            `"validation+test"`. For one text, slices count characters.
        offline: Boolean. Whether to use no network.
        skip_broken: Boolean. Whether to skip files of a folder that are not
            text in UTF-8, and print them, instead of an error.

    Returns:
        `Corpus`.

    Raises:
        ValueError: If the source is unknown, empty or not UTF-8, or the split
            is unknown or empty.
        ConnectionError: If the source must be downloaded and there is no
            network.

    Example:
        >>> load_text("to be, or not to be\\n" * 5, "test").texts
        ('o be\\n',)
    """
    if isinstance(source, Corpus):
        return source
    reader = Reader()
    name, splits = _find(source, offline, skip_broken, reader)
    if reader.report():
        print_once(f"{name}: {reader.report()}")
    with naming(name):
        texts = tuple(_take(splits, split))
    if not any(texts):
        raise EmptySplitError(
            f"The split has no text. Received: source={name!r}, split={split!r}"
        )
    return Corpus(texts, f"{name}/{split}", short_digest(_in_bytes(texts)))


def _in_bytes(texts):
    """Yields texts in UTF-8, part by part: a long text is not copied whole."""
    for text in texts:
        for start in range(0, len(text), _PART):
            try:
                yield text[start : start + _PART].encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    "Expected text that UTF-8 can hold. Received: half of a "
                    f"surrogate pair at character {start + error.start}"
                ) from error


def _find(source, offline, skip_broken, reader):
    """Returns the name of a source, and its splits in the form of `_cut`."""
    texts = list_of_texts(source)
    if texts is not None:
        return "texts", _cut(
            [
                reader.plain(text, f"source[{index}]")
                for index, text in enumerate(texts)
            ]
        )
    if is_text(source):
        return "text", _cut([reader.plain(source, "source")])
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(
            "Expected a name, a path, a text or a list of texts. "
            f"Received: source of type {type(source).__name__}"
        )
    check_name(source)
    name, path = str(source), Path(source).expanduser()
    if path.is_dir():
        return name, _from_folder(path, skip_broken, reader)
    if path.exists():
        return name, _cut([reader.read(path)])
    if (
        is_path(source)
        or " " in name
        or (os.sep in name and not in_catalogue(name))
    ):
        raise ValueError(
            "Expected a text file, or a folder of .txt files. A text itself "
            "has a line break or more than 255 characters, or is in a list. "
            f"Received: source={name!r}, which does not exist"
        )
    name, builder = find_source(
        name, OFFLINE_CORPORA, _STAND_INS, offline, check=_text_field
    )
    if builder is None:
        return name, _cut([_python_topics()])
    return name, _from_tfds(builder, reader)


def _from_folder(path, skip_broken, reader):
    folder = list_folder(path, set(TEXT_SUFFIXES), "texts")
    folder.print_left_out()
    splits = {
        name: [file for file, _ in files]
        for name, files in folder.splits.items()
    }
    texts = read_each(
        itertools.chain(*splits.values()), reader.read, skip_broken
    )
    splits = {
        name: [texts[file] for file in files if file in texts]
        for name, files in splits.items()
    }
    if not folder.has_splits:
        return _cut(splits["train"])
    return _kept({"train": [], "validation": [], "test": [], **splits})


def _kept(splits):
    """Puts existing splits in the form of `_cut`."""
    # A single long text is cut by its characters.
    if all(len(texts) <= 1 for texts in splits.values()):
        splits = {name: "".join(texts) for name, texts in splits.items()}
    return {name: (texts, range(len(texts))) for name, texts in splits.items()}


def _cut(texts):
    """Makes splits: {name: (one text or a list of documents, places in it)}."""
    whole = texts[0] if len(texts) == 1 else texts
    size = len(whole)
    first, second = int(0.9 * size), int(0.95 * size)
    if len(texts) != 1 and size < _FEW:
        first = second = size
    return {
        "train": (whole, range(first)),
        "validation": (whole, range(first, second)),
        "test": (whole, range(second, size)),
    }


def _take(splits, split):
    """Takes a split, with its slices, from those of `_cut` or `_kept`."""
    sizes = sizes_of(
        {name: len(places) for name, (_, places) in splits.items()}
    )
    parts = []
    for name, start, stop in absolute_split(split, sizes):
        texts, places = splits[name]
        places = places[start:stop]
        parts.append(texts[places.start : places.stop])
    if all(isinstance(part, str) for part in parts):
        return ["".join(parts)]
    return [text for part in parts for text in part]


def _python_topics():
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def _from_tfds(builder, reader):
    key = _text_field(builder)
    print_once(f"{builder.name}: the texts are those of the field {key!r}.")
    return _kept(
        {
            name: [
                reader.plain(example[key].decode("utf-8"), builder.name)
                for example in builder.as_dataset(
                    split=name
                ).as_numpy_iterator()
            ]
            for name in builder.info.splits
        }
    )


def _text_field(builder):
    """Finds the field of the texts: the set's input, `"text"`, or the first."""
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
    inputs = (builder.info.supervised_keys or ())[:1]
    return next(key for key in (*inputs, "text", *keys) if key in keys)
