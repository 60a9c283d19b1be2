"""Executes tutorials and writes them as notebooks with their outputs.

    python tutorials/build.py                    all of them
    python tutorials/build.py tutorials/02_dcgan.py

The `.py` in percent format is the truth. The `.ipynb` beside it is written
when the whole page has run, with the outputs of that run; the picture of the
cell tagged "picture" goes to `images/`, where the page's first cell shows it,
and so does the music of the cell tagged "midi", which holds it as a link.
"""

import base64
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def tutorials():
    """Finds the tutorials: `01_....py`, `02_....py`, ..."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def read(path):
    """Reads a tutorial as a notebook without outputs."""
    notebook = jupytext.read(path)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"  # the same on every build
    return notebook


def script(path, parameters):
    """Gives a tutorial's code, with other values for its parameters.

    Args:
        path: `pathlib.Path` of the tutorial.
        parameters: Dictionary: name -> value, set after the cell that is
            tagged `parameters`.

    Returns:
        String of Python code.

    Raises:
        ValueError: If the tutorial has no such cell or no such parameter.
    """
    parts = []
    for cell in read(path).cells:
        if cell.cell_type != "code":
            continue
        parts.append(cell.source)
        if "parameters" in cell.metadata.get("tags", ()):
            unknown = {
                name
                for name in parameters
                if f"\n{name} =" not in "\n" + cell.source
            }
            if unknown:
                raise ValueError(f"{path.name} has no parameters {unknown}")
            parts += [
                f"{name} = {value!r}" for name, value in parameters.items()
            ]
            parameters = None
    if parameters is not None:
        raise ValueError(f"{path.name} has no cell tagged parameters")
    return "\n\n".join(parts)


def build(path):
    """Executes a tutorial and writes its notebook, picture and music."""
    notebook = read(path)
    start = time.monotonic()
    NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
        record_timing=False,
    ).execute()
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
    for tutorial in [Path(name) for name in sys.argv[1:]] or tutorials():
        build(tutorial)
