"""Files read one by one: all that are broken are told together."""

from contextlib import contextmanager

from keras_genai.data.folders import explain, print_once

_SHOWN = 10  # broken files, of as many as there are


class EmptySplitError(ValueError):
    """A split has nothing in it: there is too little to hold some of it out."""


@contextmanager
def naming(source):
    """Has each refusal name its source, also one of what was in it.

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
    """Reads files, and reports all that cannot be read at once.

    Args:
        paths: Iterable of `pathlib.Path`s.
        read: Function of a path, which raises `ValueError` or `OSError` where
            a file is broken.
        skip_broken: Boolean. Whether broken files are passed over, and told,
            rather than refused.

    Returns:
        Dictionary: path -> what `read` returned.

    Raises:
        ValueError: If files are broken and not to be passed over.
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
            f"{count}: mend them, or pass over them with skip_broken=True "
            f"(--skip-broken on the command line).{report}"
        )
    print_once(f"left out: {count}{report}")
    return found
