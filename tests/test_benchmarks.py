"""Every benchmark runs, and reports in one form."""

import json
from pathlib import Path

import fresh
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(
    path
    for path in FOLDER.glob("*.py")
    if path.name
    not in ("report.py", "contest.py", "timed.py", "forked.py")  # shared
    # Parts of mistakes.py, audit.py and soak.py.
    and not path.name.startswith(("mistakes_", "audit_", "soak_"))
)


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import report

    return report


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_runs_and_reports(script, tmp_path):
    path = tmp_path / "report.json"
    process = fresh.run(
        script, "--quick", "--json", path, cwd=tmp_path, timeout=600
    )
    assert process.returncode == 0, process.stderr
    assert list(tmp_path.iterdir()) == [path]  # and nothing half-written

    written = json.loads(path.read_text())
    assert list(written) == ["machine", "versions", "rows", "bars"]
    assert set(written["machine"]) == {"processor", "cores", "memory_gib"}
    assert {"python", "keras", "tensorflow"} <= set(written["versions"])
    assert written["rows"]
    for row in written["rows"]:
        assert row["name"] in process.stdout
    assert written["bars"]
    for bar in written["bars"]:
        assert set(bar) == {"name", "value", "bar", "holds"}
        assert isinstance(bar["value"], float)
        assert isinstance(bar["holds"], bool)
        assert bar["name"] in process.stdout
    if script.stem == "soak":  # of which two runs were killed at any moment
        kills = [row for row in written["rows"] if "survived" in row]
        assert sum(row["survived"] for row in kills) == 2, process.stdout
        assert sum(row["lost"] for row in kills) == 0, process.stdout


@pytest.mark.slow
@pytest.mark.alone
def test_a_contestant_has_a_process_and_settings_of_its_own(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import contest
    import gan_speed

    name = gan_speed.ONEDNN_OFF
    _, settings = gan_speed.WORKERS[name]
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    measured = contest.measure(gan_speed.__file__, name, settings, quick=True)
    assert measured["onednn"] is False
    assert measured["rate"] > 0 and measured["batch_size"] == 16


def test_every_script_says_what_it_measures():
    for script in SCRIPTS:
        docstring = script.read_text().split('"""')[1]
        assert f"python benchmarks/{script.name}" in docstring
        assert "claim" in docstring
        assert "TFDS_DATA_DIR" in docstring


def test_a_bar_holds_at_its_bound(report):
    assert report.bar("speed", 2, ">=", 2) == {
        "name": "speed",
        "value": 2.0,
        "bar": ">= 2",
        "holds": True,
    }
    assert not report.bar("speed", 1.99, ">=", 2)["holds"]
    assert report.bar("distance", 2, "<=", 2)["holds"]
    assert not report.bar("distance", float("nan"), "<=", 2)["holds"]


def test_the_table_aligns_rows_of_different_keys(report):
    rows = [{"name": "a", "rate": 1234.5}, {"name": "longer", "fits": True}]
    assert report.table(rows).splitlines() == [
        "name     rate  fits",
        "a       1,234",
        "longer          yes",
    ]
