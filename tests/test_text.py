import numpy as np
import pytest

from keras_genai import CharacterTokenizer, load_text, text_dataset

COUNTING = "".join(chr(0x4E00 + number) for number in range(200)) + "\n"
DOCUMENTS = ["abc", "defghij", "k"] * 20


def windows_of(dataset):
    batches = [
        (token_ids.numpy(), targets.numpy()) for token_ids, targets in dataset
    ]
    return [np.concatenate(part) for part in zip(*batches, strict=True)]


def test_targets_are_the_tokens_after_on_a_counting_text():
    dataset = text_dataset(COUNTING, sequence_length=7, batch_size=3, seed=0)
    token_ids, targets = windows_of(dataset)
    assert token_ids.shape == targets.shape and token_ids.shape[1] == 7
    np.testing.assert_array_equal(targets, token_ids + 1)
    np.testing.assert_array_equal(np.diff(token_ids, axis=1), 1)


def test_tiles_have_each_target_once():
    dataset = text_dataset(
        COUNTING, sequence_length=7, batch_size=4, windows="tiled"
    )
    token_ids, targets = windows_of(dataset)
    expected = dataset.tokenizer.encode(dataset.examples.texts[0])
    np.testing.assert_array_equal(targets[targets >= 0], expected[1:])
    assert token_ids[0, 0] == expected[0] and token_ids.min() == 0
    assert (targets[:-1] >= 0).all()  # the last window alone is short
    assert len(dataset) == -(-len(token_ids) // 4)


def test_a_text_shorter_than_a_tile_is_one():
    dataset = text_dataset(COUNTING, sequence_length=300, windows="tiled")
    token_ids, targets = windows_of(dataset)
    assert token_ids.shape == (1, 300)
    assert (targets >= 0).sum() == 179  # of 180 characters


def test_no_character_of_the_test_split_is_in_training_windows():
    dataset = text_dataset(COUNTING, sequence_length=5, seed=1)
    seen = set(dataset.tokenizer.decode(windows_of(dataset)[1].reshape(-1)))
    held_out = set(load_text(COUNTING, "validation+test").texts[0])
    assert not seen & held_out


def test_windows_depend_on_seed_and_epoch_alone():
    def epochs(seed, start=0):
        dataset = text_dataset(COUNTING, sequence_length=5, seed=seed)
        dataset.set_epoch(start)
        return [windows_of(dataset)[0] for _ in range(2)]

    first, second = epochs(0)
    np.testing.assert_array_equal(epochs(0)[0], first)
    np.testing.assert_array_equal(epochs(0, start=1)[0], second)
    assert (first != second).any()
    assert (first != epochs(1)[0]).any()


def test_an_epoch_has_as_many_tokens_as_the_text_or_steps_as_asked():
    dataset = text_dataset(COUNTING, sequence_length=5, batch_size=4)
    assert len(dataset) == 180 // 20
    dataset = text_dataset(COUNTING, steps_per_epoch=3, sequence_length=5)
    assert len(dataset) == len(list(dataset)) == 3


def test_packed_documents_have_ends_between_them():
    dataset = text_dataset(
        DOCUMENTS, sequence_length=9, batch_size=5, windows="tiled"
    )
    token_ids, targets = windows_of(dataset)
    end = dataset.tokenizer.end_token_id
    stream = [token_ids[0, 0], *targets[targets >= 0]]
    decoded = "".join(
        "|" if token == end else dataset.tokenizer.decode([token])
        for token in stream
    )
    assert decoded == "|" + "|".join(dataset.examples.texts) + "|"


def test_padded_documents_are_never_in_one_window():
    dataset = text_dataset(
        DOCUMENTS,
        sequence_length=6,
        batch_size=5,
        windows="tiled",
        documents="pad",
    )
    token_ids, targets = windows_of(dataset)
    end = dataset.tokenizer.end_token_id
    # "|abc|", and "|defghij|" in two pieces, of which each target is once.
    np.testing.assert_array_equal(token_ids[0], [end, 0, 1, 2, end, 0])
    np.testing.assert_array_equal(targets[0], [0, 1, 2, end, -1, -1])
    np.testing.assert_array_equal(targets[1], [3, 4, 5, 6, 7, 8])
    np.testing.assert_array_equal(targets[2], [9, end, -1, -1, -1, -1])
    count = sum(len(text) + 1 for text in dataset.examples.texts)
    assert (targets >= 0).sum() == count
    drawn, _ = windows_of(
        text_dataset(DOCUMENTS, sequence_length=6, documents="pad", seed=0)
    )
    rows = {tuple(row) for row in token_ids}
    assert {tuple(row) for row in drawn} <= rows


def test_held_out_text_takes_the_tokenizer_of_the_training():
    train = text_dataset(COUNTING, sequence_length=5)
    test = text_dataset(
        COUNTING, "test", train.tokenizer, sequence_length=5, windows="tiled"
    )
    assert test.tokenizer is train.tokenizer
    unknown = len(train.tokenizer.vocabulary)
    assert (windows_of(test)[1] <= unknown).all()
    assert text_dataset(COUNTING, tokenizer="byte").tokenizer.encode("a") == 97


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequence_length": 0}, "`sequence_length` must be an integer"),
        ({"batch_size": 0}, "`batch_size` must be an integer"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be an integer"),
        ({"windows": "sliding"}, "Expected `windows` among"),
        ({"documents": "mix"}, "Expected `documents` among"),
        ({"tokenizer": "words"}, "Expected `tokenizer` to be"),
        ({"sequence_length": 180}, "Expected 181 tokens or more"),
        ({"split": "train[:1]", "windows": "tiled"}, "Expected 2 tokens"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        text_dataset(COUNTING, **arguments)


def test_the_longest_window_leaves_a_target():
    dataset = text_dataset(COUNTING, sequence_length=179, batch_size=1)
    token_ids, targets = windows_of(dataset)
    assert token_ids.shape == (1, 179) and (targets >= 0).all()
    assert CharacterTokenizer is type(dataset.tokenizer)
