"""Labels of any kind are indices of named classes, alike in every split."""

import numpy as np
import pytest

from keras_genai import image_dataset, load_images
from keras_genai.data.labels import index_labels, sort_names


def load(labels, split="train"):
    images = np.zeros((len(labels), 2, 2), "uint8")
    return load_images((images, labels), split)


@pytest.mark.parametrize(
    "labels, class_names, indices",
    [
        ([3, 7, 7, 3], ("3", "7"), [0, 1, 1, 0]),
        (list(range(1, 27)), tuple(map(str, range(1, 27))), list(range(26))),
        (["dog", "cat", "dog"], ("cat", "dog"), [1, 0, 1]),
        ([b"dog", b"cat"], ("cat", "dog"), [1, 0]),
        (np.array(["dog", "cat"], object), ("cat", "dog"), [1, 0]),
        (["10", "2", "1"], ("1", "2", "10"), [2, 1, 0]),
        ([10, 2, 1], ("1", "2", "10"), [2, 1, 0]),
        ([1.0, 0.0, 2.0], ("0", "1", "2"), [1, 0, 2]),
        (np.array([5.0, 3.0], "float16"), ("3", "5"), [1, 0]),
        ([-1, 1, -1], ("-1", "1"), [0, 1, 0]),
        ([True, False], ("False", "True"), [1, 0]),
        (np.array([[2], [0], [2]]), ("0", "2"), [1, 0, 1]),
        (np.array([["b"], ["a"]]), ("a", "b"), [1, 0]),
        (np.eye(3)[[2, 0, 1]], ("0", "1", "2"), [2, 0, 1]),
        (np.eye(3, dtype=bool)[[2, 0]], ("0", "1", "2"), [2, 0]),
        (np.array([3, 1], "uint8"), ("1", "3"), [1, 0]),
    ],
)
def test_labels_are_indices_of_the_sorted_values(labels, class_names, indices):
    found = load(labels)
    assert found.class_names == class_names
    assert found.labels.tolist() == indices
    assert found.labels.dtype == np.int64


@pytest.mark.parametrize("split", ["train[:2]", "train[2:]"])
def test_a_slice_has_the_names_of_the_whole(split):
    found = load([9, 4, 4, 6], split)
    assert found.class_names == ("4", "6", "9")
    assert found.labels.tolist() == {"train[:2]": [2, 0]}.get(split, [0, 1])


def test_labels_are_the_same_in_every_split(tmp_path):
    images = np.zeros((2, 3, 3), "uint8")
    np.savez(
        tmp_path / "a.npz",
        x_train=images,
        y_train=np.array(["dog", "cat"]),
        x_test=images,
        y_test=np.array(["eel", "dog"]),
    )
    for split, labels in (("train", [1, 0]), ("test", [2, 1])):
        found = load_images(tmp_path / "a.npz", split)
        assert found.class_names == ("cat", "dog", "eel")
        assert found.labels.tolist() == labels
    both = load_images(tmp_path / "a.npz", "train+test")
    assert both.labels.tolist() == [1, 0, 2, 1]


def test_a_split_without_labels_has_none(tmp_path):
    images = np.zeros((2, 3, 3), "uint8")
    np.savez(tmp_path / "a.npz", x_train=images, y_train=[5, 4], x_test=images)
    assert load_images(tmp_path / "a.npz").labels.tolist() == [1, 0]
    for split in ("test", "train+test"):
        found = load_images(tmp_path / "a.npz", split)
        assert found.labels is None and found.class_names == ()


def test_data_sets_give_the_indices():
    images = np.zeros((4, 2, 2), "uint8")
    dataset = image_dataset(
        (images, [7, 3, 3, 7]), labels=True, batch_size=4, shuffle=False
    )
    ((_, labels),) = dataset
    assert labels.numpy().tolist() == [1, 0, 0, 1]
    assert dataset.examples.class_names == ("3", "7")


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0.0, np.nan], "nan at position 1"),
        ([0.0, np.inf], "inf at position 1"),
        ([0.0, 1.0, 2.5], "2.5 at position 2"),
        (np.array(["a", None], object), "None at position 1"),
        (np.array(["a", np.nan], object), "nan at position 1"),
        (np.array([[0, 1], [1, 1]]), r"\[1 1\] at position 1"),
        (np.array([[0.5, 0.5]]), r"\[0.5 0.5\] at position 0"),
        (np.array([[1, 0], [np.nan, 1]]), "at position 1"),
        (np.zeros((2, 3, 1)), r"labels of shape \(2, 3, 1\)"),
        (np.array([1j, 2j]), "labels of complex128"),
        ([[1], [1, 2]], "one label an image"),
    ],
)
def test_what_is_no_label_is_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        load(labels)


def test_numbers_come_first_and_as_numbers():
    names = ["b", "10", "-1", "2", "a", "1.5", "02"]
    assert sort_names(names) == ["-1", "1.5", "02", "2", "10", "a", "b"]
    assert index_labels({"train": None}) == ({"train": None}, [])
