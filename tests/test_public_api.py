"""No public name appears, goes or changes its arguments by accident."""

import dataclasses
import re

import pytest
from public_api import described, difference, lines

import keras_genai


def test_public_names_are_those_that_were_accepted():
    found = "\n".join(difference())
    assert not found, (
        f"The public names differ from tests/public_api.txt:\n{found}\n"
        "If that is meant: python tests/public_api.py --write, a line in "
        "CHANGELOG.md, and docs/compatibility.md where a name goes."
    )


def test_every_name_is_listed():
    listed = {re.match(r"[\w.]+", line)[0] for line in lines()}
    assert {*keras_genai._HOME, *keras_genai._MODULES} <= listed


class Base:
    __module__ = "keras_genai.somewhere"

    @classmethod
    def make(cls, size=3):
        """Makes."""

    @property
    def size(self):
        """Size."""

    def _hidden(self):
        """Hides."""


class Derived(Base):
    __module__ = "keras_genai.somewhere"

    def __init__(self, rate: float = 0.5, *, seed=None) -> None:
        """Begins."""


@dataclasses.dataclass
class Foreign(Derived):
    __module__ = "elsewhere"

    width: int = 2


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (
            Derived,
            {
                "x": "(rate: float = 0.5, *, seed=None)",
                "x.make": "(cls, size=3)",
                "x.size": ": property",
            },
        ),
        (
            Foreign,
            {
                "x": "(width: int = 2)",
                "x.make": "(cls, size=3)",
                "x.size": ": property",
            },
        ),
        (len, {"x": "(obj, /)"}),
        ({}, {"x": ": dict"}),
    ],
)
def test_describes(value, found):
    assert described("x", value) == found
