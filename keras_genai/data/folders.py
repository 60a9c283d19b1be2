"""A folder of files -> the files of each split, and the files left out.

Folders of images, texts and music also hold other files: previews, hidden
copies, files of another kind. This module leaves them out and prints that.
"""

import collections
import dataclasses
import os
import re
from pathlib import Path

# Names of the folders of splits, in small or capital letters.
_SPLITS = {
    "train": r"train(ing)?",
    "validation": r"val(id(ation)?)?",
    "test": r"test(ing)?",
}
_SPLIT_ENDING = r"([ _-]?(set|data|images))?"
# Files that programs leave in folders, besides those that start with a dot.
_HIDDEN = {
    *("__macosx", "@eadir", "thumbs.db", "desktop.ini", "lost+found"),
    *("$recycle.bin", "system volume information"),
}
_printed = set()


@dataclasses.dataclass(frozen=True)
class Folder:
    """The files of a folder, split by split.

    Attributes:
        path: `pathlib.Path` of the folder, `~` expanded.
        splits: Dictionary: `"train"`, `"validation"` or `"test"` -> sorted
            list of pairs (path, parts). The parts are the names of the
            folders from the split's folder down, and the file's name. Without
            folders of splits, all files are in `"train"`.
        has_splits: Boolean. Whether folders named the splits.
        left_out: `collections.Counter` of the files left out, by their
            suffixes, such as `".heic"`, or by words, such as `"hidden"`. A
            caller can count more before `print_left_out`.
    """

    path: Path
    splits: dict
    has_splits: bool
    left_out: collections.Counter

    def describe_left_out(self):
        """Counts the files left out, in words.

        Returns:
            String, `"left out: 12 .heic, 3 hidden"`, or `""` without any.
        """
        counts = [
            f"{count:,} {what}"
            for what, count in self.left_out.most_common()
            if count
        ]
        return f"left out: {', '.join(counts)}" if counts else ""

    def print_left_out(self):
        """Prints which files are left out, once in a process."""
        if self.describe_left_out():
            print_once(f"{self.path}: {self.describe_left_out()}")


def list_folder(folder, suffixes, kind="files"):
    """Lists the files of a folder that have the right suffix.

    Hidden files and folders are left out, and links to folders are followed.
    `train/`, `Test/`, `val/` and similar folders are splits: at the top, below
    a single folder around everything, or in each of the folders of classes. A
    prefix that several of them share, as in `seg_train/` and `seg_test/`, does
    not count.

    Args:
        folder: Path of the folder; `~` is expanded.
        suffixes: Set of strings in small letters: `{".mid", ".midi"}`. In
            the names of files they can be in capital letters.
        kind: String, the kind of files, for the error.

    Returns:
        `Folder`.

    Raises:
        ValueError: If there is no such folder, or no such file in it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("Train/a.TXT", "test/b.txt", "test/.c.txt"):
        ...     (folder / name).parent.mkdir(exist_ok=True)
        ...     _ = (folder / name).write_text("a text")
        >>> listing = list_folder(folder, {".txt"})
        >>> {name: len(files) for name, files in listing.splits.items()}
        {'train': 1, 'test': 1}
        >>> listing.describe_left_out()
        'left out: 1 hidden'
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise ValueError(
            f"Expected a folder of {kind}. "
            f"Received: {str(path)!r}, which is not a folder"
        )
    left_out = collections.Counter()
    found = []
    for file in _visible_files(path, left_out):
        suffix = file.suffix.lower()
        if suffix in suffixes:
            found.append((file, file.relative_to(path).parts))
        else:
            left_out[suffix or "without a suffix"] += 1
    found.sort()
    found = _without_prefix(_without_wrapper(found))
    splits, has_splits = _split(found, left_out)
    listing = Folder(path, splits, has_splits, left_out)
    if not found:
        raise ValueError(
            f"The folder has no {kind} ({', '.join(sorted(suffixes))}). "
            f"Received: source={str(path)!r}, "
            + (listing.describe_left_out() or "which is empty")
        )
    return listing


def are_strays(num_beside, num_inside):
    """Tells whether files beside folders are there by mistake.

    Args:
        num_beside: Integer, files that lie beside folders of files.
        num_inside: Integer, files in those folders.

    Returns:
        Boolean: whether there are some, and no more than in the folders.
    """
    return 0 < num_beside <= num_inside


def print_once(line):
    """Prints a line, unless this process has printed it before.

    Args:
        line: String.
    """
    if line not in _printed:
        _printed.add(line)
        print(line)


def explain(error):
    """Puts an error into words, also one without a message.

    Args:
        error: Exception.

    Returns:
        String, never empty.

    Example:
        >>> explain(EOFError())
        'the file ends too early'
    """
    message = " ".join(str(error).split())
    if message:
        return message
    if isinstance(error, EOFError):
        return "the file ends too early"
    return f"it is broken ({type(error).__name__})"


def _visible_files(folder, left_out, above=()):
    """Yields the visible files below a folder, and counts the others."""
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that holds it
        left_out["in a circle of links"] += 1
        return
    for child in sorted(Path(folder).iterdir()):
        if child.name.startswith(".") or child.name.lower() in _HIDDEN:
            left_out["hidden"] += 1
        elif child.is_dir():
            yield from _visible_files(child, left_out, (*above, real))
        elif child.is_file():
            yield child
        elif child.exists():
            left_out["pipes, sockets and devices"] += 1
        else:
            left_out["broken links"] += 1


def _without_wrapper(found):
    """Removes from the parts a single folder around all other folders.

    An unpacked archive often has one: `animals/cats/x.jpg`.
    """
    while True:
        inside = [parts for _, parts in found if len(parts) > 1]
        tops = {parts[0] for parts in inside}
        deep = sum(len(parts) > 2 for parts in inside)
        beside = len(found) - deep
        is_wrapper = len(tops) == 1 and not _split_name(*tops) and deep
        if not is_wrapper or (beside and not are_strays(beside, deep)):
            return found
        found = [(path, parts[1:] or parts) for path, parts in found]


def _without_prefix(found):
    """Removes from the parts a prefix that the names of several splits share.

    `seg_train/` and `seg_test/` are splits; `bullet_train/` is a class.
    """
    named = re.compile(rf"(.+[ _-])({'|'.join(_SPLITS.values())})", re.I)
    tops = {parts[0] for _, parts in found if len(parts) > 1}
    matches = [match for match in map(named.fullmatch, tops) if match]
    prefixes = collections.Counter(match[1] for match in matches)
    if not prefixes or max(prefixes.values()) < 2:
        return found
    prefix = prefixes.most_common(1)[0][0]

    def short(part):
        rest = part.removeprefix(prefix)
        return rest if _split_name(rest) else part

    return [
        (path, (*map(short, parts[:-1]), parts[-1])) for path, parts in found
    ]


def _split(found, left_out):
    """Returns the files of each split, and whether folders named the splits."""
    at = _place_of_splits(found)
    if at is None:
        return {"train": found}, False
    splits, beside = {}, []
    for path, parts in found:
        name = _split_name(parts[at]) if len(parts) > at + 1 else None
        if name is None:
            beside.append((path, parts))
        else:
            inner = (*parts[:at], *parts[at + 1 :])
            splits.setdefault(name, []).append((path, inner))
    if "train" in splits:
        left_out["beside the folders of splits"] += len(beside)
    elif beside:
        splits["train"] = beside
    splits = {
        name: _without_repetition(name, files) for name, files in splits.items()
    }
    # Together, so that a class has the same name in every split.
    together = [file for files in splits.values() for file in files]
    parts_of = dict(_without_wrapper(together))
    return {
        name: [(path, parts_of[path]) for path, _ in splits[name]]
        for name in _SPLITS
        if name in splits
    }, True


def _without_repetition(split, files):
    """Removes from the parts the second `train/` of `train/train/x.jpg`."""
    if all(
        len(parts) > 1 and _split_name(parts[0]) == split for _, parts in files
    ):
        return [(path, parts[1:]) for path, parts in files]
    return files


def _place_of_splits(found):
    """Returns which part names the split: 0, 1 (below classes) or `None`."""
    folders = [parts[:-1] for _, parts in found]
    if any(parts and _split_name(parts[0]) for parts in folders):
        return 0
    if found and all(
        len(parts) > 1 and _split_name(parts[1]) for parts in folders
    ):
        return 1
    return None


def _split_name(folder):
    for name, pattern in _SPLITS.items():
        if re.fullmatch(pattern + _SPLIT_ENDING, folder, re.IGNORECASE):
            return name
    return None
