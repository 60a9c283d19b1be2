"""Tutorials run, their notebooks hold the same cells, and say what comes."""

import configparser
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fresh
import nbformat
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tutorials"


def module(name):
    specification = importlib.util.spec_from_file_location(
        name, FOLDER / f"{name}.py"
    )
    loaded = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loaded)
    return loaded


build, expected = module("build"), module("expected")
ENTRIES = expected.load()

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
        "NEW_TOKENS": 20,
    },
    "07_gpt": {
        "PRESET": "quick",
        "EPOCHS": 1,
        "NEW_TOKENS": 20,
        "MISTAKE_STEPS": 2,
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
        "STEPS_PER_EPOCH": 2,
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
PRELUDE = f"""
import sys
import warnings

warnings.simplefilter("error", UserWarning)
sys.path.append({str(Path(__file__).parent)!r})
import small_pages

small_pages.make_small()
"""
TUTORIALS = build.tutorials()
PACKAGE = configparser.ConfigParser()
PACKAGE.read(ROOT / "setup.cfg")
# Where the project might be at home: nobody installs anything from there.
ADDRESS = "https://github.com/owner/name"
each_tutorial = pytest.mark.parametrize(
    "path", TUTORIALS, ids=lambda path: path.stem
)


def test_every_tutorial_is_run_small():
    assert [path.stem for path in TUTORIALS] == sorted(SMALL)


@pytest.mark.slow
@pytest.mark.alone
@each_tutorial
def test_runs_without_a_warning(path, tmp_path):
    code = tmp_path / path.name
    code.write_text(PRELUDE + build.script(path, SMALL[path.stem]))
    process = fresh.run(code, cwd=tmp_path, timeout=600)
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


def prose(path):
    return "\n".join(
        cell.source
        for cell in build.read(path).cells
        if cell.cell_type == "markdown"
    )


@each_tutorial
def test_keeps_the_skeleton(path):
    text = prose(path)
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


@pytest.fixture
def at_home(monkeypatch):
    monkeypatch.setattr(build, "home", lambda: ADDRESS)


@each_tutorial
def test_opens_in_colab_once_there_is_a_home(path, at_home):
    repository = ADDRESS.removeprefix("https://github.com/")
    lines = prose(path).splitlines()
    assert lines[0].startswith("# ")
    assert lines[2] == "[![Open in Colab](images/colab.svg)][colab]"
    assert lines[4] == (
        "[colab]: https://colab.research.google.com/github/"
        f"{repository}/blob/main/tutorials/{path.stem}.ipynb"
    )
    assert (FOLDER / "images" / "colab.svg").is_file()


@each_tutorial
def test_first_cell_installs_the_package_from_its_home(
    path, at_home, monkeypatch
):
    code = [each for each in build.read(path).cells if each.cell_type == "code"]
    calls = []
    monkeypatch.setattr(subprocess, "check_call", calls.append)
    exec(code[0].source, {})
    assert calls == []  # here it is there
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    exec(code[0].source, {})
    ((*pip, package),) = calls
    assert pip == [sys.executable, "-m", "pip", "install", "--quiet"]
    requirement = Requirement(package)
    assert requirement.name.replace("_", "-") == PACKAGE["metadata"]["name"]
    assert requirement.url == f"git+{ADDRESS}"
    # The extra `tutorials` brings `music`.
    needed = "tutorials" if "music" in path.stem else "offline"
    assert requirement.extras == {needed}
    assert needed in PACKAGE["options.extras_require"]


@each_tutorial
def test_without_a_home_nothing_is_installed_from_anywhere(path, monkeypatch):
    monkeypatch.setattr(build, "home", lambda: None)
    text = "\n".join(cell.source for cell in build.read(path).cells)
    for word in ("pip install --", "check_call", "find_spec", "colab", "git+"):
        assert word not in text
    assert "in a clone of the repository" in " ".join(prose(path).split())


def test_the_home_is_the_url_of_the_package(tmp_path):
    settings = tmp_path / "setup.cfg"
    for url in ("https://github.com/owner/a.name", None):
        said = "" if url is None else f"\nurl = {url}"
        settings.write_text(f"[metadata]\nname = a{said}")
        assert build.home(settings) == url
    for url in ("https://example.com/a/b", "https://github.com/a", "a/b"):
        settings.write_text(f"[metadata]\nurl = {url}")
        with pytest.raises(ValueError, match=r"OWNER/NAME, or none\. Received"):
            build.home(settings)


def test_a_home_comes_into_the_notebook_and_goes(tmp_path, monkeypatch):
    script = Path(shutil.copy(TUTORIALS[0], tmp_path))
    notebook = Path(shutil.copy(TUTORIALS[0].with_suffix(".ipynb"), tmp_path))
    before = notebook.read_text()
    monkeypatch.setattr(build, "home", lambda: ADDRESS)
    build.take_over_prose(script)
    assert ADDRESS in notebook.read_text() and "colab" in notebook.read_text()
    code = [
        cell
        for cell in nbformat.read(notebook, as_version=4).cells
        if cell.cell_type == "code"
    ]
    counts = [cell.execution_count for cell in code]
    assert counts == list(range(1, len(code) + 1))
    monkeypatch.setattr(build, "home", lambda: None)
    build.take_over_prose(script)
    assert notebook.read_text() == before


# Those that have owners, and those that name nobody.
KNOWN = {"karpathy/nanoGPT", "OWNER/NAME", "owner/name", "owner/a.name"}
REPOSITORY = re.compile(
    r"(?:github\.com|githubusercontent\.com|colab\.research\.google\.com/github)"
    r"[/:]([\w.-]+/[\w.-]+)"
)
FOLDERS = (".ci", "benchmarks", "docs", "keras_genai", "tests", "tutorials")


def test_no_address_is_one_that_nobody_owns():
    kinds = {"", ".cfg", ".ipynb", ".json", ".md", ".py", ".toml", ".yml"}
    files = [*ROOT.iterdir()]
    for folder in FOLDERS:
        files += (ROOT / folder).rglob("*")
    texts = [path for path in files if path.is_file() and path.suffix in kinds]
    assert len(texts) > 250
    known = KNOWN | {str(build.home()).removeprefix("https://github.com/")}
    for path in texts:
        found = set(REPOSITORY.findall(path.read_text(encoding="utf-8")))
        assert found <= known, path


def test_no_package_is_installed_by_a_name_that_nobody_owns():
    for path in (ROOT / "keras_genai").rglob("*.py"):
        assert not re.search(r"install \S*keras[-_]genai", path.read_text()), (
            path
        )


def test_every_tutorial_has_an_entry():
    assert [path.stem for path in TUTORIALS] == sorted(ENTRIES)


def row_of(file, target):
    """The cells of the last row of a table that links to a page."""
    rows = [
        line.strip("| ").split(" | ")
        for line in (ROOT / file).read_text().splitlines()
        if line.startswith("| [") and f"]({target})" in line
    ]
    return rows[-1]


@each_tutorial
def test_page_and_tables_say_what_to_expect(path):
    entry = ENTRIES[path.stem]
    text = " ".join(prose(path).split())
    assert expected.paragraph(entry) in text
    *_, minutes, numbers = row_of("docs/tutorials/index.md", f"{path.stem}.md")
    assert numbers == expected.sentence(entry)
    of_readme = row_of("README.md", f"tutorials/{path.stem}.ipynb")
    assert of_readme[-1] == minutes
    unit = "minute" if minutes == "1" else "minutes"
    takes = f"takes about {minutes} {unit} on two CPU cores"
    assert f"The page {takes} and downloads nothing" in text


@each_tutorial
def test_notebook_is_the_first_run(path):
    entry = ENTRIES[path.stem]
    assert entry["runs"][0] == {"cores": 2, "seed": 0}
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    for name, value in expected.read_numbers(notebook, entry).items():
        assert value == entry["numbers"][name]["values"][0], name


@each_tutorial
def test_bands_are_those_of_three_seeds(path):
    entry = ENTRIES[path.stem]
    assert {run["seed"] for run in entry["runs"]} == {0, 1, 2}
    for number in entry["numbers"].values():
        assert len(number["values"]) == len(entry["runs"])
        again = dict(number)
        expected.state_band(again)
        assert again == number


def test_what_the_bands_are_over_is_said():
    runs = [{"cores": 2, "seed": seed} for seed in range(3)]
    assert expected.spread({"runs": runs}) == "over 3 seeds"
    runs += [{**run, "cores": 1} for run in runs]
    assert expected.spread({"runs": runs}) == (
        "over 3 seeds, on one core and on two"
    )


def test_a_band_is_the_range_and_half_of_it_on_each_side():
    assert expected.band([7.0, 9.0, 8.0], 1) == (6.0, 10.0)
    assert expected.band([-2.0, -1.0], 1) == (-2.5, -0.5)
    assert expected.band([0.1, 0.2], 1) == (0.0, 0.3)  # rounded outwards
    assert expected.band([2.476] * 3, 3) == (2.476, 2.476)
    assert expected.band([0.9, 1.0], 2, most=1.0) == (0.85, 1.0)


def notebook_that_prints(text, tags=("expected",)):
    cell = nbformat.v4.new_code_cell("", metadata={"tags": list(tags)})
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    return nbformat.v4.new_notebook(cells=[cell])


def test_a_number_is_read_where_its_row_prints_it():
    printed = "this GAN, cut    9.9\nthis GAN    >= -11.60 +- 0.85 0.88\n"
    notebook = notebook_that_prints(printed)
    assert expected.read_number(notebook, "this GAN", 0) == -11.6
    assert expected.read_number(notebook, "this GAN", 2) == 0.88
    with pytest.raises(ValueError, match="one row that begins with 'a GAN'"):
        expected.read_number(notebook, "a GAN", 0)
    with pytest.raises(ValueError, match="one row"):
        expected.read_number(notebook_that_prints(printed, ()), "this GAN", 0)


def test_prose_is_taken_over_where_the_code_is_the_same(tmp_path):
    script = Path(shutil.copy(TUTORIALS[0], tmp_path))
    made = nbformat.read(TUTORIALS[0].with_suffix(".ipynb"), as_version=4)
    nbformat.write(made, script.with_suffix(".ipynb"))
    text = script.read_text()
    script.write_text(text.replace("## Exercises", "## Exercise\n#\n# More."))
    build.take_over_prose(script)
    new = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    assert "## Exercise\n\nMore." in new.cells[-1].source
    code, old_code = (
        [cell for cell in each.cells if cell.cell_type == "code"]
        for each in (new, made)
    )
    assert [cell.outputs for cell in code] == [
        cell.outputs for cell in old_code
    ]
    script.write_text(text.replace("SEED = 0", "SEED = 1"))
    with pytest.raises(ValueError, match="execute it again"):
        build.take_over_prose(script)
