"""Files read one by one: one error names all broken ones."""

from contextlib import contextmanager

from keras_genai.data.folders import explain, print_once

_SHOWN = 10  # broken files, at most, in one error


class EmptySplitError(ValueError):
    """A split is empty: there is too little data to hold some of it out."""


@contextmanager
def naming(source):
    """Adds the source to each error, also to an error about its contents.

    Args:
        source: String, a path or the name of a data set.

    Example:
        >>> with naming("digits.npz"):
        ...     raise ValueError("Received: 3 images and 2 labels")
        Traceback (most recent call last):
        ValueError: Received: 3 images and 2 labels, source='digits.npz'
    """
    try:
        yield
    except ValueError as error:
        if source not in str(error):
            error.args = (f"{error}, source={source!r}",)
        raise


def read_each(paths, read, skip_broken):
    """Reads files, and names all broken ones in one error.

    Args:
        paths: Iterable of `pathlib.Path`s.
        read: Function of a path, which raises `ValueError` or `OSError` if
            a file is broken.
        skip_broken: Boolean. Whether to skip broken files, and print them,
            instead of an error.

    Returns:
        Dictionary: path -> the result of `read`.

    Raises:
        ValueError: If files are broken and `skip_broken` is false.
    """
    found, broken = {}, []
    for path in paths:
        try:
            found[path] = read(path)
        except (ValueError, OSError) as error:
            broken.append(explain(error))
    if not broken:
        return found
    total = len(found) + len(broken)
    count = f"{len(broken):,} of {total:,} files cannot be read"
    shown = broken[:_SHOWN]
    if len(broken) > _SHOWN:
        shown.append(f"and {len(broken) - _SHOWN:,} more")
    report = "".join(f"\n    {line}" for line in shown)
    if not skip_broken:
        raise ValueError(
            f"{count}: repair them, or skip them with skip_broken=True "
            f"(--skip-broken on the command line).{report}"
        )
    print_once(f"left out: {count}{report}")
    return found
