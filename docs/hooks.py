"""What the site takes from elsewhere in the repository when it is built.

Nothing is written twice: tutorials come from their executed notebooks, a page
of the reference from each public name, commands from their parsers, sections
from the README and from `docs/benchmarks.md`, mistakes from what
`benchmarks/mistakes.py` measured. MkDocs calls the `on_...` functions.
"""

import argparse
import functools
import json
import re
from importlib.resources import files as files_of
from pathlib import Path

import griffe
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url
from nbconvert import MarkdownExporter

import keras_genai
from keras_genai.cli.parser import build_parser

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.ipynb"))

_MATHJAX = "mathjax/tex-svg.js"  # one file, which holds its letters too
_CODE = r"^```(?s:.*?)^```$"  # of several lines, to be passed over

# Where a page says {{ NAME }}, and which file that is.
_SECTIONS_OF = {"README": "README.md", "benchmarks": "docs/benchmarks.md"}
_WHOLE_FILES = {
    "readme.zh-CN": "README.zh-CN.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
}


def on_config(config):
    """Puts the tutorials and the public names into the navigation."""
    pages = {
        "Tutorials": [f"tutorials/{path.stem}.md" for path in TUTORIALS],
        "API reference": [
            {title: [f"api/{name}.md" for name in names]}
            for title, names in api_groups().items()
        ],
    }
    config.nav = [
        {title: [start, *pages[title]] if title in pages else start}
        for entry in config.nav
        for title, start in entry.items()
    ]
    return config


def on_files(files, config):
    """Adds the pages, pictures and downloads that are not in `docs`."""

    def add(uri, **source):
        files.append(File.generated(config, uri, **source))

    for path in TUTORIALS:
        page, pictures = tutorial(path)
        add(f"tutorials/{path.stem}.md", content=page)
        for name, content in pictures.items():
            add(f"tutorials/{name}", content=content)
        for download in (path, path.with_suffix(".py")):
            add(f"tutorials/{download.name}", abs_src_path=str(download))
    for path in sorted((ROOT / "tutorials" / "images").iterdir()):
        add(f"tutorials/images/{path.name}", abs_src_path=str(path))
    mathjax = files_of("mathjax") / "static/mathjax/es5/tex-svg.js"
    add(_MATHJAX, abs_src_path=str(mathjax))
    for names in api_groups().values():
        for name in names:
            add(f"api/{name}.md", content=api_page(name))
    return files


def on_page_markdown(markdown, page, config, files):
    """Fills in {{ README: heading }}, {{ commands }} and the like."""
    depth = page.file.src_uri.count("/")

    def fill(match):
        name, _, heading = match[1].partition(": ")
        if name in _SECTIONS_OF:
            text = section(read(_SECTIONS_OF[name]), heading)
        elif name in _WHOLE_FILES:
            text = read(_WHOLE_FILES[name])
        else:
            made = {
                "mistakes": mistakes,
                "names": names_by_group,
                "commands": commands,
            }
            return made[name]()
        return for_the_site(text, "../" * depth)

    return re.sub(r"^\{\{ (.+) \}\}$", fill, markdown, flags=re.MULTILINE)


def on_page_content(content, page, config, files):
    """Gives MathJax, two megabytes, to the pages that have mathematics."""
    if 'class="arithmatex"' not in content:
        return content
    script = get_relative_url(_MATHJAX, page.url)
    return f'{content}\n<script src="{script}" defer></script>'


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def section(text, heading):
    """Cuts out what stands between a heading and the next.

    Args:
        text: String of Markdown.
        heading: String, the heading's text.

    Returns:
        String of Markdown, without the heading.

    Raises:
        ValueError: If there is not one such heading.
    """
    found = re.finditer(rf"{_CODE}|^#+ (.+)$", text, flags=re.MULTILINE)
    headings = [match for match in found if match[1]]
    ends = [match.start() for match in headings[1:]] + [len(text)]
    parts = [
        text[match.end() : end].strip()
        for match, end in zip(headings, ends, strict=True)
        if match[1] == heading
    ]
    if len(parts) != 1:
        raise ValueError(
            f"Expected one such heading. Received: heading={heading!r}"
        )
    return parts[0]


def for_the_site(text, up):
    """Makes links that are good from the root good from a page."""
    moves = {
        r"docs/": "",
        r"README\.zh-CN\.md": "readme.zh-CN.md",
        r"README\.md": "index.md",
        r"CHANGELOG\.md": "changelog.md",
        r"CONTRIBUTING\.md": "contributing.md",
    }

    def move(match):
        target = match[1]
        if target is None:
            return match[0]
        for old, new in moves.items():
            target = re.sub(rf"^{old}", new, target)
        return f"]({up}{re.sub(r'[.]ipynb$', '.md', target)})"

    return re.sub(
        rf"{_CODE}|\]\((?![a-z]+:|#)([^)]+)\)", move, text, flags=re.MULTILINE
    )


def tutorial(path):
    """Gives a notebook as Markdown, and its pictures: name -> bytes."""
    exporter = MarkdownExporter(raw_template=_TEMPLATE)
    body, resources = exporter.from_filename(
        str(path),
        resources={"output_files_dir": "outputs", "unique_key": path.stem},
    )
    title, _, rest = body.lstrip().partition("\n")
    downloads = (
        f"[Notebook]({path.name}){{ download }} · "
        f"[script]({path.stem}.py){{ download }}"
    )
    rest = for_the_site(rest, "")
    return f"{title}\n\n{downloads}\n\n{rest}", resources["outputs"]


# What a cell printed is fenced: indented, it would be coloured as Python. And
# nbconvert passes over animations.
_TEMPLATE = """
{%- extends "markdown/index.md.j2" -%}
{% macro fenced(text) %}

``` {.text .output}
{{ text }}
```
{% endmacro %}
{% block stream %}{{ fenced(output.text) }}{% endblock stream %}
{% block data_text scoped -%}
{{ fenced(output.data["text/plain"]) }}
{%- endblock data_text %}
{% block data_priority scoped -%}
{%- if "image/gif" in output.data %}
{%- set gif = output.data["image/gif"] | replace("\\n", "") %}

![gif](data:image/gif;base64,{{ gif }})
{% else %}{{ super() }}{% endif -%}
{%- endblock data_priority %}
"""


def api_groups():
    """Names of the reference's pages, by the part that they belong to."""
    groups = {}
    for name, home in keras_genai._HOME.items():
        part = home.split(".")[1]
        groups.setdefault(upper_first(part), []).append(name)
    return {**groups, "Modules": sorted(keras_genai._MODULES)}


def api_page(name):
    """Gives the page of a public name, which mkdocstrings fills."""
    homes = keras_genai._HOME
    if name in homes:
        return _NAME.format(name=name, home=homes[name])
    module = f"keras_genai.{name}"
    own_page = [it for it in homes if f"{homes[it]}.".startswith(f"{module}.")]
    page = _MODULE.format(
        name=name, links=links(own_page), others="|".join(homes)
    )
    # Names that the module imports when they are first used.
    lazily = getattr(getattr(keras_genai, name), "_HOME", {})
    return page + "".join(
        _MEMBER.format(home=f"{module}.{home}", name=it)
        for it, home in lazily.items()
        if it not in homes
    )


def links(names):
    """A sentence of links to the pages of public names."""
    if not names:
        return ""
    pages = ", ".join(f"[`{name}`]({name}.md)" for name in names)
    return f"With pages of their own: {pages}."


_NAME = """---
title: {name}
---
::: {home}.{name}
"""
_MEMBER = """
::: {home}.{name}
    options:
      heading_level: 2
"""
# A name is described once: on its own page, or on that of its module.
_MODULE = """# {name}

{links}

::: keras_genai.{name}
    options:
      show_root_heading: false
      show_root_toc_entry: false
      heading_level: 2
      filters: ["!^_", "!^({others})$"]
"""


def names_by_group():
    """Lists the public names, with the first lines of their docstrings."""
    lines = []
    for title, names in api_groups().items():
        lines += [f"## {title}", "", "| name | |", "| --- | --- |"]
        lines += [
            f"| [`{name}`]({name}.md) | {summary(name)} |" for name in names
        ]
        lines.append("")
    return "\n".join(lines)


def summary(name):
    """The first line of a public name's docstring."""
    home = keras_genai._HOME.get(name, "keras_genai")
    documented = _package()[f"{home}.{name}".partition(".")[2]]
    if documented.docstring is None:
        return ""
    return documented.docstring.value.strip().splitlines()[0]


@functools.cache
def _package():
    return griffe.load("keras_genai", search_paths=[ROOT])


def commands():
    """Gives the help of each command, as its parser prints it."""
    sections = []
    for name, parser in build_parser()[1].items():
        parser.formatter_class = functools.partial(
            argparse.HelpFormatter, width=80
        )
        text = parser.format_help().strip()
        sections.append(f"### {name}\n\n```text\n{text}\n```")
    return "\n\n".join(sections)


def mistakes():
    """Describes the measured mistakes: a table, and a section each."""
    report = json.loads(read("docs/mistakes.json"))
    table = ["| mistake | wrong | right | |", "| --- | --- | --- | --- |"]
    sections = []
    for row in report["rows"]:
        title = f"{row['number']}. {upper_first(row['mistake'])}"
        anchor = f"mistake-{row['number']}"
        table.append(
            f"| [{title}](#{anchor}) | {number(row['wrong'])} "
            f"| {number(row['right_value'])} | {row['unit']} |"
        )
        sections.append(
            f"## {title} {{ #{anchor} }}\n\n"
            f"**Right:** {row['right']}.\n\n"
            f"**Damage:** {row['damage']}\n\n"
            f"**Held by** `{row['test']}`."
        )
    return "\n".join(table) + "\n\n" + "\n\n".join(sections)


def number(value):
    """Writes a number with three digits, or more where it is large."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def upper_first(text):
    return text[:1].upper() + text[1:]
