"""Only one process at a time works in a run's folder."""

import re
import socket
import time

import fresh
import pytest

from keras_genai.cli import main
from keras_genai.runs import Run

pytestmark = pytest.mark.slow

pytest.importorskip("fcntl")  # Windows has no such locks

HOLD = """
import sys, time
from keras_genai.runs.folder import RunFolder

with RunFolder(sys.argv[1]).locked():
    print("locked", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def held(run):
    """Another process that works in the folder of the run."""
    process = fresh.start(HOLD, run.folder)
    while process.printed() != ("locked\n", ""):
        assert process.poll() is None
        time.sleep(0.01)
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_refused_until_the_first_is_gone(
    run, held, recipe, contents, capsys
):
    before = contents(run.folder)
    message = re.escape(f"process {held.pid} on {socket.gethostname()}")
    for work in (
        lambda: run.train(epochs=3),
        lambda: run.finish(None),
        lambda: run.evaluate("train"),
        lambda: Run.create(run.folder, recipe, seed=0, overwrite=True),
    ):
        with pytest.raises(ValueError, match=message):
            work()
    assert main(["export", str(run.folder)]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert contents(run.folder) == before
    assert [path.name for path in run.folder.parent.iterdir()] == ["run"]

    # Elsewhere nobody is in the way.
    output = run.folder.parent / "served"
    assert main(["export", str(run.folder), "--output", str(output)]) == 0
    assert contents(run.folder) == before

    held.kill()  # by SIGKILL, so that it can tidy nothing up
    held.communicate()
    run.train(epochs=3)
    assert run.history()["epoch"] == [0, 1, 2]
    assert not (run.folder / ".lock").exists()


def test_reading_needs_no_lock(run, held):
    opened = Run.open(run.folder)
    assert opened.record()["status"] == "complete"
    assert opened.history()["epoch"] == [0, 1]


def test_a_run_is_locked_while_it_trains(run, monkeypatch):
    import keras

    refusals = []

    def fit(model, *args, **kwargs):
        with pytest.raises(ValueError, match="in use") as caught:
            Run.open(run.folder).train()
        refusals.append(str(caught.value))

    monkeypatch.setattr(keras.Model, "fit", fit)
    run.train(epochs=3)
    assert len(refusals) == 1


def test_of_two_that_are_as_quick_one_gets_the_folder(
    recipe, tmp_path, monkeypatch
):
    folder = tmp_path / "new"
    put_aside, others = Run._put_aside, []

    def late(run):  # between the look at the folder, and its lock
        put_aside(run)
        monkeypatch.setattr(Run, "_put_aside", put_aside)
        others.append(Run.create(folder, recipe, seed=1))

    monkeypatch.setattr(Run, "_put_aside", late)
    with pytest.raises(ValueError, match="The folder exists"):
        Run.create(folder, recipe, seed=2)
    assert others[0].record()["seed"] == 1


def test_a_run_that_is_being_replaced_survives_a_kill(run, recipe, contents):
    before = contents(run.folder)
    Run(run.folder)._put_aside()  # and then the process was killed
    assert not run.folder.exists()
    assert contents(Run.open(run.folder).folder) == before

    # Killed after the new run was there: what it replaces is aside, until
    # the new one is sure to start.
    new = Run.create(run.folder, recipe, seed=5, overwrite=True)
    assert len(list(run.folder.parent.iterdir())) == 2
    Run.open(run.folder).train()
    assert [path.name for path in run.folder.parent.iterdir()] == ["run"]
    assert new.record()["seed"] == 5
