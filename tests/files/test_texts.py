"""Texts as people have them: encodings, line ends, columns, gaps."""

import fresh
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import (
    BytePairTokenizer,
    CharacterTokenizer,
    load_text,
    text_dataset,
)
from keras_genai.data.tokenizers import encode_parts

POEM = "Tyger Tyger, burning bright,\nIn the forests of the night;\n" * 3
WHOLE = "train+validation+test"


def read(source, **arguments):
    (text,) = load_text(source, WHOLE, **arguments).texts
    return text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (POEM.encode("utf-8-sig"), "1 with a byte-order mark"),
        (POEM.replace("\n", "\r\n").encode(), "1 with CRLF or CR"),
        (POEM.replace("\n", "\r").encode(), "1 with CRLF or CR"),
        (POEM.encode("utf-16"), "1 in UTF-16"),
        (b"\xfe\xff" + POEM.encode("utf-16-be"), "1 in UTF-16"),
        (POEM.encode("utf-32"), "1 in UTF-32"),
    ],
)
def test_a_file_of_another_program_is_the_same_text(
    data, said, tmp_path, capsys
):
    path = tmp_path / "poem.txt"
    path.write_bytes(data)
    assert read(path) == POEM
    assert load_text(path).digest == load_text(POEM).digest
    output = capsys.readouterr().out
    assert said in output
    assert output.count("\n") == 1 and str(path) in output  # said once


def test_a_plain_file_is_read_without_a_word(tmp_path, capsys):
    path = tmp_path / "poem.txt"
    path.write_text(POEM)
    assert read(path) == POEM
    assert capsys.readouterr().out == ""


def test_strings_are_made_plain_like_files(capsys):
    assert read("\ufeffone\r\ntwo\rthree\n" * 2) == (
        "one\ntwo\nthree\n\ufeffone\ntwo\nthree\n"  # a mark is at the start
    )
    assert "with CRLF" in capsys.readouterr().out
    documents = [f"{number}\r\n" for number in range(12)]
    assert load_text(documents, "train[:2]").texts == ("0\n", "1\n")
    assert "texts: read as plain UTF-8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("café\n".encode("latin-1"), r"save the file as UTF-8.*byte 3 is 0xe9"),
        (
            POEM.encode("utf-16-le"),
            "save the file as UTF-8.*character 1 is NUL",
        ),
        (b"MThd\x00\x00\x00\x06", "character 4 is NUL"),
        (POEM.encode("utf-16")[:-1], "Expected text in UTF-16"),
    ],
)
def test_what_is_no_text_is_refused(data, message, tmp_path):
    path = tmp_path / "poem.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as refused:
        load_text(path)
    assert "poem.txt" in str(refused.value)


def test_strings_that_no_file_could_hold_are_refused():
    for text in ("a\0b\n", "a\0b"):
        with pytest.raises(ValueError, match="character 1 is NUL"):
            load_text(text)
    with pytest.raises(ValueError, match="surrogate pair at character 2"):
        load_text("ab\ud800\n" * 9)


@pytest.mark.parametrize(
    "text", ["to be or not " * 40, "and/or" * 5000], ids=["words", "slashes"]
)
def test_a_long_string_without_a_line_break_is_a_text(text):
    assert read(text) == text
    dataset = text_dataset(text, sequence_length=8, batch_size=2)
    assert dataset.examples.texts == (text[: int(0.9 * len(text))],)


def test_a_long_path_is_a_path(tmp_path):
    folder = tmp_path / ("a" * 150) / ("b" * 150)
    folder.mkdir(parents=True)
    (folder / "poem.txt").write_text(POEM)
    assert read(str(folder / "poem.txt")) == POEM


@pytest.mark.parametrize(
    "source", ["to be or not to be", "poems/tyger.txt", "tyger.txt", "TYGER.MD"]
)
def test_a_short_string_says_how_a_text_is_given(source):
    message = "more than 255 characters, or is in a list.*does not exist"
    with pytest.raises(ValueError, match=message):
        load_text(source)


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "poem.txt").write_text(POEM)
    assert read("~/poem.txt") == POEM


class Column:
    """What a Series of pandas or Polars has."""

    def __init__(self, values):
        self.values = values

    def to_numpy(self):
        return np.array(self.values, dtype=object)


REVIEWS = [f"review {number}" for number in range(40)]


@pytest.mark.parametrize(
    "source",
    [
        REVIEWS,
        tuple(REVIEWS),
        np.array(REVIEWS),
        np.array(REVIEWS, dtype=object),
        Column(REVIEWS),
    ],
    ids=["list", "tuple", "array", "objects", "column"],
)
def test_documents_come_in_lists_arrays_and_columns(source):
    corpus = load_text(source)
    assert corpus.texts == tuple(REVIEWS[:36])
    assert {type(text) for text in corpus.texts} == {str}
    assert corpus.digest == load_text(REVIEWS).digest


def test_a_series_of_pandas():
    import pandas  # which the extra `offline` brings along

    table = pandas.DataFrame({"text": REVIEWS, "stars": range(40)})
    assert load_text(table["text"]).texts == tuple(REVIEWS[:36])
    with pytest.raises(ValueError, match=r"table\['text'\].*shape \(40, 2\)"):
        load_text(table)
    table.loc[7, "text"] = None
    with pytest.raises(ValueError, match=r"dropna\(\).*source\[7\]="):
        load_text(table["text"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, r"leave out missing texts.*source\[3\]=None"),
        (float("nan"), r"leave out missing texts.*source\[3\]=nan"),
        (b"bytes", r"decode it.*source\[3\]=b'bytes'"),
        (7, r"another type.*source\[3\]=7"),
        (["a"], r"another type.*source\[3\]=\['a'\]"),
    ],
)
def test_what_is_no_string_is_refused_by_its_position(wrong, message):
    documents = [*REVIEWS]
    documents[3] = wrong
    with pytest.raises(ValueError, match=message):
        load_text(documents)
    documents[5] = None
    with pytest.raises(ValueError, match=message + ", and 1 more"):
        text_dataset(documents)


def test_paths_are_not_taken_for_texts(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(POEM)
    paths = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"not paths: pass the folder"):
        load_text([str(path) for path in paths])
    with pytest.raises(ValueError, match=r"read it.*source\[0\]="):
        load_text(paths)


@pytest.mark.parametrize(
    "source", [b"bytes\n", {"text": "a"}, 3, None, (text for text in REVIEWS)]
)
def test_what_is_no_source_is_refused(source):
    with pytest.raises(ValueError, match="Expected a name, a path, a text"):
        load_text(source)


def test_nothing_is_no_text():
    for source in ("", [""], [], np.array([], dtype=str)):
        with pytest.raises(ValueError, match="The split has no text"):
            load_text(source)


def test_a_short_text_says_what_to_make_smaller():
    message = r"`sequence_length` \(--sequence-length .*=64, 54 tokens"
    with pytest.raises(ValueError, match=message):
        text_dataset("to be\n" * 10)


def test_a_long_text_is_cut_into_parts_of_the_same_ids():
    text = "the they, them\n then 12 123é " * 20_000  # more than two parts
    for tokenizer in (
        CharacterTokenizer.from_text(text),
        BytePairTokenizer(),
        BytePairTokenizer([(116, 104), (256, 101), (32, 257)]),
    ):
        parts = list(encode_parts(tokenizer, text))
        assert len(parts) > 2
        np.testing.assert_array_equal(
            np.concatenate(parts), tokenizer.encode(text)
        )


def test_a_window_of_a_long_text_is_what_stands_there():
    text = "".join(f"{number}\n" for number in range(100_000))
    for name in ("character", "byte"):
        dataset = text_dataset(
            text, tokenizer=name, sequence_length=50_000, windows="tiled"
        )
        token_ids, targets = next(iter(dataset))
        written = dataset.tokenizer.decode(token_ids[1])
        assert written == text[50_000:100_000]
        assert targets.dtype == tf.int32
        told = targets.numpy()[targets.numpy() >= 0]
        assert dataset.tokenizer.decode(told) == dataset.examples.texts[0][1:]


# Bytes a character that reading and feeding a text takes above all imports.
_MEMORY = """
import resource, sys
import keras_genai

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def first_batch(source):
    dataset = keras_genai.text_dataset(source, tokenizer=sys.argv[3])
    return next(iter(dataset))

first_batch("to be, or not to be\\n" * 50_000)
before = peak()
first_batch(sys.argv[1])
print((peak() - before) / int(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", ["character", "byte"])
def test_a_long_text_takes_six_bytes_a_character(tokenizer, tmp_path):
    path, script = tmp_path / "long.txt", tmp_path / "memory.py"
    text = "to be, or not to be\n" * 500_000
    path.write_text(text)
    script.write_text(_MEMORY)
    process = fresh.run(script, path, len(text), tokenizer)
    assert process.returncode == 0, process.stderr
    assert 0 < float(process.stdout.split()[-1]) < 6, process.stdout
