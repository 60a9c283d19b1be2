"""The README in Chinese says what the README says, in its structure."""

import re
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The first link of each leads to the other.
TEXTS = {
    "README.md": "[中文](README.zh-CN.md)",
    "README.zh-CN.md": "[English](README.md)",
}


def blocks(text):
    """Splits Markdown into headings, code, tables, pictures and paragraphs."""
    pattern = r"^```(?s:.*?)^```$|^(?:.+\n?)+"
    found = re.findall(pattern, text, re.MULTILINE)
    return [block.strip() for block in found]


def kind(block):
    if not block:
        return "nothing"
    if heading := re.match(r"#+(?= )", block):
        return f"heading {len(heading[0])}"
    starts = {"```": "code", "|": "table", "![": "picture"}
    for start, name in starts.items():
        if block.startswith(start):
            return name
    return "paragraph"


def facts(block):
    """What a translation leaves as it is."""
    if kind(block) == "code":
        return block
    prose = re.sub(r"\]\([^)]*\)|`[^`]*`", "", block)
    return {
        "shape": [line.count("|") for line in block.splitlines()]
        if kind(block) == "table"
        else None,
        "targets": re.findall(r"\]\(([^)]*)\)", block),
        "code": sorted(re.findall(r"`[^`]*`", block)),
        "numbers": sorted(re.findall(r"\d+(?:[,.]\d+)*", prose)),
    }


def read(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text.count(TEXTS[name]) == 1
    return text.replace(TEXTS[name], "(the other language)")


def first_difference(english, chinese):
    """Says where two texts part, or `None`."""
    place = "the beginning"
    for ours, theirs in zip_longest(
        blocks(english), blocks(chinese), fillvalue=""
    ):
        if (kind(ours), facts(ours)) != (kind(theirs), facts(theirs)):
            return (
                f"First difference, below {place}:\n{ours}\n--- and\n{theirs}"
                f"\n--- of which\n{facts(ours)}\n--- and\n{facts(theirs)}"
            )
        if kind(ours).startswith("heading"):
            place = ours
    return None


def test_chinese_has_the_structure_code_numbers_and_links():
    found = first_difference(read("README.md"), read("README.zh-CN.md"))
    assert found is None, found


ENGLISH = """# One

Two of 1,234 `made` at [here](a.md), 5.

```bash
run
```

| a | b |
| --- | --- |
| 1 | 2 |

## Three
"""


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("1,234", "1,243", "# One"),
        ("`made`", "`make`", "# One"),
        ("a.md", "b.md", "# One"),
        ("run", "walk", "# One"),
        ("| 1 | 2 |", "| 1, 2 |", "# One"),
        ("## Three", "# Three", "# One"),
        ("## Three\n", "## Three\n\nMore.\n", "## Three"),
        ("# One\n\n", "", "the beginning"),
    ],
)
def test_names_the_first_difference(old, new, place):
    assert ENGLISH.count(old) == 1
    found = first_difference(ENGLISH, ENGLISH.replace(old, new))
    assert found.startswith(f"First difference, below {place}:")


def test_words_may_differ():
    other = ENGLISH.replace("Two of", "其中").replace("Three", "三")
    assert first_difference(ENGLISH, other) is None
