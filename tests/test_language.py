"""Plain English: words that a reader from school English may not know.

Docstrings, messages, comments and pages use the common word. `PLAIN` lists
the words to avoid, each with the word to use.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_genai"
FOLDERS = sorted({path.parent for path in PACKAGE.rglob("*.py")})
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
)

PLAIN = {
    "afresh": "again",
    "albeit": "although",
    "alone": "only, or without",
    "amongst": "among",
    "anew": "again",
    "are none": "do not exist, or are `None`",
    "aught": "anything",
    "be it": "either",
    "behold": "see",
    "beget": "make",
    "for it has": "because it has",
    "for it is": "because it is",
    "for they are": "because they are",
    "forthwith": "at once",
    "hence": "so",
    "henceforth": "from now on",
    "heed": "follow, or use",
    "heeded": "followed, or used",
    "heeds": "follows, or uses",
    "hereby": "by this",
    "herein": "here",
    "is none": "does not exist, or is `None`",
    "lest": "so that ... not",
    "likewise": "also, or in the same way",
    "naught": "nothing",
    "nothing but": "only",
    "notwithstanding": "despite",
    "nought": "nothing",
    "ought": "should",
    "owing to": "because of",
    "save for": "except",
    "shall": "must, or will",
    "so much as": "even",
    "stood there": "existed before",
    "thence": "from there",
    "thereby": "by that",
    "therefrom": "from it",
    "therein": "in it",
    "thereof": "of it",
    "thrice": "three times",
    "twain": "two",
    "unto": "to",
    "upon": "on",
    "what stood": "the file that existed before",
    "whence": "from where",
    "whereby": "by which",
    "wherein": "in which",
    "whereof": "of which",
    "whereupon": "and then",
    "whilst": "while",
    "whoever": "a person who",
    "whomever": "a person whom",
    "yonder": "there",
}


def pattern(words):
    """Matches whole words, over line breaks, small or as a first word."""
    first, rest = words[0], words[1:].replace(" ", r"\s+")
    return re.compile(rf"\b[{first}{first.upper()}]{rest}\b")


PATTERNS = {words: pattern(words) for words in PLAIN}


def avoided(text):
    """Yields each avoided word in a text, and its place."""
    present = set(re.findall("[A-Za-z]+", text))
    for words, regex in PATTERNS.items():
        first, *others = words.split()
        if {first, first.capitalize()} & present and present.issuperset(others):
            for found in regex.finditer(text):
                yield words, found.start()


def prose_of_code(path):
    """Strings and comments of a module: pairs of a line and its text."""
    source = path.read_text(encoding="utf-8")
    # To parse takes longer than to search: parse only if there is a word.
    joined = re.sub(r'"\s+f?"', "", source).replace("#", " ")
    if not any(avoided(joined)):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    # Text after a hash inside of a string is read twice: no harm.
    for comment in re.finditer(r"#.*(?:\n\s*#.*)*", source):
        text = re.sub(r"#", " ", comment[0])
        yield source.count("\n", 0, comment.start()) + 1, text


def prose_of_page(path):
    """The page's text without code: its blocks keep their lines."""
    text = path.read_text(encoding="utf-8")
    blank = lambda block: "\n" * block[0].count("\n")  # noqa: E731
    text = re.sub(r"^```.*?^```", blank, text, flags=re.DOTALL | re.M)
    yield 1, re.sub(r"`[^`\n]+`", "", text)


def complaints(path, prose):
    """One line for each avoided word: where it is, and what to write."""
    name = path.relative_to(ROOT).as_posix()
    for line, text in prose(path):
        for words, place in avoided(text):
            at = line + text.count("\n", 0, place)
            yield f"{name}:{at}: {words!r}, use instead: {PLAIN[words]}"


@pytest.mark.parametrize(
    "folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix()
)
def test_code_uses_plain_words(folder):
    found = [
        line
        for path in sorted(folder.glob("*.py"))
        for line in complaints(path, prose_of_code)
    ]
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_use_plain_words(page):
    found = list(complaints(page, prose_of_page))
    assert not found, "\n".join(["", *found])


def test_a_word_is_found_in_prose_and_not_in_names(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    module, page = tmp_path / "module.py", tmp_path / "page.md"
    module.write_text(
        '"""Is\nmade anew."""\nalone = f"There is " f"none."  # Likewise\n'
        "if alone is None:\n    standalone()\n"
    )
    page.write_text("Only\nit alone\n\n```\nrun anew\n```\nHence this.\n")
    assert sorted(complaints(module, prose_of_code)) == [
        "module.py:2: 'anew', use instead: again",
        "module.py:3: 'is none', use instead: does not exist, or is `None`",
        "module.py:3: 'likewise', use instead: also, or in the same way",
    ]
    assert list(complaints(page, prose_of_page)) == [
        "page.md:2: 'alone', use instead: only, or without",
        "page.md:7: 'hence', use instead: so",
    ]
