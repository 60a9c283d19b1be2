"""What the site takes from elsewhere in the repository when it is built.

Nothing is written twice: tutorials come from their executed notebooks, a page
of the reference from each public name, tables from the README, mistakes from
what `benchmarks/mistakes.py` measured. MkDocs calls the `on_...` functions.
"""

import importlib.util
import json
import re
from importlib.resources import files as files_of
from pathlib import Path

from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.ipynb"))

_MATHJAX = "mathjax/tex-svg.js"  # one file, which holds its letters too

# Where a page says {{ NAME }}, and which file that is.
_WHOLE_FILES = {
    "readme.zh-CN": "README.zh-CN.md",
    "changelog": "CHANGELOG.md",
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
    """Fills in {{ README: heading }}, {{ mistakes }}, {{ names }}."""
    depth = page.file.src_uri.count("/")

    def fill(match):
        name, _, heading = match[1].partition(": ")
        if name == "README":
            text = section(read("README.md"), heading)
        elif name in _WHOLE_FILES:
            text = read(_WHOLE_FILES[name])
        else:
            return {"mistakes": mistakes, "names": names_in_a_line}[name]()
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
    """Cuts out what stands below a heading, up to the next of its level.

    The title's own section is what stands before the first heading of level 2.

    Args:
        text: String of Markdown.
        heading: String, the heading's text.

    Returns:
        String of Markdown, without the heading.

    Raises:
        ValueError: If there is not one such heading.
    """
    headings = [
        match
        for match in re.finditer(
            # A comment in a block of code is no heading.
            r"^```[^`]*^```$|^(#+) (.+)$",
            text,
            re.MULTILINE,
        )
        if match[1]
    ]
    found = [match for match in headings if match[2] == heading]
    if len(found) != 1:
        raise ValueError(
            f"Expected one such heading. Received: heading={heading!r}"
        )
    start, level = found[0].end(), max(len(found[0][1]), 2)
    ends = [
        match.start()
        for match in headings
        if match.start() > start and len(match[1]) <= level
    ]
    return text[start : min(ends, default=len(text))].strip()


def for_the_site(text, up):
    """Makes links that are good from the root good from a page."""
    moves = {
        r"docs/": "",
        r"README\.zh-CN\.md": "readme.zh-CN.md",
        r"README\.md": "index.md",
        r"CHANGELOG\.md": "changelog.md",
    }

    def move(match):
        target = match[1]
        for old, new in moves.items():
            target = re.sub(rf"^{old}", new, target)
        return f"]({up}{re.sub(r'[.]ipynb$', '.md', target)})"

    return re.sub(r"\]\((?![a-z]+:|#)([^)]+)\)", move, text)


def tutorial(path):
    """Gives a notebook as Markdown, and its pictures by name."""
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
    rest = re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](\1.md)", rest)
    return f"{title}\n\n{downloads}\n\n{rest}", resources["outputs"]


# What a cell printed is fenced: indented, it would be coloured as Python.
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
"""


def keras_genai():
    """The package's list of names, without TensorFlow and uninstalled."""
    specification = importlib.util.spec_from_file_location(
        "keras_genai", ROOT / "keras_genai" / "__init__.py"
    )
    package = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(package)
    return package


def api_groups():
    """Names of the reference's pages, by the part that they belong to."""
    package = keras_genai()
    groups = {"Modules": sorted(package._MODULES)}
    for name, home in package._HOME.items():
        part = home.split(".")[1]
        groups.setdefault(_PARTS[part], []).append(name)
    return {title: groups[title] for title in (*_PARTS.values(), "Modules")}


_PARTS = {
    "models": "Models",
    "data": "Data",
    "callbacks": "Callbacks",
    "evaluation": "Evaluation",
    "recipes": "Recipes",
    "startup": "Start-up",
}


def api_page(name):
    """Gives the page of a public name, which mkdocstrings fills."""
    package = keras_genai()
    if name in package._HOME:
        return _NAME.format(name=name, home=package._HOME[name])
    module = f"keras_genai.{name}"
    own_page = [
        other
        for other, home in package._HOME.items()
        if f"{home}.".startswith(f"{module}.")
    ]
    return _MODULE.format(
        name=name, links=links(own_page), others="|".join(package._HOME)
    )


def links(names):
    """Links to the pages of public names, in a line."""
    return ", ".join(f"[`{name}`]({name}.md)" for name in names)


_NAME = """---
title: {name}
---
::: {home}.{name}
"""
# A name is described once: on its own page, or on that of its module.
_MODULE = """# {name}

{links}

::: keras_genai.{name}
    options:
      show_root_heading: false
      show_root_toc_entry: false
      filters: ["!^_", "!^({others})$"]
"""
