"""Executes tutorials and writes them as notebooks with their outputs.

    python tutorials/build.py                    all of them
    python tutorials/build.py tutorials/02_dcgan.py
    python tutorials/build.py --prose            takes over changed prose

The `.py` in percent format is the truth. The `.ipynb` beside it is written
when the whole page has run, with the outputs of that run; the picture of the
cell tagged "picture" goes to `images/`, where the page's first cell shows it,
and so does the music of the cell tagged "midi", which holds it as a link.
`--prose` runs nothing: the outputs stay, and the code must be what made them.

A page runs from a clone. Once the project has a home on GitHub, `url` in
setup.cfg, `--prose` gives each notebook a badge that opens it in Colab, and a
first cell that installs the package from there.
"""

import base64
import configparser
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
_GITHUB = "https://github.com/"
_BADGE = """
[![Open in Colab](images/colab.svg)][colab]

[colab]: https://colab.research.google.com/github/{repository}/blob/main/tutorials/{page}.ipynb
"""
_INSTALLATION = """\
from importlib.util import find_spec
from subprocess import check_call
from sys import executable

if find_spec("keras_genai") is None:  # away from a clone, as in Colab
    package = "keras_genai[{extra}] @ git+{home}"
    check_call([executable, "-m", "pip", "install", "--quiet", package])"""


def tutorials():
    """Finds the tutorials: `01_....py`, `02_....py`, ..."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def home(package=FOLDER.parent / "setup.cfg"):
    """The project's address on GitHub, or `None` while it has none.

    Args:
        package: Path of the file whose `url` it is.

    Raises:
        ValueError: If the address is no repository on GitHub.
    """
    settings = configparser.ConfigParser()
    settings.read(package)
    url = settings.get("metadata", "url", fallback=None)
    if url and not re.fullmatch(rf"{_GITHUB}[\w-]+/[\w.-]+", url):
        raise ValueError(
            f"Expected {_GITHUB}OWNER/NAME, or none. Received: url={url!r}"
        )
    return url or None


def add_home(notebook, page, url):
    """Adds what a reader away from a clone needs: a badge and a first cell.

    Args:
        notebook: Notebook, changed in place.
        page: String, the tutorial's name.
        url: String, what `home` returned.
    """
    first = notebook.cells[0]
    # Of the extras, the one that brings the page's data.
    (extra,) = re.findall(r'pip install -e "\.\[(\w+)', first.source)
    title, line, rest = first.source.partition("\n")
    badge = _BADGE.format(repository=url.removeprefix(_GITHUB), page=page)
    first.source = title + line + badge + rest
    cell = nbformat.v4.new_code_cell(
        _INSTALLATION.format(extra=extra, home=url), metadata={"tags": ["home"]}
    )
    notebook.cells.insert(1, cell)


def read(path):
    """Reads a tutorial as a notebook without outputs."""
    notebook = jupytext.read(path)
    if home():
        add_home(notebook, path.stem, home())
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"  # the same on every build
    return notebook


def tagged(notebook, tag):
    """Finds the cells that have a tag."""
    return [
        cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())
    ]


def read_with(path, parameters):
    """Reads a tutorial with other values for its parameters.

    Args:
        path: `pathlib.Path` of the tutorial.
        parameters: Dictionary: name -> value, set at the end of the cell that
            is tagged `parameters`.

    Returns:
        Notebook without outputs.

    Raises:
        ValueError: If the tutorial has no such cell or no such parameter.
    """
    notebook = read(path)
    cells = tagged(notebook, "parameters")
    if len(cells) != 1:
        raise ValueError(f"{path.name} has no cell tagged parameters")
    (cell,) = cells
    unknown = {
        name for name in parameters if f"\n{name} =" not in "\n" + cell.source
    }
    if unknown:
        raise ValueError(f"{path.name} has no parameters {unknown}")
    values = [f"{name} = {value!r}" for name, value in parameters.items()]
    cell.source = "\n".join([cell.source, *values])
    return notebook


def script(path, parameters):
    """Gives a tutorial's code, with other values for its parameters."""
    return "\n\n".join(
        cell.source
        for cell in read_with(path, parameters).cells
        if cell.cell_type == "code"
    )


def execute(notebook, folder=FOLDER):
    """Runs the cells of a notebook, in a process of their own."""
    NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    ).execute()


def build(path):
    """Executes a tutorial and writes its notebook, picture and music."""
    notebook = read(path)
    start = time.monotonic()
    execute(notebook)
    notebook.metadata.pop("jupytext", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr":
                raise RuntimeError(f"{path.name} warns: {output.text}")
        tags = cell.metadata.get("tags", ())
        if "picture" in tags:
            write_image(path, ".png", output_of(cell, "image/png"))
        if "midi" in tags:
            link = output_of(cell, "text/html")
            (midi,) = re.findall(r"data:audio/midi;base64,([\w+/=]+)", link)
            write_image(path, ".mid", midi)
    nbformat.write(notebook, path.with_suffix(".ipynb"))
    print(f"{path.name}: {(time.monotonic() - start) / 60:.1f} minutes")


def take_over_prose(path):
    """Puts changed prose and tags into the notebook, whose outputs stay.

    Args:
        path: `pathlib.Path` of the tutorial.

    Raises:
        ValueError: If its code is not that of the notebook.
    """
    notebook = read(path)
    made = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    new, old = (
        [
            cell
            for cell in each.cells
            # In a clone the cell of the home does nothing.
            if cell.cell_type == "code"
            and "home" not in cell.metadata.get("tags", ())
        ]
        for each in (notebook, made)
    )
    if [cell.source for cell in new] != [cell.source for cell in old]:
        raise ValueError(
            f"Expected the code that made the outputs of the notebook. "
            f"Received: {path}, whose code has changed: execute it again"
        )
    for cell, executed in zip(new, old, strict=True):
        cell.outputs = executed.outputs
    number_cells(notebook)
    notebook.metadata = made.metadata
    nbformat.write(notebook, path.with_suffix(".ipynb"))


def number_cells(notebook):
    """Numbers the cells of code in order, and their results with them."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        cell.execution_count = number
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number


def output_of(cell, kind):
    """Finds the first output of a cell that is of a MIME type."""
    return next(
        output.data[kind]
        for output in cell.outputs
        if kind in output.get("data", ())
    )


def write_image(path, suffix, content):
    """Writes what a tutorial made, in base64, to the folder `images`."""
    file = FOLDER / "images" / f"{path.stem}{suffix}"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(base64.b64decode(content))


if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name != "--prose"]
    for tutorial in [Path(name) for name in names] or tutorials():
        (take_over_prose if "--prose" in sys.argv else build)(tutorial)
