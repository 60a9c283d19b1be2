"""What the tests of faults share: a small run, and the script of the soak."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_genai.recipes import GANRecipe
from keras_genai.runs import Run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))


@pytest.fixture(scope="session")
def pixels(tmp_path_factory):
    """16 images of 8x8 in a `.npz`."""
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8), "uint8")
    np.savez(path, images=images, labels=np.arange(16) % 2)
    return path


@pytest.fixture(scope="session")
def recipe(pixels):
    return GANRecipe(
        "DCGAN",
        source=str(pixels),
        batch_size=8,
        epochs=2,
        model_arguments={"latent_dim": 2, "width": 2},
    )


@pytest.fixture(scope="session")
def trained(recipe, tmp_path_factory):
    """The folder of a run of two epochs, to be copied."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "run", recipe, seed=0)
    run.finish(run.train())
    return run.folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of that run, with a third epoch to go."""
    return Run(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def contents():
    """A function: folder -> path -> bytes, of all that is in it."""

    def read(folder):
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read
