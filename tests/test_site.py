"""The site has every tutorial, public name and mistake, and sound links.

That it builds without a warning, anchors and all, is a step of `.ci/run`.
"""

import importlib.util
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from mkdocs.config import load_config

import keras_genai

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
specification = importlib.util.spec_from_file_location(
    "hooks", DOCS / "hooks.py"
)
hooks = importlib.util.module_from_spec(specification)
specification.loader.exec_module(hooks)


@pytest.fixture(scope="module")
def navigation():
    """Every page of the navigation, in order."""
    config = load_config(str(ROOT / "mkdocs.yml"))
    pages, entries = [], hooks.on_config(config).nav
    while entries:
        entry, *entries = entries
        if isinstance(entry, str):
            pages.append(entry)
        else:
            (inside,) = entry.values()
            inside = [inside] if isinstance(inside, str) else inside
            entries = [*inside, *entries]
    return pages


def test_every_page_is_in_the_navigation_once(navigation):
    written = {str(path.relative_to(DOCS)) for path in PAGES}
    tutorials = {
        f"tutorials/{path.stem}.md"
        for path in (ROOT / "tutorials").glob("[0-9]*.py")
    }
    names = {
        f"api/{name}.md" for name in (*keras_genai._HOME, *keras_genai._MODULES)
    }
    assert len(tutorials) >= 13
    assert sorted(navigation) == sorted(written | tutorials | names)


@each_page
def test_what_a_page_takes_from_elsewhere_is_there(path):
    pattern = r"^\{\{ (README|benchmarks): (.+) \}\}$"
    for name, heading in re.findall(pattern, path.read_text(), re.M):
        assert hooks.section(hooks.read(hooks._SECTIONS_OF[name]), heading)


@each_page
def test_links_to_other_places_are_addresses(path):
    for link in re.findall(r"\]\((\w+:[^)]*)\)", path.read_text()):
        address = urlsplit(link)
        assert address.scheme == "https"
        assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", address.netloc), link


def test_commands_are_described_by_their_parsers():
    page = hooks.commands()
    commands = re.findall(r"^### (\w+)$", page, re.M)
    assert commands[0] == "train" and {"generate", "demo"} <= {*commands}
    for option in ("--resume RUN", "--num-samples", "--quantization"):
        assert option in page
    examples = (DOCS / "command-line.md").read_text()
    used = set(re.findall(r"^keras-genai (\w+)", examples, re.M))
    assert used == {*commands}


def test_every_mistake_is_measured_and_held_by_a_test():
    rows = json.loads((DOCS / "mistakes.json").read_text())["rows"]
    assert [row["number"] for row in rows] == list(range(1, 23))
    for row in rows:
        assert row["wrong"] != row["right_value"], row
        assert re.search(r"\d", row["damage"]), row
        file, _, test = row["test"].partition("::")
        name = test.partition("[")[0].rpartition("::")[2]
        assert f"def {name}(" in (ROOT / file).read_text(), row
    page = hooks.mistakes()
    assert page.count("**Damage:**") == len(rows)


def test_the_glossary_has_each_term_once_in_both_languages():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith(("| English", "| -"))
    ]
    english = [row[0] for row in rows]
    assert len(english) == len(set(english)) >= 60
    for row in rows:
        assert len(row) == 3 and all(row), row
        assert re.search(r"[\u4e00-\u9fff]", row[1]), row


@pytest.mark.parametrize("path", hooks.TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_keeps_cells_outputs_and_pictures(path):
    page, pictures = hooks.tutorial(path)
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    for cell in code:
        assert f"```python\n{cell.source}\n```" in page
    outputs = [output for cell in code for output in cell.outputs]
    for output in outputs:
        if output.output_type == "stream":
            assert output.text.strip() in page
    shown = [it for it in outputs if "image/" in " ".join(it.get("data", ()))]
    linked = re.findall(r"\]\((outputs/[^)]+|data:image/gif;)", page)
    assert len(linked) == len(shown) > 0
    assert set(linked) <= {*pictures, "data:image/gif;"}


README = """# Title

Start, [page](docs/page.md).

```python
# a comment, and `code` in it
x["[a](docs/b.md)"]
```

More.

## Next

[One](tutorials/01_one.ipynb), [web](https://a.org), [here](#next).
"""


def test_a_section_ends_at_the_next_heading():
    section = hooks.section(README, "Title")
    assert section.startswith("Start") and section.endswith("More.")
    with pytest.raises(ValueError, match="heading='a comment"):
        hooks.section(README, "a comment, and `code` in it")


def test_links_of_the_root_are_moved_to_the_site():
    moved = hooks.for_the_site(README, "../")
    for link in (
        *("[page](../page.md)", "[One](../tutorials/01_one.md)"),
        *("[web](https://a.org)", "[here](#next)", 'x["[a](docs/b.md)"]'),
    ):
        assert link in moved


@pytest.mark.parametrize("name", keras_genai._MODULES)
def test_every_name_of_a_module_has_a_page_or_a_part_of_one(name):
    page, module = hooks.api_page(name), getattr(keras_genai, name)
    for member in getattr(module, "__all__", ()):
        described = f".{member}\n" in page or member in vars(module)
        assert f"[`{member}`]" in page or described, member


def test_names_are_summed_up_by_their_docstrings():
    table = hooks.names_by_group()
    for name in (*keras_genai._HOME, *keras_genai._MODULES):
        assert re.search(rf"^\| \[`{name}`\]\({name}.md\) \| \S", table, re.M)
