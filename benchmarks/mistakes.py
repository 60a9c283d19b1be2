"""What mistakes of widely read listings cost, each beside the right form.

The claim: each of 22 mistakes does harm that can be measured, on digits, on
text, on chorales or in closed form, and a test of the package catches it.

    python benchmarks/mistakes.py [--only NUMBER ...] [--seed 0] [--write]
        [--json FILE] [--quick]

The wrong form and the right one are trained alike, briefly, from one seed: the
numbers show a direction and a size, not what either would reach in the end.
`--write` puts the rows into `docs/mistakes.json`, which the documentation is
made of. The offline sets are all it needs; `TFDS_DATA_DIR` is of no use to it.
"""

import importlib
import json
import os
import time
from pathlib import Path

from mistakes_shared import Lab, measurements
from report import argument_parser, bar, publish, trace_nothing, versions

PAGE = Path(__file__).parents[1] / "docs" / "mistakes.json"


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of rows")
    parser.add_argument(
        "--write", action="store_true", help=f"also write docs/{PAGE.name}"
    )
    options = parser.parse_args()
    if options.write and (options.quick or options.only):
        parser.error("--write takes all rows at their full size")

    for kind in ("gan", "vae", "text"):
        importlib.import_module(f"mistakes_{kind}")
    lab = Lab(options.seed, options.quick)
    if options.quick:
        trace_nothing()
    found, rows, bars = [], [], []
    for number, (measure, harm) in measurements().items():
        if options.only and number not in options.only:
            continue
        start = time.monotonic()
        row = measure(lab)
        found.append(row)
        print(f"{number}. {row['damage']}", flush=True)
        name = f"mistake {number}"
        rows.append(
            {
                "name": name,
                "wrong": row["wrong"],
                "right": row["right_value"],
                "seconds": time.monotonic() - start,
                "unit": row["unit"],
            }
        )
        title = f"{name} does harm"
        bars.append(bar(title, row["wrong"], harm, row["right_value"]))
    if options.write:
        write({"versions": versions(), "seed": options.seed, "rows": found})
    publish(rows, bars, options.json)


def write(page):
    aside = PAGE.with_name(f"{PAGE.name}.partial")
    aside.write_text(json.dumps(page, indent=2, ensure_ascii=False) + "\n")
    os.replace(aside, PAGE)


if __name__ == "__main__":
    main()
