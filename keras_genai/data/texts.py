"""Texts as people have them (lists, columns, files) -> plain strings."""

import codecs
import collections
import os
import reprlib

import numpy as np

from keras_genai.files import read_regular

TEXT_SUFFIXES = (".txt", ".text", ".md")
LONGEST_NAME = 255  # characters of a file's name, and of a data set's
LONGEST_PATH = 4096  # characters
MAX_TEXT_BYTES = 2**30  # of a file that is read

_ENCODINGS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARK = "\ufeff"  # the byte-order mark
_MISSING = ("NoneType", "float", "NAType", "NaTType")  # of a missing text


def is_text(source):
    """Tells whether a source is a text, and not a name or a path.

    Args:
        source: The source that the user gave, of any type.

    Returns:
        Boolean. A text is a string that is empty, has a line break, or is
        longer than any name and is not an existing path.
    """
    if not isinstance(source, str):
        return False
    if not source or any(sign in source for sign in "\n\r\0"):
        return True
    return len(source) > LONGEST_NAME and not _exists(source)


def list_of_texts(source, name="source"):
    """Takes the strings out of a list, an array or a column of a table.

    Args:
        source: The source that the user gave, of any type.
        name: String, name of the argument.

    Returns:
        List of strings, or `None` if the source is of another type.

    Raises:
        ValueError: If it holds anything that is not a string, or holds paths.

    Example:
        >>> list_of_texts(np.array(["to be", "or not"]))
        ['to be', 'or not']
    """
    if hasattr(source, "to_numpy"):  # a Series of pandas or Polars
        source = source.to_numpy()
    if isinstance(source, np.ndarray):
        if source.ndim != 1:
            raise ValueError(
                f"Expected `{name}` to be one column of texts, such as "
                f"table['text']. Received: an array of shape {source.shape}"
            )
        source = source.tolist()
    if not isinstance(source, (list, tuple)):
        return None
    bad = [i for i, text in enumerate(source) if not isinstance(text, str)]
    if bad:
        text = source[bad[0]]
        more = f", and {len(bad) - 1:,} more" * (len(bad) > 1)
        raise ValueError(
            f"Expected strings in `{name}`: {_remedy(text)}. "
            f"Received: {name}[{bad[0]}]={reprlib.repr(text)}{more}"
        )
    if source and all(map(is_path, source)):
        raise ValueError(
            f"Expected texts in `{name}`, not paths: pass the folder, or "
            "Path(path).read_text() of each. "
            f"Received: {name}[0]={source[0]!r}"
        )
    return [str(text) for text in source]


def check_name(source):
    """Refuses a source that can be neither a name nor a path.

    Args:
        source: String or path.

    Raises:
        ValueError: If it is too long, or has a NUL character.
    """
    name = os.fspath(source)
    if len(name) > LONGEST_PATH or "\0" in name:
        raise ValueError(
            f"Expected a name or a path of at most {LONGEST_PATH:,} "
            "characters, without a NUL. "
            f"Received: {len(name):,} characters, {reprlib.repr(name)}"
        )


def is_path(source):
    """Tells whether a source is a path, or a string that can only be one.

    Args:
        source: The source that the user gave, of any type.

    Returns:
        Boolean. A string counts as a path if the path exists, or if it ends
        like the name of a text file.
    """
    if isinstance(source, os.PathLike):
        return True
    if not isinstance(source, str) or is_text(source):
        return False
    return source.lower().endswith(TEXT_SUFFIXES) or _exists(source)


def _exists(source):
    return os.path.exists(os.path.expanduser(source))


def _remedy(text):
    if isinstance(text, bytes):
        return "decode it, as text.decode('utf-8')"
    if isinstance(text, os.PathLike):
        return "read it, as Path(path).read_text()"
    if type(text).__name__ in _MISSING:
        return "leave out missing texts, as series.dropna() does"
    return "one is of another type"


class Reader:
    """Reads texts, makes them plain and counts the changes.

    A plain text has no byte-order mark, its lines end with a line feed only,
    and UTF-8 can hold it.
    """

    def __init__(self):
        self.changes = collections.Counter()

    def read(self, path):
        """Reads a file in UTF-8, or in the encoding of its byte-order mark.

        Args:
            path: `pathlib.Path`.

        Returns:
            String, plain.

        Raises:
            ValueError: If it is in another encoding, not a text, not a
                regular file, or larger than a gibibyte.
        """
        data = read_regular(path, MAX_TEXT_BYTES)
        encoding = next(
            (name for mark, name in _ENCODINGS if data.startswith(mark)),
            "utf-8",
        )
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"Expected text in {encoding.upper()}: save the file as UTF-8. "
                f"Received: {str(path)!r}, where byte {error.start} is "
                f"{error.object[error.start]:#04x}"
            ) from error
        del data  # of a large file, before the text is copied
        if encoding != "utf-8":
            self.changes[f"in {encoding.upper()}"] += 1
        return self.plain(text, str(path))

    def plain(self, text, name):
        """Makes a text plain.

        Args:
            text: String.
            name: String, the source, for the error.

        Returns:
            String.

        Raises:
            ValueError: If it has a NUL, or half of a surrogate pair.
        """
        if "\0" in text:
            raise ValueError(
                "Expected a text: if it is one, save the file as UTF-8. "
                f"Received: {name!r}, where character {text.index(chr(0))} is "
                "NUL"
            )
        if text.startswith(_MARK):
            self.changes["with a byte-order mark"] += 1
            text = text.removeprefix(_MARK)
        if "\r" in text:
            self.changes["with CRLF or CR for line ends"] += 1
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text

    def report(self):
        """Counts the changes, in words.

        Returns:
            String, empty if nothing was changed.
        """
        if not self.changes:
            return ""
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in self.changes.items())
        return f"read as plain UTF-8 with line feeds: {kinds}"
