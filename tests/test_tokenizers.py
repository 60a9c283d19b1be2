import random

import keras
import numpy as np
import pytest
import tensorflow as tf
import tokenizers

from keras_genai.data.tokenizers import (
    BytePairTokenizer,
    CharacterTokenizer,
    load_tokenizer,
)
from keras_genai.data.tokenizers.learning import byte_pair_learner

TEXT = "To be, or not to be: that is the question.\n  Naïve 你好 🙂!\t12345\r\n"
CORPUS = [TEXT * 20, "the they them then there these 12 123 1234 \n\n\n"] * 5
ALPHABET = "aabetho  \n\t12,.'é你🙂\u0301\x00\x1c\x85\u2003"


def character():
    return CharacterTokenizer.from_text(TEXT)


def byte():
    return BytePairTokenizer()


def byte_pair():
    return BytePairTokenizer.train(CORPUS, 330)


every_tokenizer = pytest.mark.parametrize(
    "make", [character, byte, byte_pair], ids=lambda make: make.__name__
)


@every_tokenizer
def test_text_comes_back_as_it_was(make):
    tokenizer = make()
    for text in (TEXT, "a", ""):
        text = "".join(c for c in text if make is not character or c in TEXT)
        token_ids = tokenizer.encode(text)
        assert token_ids.dtype == np.int32 and token_ids.ndim == 1
        assert tokenizer.decode(token_ids) == text


@every_tokenizer
def test_graph_and_python_agree_on_a_batch(make):
    tokenizer = make()
    texts = ["to be", "", "你好, that"]
    rows = tf.function(tokenizer.tokenize)(tf.constant(texts))
    assert rows.shape[0] in (None, 3) and rows.dtype == tf.int32
    for text, row in zip(texts, rows, strict=True):
        np.testing.assert_array_equal(row, tokenizer.encode(text))
    back = tf.function(tokenizer.detokenize)(rows)
    assert [text.decode() for text in back.numpy()] == [
        tokenizer.decode(tokenizer.encode(text)) for text in texts
    ]


@every_tokenizer
def test_the_last_id_ends_a_text_and_is_nothing(make):
    tokenizer = make()
    end = tokenizer.end_token_id
    assert end == tokenizer.vocabulary_size - 1
    assert end not in tokenizer.encode(TEXT)
    token_ids = [*tokenizer.encode("be"), end, *tokenizer.encode("at"), end]
    assert tokenizer.decode(token_ids) == "beat"


@every_tokenizer
def test_characters_are_counted_exactly(make):
    tokenizer = make()
    counts = tokenizer.characters_per_token
    assert counts.shape == (tokenizer.vocabulary_size,)
    assert counts[tokenizer.encode(TEXT)].sum() == len(TEXT)
    assert counts[tokenizer.end_token_id] == 0
    # Behind the first token, and all behind an end, which is none.
    end = [tokenizer.end_token_id]
    token_ids = np.concatenate([end, tokenizer.encode(TEXT)]).astype("int32")
    assert tokenizer.scored_characters(token_ids) == len(TEXT)
    first = len(tokenizer.decode(token_ids[1:2]))
    assert tokenizer.scored_characters(token_ids[1:]) == len(TEXT) - first


@every_tokenizer
def test_ids_out_of_range_are_refused(make):
    tokenizer = make()
    for token_ids in ([0, tokenizer.vocabulary_size], [-1]):
        with pytest.raises(ValueError, match="Expected token ids in"):
            tokenizer.decode(token_ids)


@every_tokenizer
def test_saved_and_loaded_it_is_the_same(make, tmp_path):
    tokenizer = make()
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert type(loaded) is type(tokenizer)
    assert loaded.get_config() == tokenizer.get_config()
    config = keras.saving.serialize_keras_object(tokenizer)
    again = keras.saving.deserialize_keras_object(config)
    np.testing.assert_array_equal(again.encode(TEXT), tokenizer.encode(TEXT))


def test_what_is_no_tokenizer_is_not_loaded(tmp_path):
    for content in ("{", "{}", "3"):
        (tmp_path / "other.json").write_text(content)
        with pytest.raises(ValueError, match="the file of a tokenizer"):
            load_tokenizer(tmp_path / "other.json")
    with pytest.raises(ValueError, match="the file of a tokenizer"):
        load_tokenizer(tmp_path / "none.json")


def test_character_ids_are_places_in_the_vocabulary():
    tokenizer = CharacterTokenizer("abc")
    np.testing.assert_array_equal(tokenizer.encode("cab"), [2, 0, 1])
    # What is unknown has an id, and comes back as U+FFFD.
    np.testing.assert_array_equal(tokenizer.encode("z!b"), [3, 3, 1])
    assert tokenizer.decode([3, 3, 1]) == "\ufffd\ufffdb"
    assert tokenizer.vocabulary_size == 5


@pytest.mark.parametrize("vocabulary", ["", "ba", "aab"])
def test_a_vocabulary_is_in_order(vocabulary):
    with pytest.raises(ValueError, match="characters in order"):
        CharacterTokenizer(vocabulary)


def test_bytes_are_bytes_and_halves_of_characters_are_shown_as_such():
    tokenizer = byte()
    np.testing.assert_array_equal(tokenizer.encode("é"), [0xC3, 0xA9])
    assert tokenizer.decode([0xC3]) == "\ufffd"
    assert tokenizer.vocabulary_size == 257


def test_pairs_are_those_of_the_library_on_10_000_random_strings():
    ours = byte_pair()
    assert len(ours.merges) > 50
    # The library's own encoder, with our merges.
    letters = {i: token for i, token in enumerate(_letters(ours))}
    theirs = byte_pair_learner(
        tokenizers.models.BPE(
            vocab={token: i for i, token in letters.items()},
            merges=[(letters[a], letters[b]) for a, b in ours.merges],
        )
    )
    draw = random.Random(0)
    texts = [
        "".join(draw.choices(ALPHABET + TEXT, k=draw.randrange(24)))
        for _ in range(10_000)
    ]
    rows = ours.tokenize(tf.constant(texts)).to_list()
    expected = [each.ids for each in theirs.encode_batch(texts)]
    assert rows == expected
    assert (
        ours.detokenize(tf.ragged.constant(rows, "int32")).numpy()[5].decode()
        == (texts[5])
    )


def _letters(tokenizer):
    from keras_genai.data.tokenizers.learning import BYTE_LETTERS

    return [
        "".join(BYTE_LETTERS[byte] for byte in token)
        for token in tokenizer._bytes
    ]


def test_pairs_make_fewer_tokens():
    assert len(byte_pair().encode(TEXT)) < 0.6 * len(byte().encode(TEXT))


def test_merges_are_of_ids_that_exist():
    with pytest.raises(ValueError, match="exist before it"):
        BytePairTokenizer([(97, 256)])
    with pytest.raises(ValueError, match="above 257"):
        BytePairTokenizer.train(CORPUS, 257)


def test_two_ways_to_one_token_are_one_id():
    # "abc" by ab + c and by a + bc
    tokenizer = BytePairTokenizer([(97, 98), (98, 99), (256, 99), (97, 257)])
    assert tokenizer.vocabulary_size == 256 + 3 + 1
    np.testing.assert_array_equal(tokenizer.encode("abc"), [258])
