"""Every benchmark runs, and reports in one form."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(
    path
    for path in FOLDER.glob("*.py")
    if path.name
    not in ("report.py", "contest.py", "timed.py", "forked.py")  # shared
    and not path.name.startswith("mistakes_")  # parts of mistakes.py
)


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import report

    return report


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_runs_and_reports(script, tmp_path):
    path = tmp_path / "report.json"
    process = subprocess.run(
        [sys.executable, script, "--quick", "--json", path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
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
