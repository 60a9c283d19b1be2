"""The arrows of the house: which folder imports which."""

import ast
import os
import re
from pathlib import Path

import pytest

import keras_genai
from keras_genai import modalities

ROOT = Path(keras_genai.__file__).parent

WINGS = ("gans", "autoencoders", "autoregressive")
MODALITIES = modalities.names()

# What each part of the package may import from the package.
ALLOWED = {
    "version": set(),
    "registered": set(),
    "files": set(),
    "names": set(),
    "checks": {"names"},
    "extras": set(),
    "keras_private": set(),
    "archives": {"files"},
    "digests": {"files"},
    "startup": set(),
    "tables": set(),
    "data": {"data", "archives", "checks", "digests", "extras", "files"},
    "replicas": set(),
    "distributions": {"distributions", "replicas"},
    "layers": {"layers", "checks", "replicas"},
    "losses": {"losses", "checks", "replicas"},
    "metrics": set(),
    "sampling": {"sampling", "checks"},
    "plotting": {"plotting"},
    # What everybody may ask. The folder of a modality is imported by its name.
    "modalities": {"modalities", "names"},
    **{
        f"modalities/{name}": {
            *(f"modalities/{name}", "modalities"),
            *("callbacks", "evaluation", "export", "plotting", "sampling"),
            *("data", "demo", "cli", "extras", "files"),
        }
        for name in MODALITIES
    },
    "export": {"export", "extras", "files", "modalities"},
    "evaluation": {
        *("evaluation", "metrics", "losses", "plotting", "files"),
        *("archives", "checks", "digests", "tables"),
    },
    "models": {"models/core", "archives", "keras_private", "startup"},
    "models/core": {
        "checks",
        *("models/core", "layers", "losses", "metrics", "sampling"),
        *("distributions", "replicas", "keras_private"),
        # The contract of every model: `export`, and the backend it needs.
        *("export", "startup"),
    },
    # A wing for each kind of method, and none imports another.
    **{
        f"models/{wing}": {
            *(f"models/{wing}", "models/core"),
            *("layers", "losses", "metrics", "sampling", "distributions"),
            *("replicas", "export", "data", "keras_private", "checks"),
        }
        for wing in WINGS
    },
    "callbacks": {
        *("callbacks", "plotting", "modalities", "data"),
        *("keras_private", "archives", "extras", "files"),
    },
    "recipes": {"recipes", "data", "names", "replicas"},
    "runs": {
        *("recipes", "callbacks", "export", "plotting", "version"),
        *("evaluation", "models", "files", "runs", "replicas"),
        "modalities",
    },
    "records": {"runs", "tables"},
    # SavedModels alone: no model class, no recipe, no run.
    "demo": {"demo", "export", "extras", "modalities"},
    "cli": {
        "replicas",
        *("records", "recipes", "runs", "startup", "version", "data", "models"),
        *("demo", "export", "plotting", "cli", "files", "names"),
        "modalities",
    },
}


def part(path):
    return _part(path.relative_to(ROOT).with_suffix("").parts)


def _part(names):
    """A folder or a file of the package; of `models` a wing, and the like."""
    inner = {"models": (*WINGS, "core"), "modalities": MODALITIES}
    if names[1:2] and names[1] in inner.get(names[0], ()):
        return "/".join(names[:2])
    return names[0]


def imports(path):
    """The parts of the package that a file imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("keras_genai."):
                found.add(_part(name.split(".")[1:]))
    return found


FILES = [path for path in ROOT.rglob("*.py") if path.parent != ROOT] + [
    path for path in ROOT.glob("*.py") if path.name != "__init__.py"
]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    assert imports(path) <= ALLOWED[part(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_private_interfaces_of_keras_are_in_one_module(path):
    found = re.findall(
        r"keras\.src|\b_compile_metrics|\._is_default|\w\._direction\b",
        path.read_text(),
    )
    assert not found or part(path) == "keras_private"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_plotting_imports_matplotlib(path):
    draws = "matplotlib" in path.read_text().replace("matplotlib `", "")
    imported = any(
        isinstance(node, (ast.Import, ast.ImportFrom))
        and "matplotlib" in ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
    )
    assert imported == (part(path) == "plotting") or not draws


OUTSIDE = [path for path in FILES if "modalities" not in path.parts]


@pytest.mark.parametrize(
    "path", OUTSIDE, ids=lambda p: str(p.relative_to(ROOT))
)
def test_only_modalities_ask_what_a_model_makes(path):
    # Neither `if makes == "text"` nor `{"text": ...}[makes]`.
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, (ast.Subscript, ast.Match)):
            parts = [getattr(node, "slice", None) or node.subject]
        else:
            continue
        asked = {getattr(p, "attr", getattr(p, "id", None)) for p in parts}
        assert "makes" not in asked, ast.unparse(node)


def test_every_public_name_is_there_and_documented():
    for name in keras_genai.__all__:
        assert getattr(keras_genai, name) is not None
    for name in keras_genai._HOME:
        assert getattr(keras_genai, name).__doc__
    assert set(keras_genai.__all__) <= set(dir(keras_genai))


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="'VEA'"):
        _ = keras_genai.VEA


def test_no_file_has_outgrown_a_sitting():
    for path in FILES:
        assert len(path.read_text().splitlines()) <= 430, path


def test_the_tests_of_a_file_have_one_worker(request):
    # By the group in their names, or each worker makes their fixtures again.
    is_alone = "PYTEST_XDIST_WORKER" not in os.environ
    is_grouped = request.node.nodeid.endswith("@test_structure.py")
    assert is_grouped != is_alone
