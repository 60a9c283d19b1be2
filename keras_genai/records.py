"""The records of runs, side by side."""

import json
from pathlib import Path

from keras_genai.runs import Run
from keras_genai.tables import aligned


class Comparison:
    """The arguments of several runs, and their results.

    `str(comparison)` has two tables with a column for each run: arguments that
    differ, and final numbers with the recorded evaluations. A run that was
    interrupted or diverged has the numbers of its last finished epoch.

    Args:
        folders: Paths of the folders of two runs or more.

    Attributes:
        histories: Dictionary: name of the run -> dictionary: name -> list of
            floats, one an epoch. A run is named by its folder, by the whole
            path if two folders have one name.
        arguments: Dictionary: name -> list of values, one a run, `None` if it
            has no value. Only arguments that differ between the runs.
        numbers: Dictionary: name -> list of numbers, one a run, or `None`.
            Final numbers have their own names; numbers of evaluations have the
            name of their split in front, as in `"test/elbo"`.

    Raises:
        ValueError: If there are fewer than two runs, a folder does not belong
            to a run, or is given twice.
    """

    def __init__(self, folders):
        names = _names(folders)
        runs = [Run.open(folder) for folder in folders]
        records = [run.record() for run in runs]
        self.histories = {
            name: run.history() for name, run in zip(names, runs, strict=True)
        }
        rows = _rows(_arguments(record) for record in records)
        self.arguments = {
            name: values
            for name, values in rows.items()
            if any(value != values[0] for value in values)
        }
        self.numbers = _rows(
            _numbers(record, history)
            for record, history in zip(
                records, self.histories.values(), strict=True
            )
        )

    def __str__(self):
        names = list(self.histories)
        return "\n\n".join(
            table([title, *names], [[name, *rows[name]] for name in rows])
            for title, rows in (
                ("arguments that differ", self.arguments),
                ("numbers", self.numbers),
            )
        )


def table(header, rows):
    """Aligns rows in columns: the first to the left, the others to the right.

    Args:
        header: Strings, one a column.
        rows: Lists, each as long as `header`: of strings, numbers, which are
            shown with five digits, and `None`, which is left blank.

    Returns:
        String, lines with a rule under the header.

    Example:
        >>> print(table(["", "one"], [["loss", 0.1234567], ["epoch", None]]))
                   one
        -----  -------
        loss   0.12346
        epoch
    """
    cells = [header, *([_cell(value) for value in row] for row in rows)]
    rule = ["-" * max(map(len, column)) for column in zip(*cells, strict=True)]
    return aligned([header, rule, *cells[1:]])


def _names(folders):
    paths = [Path(folder).resolve() for folder in folders]
    if len(set(paths)) < max(2, len(paths)):
        raise ValueError(
            "Expected two runs or more, each once. Received: "
            + ", ".join(repr(str(folder)) for folder in folders)
        )
    names = [path.name for path in paths]
    return [
        name if names.count(name) == 1 else str(path)
        for name, path in zip(names, paths, strict=True)
    ]


def _arguments(record):
    recipe = dict(record["recipe"])
    if "arguments" in record:  # with those of the recipe, and defaults
        recipe.pop("model_arguments", None)
    parts = ("status", "seed", "deterministic", "tensorboard", "seconds")
    return _flat(
        {
            **{part: record[part] for part in parts if part in record},
            "recipe": recipe,
            "model": record.get("arguments", {}),
            "data": record.get("data", {}),
            "versions": record["versions"],
        }
    )


def _numbers(record, history):
    final = {name: values[-1] for name, values in history.items()}
    if "epoch" in final:
        final["epoch"] = int(final["epoch"]) + 1
    found = {**final, **record.get("final", {})}
    for split, results in record.get("evaluation", {}).items():
        measures = results.get("samples", {}).get("measures", {})
        values = {name: measures[name]["value"] for name in measures}
        found[split] = {**results, "samples": values}
    return {
        name: value
        for name, value in _flat(found).items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _flat(nested, prefix=""):
    """Dictionaries in dictionaries -> one, of names `"outer/inner"`."""
    flat = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}/")
        else:
            flat[prefix + name] = value
    return flat


def _rows(columns):
    """Dictionaries, one a run -> name -> values, `None` if one is missing.

    Names with the same first part stay together, after names without parts.
    """
    columns = list(columns)
    names = dict.fromkeys(name for column in columns for name in column)
    parts = ["", *dict.fromkeys(_part(name) for name in names)]
    return {
        name: [column.get(name) for column in columns]
        for name in sorted(names, key=lambda name: parts.index(_part(name)))
    }


def _part(name):
    return name.split("/")[0] if "/" in name else ""


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}"
    text = value
    if not (isinstance(value, str) and value and value.isprintable()):
        text = json.dumps(value, ensure_ascii=False)
    # Both ends: paths and vocabularies often differ at the end.
    return text if len(text) <= 36 else f"{text[:16]} .. {text[-16:]}"
