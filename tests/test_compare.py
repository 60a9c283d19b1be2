import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from keras_genai.cli import main
from keras_genai.plotting import plot_comparison
from keras_genai.records import Comparison, table
from keras_genai.runs import Run

LOSSES = {"epoch": [0, 1], "loss": [3.0, 2.5], "val_loss": [3.5, 2.75]}


def write_run(folder, history=LOSSES, recipe=None, **record):
    """Writes what a run leaves behind, without training one."""
    folder.mkdir(parents=True)
    default = {"family": "VAE", "source": "mnist_5k", "batch_size": 128}
    default |= {"image_size": None, "model_arguments": {"latent_dim": 2}}
    if history:
        rows = [history, *zip(*history.values(), strict=True)]
        lines = [",".join(map(str, row)) for row in rows]
        (folder / "history.csv").write_text("\n".join(lines) + "\n")
    run = Run(folder)
    run.write_record(
        {
            "status": "complete",
            "recipe": {**default, **(recipe or {})},
            "seed": 0,
            "deterministic": False,
            "offline": False,
            "seconds": 1.5,
            "versions": {"keras": "3.12.0"},
            "arguments": {"image_shape": [28, 28, 1], "latent_dim": 2},
            "data": {"source": "mnist_5k/train", "images": 4500},
            **record,
        }
    )
    return str(folder)


@pytest.fixture
def pair(tmp_path):
    """A run that is complete and one that diverged."""
    complete = write_run(
        tmp_path / "complete",
        final={"loss": 2.5, "val_loss": 2.75, "epoch": 2},
        evaluation={
            "test": {
                "elbo": -101.23456,
                "samples": {
                    "measures": {"fid": {"value": 8.5, "interval": [8.0, 9.0]}},
                    "features": "of a classifier",
                    "exact": True,
                },
            }
        },
    )
    diverged = write_run(
        tmp_path / "diverged",
        {"epoch": [0], "loss": [4.0], "active_units": [1.0]},
        recipe={"batch_size": 64, "model_arguments": {"beta": 4.0}},
        status="diverged",
        seed=1,
        arguments={"image_shape": [8, 8, 1], "latent_dim": 2, "beta": 4.0},
    )
    return [complete, diverged]


def refused(capsys, *arguments):
    assert main(["compare", *map(str, arguments)]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("keras-genai: ")
    return output.err


# --- What is gathered --------------------------------------------------------


def test_arguments_that_differ(pair):
    assert Comparison(pair).arguments == {
        "status": ["complete", "diverged"],
        "seed": [0, 1],
        "recipe/batch_size": [128, 64],
        "model/image_shape": [[28, 28, 1], [8, 8, 1]],
        "model/beta": [None, 4.0],
    }


def test_final_numbers_and_evaluations(pair):
    assert Comparison(pair).numbers == {
        "epoch": [2, 1],
        "loss": [2.5, 4.0],
        "val_loss": [2.75, None],
        "active_units": [None, 1.0],
        "test/elbo": [-101.23456, None],
        "test/samples/fid": [8.5, None],
    }
    # Those of a part stay together.
    assert list(Comparison(pair).numbers)[3:] == [
        "active_units",
        "test/elbo",
        "test/samples/fid",
    ]


def test_a_run_that_never_finished_an_epoch(pair, tmp_path):
    started = write_run(tmp_path / "started", {}, status="interrupted")
    record = Run(started).record()
    del record["arguments"], record["data"]
    Run(started).write_record(record)
    comparison = Comparison([pair[0], started])
    assert comparison.histories["started"] == {}
    assert comparison.numbers["loss"] == [2.5, None]
    assert comparison.arguments["model/latent_dim"] == [2, None]
    assert comparison.arguments["recipe/model_arguments/latent_dim"] == [
        None,
        2,
    ]


def test_runs_of_one_name_are_told_apart(tmp_path):
    folders = [write_run(tmp_path / name / "run") for name in "ab"]
    assert list(Comparison(folders).histories) == folders


# --- The tables --------------------------------------------------------------


def test_columns_are_aligned_and_gaps_blank():
    rows = [["loss", 0.123456, None], ["epoch", 12, 3], ["on", True, "yes"]]
    assert table(["", "one", "other"], rows).splitlines() == [
        "           one  other",
        "-----  -------  -----",
        "loss   0.12346",
        "epoch       12      3",
        "on        true    yes",
    ]


def test_long_values_keep_both_ends():
    path = "/data/" + "x" * 100 + "/images.npz"
    (*_, line) = table(["name", "run"], [["source", path]]).splitlines()
    assert line == "source  /data/xxxxxxxxxx .. xxxxx/images.npz"


def test_a_value_is_one_line():
    (*_, line) = table(["name", "run"], [["prompt", "\n"]]).splitlines()
    assert line == r'prompt  "\n"'


# --- The picture -------------------------------------------------------------


def test_a_panel_a_number_a_colour_a_run_dashes_for_validation():
    other = {"loss": [4.0], "psnr": [20.0]}
    figure = plot_comparison({"one": LOSSES, "other": other, "none": {}})
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert list(panels) == ["loss", "psnr"]
    assert panels["psnr"].get_ylabel() == "PSNR (dB)"
    drawn = [
        (
            list(line.get_xdata()),
            list(line.get_ydata()),
            line.get_linestyle(),
            to_hex(line.get_color()),
        )
        for line in panels["loss"].lines
        if len(line.get_xdata())
    ]
    first, second = to_hex("C0"), to_hex("C1")
    assert drawn == [
        ([1, 2], [3.0, 2.5], "-", first),
        ([1, 2], [3.5, 2.75], "--", first),
        ([1], [4.0], "-", second),
    ]
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["one", "other", "none", "validation"]
    colours = [to_hex(line.get_color()) for line in legend.get_lines()]
    assert colours[:3] == [first, second, to_hex("C2")]


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="at least one epoch"):
        plot_comparison({"one": {}, "other": {"epoch": [], "loss": []}})


# --- keras-genai compare -----------------------------------------------------


def test_compare_prints_and_draws(pair, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "complete", "diverged"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"{Comparison(pair)}\n")
    lines = {
        line.split()[0]: line.split()[1:]
        for line in output.splitlines()
        if line
    }
    assert lines["recipe/batch_size"] == ["128", "64"]
    assert lines["model/beta"] == ["4"]
    assert lines["test/elbo"] == ["-101.23"]
    output = "complete/comparisons/comparison.png"
    assert lines["Histories:"] == [output]
    with Image.open(output) as picture:
        assert picture.width > picture.height  # two panels
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"complete", "diverged"}


def test_compare_takes_the_next_name(pair, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "complete" / "comparisons"
    for name in ("comparison.png", "comparison_2.png", "comparison_3.png"):
        assert main(["compare", "complete", "diverged"]) == 0
        assert f"comparisons/{name}\n" in capsys.readouterr().out
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert len(before) == 3
    (folder / "comparison.png").write_bytes(b"old")
    assert main(["compare", "complete", "diverged", "--overwrite"]) == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_tables_need_no_picture(pair, monkeypatch, capsys):
    (Run(pair[0]).folder / "comparisons").write_text("no folder")
    assert main(["compare", *pair]) == 2
    output = capsys.readouterr()
    assert output.out == f"{Comparison(pair)}\n"
    assert "cannot be written to" in output.err and "--output" in output.err


def test_compare_keeps_what_is_there(pair, tmp_path, capsys):
    output = tmp_path / "both.pdf"
    output.write_text("the only copy")
    message = refused(capsys, *pair, "--output", output)
    assert "--overwrite" in message and str(output) in message
    assert output.read_text() == "the only copy"
    arguments = ["compare", *pair, "--output", str(output), "--overwrite"]
    assert main(arguments) == 0
    assert output.read_bytes().startswith(b"%PDF")


def test_compare_without_an_epoch(tmp_path, capsys):
    folders = [write_run(tmp_path / name, {}) for name in "ab"]
    output = tmp_path / "compare.png"
    assert main(["compare", *folders, "--output", str(output)]) == 0
    assert "there is no picture" in capsys.readouterr().out
    assert not output.exists()


def test_compare_refuses(pair, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folders in (pair[:1], [pair[0], pair[0]], [*pair, "complete"]):
        message = refused(capsys, *folders)
        assert "two runs or more" in message and "complete" in message
    message = refused(capsys, pair[0], tmp_path)
    assert "run.json" in message and repr(str(tmp_path)) in message
    message = refused(capsys, *pair, "--output", "compare.jpg")
    assert ".png or .pdf or .svg" in message and "compare.jpg" in message
    (tmp_path / "diverged" / "run.json").write_text("{")
    assert "broken" in refused(capsys, *pair)
    assert not any(tmp_path.rglob("*.png"))


@pytest.mark.slow
def test_compare_of_trained_runs(tmp_path, capsys, without_export):
    data = tmp_path / "tiny.npz"
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8), "uint8")
    np.savez(data, images=images)
    folders = []
    for model, width in (("gan", "--latent-dim"), ("dcgan", "--width")):
        folder = tmp_path / model
        arguments = ["train", model, "--data", str(data), width, "2"]
        arguments += ["--epochs", "2", "--batch-size", "8", "--seed", "0"]
        assert main([*arguments, "--output", str(folder)]) == 0
        folders.append(str(folder))
    comparison = Comparison(folders)
    assert comparison.arguments["recipe/family"] == ["GAN", "DCGAN"]
    assert comparison.arguments["model/width"] == [None, 2]
    assert {"seconds", "model/latent_dim"} < set(comparison.arguments)
    assert "seed" not in comparison.arguments
    assert not {n for n in comparison.arguments if n.startswith("data/")}
    for index, folder in enumerate(folders):
        for name, value in Run(folder).record()["final"].items():
            assert comparison.numbers[name][index] == value
    output = tmp_path / "compare.png"
    assert main(["compare", *folders, "--output", str(output)]) == 0
    assert str(comparison) in capsys.readouterr().out
    assert output.is_file()
