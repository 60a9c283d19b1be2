"""The numbers that the pages print, and the bands in which to expect them.

`expected.json` has an entry for each page: the runs, each with its seed and the
cores that it had, and for each number the row and the column where the cells
tagged "expected" print it, its value in each run, its band, and what it cannot
exceed, if there is such a value. The first run is the executed notebook.
"""

import json
import math
import os
import re
from pathlib import Path

FILE = Path(__file__).with_name("expected.json")


def load():
    """Gives the entries: name of the page -> dictionary."""
    return json.loads(FILE.read_text())


def save(entries):
    """Writes the entries: the whole file, or none of it."""
    aside = FILE.with_name(f"{FILE.name}.partial")
    text = json.dumps(entries, indent=2, ensure_ascii=False)
    aside.write_text(text + "\n")
    os.replace(aside, FILE)


def read_number(notebook, row, column):
    """Reads a number that an executed notebook printed.

    Args:
        notebook: Executed notebook.
        row: String that a printed line begins with.
        column: Integer: which of the numbers after it, from 0.

    Returns:
        Float.

    Raises:
        ValueError: If the cells tagged "expected" did not print one such row.
    """
    printed = "".join(
        output.text
        for cell in notebook.cells
        if "expected" in cell.metadata.get("tags", ())
        for output in cell.outputs
        if output.output_type == "stream"
    )
    found = re.findall(rf"^ *{re.escape(row)}\s(.*)$", printed, re.MULTILINE)
    if len(found) != 1:
        raise ValueError(
            f"Expected one row that begins with {row!r}. Received: {printed}"
        )
    return float(re.findall(r"-?\d+(?:\.\d+)?", found[0])[column])


def read_numbers(notebook, entry):
    """Reads all the numbers of an entry: name -> float."""
    return {
        name: read_number(notebook, number["row"], number["column"])
        for name, number in entry["numbers"].items()
    }


def band(values, decimals, most=math.inf):
    """Widens the range of a few runs by half of itself on each side.

    Three values are few: a fourth lies outside of their range half of the
    time. Where all are equal, the seed plays no part, and the band is a point.

    Args:
        values: List of floats, one for each run.
        decimals: Integer: places that the page prints. Ends are rounded
            outwards to them.
        most: Float: what the number cannot exceed, 1 for a share.

    Returns:
        Tuple of two floats, low and high.
    """
    low, high = min(values), max(values)
    room = (high - low) / 2
    scale = 10**decimals
    return (
        math.floor(round((low - room) * scale, 6)) / scale,
        min(math.ceil(round((high + room) * scale, 6)) / scale, most),
    )


def state_band(number):
    """Puts the band of its values into a number of an entry."""
    number["low"], number["high"] = band(
        number["values"], number["decimals"], number.get("most", math.inf)
    )


def sentence(entry):
    """Says the bands: "Fréchet distance: 6.6 to 8.5; floor: 2.7"."""
    text = "; ".join(
        _phrase(name, number) for name, number in entry["numbers"].items()
    )
    return text[0].upper() + text[1:]


def paragraph(entry):
    """Gives what a page has to say of its numbers, before its first cell."""
    return f"**What to expect**, {spread(entry)}. {sentence(entry)}."


def spread(entry):
    """Says what the bands are over: "over 3 seeds, on one core and on two"."""
    cores, seeds = (
        {run[key] for run in entry["runs"]} for key in ("cores", "seed")
    )
    text = f"over {len(seeds)} seeds"
    return text + (", on one core and on two" if cores == {1, 2} else "")


def _phrase(name, number):
    ends = [f"{number[end]:.{number['decimals']}f}" for end in ("low", "high")]
    words = [
        f"{name}:",
        " to ".join(dict.fromkeys(ends)),
        number.get("unit", ""),
    ]
    return " ".join(words).strip()
