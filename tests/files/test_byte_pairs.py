"""What byte pairs are learned from."""

import numpy as np
import pytest

from keras_genai import BytePairTokenizer, load_text

TEXT = "the they them then there these\n" * 20
MERGES = BytePairTokenizer.train([TEXT], 270).merges


def test_a_string_is_one_text():
    tokenizer = BytePairTokenizer.train(TEXT, 270)
    assert tokenizer.merges == MERGES
    assert tokenizer.merges[0] == (ord("h"), ord("e"))
    assert tokenizer.decode(tokenizer.encode("the then")) == "the then"
    assert len(tokenizer.encode("the")) == 1


@pytest.mark.parametrize(
    "texts",
    [
        load_text(TEXT, "train+validation+test"),
        (TEXT,),
        np.array([TEXT]),
        np.array([TEXT], dtype=object),
        iter([TEXT]),
        (text for text in [TEXT, ""]),
    ],
    ids=["Corpus", "tuple", "array", "objects", "iterator", "generator"],
)
def test_whatever_holds_texts_is_taken(texts):
    assert BytePairTokenizer.train(texts, 270).merges == MERGES


def test_documents_of_a_corpus_are_all_learned_from():
    documents = ["ab"] * 20 + ["cd"] * 20
    corpus = load_text(documents, "train+validation+test")
    merges = BytePairTokenizer.train(corpus, 259).merges
    assert sorted(merges) == [(97, 98), (99, 100)]


def test_a_generator_that_is_used_up_is_refused():
    texts = (text for text in [TEXT])
    BytePairTokenizer.train(texts, 270)
    with pytest.raises(ValueError, match="used up gives none"):
        BytePairTokenizer.train(texts, 270)


@pytest.mark.parametrize("texts", ["", [], [""], iter(()), np.array([], "U1")])
def test_nothing_is_refused(texts):
    with pytest.raises(ValueError, match="Expected a text that is not empty"):
        BytePairTokenizer.train(texts, 270)


def test_a_path_is_refused(tmp_path):
    path = tmp_path / "corpus.txt"
    for source in (path, str(path), "corpus.txt", tmp_path, str(tmp_path)):
        with pytest.raises(ValueError, match=r"load_text\(path\) reads them"):
            BytePairTokenizer.train(source, 270)
    with pytest.raises(ValueError, match=r"not paths.*texts\[0\]="):
        BytePairTokenizer.train([str(path)], 270)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([TEXT, None], r"texts\[1\]=None"),
        ([TEXT, b"the"], r"decode it.*texts\[1\]=b'the'"),
        (iter([TEXT, 3]), r"texts\[1\]=3"),
        (b"the", "type bytes"),
        ({"the": 1}, "type dict"),
        (3, "type int"),
        (None, "type NoneType"),
    ],
)
def test_what_is_no_text_is_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        BytePairTokenizer.train(texts, 270)


@pytest.mark.parametrize("texts", ["a", ["a", "b", "c"], "\n\n\n"])
def test_where_no_pair_is_nothing_is_learned_and_that_is_said(texts):
    with pytest.raises(ValueError, match="No pair of bytes"):
        BytePairTokenizer.train(texts, 270)
