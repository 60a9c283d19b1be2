"""What the documentation says of mistakes was measured, and is tested."""

import ast
import json
import operator
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = json.loads((ROOT / "docs" / "mistakes.json").read_text())
KEYS = ("mistake", "right", "damage", "wrong", "right_value", "unit", "test")
COMPARE = {">=": operator.ge, "<=": operator.le}

each_row = pytest.mark.parametrize(
    "row", PAGE["rows"], ids=lambda row: str(row["number"])
)


@pytest.fixture(scope="module")
def measurements():
    """Number -> what the benchmark says of it: the arguments of `@mistake`."""
    found = {}
    for path in (ROOT / "benchmarks").glob("mistakes_*.py"):
        for node in ast.parse(path.read_text()).body:
            for call in getattr(node, "decorator_list", []):
                if getattr(getattr(call, "func", None), "id", "") == "mistake":
                    what, right, _, harm, test = call.args[1:]
                    found[call.args[0].value] = [
                        each.value for each in (what, right, harm, test)
                    ]
    return found


def test_every_mistake_has_its_row(measurements):
    assert list(PAGE) == ["versions", "seed", "rows"]
    assert {"python", "keras", "tensorflow"} <= set(PAGE["versions"])
    assert [row["number"] for row in PAGE["rows"]] == list(range(1, 23))
    assert sorted(measurements) == list(range(1, 23))


@each_row
def test_rows_are_what_the_benchmark_measures(row, measurements):
    assert tuple(row) == ("number", *KEYS)
    mistake, right, harm, test = measurements[row["number"]]
    assert [mistake, right] == [row["mistake"], row["right"]]
    assert test == row["test"] and row["unit"]
    assert row["wrong"] != row["right_value"]
    assert COMPARE[harm](row["wrong"], row["right_value"])
    assert re.search(r"\d", row["damage"]) and row["damage"].endswith(".")


@each_row
def test_the_test_that_catches_it_exists(row):
    file, name = row["test"].split("::")
    tree = ast.parse((ROOT / file).read_text())
    assert name in [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    ]
