"""Locks of folders, which end with the process that has them."""

import os

try:
    import fcntl
except ImportError:  # Windows: folders are not locked there
    fcntl = None


def place_of(folder):
    """The identity of a folder, even if its path changes, or `None`."""
    try:
        found = folder.lstat(), folder.stat()
    except OSError:
        return None
    return [(each.st_dev, each.st_ino) for each in found]


def unlock(lock):
    if lock is not None:
        os.close(lock)


def lock_folder(folder):
    """Locks a folder: returns its descriptor, or `None` without locks."""
    if fcntl is None:
        return None
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise
    except OSError:  # a file system without such locks
        os.close(lock)
        return None
    return lock
