"""Tutorials run, and their notebooks hold the same cells."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "tutorials"
specification = importlib.util.spec_from_file_location(
    "build", FOLDER / "build.py"
)
build = importlib.util.module_from_spec(specification)
specification.loader.exec_module(build)

_SHORT = {"PRESET": "quick", "SHORT_EPOCHS": 1, "CLASSIFIER_EPOCHS": 1}
SMALL = {
    "00_distributions": {"STEPS": 3, "VAE_EPOCHS": 3},
    "01_first_gan": {"PRESET": "quick", "CLASSIFIER_EPOCHS": 1},
    "02_dcgan": {
        "PRESET": "quick",
        "CLASSIFIER_EPOCHS": 1,
        "MISTAKE_EPOCHS": 0,
    },
    "03_autoencoders": {
        "PRESET": "quick",
        "OTHER_EPOCHS": 1,
        "MISTAKE_EPOCHS": 1,
    },
    "04_vae": {**_SHORT, "CODES": 20},
    "05_conditional_vae": {**_SHORT, "CODES": 20},
    "06_markov_to_lstm": {
        "PRESET": "quick",
        "ORDERS": (1, 2),
        "EPOCHS": 1,
        "NEW_TOKENS": 40,
    },
    "07_gpt": {
        "PRESET": "quick",
        "EPOCHS": 1,
        "NEW_TOKENS": 40,
        "MISTAKE_STEPS": 8,
    },
    "08_evaluating_samples": {
        "PRESET": "quick",
        "DCGAN_EPOCHS": 1,
        "VAE_EPOCHS": 1,
        "EXTRACTOR_EPOCHS": 1,
        "BOOTSTRAPS": 10,
    },
    "09_conditional_and_multitask_gans": {
        "PRESET": "quick",
        "EPOCHS": 1,
        "CLASSIFIER_EPOCHS": 1,
        "MISTAKE_EPOCHS": 1,
    },
    "10_stable_gans": {
        "PRESET": "quick",
        "CLASSIFIER_EPOCHS": 1,
        "CRITIC_EPOCHS": 1,
        "FEW": 64,
        "FEW_EPOCHS": 2,
        "BROKEN_EPOCHS": 1,
    },
    "11_music": {
        "SHARE": 6,
        "EPOCHS": 1,
        "STEPS_PER_EPOCH": 8,
        "ORDERS": (1,),
        "LENGTH": 40,
        "COMPOSED": 2,
    },
    "12_pixelcnn": {
        "PRESET": "quick",
        "EPOCHS": 1,
        "LABEL_EPOCHS": 1,
        "SAMPLES": 20,
    },
}
TUTORIALS = build.tutorials()
each_tutorial = pytest.mark.parametrize(
    "path", TUTORIALS, ids=lambda path: path.stem
)


def test_every_tutorial_is_run_small():
    assert [path.stem for path in TUTORIALS] == sorted(SMALL)


@each_tutorial
def test_runs_without_a_warning(path, tmp_path):
    code = tmp_path / path.name
    code.write_text(build.script(path, SMALL[path.stem]))
    process = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert "difference" in process.stdout  # to the end of the export
    assert list(tmp_path.iterdir()) == [code]  # leaves nothing behind


@each_tutorial
def test_notebook_holds_the_cells_of_the_script(path):
    script = build.read(path)
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in script.cells
    ]


@each_tutorial
def test_notebook_was_executed_to_its_end_without_a_warning(path):
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    assert counts == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [out for out in outputs if out.output_type == "error"]
    assert not [out for out in outputs if out.get("name") == "stderr"]
    assert any("image/png" in out.get("data", ()) for out in outputs)


@each_tutorial
def test_keeps_the_skeleton(path):
    text = "\n".join(
        cell.source
        for cell in build.read(path).cells
        if cell.cell_type == "markdown"
    )
    headings = (
        *("**What you will make.**", "**Set-up.**", "## Data", "## Fit"),
        *("## Sample", "## Evaluate", "## Export and reload"),
        *("## What goes wrong", "## What we learned", "## Exercises"),
        "## References",
    )
    places = [text.find(heading) for heading in headings]
    assert -1 not in places
    assert places == sorted(places)
    assert (FOLDER / "images" / f"{path.stem}.png").is_file()


@each_tutorial
def test_at_most_250_lines_of_code(path):
    code = build.script(path, {})
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 250


def test_unknown_parameters_are_refused():
    with pytest.raises(ValueError, match="'EPOCH'"):
        build.script(TUTORIALS[0], {"EPOCH": 1})
