"""Killed by SIGKILL, at every moment; a whole run is in the soak."""

import fresh
import pytest

# Each job is killed before its first file operation, before its second, and
# so on until it is through; what it left is looked at by those who come next.
EVERY_MOMENT = """
import os, shutil, signal, sys
from pathlib import Path

from keras_genai import files
from keras_genai.files import (
    check_replaceable,
    complete_or_absent,
    remove_leftovers,
)
from keras_genai.recipes import get_recipe
from keras_genai.runs import Run

EVENTS = ("open", "os.", "shutil.", "tempfile.", "ctypes.")
root = Path(sys.argv[1])


def write_file(folder):
    with complete_or_absent(folder / "artefact") as partial:
        partial.write_text("new")


def write_folder(folder):
    with complete_or_absent(folder / "artefact") as partial:
        partial.mkdir()
        (partial / "one").write_text("new")
        (partial / "two").write_text("new")


def write_folder_in_two_moves(folder):
    files._exchanged = lambda one, other: False  # as where it cannot be
    write_folder(folder)


def write_checked_folder(folder):  # as an export that is checked first
    with complete_or_absent(folder / "artefact") as partial:
        write_folder(partial.parent)


def overwrite_run(folder):
    run = Run.create(folder / "run", get_recipe("gan"), 2, overwrite=True)
    run._forget_replaced()


def old_file(folder):
    (folder / "artefact").write_text("old")


def old_folder(folder):
    (folder / "artefact").mkdir()
    (folder / "artefact" / "one").write_text("old")


def old_run(folder):
    run = Run.create(folder / "run", get_recipe("gan"), 1)
    (run.folder / "notes").write_text("old")


def check_file(folder):
    remove_leftovers(folder)
    assert [path.name for path in folder.iterdir()] == ["artefact"]
    return (folder / "artefact").read_text()


def check_folder(folder):
    found = whole(folder / "artefact")  # before anybody tidies up
    remove_leftovers(folder)
    assert [path.name for path in folder.iterdir()] == ["artefact"]
    assert whole(folder / "artefact") == found
    return found


def check_folder_of_two_moves(folder):
    # It is back as soon as somebody is about to write there again.
    check_replaceable(folder / "artefact", "a folder", Path.is_dir, True)
    return check_folder(folder)


def whole(artefact):
    parts = sorted(path.name for path in artefact.iterdir())
    texts = {path.read_text() for path in artefact.iterdir()}
    assert (parts, texts) in ((["one"], {"old"}), (["one", "two"], {"new"}))
    return texts.pop()


def check_run(folder):
    run = Run.open(folder / "run")
    with run.locked():
        seed = run.record()["seed"]
    if seed == 1:
        assert (run.folder / "notes").read_text() == "old"
        return "old"
    # The new one is begun, and what it replaces is still there, or was
    # given up: never before.
    run._forget_replaced()
    assert [path.name for path in folder.iterdir()] == ["run"]
    return "new"


def killed_at(count, job, folder):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = [count]

    def hook(event, arguments):
        if event.startswith(EVENTS) and event != "os.kill":
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

    sys.addaudithook(hook)
    job(folder)
    os._exit(0)


for old, job, check in (
    (old_file, write_file, check_file),
    (old_folder, write_folder, check_folder),
    (old_folder, write_checked_folder, check_folder),
    (old_folder, write_folder_in_two_moves, check_folder_of_two_moves),
    (old_run, overwrite_run, check_run),
):
    found, count, status = [], 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        folder = root / f"{job.__name__}-{count}"
        folder.mkdir()
        old(folder)
        status = killed_at(count, job, folder)
        found.append(check(folder))
        count += 1
    assert status == 0, status
    changes = sum(a != b for a, b in zip(found, found[1:]))
    assert found[0] == "old" and found[-1] == "new", found
    print(job.__name__, count, changes)
"""


@pytest.mark.slow
@pytest.mark.alone
def test_every_moment(tmp_path):
    process = fresh.run(EVERY_MOMENT, tmp_path)
    assert process.returncode == 0, process.stderr
    lines = [line.split() for line in process.stdout.splitlines()]
    assert [name for name, _, _ in lines] == [
        *("write_file", "write_folder", "write_checked_folder"),
        *("write_folder_in_two_moves", "overwrite_run"),
    ]
    for _, moments, changes in lines:
        assert int(moments) > 8  # that there were some
        assert int(changes) == 1  # from old to new, and not back
