import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_genai import load_text

TEXT = "".join(f"{number:03d}\n" for number in range(100))  # 400 characters


def prepare_tfds_text(folder, name, splits, version="1.0.0"):
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(
            {"body": tfds.features.Text(), "kind": np.int64}
        ),
        split_datasets={
            split: [
                (index, {"body": text, "kind": index})
                for index, text in enumerate(texts)
            ]
            for split, texts in splits.items()
        },
        data_dir=str(folder),
    )


def test_a_text_is_cut_in_order_and_nothing_is_in_two_splits():
    splits = [
        load_text(TEXT, split).texts[0]
        for split in ("train", "validation", "test")
    ]
    assert "".join(splits) == TEXT
    assert [len(split) for split in splits] == [360, 20, 20]
    assert load_text(TEXT, "validation+test").texts == (TEXT[360:],)
    assert load_text(TEXT, "train[:10%]").texts == (TEXT[:36],)


def test_documents_are_cut_between_documents():
    documents = [f"review {number}" for number in range(40)]
    train = load_text(documents, "train")
    assert train.texts == tuple(documents[:36])
    assert load_text(documents, "test").texts == tuple(documents[38:])
    assert len(train) == sum(map(len, documents[:36]))
    assert "36 documents" in str(train)


def test_a_file_a_folder_and_a_corpus(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    one = load_text(tmp_path / "a.txt")
    assert one.texts == load_text(TEXT).texts
    assert one.digest == load_text(TEXT).digest
    assert load_text(str(tmp_path)).texts == one.texts  # one file, one text
    for name in "bcdefghijk":
        (tmp_path / f"{name}.txt").write_text(f"text {name}")
    assert load_text(tmp_path).texts[1] == "text b"
    assert load_text(one) is one


def test_a_tfds_set_keeps_its_splits(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    prepare_tfds_text(
        tmp_path, "one_text", {"train": [TEXT[:300]], "test": [TEXT[300:]]}
    )
    assert load_text("one_text").texts == (TEXT[:300],)
    assert load_text("one_text", "test[:50%]").texts == (TEXT[300:350],)
    reviews = [f"review {number}\nis long" for number in range(6)]
    prepare_tfds_text(tmp_path, "reviews", {"train": reviews})
    assert set(load_text("reviews").texts) == set(reviews)


def test_the_packaged_corpus_is_text_of_this_python():
    corpus = load_text("python_topics", "validation+test", offline=True)
    whole = load_text("python_topics", "train+validation+test")
    assert len(whole) > 400_000
    assert whole.texts[0].endswith(corpus.texts[0])
    assert "python_topics/validation+test" in str(corpus)


def test_without_a_network_the_packaged_corpus_stands_in(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    corpus = load_text("tiny_shakespeare", offline=True)
    assert corpus.source == "python_topics/train"
    assert "taking python_topics instead" in capsys.readouterr().out
    with pytest.raises(ConnectionError, match="Offline sets: python_topics"):
        load_text("imdb_reviews", offline=True)


def test_bad_sources_are_refused(tmp_path):
    broken = tmp_path / "latin.txt"
    broken.write_bytes(b"caf\xe9 au lait\n")
    with pytest.raises(ValueError, match=r"latin\.txt', where byte 3 is 0xe9"):
        load_text(broken)
    with pytest.raises(ValueError, match="does not exist"):
        load_text(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="no data set of that name"):
        load_text("tiny_shakespear", offline=True)
    with pytest.raises(ValueError, match="no such split"):
        load_text(TEXT, "dev")
    with pytest.raises(ValueError, match="has no text"):
        load_text("a\n", "test[:0]")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(ValueError, match="has no text"):
        load_text(tmp_path / "empty.txt")
    with pytest.raises(ValueError, match="has no text"):
        load_text([])
