"""A clock that goes backwards."""

import itertools
import time

import pytest

from keras_genai.runs import Run, next_folder

pytestmark = pytest.mark.slow


@pytest.fixture
def backwards(monkeypatch):
    """An hour is lost whenever somebody looks at a clock."""
    for name in ("time", "monotonic", "perf_counter"):
        hours = itertools.count(1_000_000_000, -3600)
        monkeypatch.setattr(time, name, lambda hours=hours: float(next(hours)))


def test_a_run_is_trained_resumed_and_evaluated(recipe, tmp_path, backwards):
    run = Run.create(tmp_path / "run", recipe, seed=0)
    run.train(epochs=1)
    assert run.record()["seconds"] == 0
    run.finish(run.train(epochs=2))
    record = run.record()
    assert (record["status"], record["seconds"]) == ("complete", 0)
    assert run.history()["epoch"] == [0, 1]
    # The newest checkpoint is that of the last epoch, not of the latest date.
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [
        *("epoch_001.keras", "epoch_002.keras"),
    ]
    run.evaluate("train")
    assert "train" in run.record()["evaluation"]


def test_runs_are_numbered_by_those_that_are_there(tmp_path, backwards):
    for number in (1, 2, 3):
        folder = next_folder(tmp_path, "gan")
        assert folder.name == f"gan-{number:03d}"
        folder.mkdir()
