"""Look-ups of names, with suggestions for unknown names."""

import difflib
import re


def did_you_mean(name, known):
    """Suggests the known name that is closest to an unknown one.

    Args:
        name: String.
        known: Iterable of strings.

    Returns:
        String to append to an error; empty if no name is close.

    Example:
        >>> did_you_mean("--epoch", ["--epochs", "--seed"])
        " Did you mean '--epochs'?"
    """
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def look_up(table, kind, name, elsewhere=()):
    """Looks a name up, or suggests the closest name.

    Args:
        table: Dictionary: name -> value.
        kind: String, the kind of named thing, for the error.
        name: String.
        elsewhere: Dictionary: other names, in lower case with only letters and
            digits -> names in the table.

    Returns:
        The value.

    Raises:
        ValueError: If there is no such name.

    Example:
        >>> look_up({"gan": 1}, "model", "gan")
        1
    """
    if name in table:
        return table[name]
    meant = {_plain(known): known for known in table} | dict(elsewhere)
    hint = did_you_mean(meant.get(_plain(str(name)), str(name)), table)
    raise ValueError(
        f"There is no {kind} of that name.{hint} Known: {', '.join(table)}. "
        f"Received: {kind}={name!r}"
    )


def _plain(name):
    return re.sub(r"[^a-z0-9]", "", name.lower())
