"""Folders of runs that are damaged, foreign or taken away, for `soak.py`."""

import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import signal

import forked

from keras_genai.callbacks import Checkpoints
from keras_genai.cli import main
from keras_genai.recipes import RECIPES
from keras_genai.runs import Run, new_record

_VALUES = (
    *(None, True, 0, -1, 4.5, 2**70, -(10**400), float("nan"), float("inf")),
    *("", "x", "../../outside", "\0", "\ud800", [], [None], {}, {"a": None}),
    ...,  # missing
)
_COMMANDS = (
    "train --resume RUN --epochs 9",
    *("evaluate RUN", "generate RUN --seed 1", "compare RUN OTHER"),
)
# What a run writes, deletes or tidies up.
_PARTS = (
    *("checkpoints", "samples", "tensorboard", "evaluation", "generated"),
    *("comparisons", "export", "tensorboard/train", "evaluation/test.json"),
    *(".lock", "run.json", "history.csv", "history.png", "model.keras"),
    *("samples.gif", "checkpoints/epoch_001.keras", "generated/seed_1.png"),
    *(".run.json-a1b2c3d4", ".export-a1b2c3d4", "../.run-a1b2c3d4"),
)
_SECONDS = 60  # after which a command hangs


def contents(folder):
    """Path -> digest, or where a link leads to."""
    return {
        str(path.relative_to(folder)): (
            os.readlink(path)
            if path.is_symlink()
            else path.is_file()
            and hashlib.sha256(path.read_bytes()).hexdigest()
        )
        for path in sorted(folder.rglob("*"))
    }


def make(folder, status):
    """Two runs whose data are gone, and a folder of another owner."""
    for name in ("run", "other"):
        record = {
            **new_record(RECIPES["vae"]["default"], 0),
            "status": status,
            "tensorboard": False,
            "arguments": {"latent_dim": 2},
            "data": {"source": "gone", "images": 9, "digest": "ab"},
            "alarms": [{"epoch": 1, "name": "collapse", "seen": "so"}],
            "final": {"epoch": 2, "loss": 1.0},
            "evaluation": {"test": {"loss": 1.0}},
        }
        record["recipe"]["source"] = str(folder / "gone.npz")
        (folder / name).mkdir(parents=True)
        write_record(folder / name, record)
        (folder / name / "history.csv").write_text("epoch,loss\n0,2\n1,1\n")
        (folder / name / "notes.txt").write_text("mine")
    outside = folder / "outside"
    for name in ("replaced", "export", "run", "epoch_001.keras", "notes.txt"):
        (outside / name).parent.mkdir(exist_ok=True)
        (outside / name).write_text("years of work")


def write_record(folder, record):
    (folder / "run.json").write_text(json.dumps(record))


def damage_value(choice, folder):
    """Gives one place of the record another value."""
    path = folder / "run" / "run.json"
    record = place = json.loads(path.read_text())
    name = choice.choice(list(place))
    while (
        isinstance(place[name], dict) and place[name] and choice.random() < 0.6
    ):
        place = place[name]
        name = choice.choice(list(place))
    value = choice.choice(_VALUES)
    if value is ...:
        del place[name]
    else:
        place[name] = value
    path.write_text(json.dumps(record))
    return f"{name} is {value!r:.20}"


def damage_bytes(choice, folder):
    """Turns over, deletes or inserts bytes of the record or the history."""
    path = folder / "run" / choice.choice(("run.json", "history.csv"))
    data = bytearray(path.read_bytes())
    for _ in range(choice.randint(1, 4)):
        start = choice.randrange(len(data) + 1)
        stop = start + choice.choice((0, 1, 1, len(data)))
        data[start:stop] = choice.randbytes(choice.choice((0, 1, 1, 9)))
    path.write_bytes(data)
    return f"bytes of {path.name}"


def link(choice, folder):
    """Puts a link or a pipe where a run writes, deletes or tidies up."""
    part = choice.choice(_PARTS)
    path = folder / "run" / part
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    kind = choice.choice(("folder", "file", "nothing", "pipe", "hard link"))
    outside = folder / "outside"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "hard link":
        os.link(outside / "notes.txt", path)
    else:
        names = {"folder": ".", "file": "notes.txt", "nothing": "not there"}
        path.symlink_to(outside / names[kind])
    return f"{part} is a {kind}"


def try_command(choice, folder):
    """Runs one; what is wrong with how it ended, or `None`."""
    command = choice.choice(_COMMANDS)
    folders = {"RUN": str(folder / "run"), "OTHER": str(folder / "other")}
    words = [folders.get(word, word) for word in command.split()]
    told, before = io.StringIO(), contents(folder / "outside")
    notes = folder / "run" / "notes.txt"

    def hang(*_):
        raise TimeoutError("it hangs")

    signal.signal(signal.SIGALRM, hang)
    signal.alarm(_SECONDS)
    problem = None
    try:
        with (
            contextlib.redirect_stderr(told),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            status = main(words)
        if status and told.getvalue().count("\n") != 1:
            problem = f"it said {told.getvalue()!r:.300}"
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    if contents(folder / "outside") != before:
        problem = "it changed what is outside"
    if not notes.is_file():
        problem = "it deleted the run"
    return problem and f"{command}: {problem}"


def damaged(mark, kind, folder, count, seed):
    """Cases of one kind: those that failed, and how."""
    choice, failed = random.Random(f"{kind} {seed}"), []
    for number in range(count):
        case = folder / f"{number}"
        make(case, choice.choice(("started", "training", "complete")))
        what = KINDS[kind](choice, case)
        problem = try_command(choice, case)
        if problem:
            failed.append(f"{what}: {problem}")
        shutil.rmtree(case)
    return failed


KINDS = {
    "a value of run.json": damage_value,
    "bytes of run.json or history.csv": damage_bytes,
    "a link or a pipe in the folder": link,
}


def take_away(choice, folder):
    """Deletes, renames, links away or exchanges a folder."""
    what = choice.choice(("deleted", "renamed", "linked away", "exchanged"))
    if what == "deleted":
        shutil.rmtree(folder)
        return what
    folder.rename(folder.with_name("elsewhere"))
    if what == "linked away":
        folder.symlink_to(folder.with_name("elsewhere"))
    if what == "exchanged":
        folder.mkdir()
    return what


def taken_away(mark, recipe, folder, count, seed):
    """Trainings whose folder is taken away after an epoch: what failed."""
    choice, failed = random.Random(seed), []
    on_epoch_end = Checkpoints.on_epoch_end
    for number in range(count):
        root, last, seen = folder / f"{number}", choice.randint(0, 2), []

        def then_take_away(callback, epoch, logs=None):
            on_epoch_end(callback, epoch, logs)
            if epoch == last:  # noqa: B023
                seen.append(take_away(choice, root / "run"))  # noqa: B023
                seen.append(contents(root))  # noqa: B023

        Checkpoints.on_epoch_end = then_take_away
        run = Run.create(root / "run", recipe, seed=0)
        try:
            run.train(epochs=6)
            problem = "it was trained to its end"
        except OSError as error:
            problem = None if "moved away or replaced" in str(error) else error
        if contents(root) != seen[1]:
            problem = "something was written after that"
        if problem:
            failed.append(f"{seen[0]} after epoch {last + 1}: {problem}")
        shutil.rmtree(root)
    Checkpoints.on_epoch_end = on_epoch_end
    return failed


def rows(recipe, folder, cases, seed):
    """Rows of the table: each kind of damage, and what did not hold.

    Args:
        recipe: Of a tiny training, whose folder is taken away.
        folder: `pathlib.Path` of a folder to work in.
        cases: Integer, of each kind; the trainings are a fiftieth of it.
        seed: Integer.
    """
    rows, jobs = [], {kind: (damaged, kind, cases) for kind in KINDS}
    jobs["a folder taken away in training"] = taken_away, recipe, cases // 50
    for name, (function, what, count) in jobs.items():
        if not count:
            continue
        failed = forked.run(
            *(function, what, folder / "folders", count, seed),
            log=folder / "log.txt",
        )
        for line in failed:
            print(f"{name}: {line}", flush=True)
        held = count - len(failed)
        rows.append(
            {"name": name, "tried": count, "held": held, "failed": len(failed)}
        )
    return rows
