"""Labels of any kind -> indices of named classes, the same in every split."""

import re

import numpy as np


def index_labels(splits):
    """Numbers the classes of a source with labels of any kind.

    Classes are the sorted unique labels of all splits together. A label
    becomes the index of its class. A one-hot matrix has a class for each
    column.

    Args:
        splits: Dictionary: name of a split -> labels `(count,)`, `(count, 1)`
            or one-hot `(count, classes)`: integers, strings, booleans or whole
            floats; or `None`.

    Returns:
        Pair of a dictionary, name of a split -> int64 array `(count,)` or
        `None`, and a list of strings, the names of the classes.

    Raises:
        ValueError: If a label is missing, or neither a whole number nor a
            string.

    Example:
        >>> index_labels({"train": [7, 3, 7], "test": [10]})
        ({'train': array([1, 0, 1]), 'test': array([2])}, ['3', '7', '10'])
    """
    found = {
        split: _unique(labels)
        for split, labels in splits.items()
        if labels is not None
    }
    class_names = sort_names(
        {name for names, _ in found.values() for name in names}
    )
    index = {name: number for number, name in enumerate(class_names)}
    indices = dict.fromkeys(splits)
    for split, (names, places) in found.items():
        numbers = np.array([index[name] for name in names], "int64")
        indices[split] = numbers[places]
    return indices, class_names


def sort_names(names):
    """Sorts names of classes: first the numbers, by their value.

    Args:
        names: Iterable of strings.

    Returns:
        List of strings.

    Example:
        >>> sort_names(["10", "2", "b", "a"])
        ['2', '10', 'a', 'b']
    """

    def key(name):
        is_number = re.fullmatch(r"[+-]?\d+(\.\d+)?", name)
        return (0, float(name), name) if is_number else (1, 0.0, name)

    return sorted(names, key=key)


def _unique(labels):
    """Returns the names of the classes, and the place of each label in them."""
    try:
        labels = np.asarray(labels)
    except ValueError as error:  # rows of different lengths
        raise ValueError(
            f"Expected one label an image. Received: labels={labels!r:.200}"
        ) from error
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        return [str(n) for n in range(labels.shape[1])], _from_one_hot(labels)
    if labels.ndim != 1:
        raise ValueError(
            "Expected labels (count,) or one-hot rows (count, classes); make "
            "an array of a list of images with np.stack(images). "
            f"Received: labels of shape {labels.shape}"
        )
    if labels.dtype.kind not in "biufUSO":
        raise ValueError(
            "Expected labels that are numbers or strings. "
            f"Received: labels of {labels.dtype}"
        )
    if labels.dtype.kind in "fO":
        names = [_name(label, place) for place, label in enumerate(labels)]
        values, places = np.unique(np.array(names, "U"), return_inverse=True)
    else:
        values, places = np.unique(labels, return_inverse=True)
    return [_name(value) for value in values], places


def _from_one_hot(rows):
    is_one_hot = np.isin(rows, (0, 1)).all(axis=1) & (rows.sum(axis=1) == 1)
    if not is_one_hot.all():
        place = int(np.argmin(is_one_hot))
        raise ValueError(
            "Expected labels (count,) or one-hot rows (count, classes). "
            f"Received: the row {rows[place]} at position {place}"
        )
    return rows.argmax(axis=1)


def _name(label, place=0):
    if isinstance(label, bytes):
        label = label.decode("utf-8", "replace")
    if isinstance(label, str):
        return str(label)
    if isinstance(label, (bool, np.bool_, int, np.integer)):
        return str(label)
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return str(int(label))
    raise ValueError(
        "Expected a label for each image, a whole number or a string. "
        f"Received: {label} at position {place} of the labels"
    )
