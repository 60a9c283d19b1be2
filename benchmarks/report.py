"""What every benchmark shares: its arguments, and the form of its report."""

import argparse
import functools
import importlib.metadata
import json
import operator
import os
import platform
import subprocess
import sys
from pathlib import Path
from unittest import mock

from keras_genai.tables import aligned

_PACKAGES = ("keras-genai", "keras", "tensorflow", "numpy")
_COMPARE = {">=": operator.ge, "<=": operator.le}


def argument_parser(docstring):
    """Makes the parser, which a benchmark may add its own arguments to."""
    parser = argparse.ArgumentParser(
        description=docstring,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="also write the report here"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only prove that it runs; the numbers mean nothing",
    )
    return parser


def leave_out_xla():
    """Has XLA compile nothing, which takes seconds: for `--quick`."""
    from keras_genai import GPT, LSTMLanguageModel, PixelCNN

    for family in (GPT, LSTMLanguageModel, PixelCNN):
        family.xla = family.compiled_loop = False


def trace_nothing():
    """Has steps run eagerly: to trace a few takes longer. For `--quick`.

    So does what asks for its graph before it runs, which an export needs.
    """
    import tensorflow as tf

    run_steps_eagerly()
    function = tf.function

    def untraced(*arguments, **options):
        made = function(*arguments, **options)
        made.get_concrete_function = lambda *specs: made
        return made

    tf.function = untraced


def run_steps_eagerly():
    """As `trace_nothing`, for what exports.

    One step at a time, since eight at least would be taken, and from digits
    that are read once.
    """
    import tensorflow as tf

    from keras_genai.data import sources
    from keras_genai.models.core import compiling

    tf.config.run_functions_eagerly(True)
    compiling.STEPS_PER_EXECUTION = 1
    sources._offline_set = functools.cache(sources._offline_set)


def check_exports_here():
    """Has exports asked in this process, not in fresh ones: for `--quick`."""
    from keras_genai.export import check, runtimes

    def run(*arguments):
        package = sys.modules["keras_genai"]
        argv = [runtimes.__file__, *map(str, arguments)]
        try:
            with mock.patch.object(sys, "argv", argv):
                runtimes.main()
        finally:
            sys.modules["keras_genai"] = package  # which `main` has hidden
        return subprocess.CompletedProcess(argv, 0)

    check._run_apart = run


def bar(name, value, comparison, bound):
    """States a bar and whether a value holds it: `bar("x", 2.1, ">=", 2)`."""
    return {
        "name": name,
        "value": float(value),
        "bar": f"{comparison} {bound:g}",
        "holds": bool(_COMPARE[comparison](value, bound)),
    }


def publish(rows, bars, path=None):
    """Prints the rows and the bars, and writes them as JSON.

    Args:
        rows: List of dictionaries that JSON can hold; their keys may differ.
        bars: List of what `bar` returns.
        path: `pathlib.Path` of the file to write, or `None`.
    """
    report = {
        "machine": _machine(),
        "versions": versions(),
        "rows": rows,
        "bars": bars,
    }
    for part in ("machine", "versions"):
        print(
            ", ".join(f"{key} {value}" for key, value in report[part].items())
        )
    for part in ("rows", "bars"):
        if report[part]:
            print(f"\n{table(report[part])}")
    if path is not None:
        aside = path.with_name(f"{path.name}.partial")
        aside.write_text(json.dumps(report, indent=2) + "\n")
        os.replace(aside, path)


def versions():
    """What the numbers were measured with: name -> version."""
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def table(rows):
    """Aligns rows in columns: names to the left, all else to the right."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns]
    lines += [[_cell(row.get(key, "")) for key in columns] for row in rows]
    return aligned(lines)


def peak_mib():
    """The most memory that this process has held, in MiB.

    Not `ru_maxrss`, which a child inherits from the process that starts it.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    raise OSError("/proc/self/status tells no VmHWM")


def resident_mib():
    """The memory that this process holds now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cell(value):
    if isinstance(value, (list, tuple)):
        return " ".join(map(_cell, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def _machine():
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
    }
