"""Where artefacts go: complete or absent, and over nothing but their like."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def complete_or_absent(path):
    """Gives a path beside `path` to write to, and moves it there at the end.

    Args:
        path: `pathlib.Path` of a file or a folder. What stands there is
            replaced in one move, or stays if writing fails.

    Yields:
        `pathlib.Path` that does not exist yet, in a folder of its own that is
        removed whatever happens.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        partial = aside / path.name
        yield partial
        if path.is_dir():
            path.rename(aside / "replaced")
        partial.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_replaceable(path, kind, is_one, overwrite):
    """Refuses to write where something stands that may not be replaced.

    Args:
        path: `pathlib.Path` to write to. An empty folder is nothing.
        kind: String, what is to be written: `"a SavedModel"`.
        is_one: Function of a path that exists; whether it is of that kind.
        overwrite: Boolean. Whether one of that kind may be replaced.

    Raises:
        ValueError: If `path` exists and may not be replaced.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not is_one(path):
        raise ValueError(
            f"Only {kind} is ever replaced by an export. "
            f"Received: filepath={str(path)!r}, which is something else"
        )
    if not overwrite:
        raise ValueError(
            f"There is {kind} already, and `overwrite=False`. "
            f"Received: filepath={str(path)!r}"
        )
