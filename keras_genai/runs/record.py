"""The valid contents of `run.json`: one table, checked at each reading."""

import json
import reprlib
import sys
import types
import typing

from keras_genai.recipes import recipe_from_record

MAX_BYTES = 2**24
_DEEPEST = 32  # levels of dictionaries and lists

STATUSES = (
    *("started", "training", "interrupted", "diverged"),
    *("trained", "complete"),
)


def read_record(data):
    """Reads a record, and checks all parts that are used.

    Args:
        data: Bytes, the content of `run.json`.

    Returns:
        Dictionary.

    Raises:
        ValueError: If it is not a valid record; the reason, in one line.

    Example:
        >>> read_record(b"[]")
        Traceback (most recent call last):
        ...
        ValueError: the record is [], expected a dictionary
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
    record = json.loads(data)
    _check("the record", record, "a dictionary", _is_table(record))
    for name, (is_needed, expected, fits) in _FIELDS.items():
        if is_needed or name in record:
            value = record.get(name)
            _check(f"its {name!r}", value, expected, fits(value))
    recipe = recipe_from_record(record["recipe"])
    for name, kind in typing.get_type_hints(type(recipe)).items():
        value = getattr(recipe, name)
        fits = _is_of(value, str if name == "source" else kind)
        _check(f"its recipe's {name!r}", value, _in_words(name, kind), fits)
    if _depth(record) > _DEEPEST:
        raise ValueError(f"it is nested in more than {_DEEPEST} levels")
    return record


def _check(name, value, expected, fits):
    if not fits:
        raise ValueError(
            f"{name} is {reprlib.repr(value)}, expected {expected}"
        )


def _is_table(value):
    return isinstance(value, dict)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_seed(value):
    return type(value) is int and -(2**63) <= value < 2**63


def _is_finite(value):
    # Not `math.isfinite`, which raises for integers beyond any float.
    return _is_number(value) and 0 <= value <= sys.float_info.max


def _is_evaluation(value):
    """Whether it is split -> name -> number, with measures of samples."""
    return _is_table(value) and all(
        _is_table(results)
        and _is_table(samples := results.get("samples", {}))
        and _is_table(measures := samples.get("measures", {}))
        and all(
            _is_table(each) and "value" in each for each in measures.values()
        )
        for results in value.values()
    )


def _is_data(value):
    return _is_table(value) and all(
        isinstance(value.get(name, ""), str) for name in ("source", "digest")
    )


def _is_final(value):
    return (
        _is_table(value)
        and all(map(_is_number, value.values()))
        and _is_of(value.get("epoch"), int)
    )


def _is_boolean(value):
    return isinstance(value, bool)


# Name -> whether it is required, its description, and a test of its value.
_FIELDS = {
    "status": (True, f"one of {', '.join(STATUSES)}", STATUSES.__contains__),
    "recipe": (True, "a dictionary", _is_table),
    "seed": (True, "an integer of 64 bits", _is_seed),
    "deterministic": (True, "true or false", _is_boolean),
    "offline": (True, "true or false", _is_boolean),
    "seconds": (True, "a number of 0 or more", _is_finite),
    "versions": (True, "a dictionary", _is_table),
    "strategy": (
        *(False, "mirrored, multiworker or null"),
        (None, "mirrored", "multiworker").__contains__,
    ),
    "tensorboard": (False, "true or false", _is_boolean),
    "arguments": (False, "a dictionary", _is_table),
    "data": (False, "a dictionary of names and numbers", _is_data),
    "alarms": (False, "a list", lambda value: isinstance(value, list)),
    "final": (False, "a dictionary of numbers with epoch", _is_final),
    "evaluation": (
        *(False, "a dictionary of splits and their measures"),
        _is_evaluation,
    ),
}


def _is_of(value, kind):
    """Whether a value that JSON holds is of the type of a recipe's field."""
    if isinstance(kind, types.UnionType):
        return any(_is_of(value, each) for each in typing.get_args(kind))
    if kind is int:
        return type(value) is int and 1 <= value < 2**31
    if kind is float:
        return _is_finite(value)
    if kind is tuple:  # JSON has lists
        return isinstance(value, list) and all(_is_of(v, int) for v in value)
    return isinstance(value, kind)


_WORDS = {
    int: "an integer above 0",
    float: "a number of 0 or more",
    str: "a string",
    bool: "true or false",
    dict: "a dictionary",
    tuple: "a list of integers above 0",
    types.NoneType: "null",
}


def _in_words(name, kind):
    kinds = typing.get_args(kind) or (str if name == "source" else kind,)
    return " or ".join(_WORDS[each] for each in kinds)


def _depth(value):
    if not isinstance(value, (dict, list)):
        return 0
    children = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, children), default=0)
