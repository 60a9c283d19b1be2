"""`keras-genai evaluate`, of runs whose samples are measured."""

import json
import shutil

import numpy as np
import pytest
from test_evaluate_samples import NAMES, blots

from keras_genai.cli import main
from keras_genai.evaluation import FeatureExtractor
from keras_genai.runs import Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """80 images of 8x8 to train on, 80 to test on, of two classes."""
    path = tmp_path_factory.mktemp("data") / "blots.npz"
    (x_train, y_train), (x_test, y_test) = blots(80, seed=1), blots(80, seed=2)
    np.savez(
        path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test
    )
    return str(path)


@pytest.fixture(autouse=True)
def quick_extractor(monkeypatch):
    for_data = FeatureExtractor.for_data
    monkeypatch.setattr(
        FeatureExtractor,
        "for_data",
        lambda examples, verbose: for_data(examples, epochs=1, verbose=0),
    )


SMALL = ["--networks", "dense", "--latent-dim", "2", "--epochs", "1"]
FAMILIES = {
    "gan": ["--epochs", "1", "--latent-dim", "2"],
    "dcgan": ["--epochs", "1", "--width", "2"],
    "autoencoder": SMALL,
    "denoising_autoencoder": SMALL,
    "vae": SMALL,
    "conditional_vae": SMALL,
    "pixelcnn": [
        *("--epochs", "1", "--width", "4", "--dilations", "(1,2)"),
        *("--first-kernel-size", "5", "--head-width", "8"),
    ],
}


def trained(model, data, folder, *more):
    arguments = ["train", model, "--data", data, "--output", str(folder)]
    arguments += [*FAMILIES[model], "--batch-size", "16", "--seed", "0", *more]
    assert main(arguments) == 0
    return folder


@pytest.mark.parametrize("model", FAMILIES)
def test_every_image_family_is_measured(
    model, data, tmp_path, capsys, without_export
):
    folder = trained(model, data, tmp_path / "run")
    capsys.readouterr()
    assert main(["evaluate", str(folder), "--k", "2", "--seed", "5"]) == 0
    output = capsys.readouterr().out
    results = Run.open(folder).record()["evaluation"]["test"]
    assert list(results)[-1] == "samples"
    samples = results["samples"]
    assert set(samples["measures"]) >= set(NAMES) - {
        "frechet_distance_extrapolated"  # needs more than 80 images
    }
    assert (samples["num_samples"], samples["seed"]) == (80, 5)
    assert samples["reference"]["images"] == 80
    assert samples["reference"]["digest"] != samples["training"]["digest"]
    for name in samples["measures"]:
        assert f"\n{name} " in output
    written = json.loads((folder / "evaluation" / "test.json").read_text())
    assert written == samples
    assert (folder / "evaluation" / "test.png").is_file()

    bits = results.get("bits_per_pixel_binary")
    if "vae" in model:
        bound = results["importance_weighted_bound_k2"]
        assert bits == pytest.approx(-bound / (64 * np.log(2)))
    else:
        assert bits is None


def test_a_likelihood_of_bytes_has_bits_a_dimension(
    data, tmp_path, without_export
):
    more = ["--likelihood", "discretized_logistic", "--binarize", "None"]
    folder = trained("vae", data, tmp_path / "run", *more)
    results = Run.open(folder).evaluate(k=2)
    bound = results["importance_weighted_bound_k2"]
    assert results["bits_per_dim"] == pytest.approx(-bound / (64 * np.log(2)))
    assert "bits_per_pixel_binary" not in results


def test_pixelcnn_is_told_of_classes_and_of_grey(data, tmp_path):
    more = ["--likelihood", "discretized_logistic_mixture"]
    more += ["--binarize", "None", "--num-classes", "2"]
    folder = trained("pixelcnn", data, tmp_path / "run", *more)
    record = Run.open(folder).record()
    assert record["arguments"]["num_classes"] == 2
    assert record["recipe"]["binarize"] is None
    made = []
    for source in (folder, folder / "export"):
        output = tmp_path / f"{source.name}.npz"
        command = ["generate", str(source), "--labels", "0,1,1"]
        assert main([*command, "--output", str(output)]) == 0
        with np.load(output) as file:
            made.append(file["images"])
    np.testing.assert_array_equal(*made)
    assert len(np.unique(made[0])) > 2
    results = Run.open(folder).evaluate()
    assert results["bits_per_dim"] == pytest.approx(
        results["loss"] / (64 * np.log(2)), rel=1e-5
    )
    assert "label_agreement" in results["samples"]["measures"]


def test_the_number_of_samples_is_chosen_and_checked(
    data, tmp_path, capsys, without_export
):
    folder = trained("dcgan", data, tmp_path / "run")
    assert main(["evaluate", str(folder), "--num-samples", "70"]) == 0
    record = Run.open(folder).record()["evaluation"]["test"]["samples"]
    assert record["num_samples"] == 70
    for count, message in ((81, "1 to 80"), (64, "65 would do")):
        capsys.readouterr()
        assert main(["evaluate", str(folder), "--num-samples", str(count)]) == 2
        assert message in capsys.readouterr().err


def test_data_without_classes_or_with_few_images_say_why(
    tmp_path, capsys, without_export
):
    images, labels = blots(60, seed=1)
    for name, arrays, message in (
        ("few", {"images": images, "labels": labels}, "with 60 images"),
        ("unlabelled", {"images": images}, "no classes"),
    ):
        path = tmp_path / f"{name}.npz"
        np.savez(path, **arrays)
        folder = trained("dcgan", str(path), tmp_path / name)
        capsys.readouterr()
        assert main(["evaluate", str(folder), "--split", "train"]) == 0
        (line,) = (
            line
            for line in capsys.readouterr().out.splitlines()
            if "not evaluated" in line
        )
        assert message in line
        assert "samples" not in Run.open(folder).record()["evaluation"]["train"]
        assert not (folder / "evaluation").exists()
        shutil.rmtree(folder)
