"""The tutorials at full size, again, with other seeds, on more or fewer cores.

The claim: whoever runs a page of `tutorials/` gets the numbers that the page
tells to expect, within the band that it states.

    python benchmarks/tutorials.py [--pages 02_dcgan 07_gpt] [--seeds 0 1 2]
        [--until-numbers] [--runs FILE.jsonl] [--write] [--json FILE]
        [--quick]

A page runs as it stands there but for its seed, in a process of its own; what
its cells tagged "expected" print is compared with `tutorials/expected.json`.
`--until-numbers` leaves out what comes after those cells: the export, and what
goes wrong. `--runs` notes each run as soon as it is over, and does not run
again what is noted there. `--write` makes bands of the values of all runs
(`tutorials/expected.py` has the rule) and writes them to that file, where the
executed notebook is the run of seed 0 on the most cores; the pages and
`docs/tutorials/index.md` must then say the same, which
`tests/test_tutorials.py` holds them to.
Sums are rounded otherwise on another number of cores, which `taskset` sets:
that changes a GAN as much as another seed does. Minutes are those of the clock,
and those of the processor.

All data come with packages: `TFDS_DATA_DIR` is not asked for.
"""

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from report import argument_parser, publish

TUTORIALS = Path(__file__).parents[1] / "tutorials"
sys.path.insert(0, str(TUTORIALS))

import build  # noqa: E402
import expected  # noqa: E402
import nbformat  # noqa: E402

QUICK = {"STEPS": 1, "VAE_EPOCHS": 1}
CORES = (
    len(os.sched_getaffinity(0))  # Linux alone knows of `taskset`
    if hasattr(os, "sched_getaffinity")
    else os.cpu_count()
)


def run(path, entry, parameters, until_numbers):
    """Runs a page; gives its numbers, and what they took."""
    notebook = build.read_with(path, parameters)
    if until_numbers:
        last = build.tagged(notebook, "expected")[-1]
        notebook.cells = notebook.cells[: notebook.cells.index(last) + 1]
    start, before = time.monotonic(), processor_seconds()
    with tempfile.TemporaryDirectory() as folder:
        build.execute(notebook, folder)
    return {
        "name": f"{path.stem}, seed {parameters['SEED']}",
        "page": path.stem,
        "cores": CORES,
        "seed": parameters["SEED"],
        "whole": not until_numbers,
        "minutes": (time.monotonic() - start) / 60,
        "processor_minutes": (processor_seconds() - before) / 60,
        "numbers": expected.read_numbers(notebook, entry),
    }


def processor_seconds():
    """Seconds of the processor that finished children have taken."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def noted(path):
    """Reads the runs that a file notes, if there is one."""
    if path is None or not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def compare(rows, entries):
    """Holds the numbers of runs against the bands that are stated."""
    return [
        {
            "name": f"{row['name']}: {name}",
            "value": value,
            "bar": f"{number['low']:g} to {number['high']:g}",
            "holds": number["low"] <= value <= number["high"],
        }
        for row in rows
        for name, value in row["numbers"].items()
        for number in [entries[row["page"]]["numbers"][name]]
        if "low" in number
    ]


def state_bands(rows, entries):
    """Puts the values of runs, and their bands, into the entries."""
    for page in {row["page"] for row in rows}:
        entry = entries[page]
        runs = {
            (-row["cores"], row["seed"]): row["numbers"]
            for row in rows
            if row["page"] == page
        }
        made = nbformat.read(TUTORIALS / f"{page}.ipynb", as_version=4)
        most, _ = min(runs)
        runs[most, 0] = expected.read_numbers(made, entry)
        order = sorted(runs)
        entry["runs"] = [
            {"cores": -cores, "seed": seed} for cores, seed in order
        ]
        for name, number in entry["numbers"].items():
            number["values"] = [runs[run][name] for run in order]
            expected.state_band(number)


def main():
    parser = argument_parser(__doc__)
    paths = {path.stem: path for path in build.tutorials()}
    parser.add_argument("--pages", nargs="*", default=list(paths))
    parser.add_argument("--seeds", type=int, nargs="*", default=(0, 1, 2))
    parser.add_argument("--until-numbers", action="store_true")
    parser.add_argument("--runs", type=Path, help="notes of finished runs")
    parser.add_argument("--write", action="store_true", help="state the bands")
    options = parser.parse_args()
    parameters = {}
    if options.quick:
        options.pages, options.seeds, parameters = [min(paths)], (0,), QUICK
        options.runs, options.write = None, False

    entries = expected.load()
    rows = noted(options.runs)
    finished = {(row["page"], row["cores"], row["seed"]) for row in rows}
    for seed in options.seeds:
        for page in options.pages:
            if (page, CORES, seed) in finished:
                continue
            row = run(
                paths[page],
                entries[page],
                {**parameters, "SEED": seed},
                options.until_numbers,
            )
            rows.append(row)
            print(f"{row['name']}: {row['numbers']}", flush=True)
            if options.runs:
                with options.runs.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    if options.write:
        state_bands(rows, entries)
        expected.save(entries)
    publish(rows, compare(rows, entries), options.json)


if __name__ == "__main__":
    main()
